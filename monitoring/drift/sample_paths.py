"""What F − G of two samples does when nothing drifts, drawn at their own sizes and laid over their own distribution.

Limit laws fail where a signal has rare far values or few distinct ones: the reference then tells too little of what
the next window may hold. Here both samples are drawn from uniform shares, once for a pair of sizes, and the pooled
cases say how far apart the values at those shares lie.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from assurance.evidence.finding import NullLaw
from monitoring.drift.distribution import Distribution
from monitoring.drift.null_laws import LEVELS

DRAWS = 10_000
POINTS = 200
LARGEST = 100_000  # larger samples have the law of this size to three digits
LAW = "10,000 pairs of samples of these sizes from the pooled cases"
# Shares crowd towards 0 and 1, where the steps between values are wide and would otherwise be lost.
_GRID = (1 - np.cos(np.pi * np.arange(POINTS + 1) / POINTS)) / 2
_INNER = _GRID[1:-1]
_EDGES = np.concatenate(([0.0], (_INNER[1:] + _INNER[:-1]) / 2, [1.0]))


def wasserstein_law(value: float, first: Distribution, second: Distribution, *, seed: int) -> NullLaw:
    """The law of ∫|F − G|dx / sd of ``first`` under no drift."""
    draws = _paths(_rounded(first.n), _rounded(second.n), seed) @ _steps(_pooled(first, second))
    scale = math.sqrt(_noise(first.n, second.n)) / first.sd
    return _law(draws, value / scale, scale=lambda draw: draw * scale)


def energy_law(value: float, first: Distribution, second: Distribution, *, seed: int) -> NullLaw:
    """The law of √(2∫(F − G)²dx / sd of ``first``) under no drift."""
    draws = _squares(first.n, second.n, seed) @ _steps(_pooled(first, second))
    scale = 2 * _noise(first.n, second.n) / first.sd
    return _law(draws, value**2 / scale, scale=lambda draw: math.sqrt(draw * scale))


def pooled_law(value: float, first: Distribution, second: Distribution, *, weighted: bool, seed: int) -> NullLaw:
    """The law of √∫(F − G)²dH under no drift, H pooled; ``weighted`` by 1/(H(1 − H)) as Anderson and Darling do."""
    pooled = _pooled(first, second)
    shares = pooled.cdf(pooled.positions)
    inside = shares < 1 - 1e-12  # at the last value both samples are complete
    cells = np.searchsorted(_EDGES, shares[inside], side="left") - 1
    share = (pooled.masses / pooled.masses.sum())[inside]
    weights = np.bincount(cells.clip(0), share, minlength=_INNER.size).astype(np.float32)
    if weighted:
        weights /= (_INNER * (1 - _INNER)).astype(np.float32)
    draws = _squares(first.n, second.n, seed) @ weights
    noise = _noise(first.n, second.n)
    return _law(draws, value**2 / noise, scale=lambda draw: math.sqrt(draw * noise))


def distances_without_drift(pooled: Distribution, n: int, m: int, *, seed: int) -> NDArray[np.float64]:
    """∫|F − G|dx of 10,000 pairs of samples of n and m cases with the distribution ``pooled``, (10,000,)."""
    draws = _paths(_rounded(n), _rounded(m), seed) @ _steps(pooled)
    return np.asarray(draws, dtype=np.float64) * math.sqrt(_noise(n, m))


def _pooled(first: Distribution, second: Distribution) -> Distribution:
    if first.positions.size == second.positions.size and np.array_equal(first.positions, second.positions):
        return Distribution(first.positions, first.masses + second.masses, 0, "", exact=False)
    positions, member = np.unique(np.concatenate((first.positions, second.positions)), return_inverse=True)
    masses = np.bincount(member, np.concatenate((first.masses, second.masses)))
    return Distribution(positions, np.asarray(masses, dtype=np.float64), 0, "", exact=False)


def _steps(pooled: Distribution) -> NDArray[np.float32]:
    """How far the values run within each cell of shares."""
    return np.diff(pooled.quantiles(_EDGES)).astype(np.float32)


def _noise(n: int, m: int) -> float:
    return 1 / n + 1 / m


def _law(draws: NDArray[np.float32], value: float, *, scale: Callable[[float], float]) -> NullLaw:
    """``draws`` and ``value`` in one unit, and what brings quantiles into the statistic's."""
    places = [min(draws.size - 1, int(level * draws.size)) for level in LEVELS]
    ordered = np.partition(draws, places)
    quantiles = {f"{level:g}": scale(float(ordered[place])) for level, place in zip(LEVELS, places, strict=True)}
    beyond = int((draws >= value * (1 - 1e-6)).sum())
    return NullLaw(law=LAW, quantiles=quantiles, p_value=(1 + beyond) / (1 + draws.size))


def _rounded(size: int) -> int:
    """Sizes within 2 % share their draws, which are kept in units of √(1/n + 1/m)."""
    if size <= 100:
        return size
    return min(LARGEST, round(math.exp(round(math.log(size) / 0.04) * 0.04)))


@lru_cache(maxsize=8)
def _paths(n: int, m: int, seed: int) -> NDArray[np.float32]:
    """|F − G| / √(1/n + 1/m) at 199 shares, (10,000, 199): 8 MB, and a quarter of a second once for a pair of sizes."""
    rng = np.random.default_rng(seed)
    cells = np.diff(_GRID)
    gaps = np.zeros((DRAWS, POINTS - 1))
    for size, sign in ((n, 1.0), (m, -1.0)):
        counts = rng.multinomial(size, cells / cells.sum(), size=DRAWS)
        gaps += sign / size * np.cumsum(counts, axis=1)[:, :-1]
    return (np.abs(gaps) / math.sqrt(_noise(n, m))).astype(np.float32)


def _squares(n: int, m: int, seed: int) -> NDArray[np.float32]:
    return _squared_paths(_rounded(n), _rounded(m), seed)


@lru_cache(maxsize=4)
def _squared_paths(n: int, m: int, seed: int) -> NDArray[np.float32]:
    return np.square(_paths(n, m, seed))
