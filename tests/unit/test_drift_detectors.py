"""Each detector against another implementation or a closed form, and its verdict against both kinds of error."""

import numpy as np
import pytest
from scipy import stats
from scipy.spatial.distance import jensenshannon

from assurance.evidence.finding import State
from monitoring.drift.binned import BinnedState
from monitoring.drift.catalogue import DETECTORS
from monitoring.drift.chi_square import chi_square, chi_square_statistic, corrected_v
from monitoring.drift.js import js, js_of_counts
from monitoring.drift.ks import ks
from monitoring.drift.psi import psi, psi_of_counts
from monitoring.drift.sketch import SketchState
from monitoring.drift.thresholds import on_sd_scale
from monitoring.drift.verdict import needed
from monitoring.drift.w1_sd import w1_sd

REFERENCE = [0.12, 0.25, 0.31, 0.44, 0.52, 0.58, 0.63, 0.71, 0.77, 0.9]
CURRENT = [0.3, 0.41, 0.55, 0.6, 0.66, 0.72, 0.8, 0.85, 0.88, 0.93, 0.97, 0.99]


def test_known_answers_of_ks_and_wasserstein():
    assert float(ks(REFERENCE, CURRENT)) == pytest.approx(0.4, rel=1e-9)
    assert ks(REFERENCE, CURRENT).null.p_value == pytest.approx(0.2829492488935213, rel=1e-9)
    answer = w1_sd(REFERENCE, CURRENT)
    assert answer.details["w1"] == pytest.approx(0.19866666666666669, rel=1e-9)
    assert float(answer) == pytest.approx(0.8533385300235976, rel=1e-9)


def test_known_answers_of_categories():
    reference, current = np.array([50, 30, 15, 5]), np.array([20, 20, 8, 2])
    assert js_of_counts(reference, current) == pytest.approx(0.09850821960001763, rel=1e-9)
    statistic, df, _ = chi_square_statistic(reference, current)
    assert statistic == pytest.approx(1.8074534161490683, rel=1e-9)
    assert stats.chi2.sf(statistic, df) == pytest.approx(0.6133143335936724, rel=1e-9)


def test_known_answers_of_psi():
    reference, current = np.array([100.0] * 5), np.array([60.0, 45, 40, 30, 25])
    assert psi_of_counts(reference, current) == pytest.approx(0.0907851126514621, rel=1e-9)


@pytest.mark.parametrize(("n", "m"), [(12, 40), (90, 99), (400, 250)])
def test_ks_agrees_with_scipy(n, m):
    rng = np.random.default_rng(n)
    a, b = rng.normal(size=n), rng.normal(0.3, 1, size=m)
    answer = ks(a, b)
    expected = stats.ks_2samp(a, b, method="exact" if max(n, m) < 100 else "asymp")
    assert float(answer) == pytest.approx(expected.statistic, rel=1e-12)
    if max(n, m) < 100:
        assert answer.null.p_value == pytest.approx(expected.pvalue, rel=1e-8)
    else:
        limit = stats.kstwobign.sf(np.sqrt(n * m / (n + m)) * expected.statistic)
        assert answer.null.p_value == pytest.approx(limit, rel=1e-12)


def test_w1_agrees_with_scipy():
    rng = np.random.default_rng(2)
    a, b = rng.gamma(2, size=300), rng.gamma(2.4, size=170)
    assert float(w1_sd(a, b)) == pytest.approx(stats.wasserstein_distance(a, b) / a.std(), rel=1e-9)


def test_js_agrees_with_scipy():
    p, q = np.array([10.0, 20, 0, 70]), np.array([5.0, 25, 10, 60])
    assert js_of_counts(p, q) == pytest.approx(jensenshannon(p, q, base=2), rel=1e-9)


def test_corrected_v_is_zero_for_equal_shares_and_near_one_for_disjoint_levels():
    even = chi_square_statistic(np.array([500, 500]), np.array([500, 500]))[0]
    assert corrected_v(even, 2000, 2) == 0
    apart = chi_square_statistic(np.array([1000, 0]), np.array([0, 1000]))[0]
    assert corrected_v(apart, 2000, 2) == pytest.approx(1.0, abs=1e-6)


def test_the_small_table_p_value_agrees_with_fisher():
    reference, current = ["a"] * 8 + ["b"] * 2, ["a"] * 1 + ["b"] * 5
    fisher = stats.fisher_exact([[8, 2], [1, 5]]).pvalue
    assert chi_square(reference, current, seed=1).null.p_value == pytest.approx(fisher, abs=0.01)


