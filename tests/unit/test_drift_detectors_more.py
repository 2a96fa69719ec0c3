"""The further detectors against scipy, scikit-learn, exact kernels and closed forms."""

import warnings

import numpy as np
import pytest
from scipy import linalg, stats
from sklearn.covariance import LedoitWolf
from sklearn.metrics import roc_auc_score
from sklearn.neighbors import NearestNeighbors

from assurance.evidence.errors import InvalidInput
from assurance.evidence.finding import State
from monitoring.drift.anderson_darling import anderson_darling
from monitoring.drift.anderson_darling import chance_beyond as ad_beyond
from monitoring.drift.bbsd import bbsd
from monitoring.drift.c2st import _areas, c2st, domain_scores
from monitoring.drift.component_ks import component_ks
from monitoring.drift.cramer_von_mises import chance_beyond as cvm_beyond
from monitoring.drift.cramer_von_mises import cramer_von_mises
from monitoring.drift.embedding import EmbeddingState, median_distance
from monitoring.drift.energy import energy
from monitoring.drift.frechet import distance_of_moments, frechet
from monitoring.drift.g_test import g_test
from monitoring.drift.hellinger import hellinger
from monitoring.drift.knn_ood import knn_ood, kth_distance
from monitoring.drift.mahalanobis_ood import ledoit_wolf, mahalanobis_ood
from monitoring.drift.rff_mmd import rff_mmd
from monitoring.drift.thresholds import on_sd_scale
from monitoring.drift.total_variation import total_variation

RNG = np.random.default_rng(1)
A, B = RNG.normal(size=120), RNG.normal(0.2, 1, 90)
FOUR = (["a"] * 50 + ["b"] * 30 + ["c"] * 15 + ["d"] * 5, ["a"] * 20 + ["b"] * 20 + ["c"] * 8 + ["d"] * 2)


def test_known_answers_of_hellinger_and_total_variation():
    assert float(hellinger(*FOUR)) == pytest.approx(0.0820703941014911, rel=1e-9)
    assert float(total_variation(*FOUR)) == pytest.approx(0.11, rel=1e-9)


def test_cramer_von_mises_agrees_with_scipy():
    theirs = stats.cramervonmises_2samp(A, B, method="asymptotic")
    ours = cramer_von_mises(A, B)
    assert ours.details["t"] == pytest.approx(theirs.statistic, rel=1e-12)
    assert ours.null.p_value == pytest.approx(theirs.pvalue, rel=1e-6)
    for quantile, share in ((0.1188, 0.5), (0.4614, 0.05), (0.7435, 0.01), (1.1679, 0.001)):
        assert cvm_beyond(quantile) == pytest.approx(share, rel=2e-3)
    assert cvm_beyond(3.0001) == pytest.approx(cvm_beyond(2.9999), rel=0.02)  # the far tail joins the series


def test_anderson_darling_agrees_with_pettitts_formula_and_scipy():
    pooled = np.sort(np.r_[A, B])
    n, m, whole = A.size, B.size, A.size + B.size
    i = np.arange(1, whole)
    below = np.searchsorted(np.sort(A), pooled[:-1], side="right")
    pettitt = ((below * whole - n * i) ** 2 / (i * (whole - i))).sum() / (n * m)
    ours = anderson_darling(A, B)
    assert ours.details["a_squared"] == pytest.approx(pettitt, rel=1e-12)
    with warnings.catch_warnings(action="ignore"):
        assert ours.null.p_value == pytest.approx(stats.anderson_ksamp([A, B]).pvalue, abs=0.01)
    for quantile, share in ((0.7742, 0.5), (2.4922, 0.05), (3.8784, 0.01), (5.9671, 0.001)):
        assert ad_beyond(quantile) == pytest.approx(share, rel=2e-3)
    assert ad_beyond(8.001) == pytest.approx(ad_beyond(7.999), rel=0.01)


def test_energy_agrees_with_scipy_and_does_not_know_the_unit():
    assert float(energy(A, B)) == pytest.approx(stats.energy_distance(A / A.std(), B / A.std()), rel=1e-9)
    assert float(energy(1000 * A, 1000 * B)) == pytest.approx(float(energy(A, B)), rel=1e-9)


def test_g_test_agrees_with_scipy_and_fishers_exact_law():
    big = (["a"] * 400 + ["b"] * 200 + ["c"] * 100, ["a"] * 300 + ["b"] * 240 + ["c"] * 90)
    theirs = stats.chi2_contingency([[400, 200, 100], [300, 240, 90]], lambda_="log-likelihood", correction=False)
    assert g_test(*big).details["g"] == pytest.approx(theirs.statistic, rel=1e-9)
    assert g_test(*big).null.p_value == pytest.approx(theirs.pvalue, rel=1e-9)
    small = g_test(["x"] * 8 + ["y"] * 2, ["x"] * 1 + ["y"] * 5)
    assert small.null.p_value == pytest.approx(stats.fisher_exact([[8, 2], [1, 5]]).pvalue, rel=1e-9)
    assert "same margins" in g_test(*FOUR).null.law


