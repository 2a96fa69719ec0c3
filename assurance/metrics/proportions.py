"""Intervals of a proportion, and how many independent cases a clustered sample is worth."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy import special

from assurance.evidence.errors import InvalidInput
from assurance.evidence.finding import Interval
from assurance.metrics.measured import checked_level, interval_around


def wilson(successes: float, n: float, *, level: float = 0.95) -> Interval:
    """Wilson score interval of ``successes`` out of ``n`` (both may be fractional effective counts).

    References
    ----------
    Wilson (1927), JASA 22:209; Brown, Cai & DasGupta (2001), Statistical Science 16:101.
    """
    share = _share(successes, n)
    z = float(special.ndtri((1 + checked_level(level)) / 2))
    centre = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return interval_around(share, max(0.0, centre - half), min(1.0, centre + half), level=level, method="wilson")


def clopper_pearson(successes: float, n: float, *, level: float = 0.95) -> Interval:
    """Exact (conservative) interval, for dossiers.

    References
    ----------
    Clopper & Pearson (1934), Biometrika 26:404.
    """
    share, tail = _share(successes, n), (1 - checked_level(level)) / 2
    low = 0.0 if successes == 0 else float(special.betaincinv(successes, n - successes + 1, tail))
    high = 1.0 if successes == n else float(special.betaincinv(successes + 1, n - successes, 1 - tail))
    return interval_around(share, low, high, level=level, method="clopper_pearson")


def jeffreys(successes: float, n: float, *, level: float = 0.95) -> Interval:
    """Equal-tailed posterior interval under the Beta(½, ½) prior, with 0 and 1 closed at the ends."""
    share, tail = _share(successes, n), (1 - checked_level(level)) / 2
    low = 0.0 if successes == 0 else float(special.betaincinv(successes + 0.5, n - successes + 0.5, tail))
    high = 1.0 if successes == n else float(special.betaincinv(successes + 0.5, n - successes + 0.5, 1 - tail))
    return interval_around(share, low, high, level=level, method="jeffreys")


PROPORTION_INTERVALS: dict[str, Callable[..., Interval]] = {
    "wilson": wilson,
    "clopper_pearson": clopper_pearson,
    "jeffreys": jeffreys,
}


def proportion_interval(name: str) -> Callable[..., Interval]:
    """The interval called ``name``; an unknown one is refused with those that exist."""
    try:
        return PROPORTION_INTERVALS[name]
    except KeyError:
        known = ", ".join(PROPORTION_INTERVALS)
        raise InvalidInput("unknown_interval", f"interval {name!r} is not known: choose one of {known}") from None


def design_effect(hits: NDArray[np.bool_], codes: NDArray[np.intp]) -> float:
    """How much larger the variance of a share is because cases of one patient resemble each other; 1 or more.

    ``hits`` of shape (n_cases,), ``codes`` one whole number per patient. With all hits equal the cases of a patient
    cannot be told from copies of each other, so the answer is cases per patient.

    References
    ----------
    Rao & Scott (1992), Biometrics 48:577 (ratio estimator of the variance between clusters).
    """
    present, codes = np.unique(codes, return_inverse=True)
    sizes = np.bincount(codes).astype(float)
    n, n_patients, share = hits.size, present.size, float(hits.mean())
    if share in (0.0, 1.0) or n_patients < 2:
        return max(1.0, n / n_patients)
    residuals = np.bincount(codes, hits.astype(float)) - share * sizes
    variance = n_patients / (n_patients - 1) * float(residuals @ residuals) / n**2
    return max(1.0, variance / (share * (1 - share) / n))


def _share(successes: float, n: float) -> float:
    if not n > 0 or not 0 <= successes <= n:
        raise InvalidInput("bad_counts", f"{successes:g} of {n:g} is no proportion: give 0 ≤ successes ≤ n with n > 0")
    return successes / n
