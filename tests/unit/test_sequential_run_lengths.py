"""Run lengths against published tables, closed forms and simulation."""

import numpy as np
import pytest

from assurance.evidence.errors import InvalidInput
from monitoring.sequential.binary_run_length import binary_cusum_arl, binary_cusum_limit
from monitoring.sequential.run_length import (
    cusum_arl,
    cusum_limit,
    ewma_arl,
    ewma_limit,
    shewhart_arl,
)


def test_known_answers_of_the_cusum_design():
    assert cusum_arl(0.25, 6) == pytest.approx(250.80501455157176, rel=2e-3)
    expected = [368.39387326217485, 28.762375483833267, 11.393208205813028]
    assert [cusum_arl(0.25, 8, shift, sides=2) for shift in (0, 0.5, 1)] == pytest.approx(expected, rel=2e-3)
    assert cusum_limit(0.25, 500) == pytest.approx(8.58506, rel=2e-3)


@pytest.mark.parametrize(
    ("h", "shift", "sides", "published"),
    [(4, 0, 2, 168), (4, 0, 1, 335), (4, 1, 2, 8.38), (5, 0, 2, 465), (5, 1, 2, 10.4)],
)
def test_cusum_agrees_with_the_published_tables(h, shift, sides, published):
    assert cusum_arl(0.5, h, shift, sides=sides) == pytest.approx(published, rel=3e-3)


@pytest.mark.parametrize(("arl0", "h"), [(370, 4.775), (500, 5.071), (1000, 5.757)])
def test_the_default_designs(arl0, h):
    assert cusum_limit(0.5, arl0) == pytest.approx(h, abs=2e-3)


@pytest.mark.parametrize(("k", "h"), [(0.5, 5), (0.25, 8), (0.5, 4)])
def test_siegmunds_closed_form_is_within_a_few_per_cent(k, h):
    b = h + 1.166
    siegmund = (np.exp(2 * k * b) - 2 * k * b - 1) / (2 * k * k)
    assert cusum_arl(k, h) == pytest.approx(siegmund, rel=0.03)


def test_ewma_with_weight_one_is_the_shewhart_chart():
    assert shewhart_arl(3) == pytest.approx(370.4, abs=0.1)
    assert shewhart_arl(3, 1) == pytest.approx(43.9, abs=0.1)
    assert ewma_arl(1.0, 3.0) == pytest.approx(shewhart_arl(3), rel=1e-3)
    assert ewma_arl(1.0, 3.0, 1.0) == pytest.approx(shewhart_arl(3, 1), rel=1e-3)


@pytest.mark.parametrize(("arl0", "limit"), [(370, 2.70), (500, 2.81), (1000, 3.06)])
def test_ewma_limits_agree_with_the_tables_for_steady_limits(arl0, limit):
    # exact limits are tighter at the start, so the same run length needs an L that is a little larger
    assert limit - 0.005 < ewma_limit(0.1, arl0) < limit + 0.02


def test_ewma_with_exact_limits_agrees_with_simulation():
    rng = np.random.default_rng(4)
    weight, wide, runs, longest = 0.2, 2.2, 3000, 1500
    level, alive = np.zeros(runs), np.ones(runs, dtype=bool)
    length = np.zeros(runs)
    for time in range(1, longest + 1):
        level += weight * (rng.standard_normal(runs) - level)
        length += alive
        alive &= np.abs(level) < wide * np.sqrt(weight / (2 - weight) * (1 - (1 - weight) ** (2 * time)))
    error = length.std() / np.sqrt(runs)
    assert ewma_arl(weight, wide) == pytest.approx(length.mean(), abs=3 * error)


@pytest.mark.parametrize(
    ("p0", "arl0", "h", "delay"),
    [(0.10, 1000, 3.42, 62), (0.10, 5000, 4.95, 96), (0.05, 1000, 2.77, 101), (0.05, 5000, 4.23, 170)],
)
def test_bernoulli_designs_agree_with_the_reference_table(p0, arl0, h, delay):
    yes, no = np.array([np.log(2.0)]), np.array([np.log((1 - 2 * p0) / (1 - p0))])
    limit = binary_cusum_limit(np.array([p0]), yes, no, arl0)
    assert limit == pytest.approx(h, abs=0.02)
    assert binary_cusum_arl(np.array([2 * p0]), yes, no, limit) == pytest.approx(delay, rel=0.02)


def test_bernoulli_run_length_agrees_with_simulation():
    rng = np.random.default_rng(5)
    runs, length = 2000, []
    total, steps = np.zeros(runs), np.zeros(runs)
    alive = np.ones(runs, dtype=bool)
    for _ in range(1500):
        outcome = rng.random(runs) < 0.2
        total = np.maximum(0, total + np.where(outcome, np.log(2), np.log(0.8 / 0.9)))
        steps += alive
        alive &= total < 3.42
    length = steps.mean()
    expected = binary_cusum_arl(np.array([0.2]), np.array([np.log(2.0)]), np.array([np.log(0.8 / 0.9)]), 3.42)
    assert expected == pytest.approx(length, abs=3 * steps.std() / np.sqrt(runs) + 0.02 * length)


def test_a_run_length_that_no_limit_gives_is_refused():
    with pytest.raises(InvalidInput, match=r"arl0 0\.5: give"):
        cusum_limit(0.5, 0.5)
    with pytest.raises(InvalidInput, match="arl0"):
        ewma_limit(0.1, float("nan"))
