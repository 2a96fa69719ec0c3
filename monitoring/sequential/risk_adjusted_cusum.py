"""Risk-adjusted CUSUM: more errors than the cases' own risks explain."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from assurance.evidence.checks import binary_vector, same_length, share_vector
from assurance.evidence.errors import InvalidInput
from monitoring.sequential.binary_run_length import binary_cusum_arl, binary_cusum_limit
from monitoring.sequential.cusum import cumulated, since_zero
from monitoring.sequential.result import SequentialResult, Vector, digest, first_beyond

KINDS = 40  # the risk mix is summarised by the means of so many equal groups


def risk_adjusted_cusum(
    values: ArrayLike, *, risks: ArrayLike, odds_ratio: float = 2.0, h: float | None = None, arl0: float = 5000.0
) -> SequentialResult:
    """X ← max(0, X + y·ln OR − ln(1 − p + OR·p)); alarm at X ≥ h.

    ``values`` (n,) are outcomes 0 or 1, ``risks`` (n,) their expected chances p in 0..1. ``odds_ratio`` is the
    change of the odds to be found. h is designed on this series' own mix of risks, so redo it when the mix changes
    (quarterly).

    References
    ----------
    Steiner, Cook, Farewell & Treasure (2000), Biostatistics 1:441. Wittenberg (2022) on changes of the mix.
    """
    outcomes = binary_vector(values, name="values")
    chances = share_vector(risks, name="risks")
    same_length(values=outcomes, risks=chances)
    if not odds_ratio > 0 or odds_ratio == 1:
        raise InvalidInput("bad_odds_ratio", f"odds_ratio {odds_ratio}: give a number above 0 other than 1")
    if h is not None and not 0 < h < 100:
        raise InvalidInput("bad_design", f"h {h}: give a limit above 0")
    kinds, weights = _mix(chances)
    yes, no = _steps(kinds, odds_ratio)
    limit = binary_cusum_limit(kinds, yes, no, arl0, weights=weights) if h is None else float(h)
    if_yes, if_no = _steps(chances, odds_ratio)
    path = cumulated(np.where(outcomes, if_yes, if_no), 0.0)
    upper = np.full(path.size, limit)
    alarm = first_beyond(path, upper)
    worse = odds_ratio * kinds / (1 - kinds + odds_ratio * kinds)
    return SequentialResult(
        "risk_adjusted_cusum", path, upper, alarm, {"odds_ratio": odds_ratio, "h": limit},
        arl0=binary_cusum_arl(kinds, yes, no, limit, weights=weights),
        arl1=binary_cusum_arl(worse, yes, no, limit, weights=weights), arl1_at=f"odds times {odds_ratio:g}",
        change_index=None if alarm is None else since_zero(path, alarm),
        input_digest=digest(outcomes.astype(float), chances),
        notes=("the limit holds for this mix of risks; a changed mix can nearly double false alarms",),
    )  # fmt: skip


def _steps(chances: Vector, odds_ratio: float) -> tuple[Vector, Vector]:
    common = np.log(1 - chances + odds_ratio * chances)
    return np.log(odds_ratio) - common, -common


def _mix(chances: Vector) -> tuple[Vector, Vector]:
    groups = [group for group in np.array_split(np.sort(chances), min(KINDS, chances.size)) if group.size]
    return np.array([group.mean() for group in groups]), np.array([float(group.size) for group in groups])
