"""Mixture Shiryaev–Roberts e-detector: a rise of an error rate, with a guarantee that needs no calibration."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from assurance.evidence.checks import binary_vector
from assurance.evidence.errors import InvalidInput
from monitoring.sequential.result import SequentialResult, digest, first_beyond

RATIOS = (1.25, 1.5, 2.0, 2.5, 3.0, 4.0)


def e_detector(
    values: ArrayLike, *, p0: float, arl0: float = 5000.0, ratios: Sequence[float] = RATIOS
) -> SequentialResult:
    """S_j ← (S_j + 1)·LR_j for alternatives p_j = p0·ratio_j; alarm when their mean reaches A = ``arl0``.

    ``values`` (n,) are 0 or 1 per case in order (1 = error) and ``p0`` the largest accepted rate. The mean is an
    e-detector, so the expected number of cases until a false alarm is at least A whenever each case's chance of an
    error, given the past, is at most p0. Ratios that would give a rate of 1 or more are dropped.

    References
    ----------
    Shin, Ramdas & Rinaldo (2023), E-detectors, arXiv:2203.03532. Shiryaev (1963); Roberts (1966), Technometrics 8:411.
    """
    outcomes = binary_vector(values, name="values")
    if not 0 < p0 < 1:
        raise InvalidInput("bad_rate", f"p0 {p0}: give a rate in 0..1, both excluded")
    if not arl0 > 1:
        raise InvalidInput("bad_arl0", f"arl0 {arl0}: give more than 1 case")
    rates = np.array([p0 * ratio for ratio in ratios if ratio > 1 and p0 * ratio < 1])
    if not rates.size:
        raise InvalidInput("bad_ratios", f"ratios {tuple(ratios)}: none gives a rate between p0 {p0} and 1")
    steps = np.where(outcomes[:, None], np.log(rates / p0), np.log((1 - rates) / (1 - p0)))
    evidence = np.cumsum(steps, axis=0)
    before = np.vstack((np.zeros(rates.size), evidence[:-1]))
    # S_t = Σ_{i ≤ t} LR_i···LR_t, on the log scale so that a long series neither overflows nor fades
    logs = evidence + np.logaddexp.accumulate(-before, axis=0)
    statistic = np.exp(np.minimum(special.logsumexp(logs, axis=1) - np.log(rates.size), 700.0))
    leader = logs.argmax(axis=1)
    upper = np.full(outcomes.size, float(arl0))
    alarm = first_beyond(statistic, upper)
    return SequentialResult(
        "e_detector", statistic, upper, alarm,
        {"p0": p0, "arl0": float(arl0), "rates": rates.tolist()}, arl0=float(arl0), guaranteed=True,
        change_index=None if alarm is None else int(before[: alarm + 1, leader[alarm]].argmin()),
        paths={"leading_rate": rates[leader]},
        input_digest=digest(outcomes.astype(float)),
        notes=("the false-alarm guarantee holds without calibration; the delay depends on the size of the rise",),
    )  # fmt: skip
