"""One view of a numeric sample, whether it came as an array or as a state: sorted positions and the cases at each."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from assurance.evidence.checks import numeric_vector
from monitoring.drift import state as states
from monitoring.drift.binned import BinnedState
from monitoring.drift.sketch import SketchState


@dataclass(frozen=True, eq=False)
class Distribution:
    """``positions`` (k,) ascending without ties, ``masses`` (k,) cases at each; ``digest`` of what it was made from."""

    positions: NDArray[np.float64]
    masses: NDArray[np.float64]
    missing: int
    digest: str
    exact: bool

    @cached_property
    def n(self) -> int:
        return round(float(self.masses.sum()))

    @cached_property
    def _cumulative(self) -> NDArray[np.float64]:
        return np.concatenate(([0.0], np.cumsum(self.masses)))

    def cdf(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Share of cases at or below each of ``points``."""
        return self._cumulative[np.searchsorted(self.positions, points, side="right")] / self._cumulative[-1]

    def quantiles(self, shares: NDArray[np.float64]) -> NDArray[np.float64]:
        """The smallest position with at least each of ``shares`` of the cases at or below it."""
        place = np.searchsorted(self._cumulative[1:], shares * self._cumulative[-1] - 1e-9, side="left")
        return self.positions[np.minimum(place, self.positions.size - 1)]

    @cached_property
    def mean(self) -> float:
        return float((self.positions * self.masses).sum() / self.masses.sum())

    @cached_property
    def sd(self) -> float:
        """Population standard deviation."""
        return float(np.sqrt((np.square(self.positions - self.mean) * self.masses).sum() / self.masses.sum()))

    @cached_property
    def is_constant(self) -> bool:
        """True when all values are one value, or differ by no more than the rounding of its arithmetic."""
        size = float(max(abs(self.positions[0]), abs(self.positions[-1])))
        return self.positions.size == 1 or self.sd <= 1e-9 * size

    def counts(self, edges: NDArray[np.float64]) -> NDArray[np.float64]:
        """Cases in (-inf, e1], (e1, e2], ..., (ek, inf)."""
        bounds = self._cumulative[np.searchsorted(self.positions, edges, side="right")]
        return np.diff(np.concatenate(([0.0], bounds, [self._cumulative[-1]])))


def distribution(sample: Any, *, name: str) -> Distribution:
    """Read a numeric array or state. NaN and infinities of an array count as missing, as they do in states.

    Raises
    ------
    InvalidInput
        ``not_numeric`` or ``not_a_vector`` when ``sample`` is neither a numeric state nor a row of numbers.
    """
    if isinstance(sample, Distribution):
        return sample
    if isinstance(sample, BinnedState | SketchState):
        positions, masses = sample.masses()
        present = masses > 0
        points, member = np.unique(positions[present], return_inverse=True)  # a sketch may keep a value several times
        together: NDArray[np.float64] = np.bincount(member, masses[present]).astype(np.float64)
        return Distribution(points, together, sample.missing, states.digest(sample), exact=False)
    return _of_array(sample, name)


def _of_array(values: ArrayLike, name: str) -> Distribution:
    vector = numeric_vector(values, name=name, at_least=0)
    finite = np.sort(vector[np.isfinite(vector)])
    positions, counts = np.unique(finite, return_counts=True)
    content = hashlib.sha256(finite.astype("<f8").tobytes()).hexdigest()
    return Distribution(positions, counts.astype(np.float64), int(vector.size - finite.size), content, exact=True)


def joint_digest(*parts: str) -> str:
    """One SHA-256 for what went into a comparison, in order."""
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()
