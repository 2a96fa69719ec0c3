"""Sentences from streams: what moved, from where to where, since when, and what is known of performance."""

from datetime import UTC, datetime, timedelta

from monitoring.selectors.charts import Step, Stream, moved_since
from monitoring.words import change, name_of, place_name, story

START = datetime(2026, 3, 2, tzinfo=UTC)


def stream(states, *, signal="meta_view", stratum="site=b", family="input", quantity="psi", value=0.5):
    steps = [
        Step(START + timedelta(weeks=i), START + timedelta(weeks=i + 1), value, state, 120)
        for i, state in enumerate(states)
    ]
    return Stream("d", family, quantity, signal, stratum, "", steps)


def test_a_change_is_told_with_place_number_and_date():
    text = change(stream(["ok", "watch", "act"]), None)
    assert text == "View stands at act level (population stability index 0.5) since 9 Mar 2026 at b"


def test_a_run_that_ended_is_not_told():
    assert moved_since(stream(["act", "act", "ok"]).steps) is None
    assert change(stream(["act", "act", "ok"]), None) == ""


def test_too_few_cases_end_a_run():
    assert moved_since(stream(["act", "insufficient", "act"]).steps).start == START + timedelta(weeks=2)


def test_shares_and_means_are_told_as_numbers():
    shares = {"details": {"levels": ["PA", "AP"], "reference_counts": [69, 31], "current_counts": [42, 58]}}
    assert change(stream(["act"]), shares) == "View: the share of AP rose from 31 % to 58 % since 2 Mar 2026 at b"
    mean = {"details": {"mean_change": -3.0, "reference_sd": 2.0}}
    text = change(stream(["watch"], signal="q_noise_sd"), mean)
    assert text == "Noise SD fell by 3 on average (1.5 sd) since 2 Mar 2026 at b"


def test_a_wider_spread_with_the_same_mean_is_not_called_a_fall():
    details = {"details": {"mean_change": -0.01, "reference_sd": 2.0}}
    assert "changed its spread" in change(stream(["watch"], signal="q_noise_sd"), details)


def test_act_comes_before_watch_and_each_signal_is_told_once():
    told = story([stream(["watch"], signal="q_noise"), stream(["act"]), stream(["act"], quantity="ks")], {})
    assert [text.split(" ")[0] for text in told] == ["View", "Noise", "The", "Performance"]


def test_whether_the_scores_followed_is_said():
    quiet = story([stream(["act"]), stream(["ok"], signal="score", family="output")], {})
    assert "The model's output did not move" in quiet
    moved = story([stream(["act"]), stream(["act"], signal="score", family="output")], {})
    assert "The model's score moved too, since 2 Mar 2026 at b" in moved


def test_performance_is_told_with_its_interval_and_estimates_do_not_count():
    known = stream(["ok"], signal="", stratum="", family="performance", quantity="auroc", value=0.88)
    contents = {("d", "auroc", "", ""): {"interval": {"low": 0.85, "high": 0.91}}}
    assert story([known], contents) == ["AUROC holds at 0.88 (0.85 to 0.91)"]
    guessed = stream(["ok"], signal="", stratum="", family="performance", quantity="estimated_accuracy")
    assert story([guessed], {}) == ["Performance is not yet known: no labels came in"]


def test_names_are_those_of_the_field():
    assert name_of("estimated_ppv") == "positive predictive value (estimated, unlabelled)"
    assert place_name("sex=F;site=nih") == "nih, sex F"
