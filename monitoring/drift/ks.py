"""Kolmogorov–Smirnov distance of two samples or states."""

from __future__ import annotations

from typing import Any

import numpy as np

from assurance.evidence.finding import Finding
from monitoring.drift import thresholds
from monitoring.drift.comparison import judged, not_comparable
from monitoring.drift.distribution import Distribution, distribution
from monitoring.drift.null_laws import kolmogorov


def ks(
    reference: Any, current: Any, *, alpha_watch: float = thresholds.ALPHA_WATCH,
    alpha_act: float = thresholds.ALPHA_ACT, seed: int = 0,
) -> Finding:  # fmt: skip
    """Largest gap D between the two distribution functions, 0..1.

    ``reference`` (n,) and ``current`` (m,) are rows of numbers or numeric states; NaN counts as missing. From a binned
    state D is within the heavier sample's largest bin mass of the raw data's. ``seed`` is not used.
    """
    first, second = distribution(reference, name="reference"), distribution(current, name="current")
    refused = not_comparable("ks", first, second, row=thresholds.KS)
    if refused:
        return refused
    value = ks_distance(first, second)
    ties = not (first.exact and second.exact and _no_ties(first, second))
    null = kolmogorov(value, n=first.n, m=second.n, continuous=not ties)
    return judged(
        "ks", value, reference=first, current=second, null=null, row=thresholds.KS, alpha_watch=alpha_watch,
        alpha_act=alpha_act,
    )  # fmt: skip


def ks_distance(first: Distribution, second: Distribution) -> float:
    points = np.union1d(first.positions, second.positions)
    return float(np.abs(first.cdf(points) - second.cdf(points)).max())


def _no_ties(first: Distribution, second: Distribution) -> bool:
    together = np.union1d(first.positions, second.positions).size
    return together == first.n + second.n
