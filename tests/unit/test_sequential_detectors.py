"""Each sequential detector: by hand, against its guarantee, and at its door."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assurance.evidence.errors import InvalidInput
from assurance.evidence.finding import State
from monitoring.sequential.adwin import adwin
from monitoring.sequential.aim_cu import aim_cu
from monitoring.sequential.baseline import standardised
from monitoring.sequential.bayes_changepoint import bayes_changepoint
from monitoring.sequential.bernoulli_cusum import bernoulli_cusum
from monitoring.sequential.confidence_sequence import confidence_sequence
from monitoring.sequential.cusum import cusum
from monitoring.sequential.e_bh import e_bh
from monitoring.sequential.e_detector import e_detector
from monitoring.sequential.ewma import ewma
from monitoring.sequential.page_hinkley import page_hinkley
from monitoring.sequential.risk_adjusted_cusum import risk_adjusted_cusum
from monitoring.sequential.shewhart import shewhart


def test_known_answer_of_the_cusum_path():
    x = [0.2, -0.1, 0.5, 1.2, 0.9, 1.5, -0.3, 1.1, 2, 0.7]
    result = cusum(x, k=0.25, h=6, side="upper")
    assert result.statistic == pytest.approx([0, 0, 0.25, 1.2, 1.85, 3.1, 2.55, 3.4, 5.15, 5.6], abs=1e-9)
    assert result.alarm_index is None
    assert result.arl0 == pytest.approx(250.80501455157176, rel=2e-3)
    assert cusum(x, k=0.25, h=5, side="upper").alarm_index == 8
    assert cusum(x, k=0.25, h=5, side="upper").change_index == 2


def test_the_lower_sum_mirrors_the_upper_one():
    x = np.random.default_rng(0).normal(size=50)
    assert cusum(x, side="lower").statistic == pytest.approx(cusum(-x, side="upper").statistic)


def test_ewma_by_hand():
    result = ewma([1.0, 3.0], weight=0.2, limit=3.0)
    assert result.statistic == pytest.approx([0.2, 0.76])
    assert result.upper == pytest.approx([3 * 0.2, 3 * np.sqrt(0.2 / 1.8 * (1 - 0.8**4))])
    assert result.alarm_index == 1 or result.statistic[1] < result.upper[1]


def test_shewhart_alarms_at_the_point_itself():
    assert shewhart([0.1, -3.2, 0.0]).alarm_index == 1
    assert shewhart([0.1, 2.9, 0.0]).alarm_index is None
    assert shewhart([0.0], arl0=370.4).parameters["limit"] == pytest.approx(3.0, abs=1e-3)


def test_a_short_baseline_is_used_and_warned_about():
    values = np.r_[np.random.default_rng(1).normal(0.8, 0.01, 40), np.full(20, 0.85)]
    result = aim_cu(values)
    assert result.parameters["target"] == pytest.approx(values[:30].mean())
    assert result.parameters["sd"] == pytest.approx(values[:30].std(ddof=1))
    assert 40 <= aim_cu(values, h=10).alarm_index < 45
    assert (result.statistic[:30] == 0).all()
    assert result.arl0 == pytest.approx(168, rel=3e-3)
    assert "30 points" in cusum(values, baseline=30).notes[0]


def test_self_starting_values_are_standard_normal_without_a_known_baseline():
    rng = np.random.default_rng(2)
    z = np.array(
        [standardised(rng.normal(50, 7, 12), target=0, sd=1, baseline=0, self_starting=True)[1] for _ in range(3000)]
    )
    assert np.all(z[:, :2] == 0)
    assert np.abs(z[:, 2:].mean(axis=0)).max() < 4 / np.sqrt(3000)
    assert z[:, 2:].std(axis=0) == pytest.approx(np.ones(10), abs=0.06)
    assert abs(np.corrcoef(z[:, 5], z[:, 6])[0, 1]) < 4 / np.sqrt(3000)


def test_the_e_detector_by_hand():
    # one alternative, p 0.2 -> 0.4: an error doubles S + 1, a success takes a quarter off
    result = e_detector([1, 0, 1], p0=0.2, arl0=4, ratios=[2.0])
    assert result.statistic == pytest.approx([2.0, 2.25, 6.5])
    assert result.alarm_index == 2


def test_the_e_detector_keeps_its_guarantee_and_its_delay():
    rng = np.random.default_rng(3)
    first = [e_detector(rng.random(4000) < 0.1, p0=0.1, arl0=200).alarm_index for _ in range(150)]
    lengths = np.array([4000 if place is None else place + 1 for place in first])
    assert lengths.mean() - 2 * lengths.std() / np.sqrt(150) > 200  # a lower bound, by its theory
    delay = np.mean([e_detector(rng.random(1500) < 0.2, p0=0.1, arl0=1000).alarm_index + 1 for _ in range(150)])
    assert delay == pytest.approx(80, rel=0.15)


def test_the_bernoulli_cusum_finds_where_a_rate_rose():
    rng = np.random.default_rng(4)
    errors = np.r_[rng.random(400) < 0.05, rng.random(400) < 0.2]
    result = bernoulli_cusum(errors, p0=0.05)
    assert 400 < result.alarm_index < 520
    assert abs(result.change_index - 400) < 60


def test_risk_adjustment_with_equal_risks_is_the_bernoulli_cusum():
    rng = np.random.default_rng(5)
    outcomes = rng.random(300) < 0.2
    adjusted = risk_adjusted_cusum(outcomes, risks=np.full(300, 0.1), odds_ratio=2.0, h=5.0)
    plain = bernoulli_cusum(outcomes, p0=0.1, p1=2 * 0.1 / (0.9 + 2 * 0.1), h=5.0)
    assert adjusted.statistic == pytest.approx(plain.statistic)
    assert adjusted.arl0 == pytest.approx(plain.arl0, rel=1e-6)
    assert adjusted.arl1 == pytest.approx(plain.arl1, rel=1e-6)


def test_risk_adjusted_run_length_agrees_with_simulation_on_the_mix():
    rng = np.random.default_rng(6)
    risks = rng.beta(1, 6, 400)
    design = risk_adjusted_cusum(np.zeros(400), risks=risks, arl0=300)
    runs, total, steps, alive = 1500, np.zeros(1500), np.zeros(1500), np.ones(1500, dtype=bool)
    for _ in range(2500):
        p = rng.choice(risks, runs)
        outcome = rng.random(runs) < p
        total = np.maximum(0, total + outcome * np.log(2) - np.log(1 - p + 2 * p))
        steps += alive
        alive &= total < design.parameters["h"]
    assert steps.mean() == pytest.approx(300, abs=3 * steps.std() / np.sqrt(runs) + 6)


@pytest.mark.parametrize("method", ["betting", "empirical_bernstein"])
def test_a_confidence_sequence_covers_at_every_look(method):
    rng = np.random.default_rng(7)
    missed = 0
    for _ in range(200):
        result = confidence_sequence(rng.beta(6, 2, 150), method=method)
        missed += bool(((result.lower > 0.75) | (result.upper < 0.75)).any())
    assert missed <= 17  # 5 % of 200 plus two standard deviations


def test_betting_is_tighter_and_both_shrink():
    values = np.random.default_rng(8).beta(20, 5, 400)
    tight, wide = confidence_sequence(values), confidence_sequence(values, method="empirical_bernstein")
    assert tight.upper[-1] - tight.lower[-1] < wide.upper[-1] - wide.lower[-1] < 0.2
    assert (np.diff(tight.lower) >= 0).all() and (np.diff(tight.upper) <= 0).all()


def test_a_declared_limit_is_judged_on_its_bad_side_only():
    values = np.random.default_rng(9).beta(6, 4, 600)
    assert confidence_sequence(values, limit=0.8, worse="below").alarm_index is not None
    assert confidence_sequence(values, limit=0.8, worse="above").alarm_index is None
    assert confidence_sequence(values, limit=0.6).alarm_index is None


def test_the_changepoint_is_placed_where_the_mean_moved():
    values = np.r_[np.random.default_rng(10).normal(size=150), np.random.default_rng(11).normal(3, 1, 60)]
    result = bayes_changepoint(values)
    assert abs(result.change_index - 150) <= 2
    assert result.alarm_index is None and result.arl0 is None
    assert result.statistic[155] > 0.9 > 0.3 > result.statistic[100]


def test_page_hinkley_and_adwin_see_a_large_step():
    rng = np.random.default_rng(12)
    values = np.r_[rng.normal(0.2, 0.05, 300), rng.normal(0.8, 0.05, 300)]
    assert 300 <= page_hinkley(values, threshold=5).alarm_index < 330
    window = adwin(values)
    assert 300 <= window.alarm_index < 330
    assert window.paths["mean"][-1] == pytest.approx(0.8, abs=0.03)
    assert adwin(values[:300]).alarm_index is None


def test_e_bh_by_hand():
    # K = 3, A = 10: the top one needs 30, the top two 15 each, all three 10 each
    assert e_bh([29.0, 14.0, 1.0], arl0=10).tolist() == [False, False, False]
    assert e_bh([31.0, 14.0, 1.0], arl0=10).tolist() == [True, False, False]
    assert e_bh([16.0, 15.0, 1.0], arl0=10).tolist() == [True, True, False]
    assert e_bh([11.0, 10.0, 10.0], arl0=10).all()
    assert e_bh([[31.0, 1.0], [1.0, 1.0]], arl0=10).tolist() == [[True, False], [False, False]]


@given(st.lists(st.floats(0, 200), min_size=1, max_size=8))
@settings(max_examples=50, deadline=None)
def test_e_bh_never_alarms_below_a_single_stream(values):
    alarms = e_bh(values, arl0=20)
    assert all(value >= 20 for value, alarm in zip(values, alarms, strict=True) if alarm)


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: cusum([]), "give 1 or more"),
        (lambda: cusum([1.0, float("nan")]), r"values\[1\] is nan"),
        (lambda: cusum([1.0], side="left"), "choose two, upper or lower"),
        (lambda: cusum([1.0, 1.0, 1.0], baseline=3), "no spread"),
        (lambda: cusum([1.0], baseline=5), "give 0 or 2 to 1"),
        (lambda: cusum([1.0], sd=0), "sd above 0"),
        (lambda: cusum([1.0], k=-1), "k -1"),
        (lambda: ewma([1.0], weight=0), r"give a number in 0\.02\.\.1"),
        (lambda: shewhart([1.0], limit=-1), "limit -1"),
        (lambda: e_detector([0, 1], p0=1.2), "p0 1.2"),
        (lambda: e_detector([0, 2], p0=0.1), "must be 0 or 1"),
        (lambda: e_detector([0, 1], p0=0.9), "none gives a rate"),
        (lambda: bernoulli_cusum([0, 1], p0=0.6), "p1 1.2"),
        (lambda: risk_adjusted_cusum([0, 1], risks=[0.1]), "lengths differ"),
        (lambda: risk_adjusted_cusum([0, 1], risks=[0.1, 0.2], odds_ratio=1), "other than 1"),
        (lambda: confidence_sequence([0.5, 1.5]), r"values\[1\] is 1\.5"),
        (lambda: confidence_sequence([0.5], limit=3), "limit 3"),
        (lambda: bayes_changepoint([1.0], expected_run=1), "expected_run"),
        (lambda: page_hinkley([1.0], side="left"), "choose up, down or both"),
        (lambda: adwin([1.0], delta=2), "delta 2"),
        (lambda: e_bh([-1.0], arl0=10), "0 or more"),
    ],
)  # fmt: skip
def test_wrong_input_is_refused_with_its_name(call, says):
    with pytest.raises(InvalidInput, match=says):
        call()


def test_a_result_becomes_a_finding():
    finding = cusum(np.full(20, 2.0)).finding(signal="auroc")
    assert finding.state is State.ACT and finding.details["alarm_index"] is not None
    assert cusum(np.zeros(20)).finding().state is State.OK


@pytest.mark.parametrize(
    ("seed", "before", "after", "hinkley", "window"),
    [(13, 0.2, 0.8, 506, (517, 262, 0.24370716614333746)), (14, 0.4, 0.5, 562, (703, 576, 0.43740780511184074)),
     (15, 0.5, 0.6, 560, (654, 527, 0.5314762804866163))],
)  # fmt: skip
def test_page_hinkley_and_adwin_agree_with_river(seed, before, after, hinkley, window):
    """Literals from river 0.26.1: PageHinkley(threshold=5) and ADWIN(clock=1), the rest at its defaults."""
    rng = np.random.default_rng(seed)
    values = np.clip(np.r_[rng.normal(before, 0.1, 500), rng.normal(after, 0.1, 500)], 0, 1)
    assert page_hinkley(values, threshold=5).alarm_index == hinkley
    result = adwin(values)
    place, length, mean = window
    assert (result.alarm_index, result.statistic[place]) == (place, length)
    assert result.paths["mean"][place] == pytest.approx(mean, rel=1e-12)
