"""Label-free estimators against simulated truth, brute force and scikit-learn."""

import numpy as np
import pytest
from scipy import special
from sklearn.isotonic import IsotonicRegression
from sklearn.metrics import roc_auc_score

from assurance.evidence.errors import InvalidInput, NotComputable
from assurance.evidence.finding import State
from monitoring.estimation.calibration_map import calibration_map
from monitoring.estimation.confidence_based import cbpe, expected_auroc, expected_shares, m_cbpe
from monitoring.estimation.confidence_threshold import cm_atc, cm_doc
from monitoring.estimation.density_ratio import density_ratio
from monitoring.estimation.label_shift import (
    adjusted_posteriors,
    bbse_weights,
    em_prior,
    label_shift,
    prevalence_adjusted,
)
from monitoring.estimation.performance_range import performance_range


def window(rng, n, mean, sharpness=1.0):
    logits = rng.normal(mean, 1.5, n)
    return (rng.random(n) < special.expit(logits)), special.expit(sharpness * logits)


def values(findings):
    return {finding.quantity.removeprefix("estimated_"): finding.value for finding in findings}


def truth(labels, scores):
    called = scores >= 0.5
    return {
        "accuracy": (called == labels).mean(),
        "sensitivity": called[labels].mean(),
        "specificity": (~called)[~labels].mean(),
        "ppv": labels[called].mean(),
        "npv": (~labels)[~called].mean(),
        "auroc": roc_auc_score(labels, scores),
    }


def test_isotonic_calibration_agrees_with_scikit_learn():
    rng = np.random.default_rng(1)
    labels, scores = window(rng, 400, 0)
    to_probability, kind = calibration_map(labels, scores)
    theirs = IsotonicRegression(out_of_bounds="clip").fit(scores, labels)
    grid = np.linspace(0, 1, 101)
    assert kind == "isotonic"
    assert to_probability(grid) == pytest.approx(theirs.predict(grid))


def test_expected_counts_by_hand():
    found = expected_shares(np.array([0.9, 0.6, 0.2]), np.array([True, True, False]), np.ones(3))
    assert found["sensitivity"] == pytest.approx(1.5 / 1.7)
    assert found["specificity"] == pytest.approx(0.8 / 1.3)
    assert found["ppv"] == pytest.approx(0.75)
    assert found["accuracy"] == pytest.approx((1.5 + 0.8) / 3)


def test_expected_auroc_is_expected_ranked_pairs_over_expected_pairs():
    rng = np.random.default_rng(2)
    p, scores = rng.random(12), rng.integers(0, 6, 12).astype(float)
    top = bottom = 0.0
    for i in range(12):
        for j in range(12):
            if i != j:
                pair = p[i] * (1 - p[j])
                bottom += pair
                top += pair * ((scores[i] > scores[j]) + 0.5 * (scores[i] == scores[j]))
    assert expected_auroc(p, scores, np.ones(12)) == pytest.approx(top / bottom)


@pytest.mark.parametrize("sharpness", [1.0, 0.5])
def test_cbpe_finds_the_performance_after_covariate_shift(sharpness):
    rng = np.random.default_rng(3)
    reference, current = window(rng, 6000, -0.5, sharpness), window(rng, 6000, 0.6, sharpness)
    found, real = values(cbpe(*reference, current[1], replicates=20)), truth(*current)
    for quantity, value in real.items():
        assert found[quantity] == pytest.approx(value, abs=0.03)


def test_cbpe_intervals_hold_the_truth_about_as_often_as_they_say():
    rng = np.random.default_rng(4)
    real = truth(*window(np.random.default_rng(5), 400_000, 0.3))
    held = 0
    for _ in range(60):
        found = cbpe(*window(rng, 500, 0), window(rng, 500, 0.3)[1], replicates=100)
        interval = next(f for f in found if f.quantity == "estimated_sensitivity").interval
        held += interval.low <= real["sensitivity"] <= interval.high
    assert held >= 51


@pytest.mark.parametrize("estimate", [cm_atc, cm_doc])
def test_on_the_reference_itself_the_confidence_methods_return_what_was_seen(estimate):
    labels, scores = window(np.random.default_rng(6), 2000, 0)
    found, real = values(estimate(labels, scores, scores, replicates=2)), truth(labels, scores)
    for quantity, value in found.items():
        assert value == pytest.approx(real[quantity], abs=2e-3)


def test_doc_by_hand():
    labels = np.r_[np.ones(30), np.zeros(10), np.zeros(30), np.ones(10)]
    scores = np.r_[np.full(40, 0.8), np.full(40, 0.3)]
    found = values(cm_doc(labels, scores, np.r_[np.full(50, 0.9), np.full(50, 0.3)], replicates=2))
    assert found["ppv"] == pytest.approx(0.75 + 0.1)  # 0.75 on the reference, confidence up by 0.1
    assert found["npv"] == pytest.approx(0.75)
    assert found["sensitivity"] == pytest.approx(42.5 / (42.5 + 12.5))


