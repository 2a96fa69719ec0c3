"""Shewhart chart: one point far from the target, nothing remembered."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from assurance.evidence.errors import InvalidInput
from monitoring.sequential.baseline import standardised
from monitoring.sequential.result import SequentialResult, digest, first_beyond
from monitoring.sequential.run_length import shewhart_arl


def shewhart(
    values: ArrayLike, *, target: float = 0.0, sd: float = 1.0, baseline: int = 0, self_starting: bool = False,
    limit: float | None = 3.0, arl0: float | None = None, shift: float = 1.0,
) -> SequentialResult:  # fmt: skip
    """Alarm when |z| ≥ ``limit`` (3 sd by default), or at the limit that gives ``arl0``. Arguments as in ``cusum``.

    References
    ----------
    Shewhart (1931), Economic Control of Quality of Manufactured Product.
    """
    if arl0 is not None:
        if not arl0 > 1:
            raise InvalidInput("bad_arl0", f"arl0 {arl0}: give more than 1 point")
        limit = float(-special.ndtri(1 / (2 * arl0)))
    if limit is None or not 0 < limit < 10:
        raise InvalidInput("bad_design", f"limit {limit}: give a number of sd in 0..10, or arl0")
    series, z, target, sd, notes = standardised(
        values, target=target, sd=sd, baseline=baseline, self_starting=self_starting
    )
    upper = np.full(z.size, float(limit))
    return SequentialResult(
        "shewhart", z, upper, first_beyond(z, upper, -upper),
        {"limit": float(limit), "target": target, "sd": sd, "baseline": baseline, "self_starting": self_starting},
        arl0=shewhart_arl(limit), arl1=shewhart_arl(limit, abs(shift)), arl1_at=f"mean moved by {abs(shift):g} sd",
        lower=-upper, input_digest=digest(series), notes=notes,
    )  # fmt: skip
