from datetime import UTC, datetime, timedelta

from assurance.selectors.findings import FindingSeries, WindowValue
from monitoring.views.words import sentence, summary

START = datetime(2026, 3, 2, tzinfo=UTC)


def a_series(states, *, signal="meta_view", stratum="site=b"):
    values = tuple(
        WindowValue(
            i,
            "d",
            START + timedelta(weeks=i),
            START + timedelta(weeks=i + 1),
            0.5,
            state,
            120,
            "1",
            "",
            None,
            None,
            None,
        )
        for i, state in enumerate(states)
    )
    return FindingSeries("input", "psi", signal, stratum, values)


def test_a_change_is_told_with_place_number_and_date():
    text = sentence(a_series(["ok", "watch", "act"]))
    assert text == "View at b stands at act level (population stability index 0.5, n = 120) since 9 Mar 2026"


def test_a_run_that_ended_is_not_told():
    assert sentence(a_series(["act", "act", "ok"])) == ""


def test_act_comes_before_watch_and_each_place_is_told_once():
    told = summary([a_series(["watch"], signal="q_noise"), a_series(["act"]), a_series(["act"])])
    assert [text.split(" ")[0] for text in told] == ["View", "Noise"]
