"""Wasserstein-1 distance in units of the reference's standard deviation: the primary statistic for numbers."""

from __future__ import annotations

from typing import Any

import numpy as np

from assurance.evidence.finding import Finding
from monitoring.drift import thresholds
from monitoring.drift.comparison import judged, not_comparable
from monitoring.drift.distribution import Distribution, distribution
from monitoring.drift.sample_paths import wasserstein_law


def w1_sd(
    reference: Any, current: Any, *, alpha_watch: float = thresholds.ALPHA_WATCH,
    alpha_act: float = thresholds.ALPHA_ACT, seed: int = 0,
) -> Finding:  # fmt: skip
    """∫|F − G|dx divided by the reference's population sd; unit "sd".

    ``reference`` (n,) and ``current`` (m,) are rows of numbers or numeric states; NaN counts as missing. The null law
    is drawn by ``seed``: samples of these two sizes from the pooled cases (del Barrio, Giné & Matrán 1999 give its
    limit, which rare far values reach too late).
    """
    first, second = distribution(reference, name="reference"), distribution(current, name="current")
    refused = not_comparable("w1_sd", first, second, row=thresholds.W1_SD, unit="sd", seed=seed)
    if refused:
        return refused
    distance = w1(first, second)
    value = distance / first.sd
    null = wasserstein_law(value, first, second, seed=seed)
    return judged(
        "w1_sd", value, reference=first, current=second, null=null, row=thresholds.W1_SD, alpha_watch=alpha_watch,
        alpha_act=alpha_act, seed=seed, unit="sd",
        details={"w1": distance, "reference_sd": first.sd, "mean_change": second.mean - first.mean},
    )  # fmt: skip


def w1(first: Distribution, second: Distribution) -> float:
    """∫|F − G|dx in the unit of the signal."""
    points = np.union1d(first.positions, second.positions)
    gaps = np.abs(first.cdf(points[:-1]) - second.cdf(points[:-1]))
    return float((gaps * np.diff(points)).sum())
