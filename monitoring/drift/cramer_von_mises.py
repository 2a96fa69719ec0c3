"""Cramér–von Mises distance: the mean squared gap between the two distribution functions."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import special, stats

from assurance.evidence.finding import Finding, NullLaw
from monitoring.drift import thresholds
from monitoring.drift.comparison import judged, not_comparable
from monitoring.drift.distribution import Distribution, distribution
from monitoring.drift.sample_paths import pooled_law

HEAVY = 0.01
QUANTILES = {"0.5": 0.1188, "0.95": 0.4614, "0.99": 0.7435, "0.999": 1.1679}  # of the limit law


def cramer_von_mises(
    reference: Any, current: Any, *, alpha_watch: float = thresholds.ALPHA_WATCH,
    alpha_act: float = thresholds.ALPHA_ACT, seed: int = 0,
) -> Finding:  # fmt: skip
    """√∫(F − G)²dH, H the pooled distribution; 0..1. T = nm/(n + m)·∫(F − G)²dH follows the limit law (Anderson 1962).

    ``reference`` (n,) and ``current`` (m,) are rows of numbers or numeric states; NaN counts as missing. Where one
    value holds over 1 % of the cases the limit does not hold, and the law is drawn by ``seed`` instead: samples of
    these sizes from the pooled cases.
    """
    first, second = distribution(reference, name="reference"), distribution(current, name="current")
    refused = not_comparable("cramer_von_mises", first, second, row=thresholds.CRAMER_VON_MISES)
    if refused:
        return refused
    gaps, _, shares = pooled_gaps(first, second)
    square = float(np.square(gaps) @ shares)
    n, m = first.n, second.n
    total = n * m / (n + m)
    # Anderson's exact mean and variance under no drift bring small samples close to the limit law
    whole = n + m
    mean = (1 + 1 / whole) / 6
    variance = (whole + 1) * (4 * n * m * whole - 3 * (n * n + m * m) - 2 * n * m) / (45 * whole**2 * 4 * n * m)
    scaled = 1 / 6 + (total * square - mean) / np.sqrt(45 * variance)
    if has_heavy_ties(first, second):
        law = pooled_law(float(np.sqrt(square)), first, second, weighted=False, seed=seed)
        return judged(
            "cramer_von_mises", float(np.sqrt(square)), reference=first, current=second, null=law,
            row=thresholds.CRAMER_VON_MISES, alpha_watch=alpha_watch, alpha_act=alpha_act, seed=seed,
            details={"t": float(total * square)},
        )  # fmt: skip
    quantiles = {
        level: float(np.sqrt(max(0.0, ((limit - 1 / 6) * np.sqrt(45 * variance) + mean) / total)))
        for level, limit in QUANTILES.items()
    }
    null = NullLaw("Cramér–von Mises limit, corrected for size", quantiles, chance_beyond(float(scaled)))
    return judged(
        "cramer_von_mises", float(np.sqrt(square)), reference=first, current=second, null=null,
        row=thresholds.CRAMER_VON_MISES, alpha_watch=alpha_watch, alpha_act=alpha_act,
        details={"t": float(total * square)},
    )  # fmt: skip


def has_heavy_ties(first: Distribution, second: Distribution) -> bool:
    """True when a single value holds more than 1 % of the cases of a side."""
    return any(float(side.masses.max()) > max(1.5, HEAVY * side.n) for side in (first, second))


def pooled_gaps(
    first: Distribution, second: Distribution
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """F − G, H and the share of the pooled cases at each pooled position."""
    points = np.union1d(first.positions, second.positions)
    f, g = first.cdf(points), second.cdf(points)
    n, m = first.n, second.n
    pooled = (n * f + m * g) / (n + m)
    return f - g, pooled, np.diff(np.concatenate(([0.0], pooled)))


def chance_beyond(x: float) -> float:
    """P(∫B² > x) for a Brownian bridge B, by the series of Anderson & Darling (1952).

    Far out by the law's leading term √2·P(χ²₁ > π²x), since a difference from 1 keeps no digits there.
    """
    if x <= 0:
        return 1.0
    if x > 3:
        return float(max(np.sqrt(2) * stats.chi2.sf(np.pi**2 * x, 1), 1e-300))
    k = np.arange(40)
    u = (4 * k + 1) ** 2 / (16 * x)
    weights = np.exp(special.gammaln(k + 0.5) - special.gammaln(0.5) - special.gammaln(k + 1)) * np.sqrt(4 * k + 1)
    terms = weights * np.exp(-2 * u) * special.kve(0.25, u)
    return float(1 - terms.sum() / (np.pi * np.sqrt(x)))
