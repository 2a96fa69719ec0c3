"""Day states: merging in any order gives the same numbers, and equal content has equal bytes."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from assurance.evidence.errors import InvalidInput, NotComputable
from monitoring.drift.binned import BinnedState
from monitoring.drift.categories import CategoryState, aligned
from monitoring.drift.class_histogram import ClassHistogramState
from monitoring.drift.embedding import EmbeddingState, median_distance, random_features
from monitoring.drift.moments import MomentState
from monitoring.drift.sketch import SketchState
from monitoring.drift.state import digest, state_from_bytes, to_bytes

VALUES = st.lists(st.floats(-0.2, 1.2) | st.just(float("nan")), max_size=60)


@given(VALUES, VALUES, VALUES)
@settings(max_examples=60, deadline=None)
def test_binned_states_merge_in_any_order_to_the_state_of_all(a, b, c):
    first, second, third = (BinnedState.from_values(part) for part in (a, b, c))
    whole = digest(BinnedState.from_values(a + b + c))
    assert digest(first.merge(second).merge(third)) == whole
    assert digest(third.merge(first.merge(second))) == whole


@given(VALUES)
@settings(max_examples=40, deadline=None)
def test_every_value_is_counted_once(values):
    state = BinnedState.from_values(values)
    assert state.n + state.missing == len(values)


def test_states_survive_the_way_through_bytes():
    rng = np.random.default_rng(3)
    states = [
        BinnedState.from_values(rng.random(50)),
        SketchState.from_values(rng.normal(size=50)),
        CategoryState.from_values(["AP", "PA", None, "AP"]),
        ClassHistogramState.from_values([0, 1, 1], [0.2, 0.7, 0.4]),
        EmbeddingState.from_values(rng.normal(size=(5, 4)), bandwidth=2.0, features=16),
    ]
    for state in states:
        again = state_from_bytes(to_bytes(state))
        assert digest(again) == digest(state)
        assert (again.n, again.missing) == (state.n, state.missing)


@pytest.mark.parametrize("content", [b"", b"\x80", b"not a state", b'{"kind": "binned"}'])
def test_bytes_of_something_else_are_refused(content):
    with pytest.raises(InvalidInput, match="not a state"):
        state_from_bytes(content)


def test_states_with_other_bounds_do_not_merge():
    with pytest.raises(InvalidInput, match=r"high differ: 1\.0 and 2\.0"):
        BinnedState.from_values([0.5]).merge(BinnedState.from_values([0.5], high=2.0))


def test_a_sketch_is_within_its_rank_error():
    rng = np.random.default_rng(0)
    values = rng.gamma(2.0, size=200_000)
    parts = [SketchState.from_values(part) for part in np.array_split(values, 20)]
    merged = parts[0]
    for part in parts[1:]:
        merged = merged.merge(part)
    positions, masses = merged.masses()
    shares = np.cumsum(masses) / masses.sum()
    true = np.searchsorted(np.sort(values), positions, side="right") / values.size
    assert np.abs(shares - true).max() < 0.0045 * 1.5
    assert merged.total == pytest.approx(values.sum())


def test_levels_keep_their_names_and_missing_is_a_level():
    reference = CategoryState.from_values(["AP", "PA", 1.0, 1])
    current = CategoryState.from_values(["AP", "LL", float("nan"), ""])
    levels, first, second = aligned(reference, current)
    assert dict(zip(levels, first.tolist(), strict=True)) == {"1": 2, "AP": 1, "PA": 1, "LL": 0, "__missing__": 0}
    assert dict(zip(levels, second.tolist(), strict=True)) == {"1": 0, "AP": 1, "PA": 0, "LL": 1, "__missing__": 2}


def test_an_identifier_column_is_refused():
    with pytest.raises(InvalidInput, match="1001 levels: at most 1000"):
        CategoryState.from_values(range(1001))


def test_auroc_from_states_agrees_with_scikit_learn_within_its_bound():
    rng = np.random.default_rng(1)
    labels = rng.random(4000) < 0.3
    scores = np.clip(rng.normal(0.4 + 0.2 * labels, 0.2), 0, 1)
    days = [
        ClassHistogramState.from_values(a, b)
        for a, b in zip(np.array_split(labels, 7), np.array_split(scores, 7), strict=True)
    ]
    merged = days[0]
    for day in days[1:]:
        merged = merged.merge(day)
    bound = float((merged.positive.counts / merged.positive.n * merged.negative.counts / merged.negative.n).sum() / 2)
    assert abs(merged.auroc() - roc_auc_score(labels, scores)) <= bound


def test_auroc_of_one_class_is_not_computable():
    with pytest.raises(NotComputable):
        ClassHistogramState.from_values([1, 1], [0.2, 0.4]).auroc()


def test_random_features_approach_the_gaussian_kernel():
    rng = np.random.default_rng(5)
    rows = rng.normal(size=(40, 8))
    bandwidth = median_distance(rows)
    features = random_features(rows, bandwidth=bandwidth, seed=1, features=20_000)
    squares = ((rows[:, None] - rows[None]) ** 2).sum(axis=2)
    assert np.abs(features @ features.T - np.exp(-squares / (2 * bandwidth**2))).max() < 0.05


def test_rows_with_nan_count_as_missing_and_a_flat_row_is_refused():
    state = EmbeddingState.from_values([[1.0, 2.0], [np.nan, 1.0]], bandwidth=1.0, features=8)
    assert (state.n, state.missing) == (1, 1)
    with pytest.raises(InvalidInput, match=r"give \(cases, width\)"):
        EmbeddingState.from_values([1.0, 2.0], bandwidth=1.0)


@given(st.integers(0, 2**31), st.lists(st.integers(0, 40), min_size=1, max_size=5))
@settings(max_examples=30, deadline=None)
def test_embedding_sums_are_the_same_for_any_partition_in_any_order(seed, cuts):
    rng = np.random.default_rng(seed)
    rows = rng.normal(rng.normal(0, 3), rng.uniform(0.1, 5), size=(40, 7))
    whole = EmbeddingState.from_values(rows, bandwidth=1.7, features=64)
    parts = [EmbeddingState.from_values(part, bandwidth=1.7, features=64) for part in np.split(rows, sorted(cuts))]
    merged = parts[-1]
    for place in rng.permutation(len(parts) - 1):
        merged = merged.merge(parts[place])
    assert digest(merged) == digest(whole)


@given(st.integers(0, 2**31), st.lists(st.integers(0, 60), min_size=1, max_size=5))
@settings(max_examples=30, deadline=None)
def test_class_histograms_and_categories_are_the_same_for_any_partition(seed, cuts):
    rng = np.random.default_rng(seed)
    labels, scores = rng.random(60) < 0.4, rng.random(60)
    levels = rng.choice(["AP", "PA", "", "LL"], 60)
    pieces = [np.split(values, sorted(cuts)) for values in (labels, scores, levels)]
    classes = [ClassHistogramState.from_values(*part) for part in zip(*pieces[:2], strict=True)]
    counted = [CategoryState.from_values(part) for part in pieces[2]]
    for whole, parts in (
        (ClassHistogramState.from_values(labels, scores), classes),
        (CategoryState.from_values(levels), counted),
    ):
        merged = parts[0]
        for place in 1 + rng.permutation(len(parts) - 1):
            merged = parts[place].merge(merged)
        assert digest(merged) == digest(whole)


@given(st.integers(0, 2**31), st.lists(st.integers(0, 50), min_size=1, max_size=4))
@settings(max_examples=30, deadline=None)
def test_moments_agree_with_numpy_whatever_the_partition(seed, cuts):
    rng = np.random.default_rng(seed)
    rows = rng.normal(1000, 2, size=(50, 4))
    merged = MomentState.from_values(np.empty((0, 4)))
    for part in np.split(rows, sorted(cuts)):
        merged = merged.merge(MomentState.from_values(part))
    assert merged.centre == pytest.approx(rows.mean(axis=0), rel=1e-12)
    assert merged.covariance == pytest.approx(np.cov(rows.T), rel=1e-9, abs=1e-9)
    again = state_from_bytes(to_bytes(merged))
    assert digest(again) == digest(merged)


@given(st.integers(0, 2**31))
@settings(max_examples=15, deadline=None)
def test_sketches_of_any_partition_agree_within_their_rank_error(seed):
    rng = np.random.default_rng(seed)
    values = rng.gamma(2.0, size=20_000)
    cuts = np.sort(rng.integers(0, values.size, 6))
    states = [SketchState.from_values(part) for part in np.split(values, cuts)]
    merged = states[0]
    for place in 1 + rng.permutation(len(states) - 1):
        merged = merged.merge(states[place])
    positions, masses = merged.masses()
    true = np.searchsorted(np.sort(values), positions, side="right") / values.size
    assert np.abs(np.cumsum(masses) / masses.sum() - true).max() < 0.01
    assert merged.n == values.size
