"""Which shift, why, where and in whom: each answer against a case whose truth is known."""

from datetime import date, timedelta

import numpy as np
import pytest

from assurance.evidence.errors import InvalidInput, NotComputable
from assurance.evidence.finding import State
from monitoring.drift.concordance import Statistic, concordance, reference_spread
from monitoring.drift.context import verdict_words
from monitoring.drift.distribution import distribution
from monitoring.drift.drivers import exemplars, rank_drivers, w1_influence
from monitoring.drift.shift_kind import shift_kind
from monitoring.drift.standardised import cells_of, standardised
from monitoring.drift.subgroups import subgroup_drift
from monitoring.drift.update_markers import update_markers
from monitoring.drift.w1_sd import w1, w1_sd


def world(rng, n, prevalence, *, images=0.0):
    """Images of eight numbers; three of them tell the finding, the last four only how they were acquired."""
    truth = rng.random(n) < prevalence
    rows = rng.normal(size=(n, 8))
    rows[truth, :3] += 1.0
    rows[:, 4:] += images
    scores = 1 / (1 + np.exp(-(rows[:, :3].sum(axis=1) - 1.5 + np.log(0.3 / 0.7))))
    return truth, scores, rows


@pytest.mark.parametrize(
    ("kind", "prevalence", "images"),
    [("none", 0.3, 0.0), ("prevalence", 0.6, 0.0), ("covariate", 0.3, 0.4), ("both", 0.65, 0.4)],
)
def test_the_kind_of_shift_is_told_on_cases_whose_truth_is_known(kind, prevalence, images):
    rng = np.random.default_rng(1)
    reference = world(rng, 1500, 0.3)
    _, scores, rows = world(rng, 900, prevalence, images=images)
    answer = shift_kind(*reference, scores, rows, permutations=399)
    assert answer.kind == kind
    assert answer.prevalence_current == pytest.approx(prevalence, abs=0.06)
    assert "concept" in answer.note


def test_a_shift_of_the_scores_that_looks_like_either_is_not_decided():
    rng = np.random.default_rng(2)
    reference = world(rng, 1500, 0.3)
    _, _, rows = world(rng, 900, 0.3)
    rows[:, 2:6] += 0.35  # a change of the images that also moves the scores
    scores = 1 / (1 + np.exp(-(rows[:, :3].sum(axis=1) - 1.5 + np.log(0.3 / 0.7))))
    answer = shift_kind(*reference, scores, rows)
    assert answer.kind == "unclear" and "is open" in answer.reason
    few = shift_kind(*reference, scores[:20], rows[:20])
    assert few.kind == "unclear" and "50 of each are needed" in few.reason
    with pytest.raises(InvalidInput, match="one class only"):
        shift_kind(np.zeros(100), reference[1][:100], reference[2][:100], scores, rows)


def test_a_drift_that_is_only_the_mix_of_patients_vanishes_when_standardised():
    rng = np.random.default_rng(3)

    def side(n, old):
        ages = np.where(rng.random(n) < old, 75.0, 50.0)
        return rng.normal(np.where(ages > 65, 2.0, 0.0), 1.0), cells_of({"age": ages})

    before, first = side(4000, 0.3)
    after, second = side(1500, 0.7)
    answer = standardised(before, after, reference_cells=first, current_cells=second)
    assert answer.crude.state in (State.ACT, State.WATCH)
    assert answer.finding.state is State.OK
    assert answer.explained > 0.8 and answer.covered == 1
    assert answer.effective_n < 1500
    worse = standardised(before, after + 1.0, reference_cells=first, current_cells=second)
    assert worse.finding.state is State.ACT and worse.explained < 0.6


def test_groups_that_do_not_overlap_cannot_be_standardised():
    with pytest.raises(NotComputable, match="cover 0% of the reference"):
        standardised(np.arange(50.0), np.arange(50.0), reference_cells=["a"] * 50, current_cells=["b"] * 50)


def test_ages_are_cut_in_bands_and_levels_kept():
    cells = cells_of({"age": [3, 18, 64.9, 80, None], "sex": ["F", "M", None, "F", "F"]})
    assert cells == ["age=under 18;sex=F", "age=18-39;sex=M", "age=40-64;sex=unknown", "age=65 and over;sex=F",
                     "age=unknown;sex=F"]  # fmt: skip


def test_drivers_are_ranked_and_their_contributions_add_up():
    rng = np.random.default_rng(4)
    reference = {"noise": rng.normal(10, 2, 800), "age": rng.normal(50, 10, 800), "view": rng.choice(["AP", "PA"], 800)}
    current = {"noise": rng.normal(12, 2, 500), "age": rng.normal(50, 10, 500),
               "view": rng.choice(["AP", "PA"], 500, p=[0.7, 0.3])}  # fmt: skip
    ranked = rank_drivers(reference, current)
    assert [driver.feature for driver in ranked] == ["noise", "view", "age"]
    assert sum(driver.share for driver in ranked) == pytest.approx(1)
    assert ranked[0].share > 0.6 and ranked[2].share < 0.05
    # the gap of mean log odds of two unit-variance normals at distance 1 is about 1; the ridge takes a little away
    assert ranked[0].contribution == pytest.approx(1.0, abs=0.25)