def test_weights_for_another_patient_mix_mend_the_calibration():
    rng = np.random.default_rng(7)

    def cases(n, share):  # the score means less in group 1, and group 1 becomes common
        group = (rng.random(n) < share).astype(float)
        logits = rng.normal(0, 2, n)
        labels = rng.random(n) < special.expit(np.where(group == 1, 0.3, 1.5) * logits)
        return labels, special.expit(logits), np.column_stack([group, rng.normal(size=n)])

    labels, scores, features = cases(5000, 0.1)
    now_labels, now_scores, now_features = cases(5000, 0.7)
    real = truth(now_labels, now_scores)["accuracy"]
    plain = values(cbpe(labels, scores, now_scores, replicates=2))["accuracy"]
    weighted = values(
        m_cbpe(labels, scores, now_scores, reference_features=features, current_features=now_features, replicates=2)
    )["accuracy"]
    assert abs(weighted - real) < 0.4 * abs(plain - real)


def test_density_ratio_is_that_of_two_normal_laws():
    rng = np.random.default_rng(8)
    reference = rng.normal(0, 1, (20000, 1))
    weights, size = density_ratio(reference, rng.normal(0.5, 1, (20000, 1)))
    exact = np.exp(0.5 * reference[:, 0] - 0.125)
    inner = np.abs(reference[:, 0]) < 1.5
    assert weights[inner] == pytest.approx(exact[inner], rel=0.1)
    assert size == pytest.approx(20000 / np.exp(0.25), rel=0.1)


def test_windows_that_hardly_overlap_are_refused():
    rng = np.random.default_rng(9)
    with pytest.raises(NotComputable, match="hardly overlap"):
        density_ratio(rng.normal(0, 1, (150, 2)), rng.normal(6, 1, (150, 2)))
    with pytest.raises(InvalidInput, match="same in both"):
        density_ratio(np.zeros((5, 2)), np.zeros((5, 3)))


def test_em_finds_the_prior_it_was_drawn_from():
    rng = np.random.default_rng(10)
    classes = rng.choice(3, 30000, p=[0.6, 0.3, 0.1])
    centres = np.array([-2.0, 0, 2])
    x = rng.normal(centres[classes], 1)
    source = np.array([0.2, 0.3, 0.5])
    likelihood = np.exp(-((x[:, None] - centres) ** 2) / 2) * source
    found = em_prior(likelihood / likelihood.sum(axis=1, keepdims=True), source)
    assert found == pytest.approx([0.6, 0.3, 0.1], abs=0.012)


def test_bbse_inverts_the_confusion_matrix():
    rates = np.array([[0.9, 0.2], [0.1, 0.8]])  # p(predicted | true)
    source, target = np.array([0.5, 0.5]), np.array([0.2, 0.8])
    assert bbse_weights(rates * source, rates @ target) == pytest.approx(target / source)
    with pytest.raises(NotComputable, match="condition"):
        bbse_weights(np.array([[0.3, 0.3], [0.2, 0.2001]]), [0.5, 0.5])


def test_label_shift_finds_prevalence_and_predictive_values():
    rng = np.random.default_rng(11)

    def cases(n, prevalence):
        labels = rng.random(n) < prevalence
        return labels, special.expit(rng.normal(np.where(labels, 1.2, -1.2), 1.3))

    reference, current = cases(4000, 0.3), cases(4000, 0.6)
    found, real = values(label_shift(*reference, current[1], replicates=20)), truth(*current)
    assert found["prevalence"] == pytest.approx(0.6, abs=0.03)
    assert found["ppv"] == pytest.approx(real["ppv"], abs=0.03)
    assert found["npv"] == pytest.approx(real["npv"], abs=0.03)


def test_label_shift_refuses_when_more_than_the_frequency_has_changed():
    rng = np.random.default_rng(12)
    labels = rng.random(2000) < 0.4
    scores = special.expit(rng.normal(np.where(labels, 1.5, -1.5), 1))
    findings = label_shift(labels, scores, scores * 0.45, replicates=2)
    assert all(f.value is None and f.state is State.INSUFFICIENT for f in findings)
    assert "more than the frequency" in findings[0].reason


def test_bayes_by_hand():
    assert prevalence_adjusted(0.9, 0.8, 0.1) == pytest.approx((0.09 / 0.27, 0.72 / 0.73))
    table = adjusted_posteriors([[0.5, 0.5]], [3, 1])
    assert table[0] == pytest.approx([0.75, 0.25])


def test_the_range_reaches_over_all_three_methods():
    rng = np.random.default_rng(13)
    reference, current = window(rng, 800, 0), window(rng, 800, 1.0, 0.5)
    for finding in performance_range(*reference, current[1], replicates=30):
        estimates = finding.details["estimates"]
        assert set(estimates) == {"cbpe", "cm_atc", "cm_doc"}
        assert finding.interval.low <= min(estimates.values())
        assert finding.interval.high >= max(estimates.values())
        assert finding.details["range"] == pytest.approx(max(estimates.values()) - min(estimates.values()))


def test_a_small_window_is_insufficient():
    rng = np.random.default_rng(14)
    findings = cbpe(*window(rng, 300, 0), window(rng, 40, 0)[1], replicates=10)
    assert {finding.state for finding in findings} == {State.INSUFFICIENT}