@pytest.mark.parametrize("key", ["w1_sd", "ks", "psi", "js"])
def test_states_give_the_raw_answer_within_their_error(key):
    rng = np.random.default_rng(8)
    a, b = rng.beta(2, 5, size=3000), rng.beta(2.3, 5, size=900)
    detector = DETECTORS.load(key)
    raw = detector(a, b)
    binned = detector(BinnedState.from_values(a), BinnedState.from_values(b))
    sketched = detector(SketchState.from_values(a), SketchState.from_values(b))
    assert float(binned) == pytest.approx(float(raw), abs=0.01)
    assert float(sketched) == pytest.approx(float(raw), abs=0.02)
    assert binned.state == raw.state


@pytest.mark.parametrize("key", ["w1_sd", "ks", "psi", "js"])
def test_the_null_law_holds_its_level(key):
    """Under no drift about 5 % of the p-values lie below 0.05; 400 windows give ± 2.1 points (2 sd)."""
    rng = np.random.default_rng(11)
    reference = rng.normal(size=4000)
    detector = DETECTORS.load(key)
    p_values = [detector(reference, rng.normal(size=250)).null.p_value for _ in range(400)]
    assert np.mean(np.array(p_values) <= 0.05) < 0.05 + 3 * np.sqrt(0.05 * 0.95 / 400)


@pytest.mark.parametrize("key", ["w1_sd", "ks", "psi", "js"])
def test_a_large_shift_is_an_act_and_a_tiny_one_at_huge_size_is_not(key):
    rng = np.random.default_rng(4)
    reference = rng.normal(size=20_000)
    detector = DETECTORS.load(key)
    assert detector(reference, rng.normal(1.0, 1, size=700)).state is State.ACT
    tiny = detector(reference, rng.normal(0.08, 1, size=20_000))
    assert tiny.null.p_value < 0.01  # evidence
    assert tiny.state is State.OK  # without an effect that matters


@pytest.mark.parametrize("key", ["w1_sd", "ks", "psi", "js", "hellinger", "energy"])
def test_a_value_that_nearly_all_share_leaves_two_bins_and_a_constant_none(key):
    rare = np.r_[np.zeros(20), np.ones(980)]
    moved = DETECTORS.load(key)(rare, np.r_[np.zeros(200), np.ones(200)])
    assert moved.state is State.ACT and np.isfinite(list(moved.null.quantiles.values())).all()
    constant = DETECTORS.load(key)(SketchState.from_values([4.1] * 900), SketchState.from_values([4.1] * 700))
    assert constant.value is None and "no spread" in constant.reason


def test_a_small_window_may_say_act_but_never_ok():
    rng = np.random.default_rng(6)
    reference = rng.normal(size=20_000)
    assert w1_sd(reference, rng.normal(size=100)).state is State.INSUFFICIENT
    assert w1_sd(reference, rng.normal(2, 1, size=100)).state is State.ACT
    assert w1_sd(reference, rng.normal(2, 1, size=30)).state is State.INSUFFICIENT


def test_a_small_reference_raises_the_minimum():
    assert needed(190, 380) == pytest.approx(380)
    assert needed(190, 190) == float("inf")


def test_the_sd_scale_returns_its_own_rows():
    assert on_sd_scale("psi", 0.038) == pytest.approx(0.2)
    assert on_sd_scale("ks", 0.197) == pytest.approx(0.5)


def test_the_same_input_gives_the_same_digest_and_another_seed_another():
    first, again = w1_sd(REFERENCE, CURRENT), w1_sd(REFERENCE, CURRENT)
    assert first.digest() == again.digest()
    assert w1_sd(REFERENCE, CURRENT, seed=1).digest() != first.digest()


def test_psi_reads_new_values_beyond_the_reference():
    assert float(psi(np.linspace(0, 1, 500), np.linspace(5, 6, 500))) > 2


def test_js_of_equal_samples_is_zero():
    assert float(js(np.arange(500), np.arange(500))) == 0


def test_a_reference_that_differs_by_rounding_alone_is_constant():
    # 1/45,901 added up in two orders differs in its last digit; a spread of 1e-21 must not become a distance of 1e9 sd
    share = 1 / 45901
    reference = np.array([share, np.nextafter(share, 1)] * 100)
    for key in ("w1_sd", "ks", "psi", "js"):
        finding = DETECTORS.load(key)(reference, np.full(100, 2 * share))
        assert finding.value is None
        assert "constant" in finding.reason