def test_a_level_never_seen_and_missing_ones_are_counted_by_name():
    for detector in (g_test, total_variation, hellinger):
        finding = detector(["a", "b"] * 300, ["a", "b"] * 200 + ["new"] * 100 + [None] * 100)
        assert finding.details["new_levels"] == ["new"]
        assert finding.state is State.ACT
        assert "__missing__" in finding.details["levels"]


@pytest.mark.parametrize(
    ("detector", "key"),
    [(cramer_von_mises, "cramer_von_mises"), (anderson_darling, "anderson_darling"), (energy, "energy"),
     (hellinger, "hellinger"), (total_variation, "total_variation")],
)  # fmt: skip
@pytest.mark.parametrize("shift", [0.2, 0.5])
def test_the_sd_scale_reads_a_shift_of_a_normal_variable(detector, key, shift):
    grid = stats.norm.ppf((np.arange(20_000) + 0.5) / 20_000)
    assert detector(grid, grid + shift).effect == pytest.approx(shift, rel=0.03)
    assert on_sd_scale(key, float(detector(grid, grid + shift))) == pytest.approx(shift, rel=0.03)


def _unbiased_mmd(x, y, s):
    def kernel(a, b):
        return np.exp(-((a[:, None] - b[None]) ** 2).sum(axis=2) / (2 * s * s))

    n, m = len(x), len(y)
    within = (kernel(x, x).sum() - n) / (n * (n - 1)) + (kernel(y, y).sum() - m) / (m * (m - 1))
    return within - 2 * kernel(x, y).mean()


def test_mmd_approaches_the_exact_kernel():
    rng = np.random.default_rng(2)
    x, y = rng.normal(size=(300, 8)), rng.normal(0.3, 1.2, size=(200, 8))
    finding = rff_mmd(x, y, permutations=99, features=8192)
    exact = _unbiased_mmd(x, y, median_distance(x))
    assert finding.details["mmd_squared"] == pytest.approx(exact, rel=0.05)
    assert finding.method.parameters["bandwidth"] == pytest.approx(median_distance(x))


