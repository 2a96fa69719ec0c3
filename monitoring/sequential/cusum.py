"""Tabular CUSUM: small lasting changes of a mean, found soon."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from assurance.evidence.errors import InvalidInput
from monitoring.sequential.baseline import standardised
from monitoring.sequential.result import SequentialResult, Vector, digest, first_beyond
from monitoring.sequential.run_length import cusum_arl, cusum_limit

SIDES = {"two": 2, "upper": 1, "lower": 1}


def cusum(
    values: ArrayLike, *, target: float = 0.0, sd: float = 1.0, baseline: int = 0, self_starting: bool = False,
    k: float = 0.5, h: float | None = None, arl0: float = 370.0, side: str = "two", shift: float = 1.0,
) -> SequentialResult:  # fmt: skip
    """S⁺ ← max(0, S⁺ + z − k), S⁻ ← max(0, S⁻ − z − k); alarm at S ≥ h.

    Parameters
    ----------
    values : array of shape (n,)
        One value per window, independent of the others. Residuals, or raw values with ``target`` and ``sd``.
    target, sd, baseline, self_starting
        How values become z (``baseline.standardised``). Defaults say that the values are z already.
    k : float
        Half of the change to be found, in sd.
    h : float, optional
        Limit in sd; by default the one whose false alarms are ``arl0`` points apart on average.
    side : {"two", "upper", "lower"}
        Which direction is watched. ``statistic`` is the larger of the two sums for "two".
    shift : float
        The change, in sd, for which ``arl1`` is given.

    Raises
    ------
    InvalidInput
        Values not finite, ``k`` below 0, ``h`` not above 0, an unknown ``side``, an ``arl0`` no limit gives.

    References
    ----------
    Page (1954), Biometrika 41:100. Siegmund (1985), Sequential Analysis.
    """
    if side not in SIDES:
        raise InvalidInput("unknown_side", f"side {side!r}: choose two, upper or lower")
    if not 0 <= k <= 5 or (h is not None and not 0 < h < 1e3):
        raise InvalidInput("bad_design", f"k {k} and h {h}: give 0 ≤ k ≤ 5 and h above 0")
    series, z, target, sd, notes = standardised(
        values, target=target, sd=sd, baseline=baseline, self_starting=self_starting
    )
    sides = SIDES[side]
    limit = cusum_limit(k, arl0, sides=sides) if h is None else float(h)
    up, down = cumulated(z, k), cumulated(-z, k)
    statistic = {"two": np.maximum(up, down), "upper": up, "lower": down}[side]
    upper = np.full(series.size, limit)
    alarm = first_beyond(statistic, upper)
    change = None
    if alarm is not None:
        path = up if side == "upper" or (side == "two" and up[alarm] >= down[alarm]) else down
        change = since_zero(path, alarm)
    return SequentialResult(
        "cusum", statistic, upper, alarm,
        {"k": k, "h": limit, "side": side, "target": target, "sd": sd, "baseline": baseline,
         "self_starting": self_starting},
        arl0=cusum_arl(k, limit, sides=sides), arl1=cusum_arl(k, limit, abs(shift), sides=sides),
        arl1_at=f"mean moved by {abs(shift):g} sd", change_index=change, paths={"upper_sum": up, "lower_sum": down},
        input_digest=digest(series), notes=notes,
    )  # fmt: skip


def cumulated(steps: Vector, k: float) -> Vector:
    """max(0, S + step − k) along ``steps``, from 0."""
    path = np.empty(steps.size)
    total = 0.0
    for place, step in enumerate(steps - k):
        total = max(0.0, total + step)
        path[place] = total
    return path


def since_zero(path: Vector, alarm: int) -> int:
    """The first point after the sum was last 0: the maximum-likelihood place of the change."""
    zeros = np.flatnonzero(path[:alarm] == 0)
    return int(zeros[-1]) + 1 if zeros.size else 0
