"""From raw values to standard units: by stated parameters, by the first points, or point by point."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from assurance.evidence.checks import finite_vector
from assurance.evidence.errors import InvalidInput
from monitoring.sequential.result import Vector

ENOUGH = 100  # a chart designed for ARL0 370 has 45 % false alarms within 100 points when 30 points set its baseline


def standardised(
    values: ArrayLike, *, target: float, sd: float, baseline: int, self_starting: bool = False
) -> tuple[Vector, Vector, float, float, tuple[str, ...]]:
    """(values as given, z, target, sd, notes); z = (x − target)/sd.

    ``baseline`` 0 takes ``target`` and ``sd`` as known. With ``baseline`` B ≥ 2 they are the mean and the sample
    standard deviation of the first B points, which are then not judged themselves (z = 0).
    ``self_starting`` uses Hawkins' running t statistic instead: each point
    against all before it, exactly standard normal under no change; the first two points are 0.

    Raises
    ------
    InvalidInput
        Values not finite, ``sd`` not above 0, a baseline below 2 or longer than the series, a constant baseline.

    References
    ----------
    Hawkins (1987), The Statistician 36:299.
    """
    series = finite_vector(values, name="values")
    if self_starting:
        return series, _running_t(series), target, sd, ("each point is compared with all before it",)
    if baseline == 0:
        if not sd > 0 or not np.isfinite([sd, target]).all():
            raise InvalidInput("bad_sd", f"target {target} and sd {sd}: give finite numbers and sd above 0")
        return series, (series - target) / sd, target, sd, ()
    if not 2 <= baseline <= series.size:
        raise InvalidInput("bad_baseline", f"baseline {baseline}: give 0 or 2 to {series.size} points of the series")
    first = series[:baseline]
    target, sd = float(first.mean()), float(first.std(ddof=1))
    if sd == 0:
        raise InvalidInput("constant_baseline", f"the first {baseline} values are all {first[0]:g}: no spread to chart")
    notes: tuple[str, ...] = ()
    if baseline < ENOUGH:
        notes = (
            f"target and sd come from {baseline} points: false alarms are more frequent than the design says until "
            f"the baseline has {ENOUGH}",
        )
    z = (series - target) / sd
    z[:baseline] = 0.0  # these points define normal, so they cannot be judged by it
    return series, z, target, sd, notes


def _running_t(series: Vector) -> Vector:
    """Each point's t statistic against all before it, as the normal deviate of the same probability."""
    z = np.zeros(series.size)
    shifted = series - series[0]
    counts = np.arange(series.size)[2:]  # points before each judged one
    sums, squares = np.cumsum(shifted)[1:-1], np.cumsum(np.square(shifted))[1:-1]
    means = sums / counts
    spread = np.sqrt(np.maximum(squares - counts * np.square(means), 0) / (counts - 1))
    judged = spread > 0
    t = np.sqrt(counts / (counts + 1))[judged] * (shifted[2:] - means)[judged] / spread[judged]
    tail = special.ndtri(np.maximum(special.stdtr(counts[judged] - 1, -np.abs(t)), 1e-15))
    z[2:][judged] = -np.sign(t) * tail
    return z
