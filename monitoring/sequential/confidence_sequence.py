"""Confidence sequence of a bounded mean: an interval that holds at every look at once."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from assurance.evidence.checks import finite_vector
from assurance.evidence.errors import InvalidInput
from monitoring.sequential.result import SequentialResult, Vector, digest

GRID = 1000
METHODS = ("betting", "empirical_bernstein")


def confidence_sequence(
    values: ArrayLike, *, limit: float | None = None, alpha: float = 0.05, low: float = 0.0, high: float = 1.0,
    method: str = "betting", worse: str = "either",
) -> SequentialResult:  # fmt: skip
    """Running interval for the mean of ``values`` (n,) in ``low``..``high``; alarm once the limit lies outside.

    With probability 1 − ``alpha`` the true (constant) mean lies inside at every point at once, so looking often costs
    nothing. ``worse`` says which side of the limit is bad: "below" (a metric that must stay above it) alarms when the
    whole interval is below, "above" the reverse, "either" in both cases. ``statistic`` is the running mean.
    "betting" is the hedged capital process on a grid of 1,000 means; "empirical_bernstein" the closed form, wider.

    References
    ----------
    Waudby-Smith & Ramdas (2024), JRSS B 86:1, theorems 2 and 3.
    """
    series = finite_vector(values, name="values")
    if not low < high:
        raise InvalidInput("bad_bounds", f"low {low} must be below high {high}")
    bad = np.flatnonzero((series < low) | (series > high))
    if bad.size:
        place = int(bad[0])
        raise InvalidInput("out_of_range", f"values[{place}] is {series[place]:g}: it must lie in {low:g}..{high:g}")
    if not 0 < alpha < 1:
        raise InvalidInput("bad_alpha", f"alpha {alpha}: give a share in 0..1, both excluded")
    if limit is not None and not low <= limit <= high:
        raise InvalidInput("bad_limit", f"limit {limit}: give a value in {low:g}..{high:g}")
    if method not in METHODS:
        raise InvalidInput("unknown_method", f"method {method!r}: choose one of {', '.join(METHODS)}")
    if worse not in ("either", "below", "above"):
        raise InvalidInput("unknown_side", f"worse {worse!r}: choose either, below or above")
    unit = (series - low) / (high - low)
    bounds = _betting(unit, alpha) if method == "betting" else _bernstein(unit, alpha)
    lower, upper = (low + (high - low) * bound for bound in bounds)
    mean = np.cumsum(series) / np.arange(1, series.size + 1)
    alarm = None
    if limit is not None:
        outside = np.zeros(series.size, dtype=bool)
        if worse != "above":
            outside |= upper < limit
        if worse != "below":
            outside |= lower > limit
        alarm = int(np.flatnonzero(outside)[0]) if outside.any() else None
    return SequentialResult(
        "confidence_sequence", mean, upper, alarm,
        {"limit": limit, "alpha": alpha, "low": low, "high": high, "method": method, "worse": worse},
        lower=lower, input_digest=digest(series),
        notes=(f"chance of any false alarm over all time: at most {alpha:g}; there is no average run length",),
    )  # fmt: skip


def _pace(unit: Vector, alpha: float) -> tuple[Vector, Vector]:
    """(λ_t, mean before t): predictable, from the points before t alone."""
    times = np.arange(1, unit.size + 1)
    means = (0.5 + np.cumsum(unit)) / (times + 1)
    variances = (0.25 + np.cumsum(np.square(unit - means))) / (times + 1)
    before = np.concatenate(([0.5], means[:-1]))
    spread = np.concatenate(([0.25], variances[:-1]))
    return np.sqrt(2 * np.log(2 / alpha) / (spread * times * np.log(1 + times))), before


def _bernstein(unit: Vector, alpha: float) -> tuple[Vector, Vector]:
    pace, before = _pace(unit, alpha)
    pace = np.minimum(pace, 0.5)
    weight = np.cumsum(pace)
    centre = np.cumsum(pace * unit) / weight
    cost = np.cumsum(4 * np.square(unit - before) * (-np.log1p(-pace) - pace) / 4)
    reach = (np.log(2 / alpha) + cost) / weight
    lower = np.maximum.accumulate(np.clip(centre - reach, 0, 1))
    return lower, np.minimum.accumulate(np.clip(centre + reach, 0, 1))


def _betting(unit: Vector, alpha: float) -> tuple[Vector, Vector]:
    pace, _ = _pace(unit, alpha)
    grid = (np.arange(GRID) + 0.5) / GRID
    up, down = np.zeros(GRID), np.zeros(GRID)
    lower, upper = np.zeros(unit.size), np.ones(unit.size)
    alive = np.ones(GRID, dtype=bool)
    cap_up, cap_down = 0.5 / grid, 0.5 / (1 - grid)
    for place, value in enumerate(unit):
        up += np.log1p(np.minimum(pace[place], cap_up) * (value - grid))
        down += np.log1p(-np.minimum(pace[place], cap_down) * (value - grid))
        # the larger half of the capital bounds the hedged capital from below, and is an interval in the mean
        alive &= np.maximum(up, down) + np.log(0.5) < np.log(1 / alpha)
        inside = np.flatnonzero(alive)
        if inside.size:  # half a cell is added on each side so that the grid never narrows the interval
            lower[place] = max(0.0, grid[inside[0]] - 1 / GRID)
            upper[place] = min(1.0, grid[inside[-1]] + 1 / GRID)
        else:  # every mean is refuted: the values cannot have one constant mean
            lower[place], upper[place] = lower[place - 1], upper[place - 1]
    return lower, upper