def test_exemplars_are_the_cases_that_pull_the_window_away():
    rng = np.random.default_rng(5)
    reference, current = rng.normal(size=2000), rng.normal(size=300)
    current[:10] = 6.0
    assert set(exemplars(reference, current)[:10]) == set(range(10))
    before = distribution(reference, name="reference")
    influence = w1_influence(before, current)
    assert influence.mean() == pytest.approx(0, abs=1e-9)
    base = w1(before, distribution(current, name="current"))
    for place in (0, 57, 211):  # against the statistic itself with one case twice
        twice = w1(before, distribution(np.r_[current, current[place]], name="current"))
        assert (twice - base) * 301 == pytest.approx(influence[place], abs=0.02)


def test_concordance_by_hand_with_its_shares():
    terms = {
        "tags": Statistic(3.0, 1.0, 1.0, "tags"),  # z 2, weight 1/2
        "snr": Statistic(1.0, 0.0, 1.0, "image"),  # z 1, weight 1/4
        "noise": Statistic(50.0, 0.0, 1.0, "image"),  # z cut at 10, weight 1/4
        "flat": Statistic(1.0, 1.0, 0.0, "image"),
    }
    finding = concordance(terms, m=150)
    assert finding.value == pytest.approx(-(2 / 2 + 1 / 4 + 10 / 4))
    assert finding.details["shares"] == pytest.approx({"tags": 1 / 3.75, "snr": 0.25 / 3.75, "noise": 2.5 / 3.75})
    assert finding.details["left_out"] == ["flat"]
    with pytest.raises(InvalidInput, match="statistics is empty"):
        concordance({}, m=10)


def test_windows_of_the_reference_have_the_spread_of_their_own_size():
    reference = distribution(np.random.default_rng(6).normal(size=20_000), name="reference")
    mean, sd = reference_spread(reference, m=150, seed=0)
    assert mean == pytest.approx(1.28 / np.sqrt(150), rel=0.1)  # published mean of the null law for a normal variable
    assert 0 < sd < mean


def test_subgroups_are_judged_with_the_number_of_looks():
    rng = np.random.default_rng(7)
    levels = ["a", "b", "c", "d", "rare"]
    first, second = (
        rng.choice(levels, 4000, p=[0.3, 0.3, 0.2, 0.19, 0.01]),
        rng.choice(levels, 1600, p=[0.3, 0.3, 0.2, 0.19, 0.01]),
    )
    before, after = rng.normal(size=4000), rng.normal(size=1600)
    after[second == "c"] += 1.0
    found = subgroup_drift(before, after, factor="site", reference_levels=first, current_levels=second)
    assert found[0].stratum == {"site": "c"} and found[0].state is State.ACT
    by_level = {one.stratum["site"]: one for one in found}
    assert by_level["rare"].state is State.INSUFFICIENT and "30 of each" in by_level["rare"].reason
    crude = w1_sd(before[first == "a"], after[second == "a"])
    assert by_level["a"].details["p_crude"] == crude.null.p_value
    assert by_level["a"].null.p_value >= crude.null.p_value
    assert sum(one.details["share"] for one in found) == pytest.approx(1)


def test_a_step_in_the_software_version_is_marked_once():
    start = date(2026, 3, 1)
    days = {start + timedelta(days=i): {"4.1": 20, "4.2": 1} for i in range(10)}
    days[start + timedelta(days=4)] = {"5.0": 12, "4.1": 3}  # a visiting machine for one day
    days |= {start + timedelta(days=i): {"5.0": 18} for i in range(10, 20)}
    markers = update_markers(days, site="north", signal="meta_software_versions")
    assert [(one.day, one.before, one.after) for one in markers] == [(start + timedelta(days=10), "4.1", "5.0")]
    assert (markers[0].provisional_until - markers[0].day).days == 14


def test_the_words_explain_an_alarm_and_never_close_it():
    rng = np.random.default_rng(8)
    moved = w1_sd(rng.normal(size=3000), rng.normal(1, 1, 500))
    marker = {"from": "4.1", "to": "5.0", "day": "2026-03-11"}
    text = verdict_words(moved, markers=(marker,), standardised={"explained": 0.9, "state": "ok"},
                         shift={"kind": "prevalence", "words": "the frequency of the finding changed"})  # fmt: skip
    assert text.startswith("Large change, like a shift of")
    for part in ("from 4.1 to 5.0 on 2026-03-11", "90% of it", "No device alarm unless"):
        assert part in text
    assert "chance" in verdict_words(w1_sd(rng.normal(size=3000), rng.normal(size=500)))
    assert "Not enough cases" in verdict_words(w1_sd(rng.normal(size=3000), rng.normal(size=5)))
