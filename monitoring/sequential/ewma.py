"""EWMA chart: slow changes of a batch metric, drawn as a smoothed curve between limits."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from assurance.evidence.errors import InvalidInput
from monitoring.sequential.baseline import standardised
from monitoring.sequential.result import SequentialResult, digest, first_beyond
from monitoring.sequential.run_length import ewma_arl, ewma_limit


def ewma(
    values: ArrayLike, *, target: float = 0.0, sd: float = 1.0, baseline: int = 0, self_starting: bool = False,
    weight: float = 0.1, limit: float | None = None, arl0: float = 370.0, shift: float = 1.0,
) -> SequentialResult:  # fmt: skip
    """Z ← (1 − λ)Z + λz with the exact limits ±L·√(λ/(2 − λ)·(1 − (1 − λ)²ᵗ)).

    ``weight`` is λ in 0.02..1, ``limit`` L in sd (by default the one that gives ``arl0``). Other arguments as in
    ``cusum``. The statistic is in standard units.

    References
    ----------
    Roberts (1959), Technometrics 1:239. Lucas & Saccucci (1990), Technometrics 32:1.
    """
    if not 0.02 <= weight <= 1:
        raise InvalidInput("bad_weight", f"weight {weight}: give a number in 0.02..1")
    if limit is not None and not 0 < limit < 10:
        raise InvalidInput("bad_design", f"limit {limit}: give a number of sd in 0..10")
    series, z, target, sd, notes = standardised(
        values, target=target, sd=sd, baseline=baseline, self_starting=self_starting
    )
    wide = ewma_limit(weight, arl0) if limit is None else float(limit)
    statistic = np.empty(z.size)
    level = 0.0
    for place, value in enumerate(z):
        level += weight * (value - level)
        statistic[place] = level
    times = np.maximum(1, np.arange(1, z.size + 1) - (0 if self_starting else baseline))
    upper = wide * np.sqrt(weight / (2 - weight) * (1 - (1 - weight) ** (2 * times)))
    return SequentialResult(
        "ewma", statistic, upper, first_beyond(statistic, upper, -upper),
        {"weight": weight, "limit": wide, "target": target, "sd": sd, "baseline": baseline,
         "self_starting": self_starting},
        arl0=ewma_arl(weight, wide), arl1=ewma_arl(weight, wide, abs(shift)),
        arl1_at=f"mean moved by {abs(shift):g} sd", lower=-upper, input_digest=digest(series), notes=notes,
    )  # fmt: skip
