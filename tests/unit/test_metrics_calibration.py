"""Calibration metrics against scikit-learn, statsmodels, closed forms and independent quadrature."""

import numpy as np
import pytest
import statsmodels.api as sm
from scipy import special
from sklearn.metrics import brier_score_loss

from assurance.evidence.errors import InvalidInput, NotComputable
from assurance.metrics.brier import brier
from assurance.metrics.calibration_error import debiased_calibration_error, ece, reliability_bins, smooth_ece
from assurance.metrics.calibration_line import calibration_intercept, calibration_slope, observed_expected
from assurance.metrics.net_benefit import net_benefit


def sample(n=800, slope=1.0, shift=0.0, seed=1):
    rng = np.random.default_rng(seed)
    logits = rng.normal(-0.5, 1.5, n)
    return (rng.random(n) < special.expit(slope * logits + shift)).astype(int), special.expit(logits)


def test_brier_agrees_with_scikit_learn():
    labels, scores = sample()
    finding = brier(labels, scores)
    assert finding.value == pytest.approx(brier_score_loss(labels, scores))
    assert finding.interval.low < finding.value < finding.interval.high


def test_brier_interval_has_the_width_of_its_standard_error():
    labels, scores = sample(n=2000)
    span = brier(labels, scores, replicates=4000).interval
    losses = (labels - scores) ** 2
    assert (span.high - span.low) / 2 == pytest.approx(1.96 * losses.std(ddof=1) / 2000**0.5, rel=0.06)


def test_slope_and_its_interval_agree_with_statsmodels():
    labels, scores = sample(slope=0.6, shift=0.4)
    fit = sm.Logit(labels, sm.add_constant(special.logit(scores))).fit(disp=0)
    finding = calibration_slope(labels, scores)
    assert finding.value == pytest.approx(fit.params[1], rel=1e-6)
    assert (finding.interval.low, finding.interval.high) == pytest.approx(tuple(fit.conf_int()[1]), rel=1e-5)
    assert finding.details["interval_excludes_ideal"]


def test_intercept_in_the_large_agrees_with_an_offset_model():
    labels, scores = sample(shift=0.7)
    fit = sm.GLM(labels, np.ones(800), family=sm.families.Binomial(), offset=special.logit(scores)).fit()
    assert calibration_intercept(labels, scores).value == pytest.approx(fit.params[0], rel=1e-6)


def test_patient_intervals_are_those_of_the_cluster_sandwich():
    labels, scores = sample(seed=3)
    patients = np.repeat(np.arange(200), 4)
    fit = sm.GLM(labels, sm.add_constant(special.logit(scores)), family=sm.families.Binomial()).fit(
        cov_type="cluster", cov_kwds={"groups": patients, "use_correction": False}
    )
    span = calibration_slope(labels, scores, patients=patients).interval
    reach = 1.959964 * fit.bse[1] * (200 / 199) ** 0.5
    assert (span.high - span.low) / 2 == pytest.approx(reach, rel=1e-4)


def test_separated_classes_have_no_slope_and_one_class_no_calibration():
    with pytest.raises(NotComputable, match="separate"):
        calibration_slope([0] * 30 + [1] * 30, np.r_[np.linspace(0.1, 0.4, 30), np.linspace(0.6, 0.9, 30)])
    with pytest.raises(NotComputable, match="one class"):
        calibration_intercept([1, 1], [0.2, 0.3])
    with pytest.raises(NotComputable, match="equal"):
        calibration_slope([0, 1], [0.5, 0.5])


def test_scores_of_zero_and_one_are_clipped_and_counted():
    labels, scores = sample()
    scores[:3], scores[3:5] = 0, 1
    assert calibration_slope(labels, scores).details["n_clipped"] == 5


def test_observed_to_expected_is_the_ratio_of_sums():
    labels, scores = sample(shift=0.5)
    finding = observed_expected(labels, scores)
    assert finding.value == pytest.approx(labels.sum() / scores.sum())
    assert finding.interval.low > 1


def test_a_constant_score_off_by_a_fifth_is_found_by_every_error():
    labels, scores = np.r_[np.ones(700), np.zeros(300)], np.full(1000, 0.5)
    assert ece(labels, scores).value == pytest.approx(0.2)
    assert smooth_ece(labels, scores).value == pytest.approx(0.2, abs=0.001)
    # (0.2² − 0.7·0.3/999)^½
    assert debiased_calibration_error(labels, scores).value == pytest.approx((0.04 - 0.21 / 999) ** 0.5)


def test_ece_over_two_bins_by_hand():
    # lower bin: mean score 0.2, share 1/2; upper bin: mean score 0.8, share 1
    assert ece([0, 1, 1, 1], [0.1, 0.3, 0.7, 0.9], bins=2).value == pytest.approx(0.5 * 0.3 + 0.5 * 0.2)


def test_smooth_error_agrees_with_quadrature_of_its_definition():
    labels, scores = sample(n=300, slope=0.4, seed=5)
    value = smooth_ece(labels, scores, replicates=2).value
    grid = (np.arange(4000) + 0.5) / 4000

    def by_definition(width):
        images = np.concatenate([scores, -scores, 2 - scores])  # the kernel reflected at 0 and 1
        kernel = np.exp(-((grid[:, None] - images) ** 2) / (2 * width**2)) / (width * np.sqrt(2 * np.pi))
        return np.abs(kernel @ np.tile(labels - scores, 3)).mean() / 300

    assert by_definition(value) == pytest.approx(value, abs=0.002)


def test_the_debiased_error_is_nearer_to_the_truth_than_the_binned_one():
    rng = np.random.default_rng(6)
    plain, debiased = [], []
    for _ in range(60):
        scores = rng.random(400)
        labels = rng.random(400) < scores  # perfectly calibrated
        plain.append(ece(labels, scores, replicates=1).value)
        debiased.append(debiased_calibration_error(labels, scores, replicates=1).value)
    assert np.mean(debiased) < 0.8 * np.mean(plain)


def test_reliability_bins_hold_every_case_once():
    labels, scores = sample()
    rows = reliability_bins(labels, scores)
    assert sum(row["n_cases"] for row in rows) == 800
    assert sum(row["n_cases"] * row["observed_share"] for row in rows) == pytest.approx(labels.sum())


def test_net_benefit_by_hand():
    # 2 of 4 called rightly, 1 wrongly, at odds 1/3: (2 − 1/3)/4
    finding = net_benefit([1, 1, 0, 0], [0.9, 0.3, 0.4, 0.1], threshold=0.25)
    assert finding.value == pytest.approx((2 - 1 / 3) / 4)
    assert finding.details["treat_all"] == pytest.approx(0.5 - 0.5 / 3)


@pytest.mark.parametrize("metric", [brier, ece, smooth_ece, calibration_slope])
def test_a_score_that_is_no_probability_is_refused(metric):
    with pytest.raises(InvalidInput, match="every value must lie"):
        metric([0, 1], [0.2, 1.2])
