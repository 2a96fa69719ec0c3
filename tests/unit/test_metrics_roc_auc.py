"""AUROC and its intervals against scikit-learn, closed forms and simulation."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, roc_auc_score

from assurance.evidence.errors import InvalidInput, NotComputable
from assurance.metrics.average_precision import average_precision
from assurance.metrics.roc_auc import (
    auroc,
    auroc_from_histograms,
    clustered_variance,
    delong_variance,
    paired_auroc_difference,
    structural_components,
)

LABELS = [1, 1, 1, 1, 0, 0, 0, 0, 0]
SCORES = [0.9, 0.8, 0.8, 0.4, 0.8, 0.5, 0.4, 0.3, 0.1]

samples = st.lists(st.tuples(st.booleans(), st.integers(0, 8)), min_size=6, max_size=40).filter(
    lambda rows: 0 < sum(label for label, _ in rows) < len(rows)
)


def test_the_worked_example_with_ties_gives_its_known_area_and_variance():
    area, of_positives, of_negatives = structural_components(np.array(LABELS) == 1, np.array(SCORES))
    assert area == pytest.approx(0.825, rel=1e-9)
    assert delong_variance(of_positives, of_negatives) == pytest.approx(0.021041666666666667, rel=1e-9)
    delong = auroc(LABELS, SCORES, interval="delong").interval
    assert delong.low == pytest.approx(0.825 - 1.959964 * 0.021041666666666667**0.5, abs=1e-6)
    assert delong.high == 1.0


@given(samples)
@settings(max_examples=60, deadline=None)
def test_area_and_precision_agree_with_scikit_learn(rows):
    labels, scores = zip(*rows, strict=True)
    area = structural_components(np.array(labels), np.array(scores, dtype=float))[0]
    assert area == pytest.approx(roc_auc_score(labels, scores))
    precision = average_precision(labels, scores, replicates=20)
    assert precision.value == pytest.approx(average_precision_score(labels, scores))


@given(samples)
@settings(max_examples=40, deadline=None)
def test_turning_the_scores_round_turns_the_area_round(rows):
    labels, scores = zip(*rows, strict=True)
    forward = structural_components(np.array(labels), np.array(scores, dtype=float))[0]
    backward = structural_components(np.array(labels), -np.array(scores, dtype=float))[0]
    assert forward + backward == pytest.approx(1)


def test_the_variance_of_clusters_of_one_is_delongs():
    rng = np.random.default_rng(4)
    truth, scores = rng.random(400) < 0.4, rng.normal(size=400)
    area, of_positives, of_negatives = structural_components(truth, scores)
    clustered = clustered_variance(truth, of_positives, of_negatives, area, np.arange(400))
    assert clustered == pytest.approx(delong_variance(of_positives, of_negatives), rel=0.01)


def test_copies_of_each_case_do_not_narrow_the_interval():
    rng = np.random.default_rng(5)
    labels = (rng.random(150) < 0.5).astype(int)
    scores = rng.normal(size=150) + labels
    once = auroc(labels, scores, interval="delong")
    patients = np.repeat(np.arange(150), 3)
    for interval in ("bootstrap", "obuchowski"):
        copies = auroc(np.repeat(labels, 3), np.repeat(scores, 3), patients=patients, interval=interval)
        assert copies.value == pytest.approx(once.value)
        width = copies.interval.high - copies.interval.low
        assert width == pytest.approx(once.interval.high - once.interval.low, rel=0.08)
        assert copies.n_patients == 150


def test_the_default_interval_covers_the_truth_about_as_often_as_it_says():
    rng = np.random.default_rng(6)
    true_area, covered = 0.9214, 0  # Φ(2/√2)
    for _ in range(400):
        labels = np.r_[np.ones(40), np.zeros(60)]
        scores = rng.normal(size=100) + 2 * labels
        span = auroc(labels, scores).interval
        covered += span.low <= true_area <= span.high
    assert 0.92 <= covered / 400 <= 0.985


def test_perfect_separation_still_has_an_interval_below_one():
    finding = auroc([0] * 25 + [1] * 25, np.arange(50))
    assert finding.value == 1
    assert finding.interval.method == "newcombe"
    assert 0.8 < finding.interval.low < 1
    mirrored = auroc([1] * 25 + [0] * 25, np.arange(50))
    assert mirrored.interval.high == pytest.approx(1 - finding.interval.low, abs=1e-9)


def test_two_models_on_the_same_cases_are_compared_as_pairs():
    rng = np.random.default_rng(7)
    labels = rng.random(300) < 0.5
    shared = rng.normal(size=300)
    first, second = shared + 1.5 * labels, shared + 1.2 * labels
    difference, span, p_value = paired_auroc_difference(labels, first, second)
    assert difference == pytest.approx(roc_auc_score(labels, first) - roc_auc_score(labels, second))
    assert span.low > 0
    assert p_value < 0.01
    assert paired_auroc_difference(labels, first, 3 * first)[2] == 1


def test_histograms_stay_within_their_own_error_bound():
    rng = np.random.default_rng(8)
    positives, negatives = rng.beta(3, 2, 500), rng.beta(2, 3, 700)
    exact = roc_auc_score(np.r_[np.ones(500), np.zeros(700)], np.r_[positives, negatives])
    for bins in (10, 100, 1000):
        counts = [np.histogram(scores, bins, (0, 1))[0] for scores in (positives, negatives)]
        area, bound = auroc_from_histograms(*counts)
        assert abs(area - exact) <= bound
    assert bound < 0.001


def test_a_declared_limit_is_judged_with_the_interval():
    rng = np.random.default_rng(9)
    labels = np.r_[np.ones(300), np.zeros(300)]
    scores = rng.normal(size=600) + labels  # area near 0.76
    assert auroc(labels, scores, limit=0.6).state == "ok"
    assert auroc(labels, scores, limit=0.77).state == "watch"
    assert auroc(labels, scores, limit=0.9).state == "act"


def test_one_class_has_no_area():
    with pytest.raises(NotComputable, match="both classes"):
        auroc([1, 1], [0.1, 0.2])


@pytest.mark.parametrize(
    ("labels", "scores", "part"),
    [
        ([0, 2], [0.1, 0.2], "labels\\[1\\] is 2"),
        ([0, 1], [0.1, np.nan], "scores\\[1\\] is nan"),
        ([0, 1], [0.1], "lengths differ"),
        ([], [], "give 1 or more"),
        ([0, 1], ["a", "b"], "not numbers"),
    ],
)
def test_input_that_is_no_prediction_is_refused_with_a_sentence(labels, scores, part):
    with pytest.raises(InvalidInput, match=part):
        auroc(labels, scores)


def test_an_unknown_interval_is_refused_with_those_that_exist():
    with pytest.raises(InvalidInput, match="choose one of auto, delong"):
        auroc(LABELS, SCORES, interval="magic")
