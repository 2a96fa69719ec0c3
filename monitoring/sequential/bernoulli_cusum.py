"""Bernoulli CUSUM: a rise of an error rate, judged after every case."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from assurance.evidence.checks import binary_vector
from assurance.evidence.errors import InvalidInput
from monitoring.sequential.binary_run_length import binary_cusum_arl, binary_cusum_limit
from monitoring.sequential.cusum import cumulated, since_zero
from monitoring.sequential.result import SequentialResult, digest, first_beyond


def bernoulli_cusum(
    values: ArrayLike, *, p0: float, p1: float | None = None, h: float | None = None, arl0: float = 5000.0
) -> SequentialResult:
    """S ← max(0, S + y·ln(p1/p0) + (1 − y)·ln((1 − p1)/(1 − p0))); alarm at S ≥ h.

    ``values`` (n,) are 0 or 1 per case in order (1 = error); ``p0`` is the accepted rate, ``p1`` the rate to be found
    (2·p0 by default; a p1 below p0 watches for a fall). ``arl0`` counts cases.

    References
    ----------
    Page (1954), Biometrika 41:100. Reynolds & Stoumbos (1999), Journal of Quality Technology 31:87.
    """
    outcomes = binary_vector(values, name="values")
    p1 = 2 * p0 if p1 is None else p1
    if not 0 < p0 < 1 or not 0 < p1 < 1 or p0 == p1:
        raise InvalidInput("bad_rate", f"p0 {p0} and p1 {p1}: give two different rates in 0..1")
    if h is not None and not 0 < h < 100:
        raise InvalidInput("bad_design", f"h {h}: give a limit above 0")
    yes, no = np.array([np.log(p1 / p0)]), np.array([np.log((1 - p1) / (1 - p0))])
    limit = binary_cusum_limit(np.array([p0]), yes, no, arl0) if h is None else float(h)
    path = cumulated(np.where(outcomes, yes[0], no[0]), 0.0)
    upper = np.full(path.size, limit)
    alarm = first_beyond(path, upper)
    return SequentialResult(
        "bernoulli_cusum", path, upper, alarm, {"p0": p0, "p1": p1, "h": limit},
        arl0=binary_cusum_arl(np.array([p0]), yes, no, limit), arl1=binary_cusum_arl(np.array([p1]), yes, no, limit),
        arl1_at=f"rate {p1:g}", change_index=None if alarm is None else since_zero(path, alarm),
        input_digest=digest(outcomes.astype(float)),
    )  # fmt: skip