def test_mmd_from_day_states_is_mmd_of_the_days_as_blocks():
    rng = np.random.default_rng(3)
    x, y = rng.normal(size=(400, 6)), rng.normal(0.4, 1, size=(240, 6))
    s = median_distance(x)
    days = [[EmbeddingState.from_values(part, bandwidth=s) for part in np.array_split(side, k)]
            for side, k in ((x, 20), (y, 12))]  # fmt: skip
    from_states = rff_mmd(*days, permutations=199)
    names = [np.repeat(np.arange(k), len(side) // k) for side, k in ((x, 20), (y, 12))]
    from_rows = rff_mmd(x, y, reference_patients=names[0], current_patients=names[1], permutations=199)
    assert from_states.details["mmd_squared"] == pytest.approx(from_rows.details["mmd_squared"], rel=1e-5)
    assert from_states.details["blocks"] == from_rows.details["blocks"] == [20, 12]
    assert from_states.null.p_value == from_rows.null.p_value == 1 / 200
    with pytest.raises(InvalidInput, match="bandwidth differ"):
        rff_mmd(days[0], [EmbeddingState.from_values(y, bandwidth=2 * s)])


def test_a_shift_along_one_axis_has_its_size_on_the_sd_scale():
    rng = np.random.default_rng(4)
    x, y = rng.normal(size=(4000, 5)), rng.normal(size=(4000, 5))
    y[:, 0] += 0.5
    assert rff_mmd(x, y, permutations=99).effect == pytest.approx(0.5, abs=0.1)
    assert c2st(x, y, permutations=99).effect == pytest.approx(0.5, abs=0.06)
    assert frechet(x, y, permutations=49).effect == pytest.approx(0.5, abs=0.06)


def test_mmd_sees_a_change_of_spread_that_the_linear_tests_miss():
    rng = np.random.default_rng(5)
    x, y = rng.normal(size=(800, 32)), rng.normal(0, 1.12, size=(400, 32))
    assert rff_mmd(x, y, permutations=199).null.p_value <= 0.01
    assert c2st(x, y, permutations=199).null.p_value > 0.01
    assert component_ks(x, y).null.p_value > 0.01


def test_patients_are_dealt_whole():
    """Eight images of each patient are nearly copies: treating them as cases calls drift where there is none."""
    rng = np.random.default_rng(6)
    wrong, right = 0, 0
    for _ in range(12):
        x, y = (np.repeat(rng.normal(size=(k, 4)), 8, axis=0) for k in (40, 30))
        x, y = (side + rng.normal(0, 0.05, side.shape) for side in (x, y))
        who = [np.repeat(np.arange(k), 8) for k in (40, 30)]
        wrong += rff_mmd(x, y, permutations=99, features=128).null.p_value <= 0.05
        right += rff_mmd(x, y, reference_patients=who[0], current_patients=who[1], permutations=99,
                         features=128).null.p_value <= 0.05  # fmt: skip
    assert wrong >= 9 and right <= 3
    finding = c2st(x, y, reference_patients=who[0], current_patients=who[1], permutations=99)
    assert finding.n_patients == 30 and finding.interval.method == "obuchowski"


def test_the_classifier_test_agrees_with_scikit_learn_and_ranks_the_strangers():
    rng = np.random.default_rng(7)
    scores, here = rng.normal(size=(80, 1)), rng.random(80) < 0.4
    assert _areas(scores, here[:, None])[0] == pytest.approx(roc_auc_score(here, scores[:, 0]))
    x, y = rng.normal(size=(500, 6)), rng.normal(size=(200, 6))
    y[:60] += 3
    finding = c2st(x, y, permutations=99)
    assert finding.interval.low < finding.value < finding.interval.high
    assert finding.null.p_value <= 0.01
    assert set(np.argsort(-domain_scores(x, y))[:40]) <= set(range(60))


def test_ledoit_wolf_agrees_with_scikit_learn():
    rows = np.random.default_rng(8).normal(size=(60, 20)) @ np.diag(np.linspace(1, 3, 20))
    assert ledoit_wolf(rows) == pytest.approx(LedoitWolf().fit(rows).covariance_, rel=1e-9, abs=1e-9)


def test_neighbour_distances_agree_with_scikit_learn():
    rng = np.random.default_rng(9)
    rows, cases = rng.normal(2, 3, size=(300, 5)), rng.normal(2, 3, size=(40, 5))
    scaled = [(part - rows.mean(axis=0)) / rows.std(axis=0) for part in (rows, cases)]
    theirs = NearestNeighbors(n_neighbors=10).fit(scaled[0]).kneighbors(scaled[1])[0][:, -1]
    assert kth_distance(rows, neighbours=10, seed=0)(cases) == pytest.approx(theirs, rel=1e-9)


@pytest.mark.parametrize("detector", [mahalanobis_ood, knn_ood])
def test_outlying_shares_find_ten_per_cent_of_strangers_and_keep_their_level(detector):
    rng = np.random.default_rng(10)
    reference = rng.normal(size=(2000, 8))
    current = rng.normal(size=(400, 8))
    current[:40] += 4
    finding = detector(reference, current)
    assert finding.state is State.ACT
    assert finding.value == pytest.approx(0.11, abs=0.02)
    assert finding.interval.method == "wilson"
    pairs = [(rng.normal(size=(200, 4)), rng.normal(size=(150, 4))) for _ in range(150)]
    below = [detector(*both, seed=i).null.p_value <= 0.05 for i, both in enumerate(pairs)]
    assert np.mean(below) <= 0.05 + 2 * np.sqrt(0.05 * 0.95 / 150)


def test_frechet_agrees_with_the_matrix_square_root():
    rng = np.random.default_rng(11)
    x, y = rng.normal(size=(200, 5)) @ np.diag([1, 2, 1, 0.5, 1]), rng.normal(0.3, 1.2, size=(300, 5))
    first, second = np.cov(x.T), np.cov(y.T)
    root = linalg.sqrtm(first @ second).real
    expected = np.square(x.mean(0) - y.mean(0)).sum() + np.trace(first + second - 2 * root)
    assert distance_of_moments(x.mean(0), first, y.mean(0), second) == pytest.approx(expected, rel=1e-9)


def test_frechet_of_no_drift_is_large_and_yet_no_drift():
    rng = np.random.default_rng(12)
    finding = frechet(rng.normal(size=(640, 64)), rng.normal(size=(100, 64)), permutations=99)
    assert finding.value > 14  # the bias of small samples
    assert finding.details["ratio_to_null_mean"] == pytest.approx(1, abs=0.1)
    assert finding.state in (State.OK, State.INSUFFICIENT)


def test_component_ks_names_the_component_and_bbsd_the_class():
    rng = np.random.default_rng(13)
    x = rng.normal(size=(1500, 6)) * np.array([6, 5, 4, 3, 2, 1])
    y = rng.normal(size=(700, 6)) * np.array([6, 5, 4, 3, 2, 1])
    y[:, 2] += 4
    finding = component_ks(x, y)
    assert finding.details["components"][0]["component"] == 2
    assert finding.state is State.ACT
    scores = rng.random((1200, 3)), rng.random((600, 3))
    scores[1][:, 1] **= 2
    answer = bbsd(*scores)
    assert [one["p_adjusted"] <= 0.01 for one in answer.details["classes"]] == [False, True, False]
    theirs = stats.ks_2samp(scores[0][:, 1], scores[1][:, 1]).statistic
    assert answer.details["classes"][1]["d"] == pytest.approx(theirs)


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: rff_mmd([1.0, 2.0], np.ones((3, 2))), r"reference has shape \(2,\)"),
        (lambda: rff_mmd([EmbeddingState.from_values(np.ones((2, 2)), bandwidth=1)], np.ones((30, 2))), "mixes states"),
        (lambda: c2st(np.ones((30, 2)), np.ones((30, 2)), reference_patients=[1]), "30 cases and 1 patients"),
        (lambda: knn_ood(np.ones((30, 2)), np.ones((30, 2)), neighbours=0), "give 1 or more"),
    ],
)  # fmt: skip
def test_wrong_input_is_refused_with_its_name(call, says):
    with pytest.raises(InvalidInput, match=says):
        call()
