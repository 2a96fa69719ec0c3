"""What chance alone gives at these sizes."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from assurance.evidence.finding import NullLaw
from monitoring.drift.distribution import Distribution

LEVELS = (0.5, 0.95, 0.99, 0.999)
DRAWS = 4000
BRIDGE_POINTS = 200


def scaled_chi_square(value: float, *, n: int, m: int, df: int, factor: float, law: str) -> NullLaw:
    """``value`` ~ factor · (1/n + 1/m) · χ²_df."""
    scale = factor * (1 / n + 1 / m)
    quantiles = {_name(level): float(scale * stats.chi2.ppf(level, df)) for level in LEVELS}
    return NullLaw(law=law, quantiles=quantiles, p_value=float(stats.chi2.sf(value / scale, df)))


def kolmogorov(value: float, *, n: int, m: int, continuous: bool) -> NullLaw:
    """The two-sample law: exact below 100 cases a side when there are no ties, else Kolmogorov's limit.

    With ties or binned data both are conservative (Kolmogorov 1933; Hodges 1958 for the exact law).
    """
    effective = n * m / (n + m)
    if continuous and max(n, m) < 100:
        p_value = float(_exact_ks(value, n, m))
        law = "exact two-sample Kolmogorov-Smirnov"
    else:
        p_value = float(stats.kstwobign.sf(np.sqrt(effective) * value))
        law = "Kolmogorov limit"
    quantiles = {_name(level): float(stats.kstwobign.ppf(level) / np.sqrt(effective)) for level in LEVELS}
    return NullLaw(law=law, quantiles=quantiles, p_value=p_value)


def _exact_ks(value: float, n: int, m: int) -> float:
    """P(D ≥ value) by counting lattice paths (Hodges 1958): paths that stay inside |i/n − j/m| < value."""
    limit = round(value * n * m) - 0.5
    row = np.zeros(m + 1)
    for i in range(n + 1):
        inside = np.abs(i * m - np.arange(m + 1) * n) < limit
        if i == 0:
            row = np.where(np.cumprod(inside) > 0, 1.0, 0.0)
            continue
        new = np.zeros(m + 1)
        for j in range(m + 1):
            if inside[j]:
                left = new[j - 1] if j else 0.0
                # shares of the total keep the counts in range of a float
                new[j] = left * (j / (i + j)) + row[j] * (i / (i + j)) if j else row[j]
        row = new
    return float(min(1.0, max(0.0, 1.0 - row[m])))


def wasserstein_bridge(value: float, *, reference: Distribution, n: int, m: int, seed: int) -> NullLaw:
    """W1/σ under no drift: √(1/n + 1/m) · ∫|B(F(x))|dx / σ with B a Brownian bridge (del Barrio, Giné & Matrán 1999).

    4,000 bridges on 200 quantile points of the reference, by ``seed``; the p-value is (1 + #{≥}) / (1 + draws).
    """
    base = _bridge_draws(_Key(reference), seed)[0]
    draws = base * np.sqrt(1 / n + 1 / m)
    quantiles = {_name(level): float(np.quantile(draws, level)) for level in LEVELS}
    p_value = (1 + int((draws >= value).sum())) / (1 + draws.size)
    return NullLaw(law="Brownian bridge, 4000 draws", quantiles=quantiles, p_value=p_value)


def energy_bridge(value: float, *, reference: Distribution, n: int, m: int, seed: int) -> NullLaw:
    """√(2∫(F − G)²dx/σ) under no drift: √((1/n + 1/m)·2∫B(F(x))²dx/σ) with B a Brownian bridge."""
    draws = np.sqrt(_bridge_draws(_Key(reference), seed)[1] * (1 / n + 1 / m))
    quantiles = {_name(level): float(np.quantile(draws, level)) for level in LEVELS}
    p_value = (1 + int((draws >= value).sum())) / (1 + draws.size)
    return NullLaw(law="Brownian bridge, 4000 draws", quantiles=quantiles, p_value=p_value)


class _Key:
    """A reference distribution as a cache key: equal digests are equal distributions."""

    def __init__(self, reference: Distribution) -> None:
        self.reference = reference

    def __hash__(self) -> int:
        return hash(self.reference.digest)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Key) and other.reference.digest == self.reference.digest


@lru_cache(maxsize=512)
def _bridge_draws(key: _Key, seed: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """∫|B|dx/σ and 2∫B²dx/σ of each draw."""
    reference = key.reference
    # Points crowd towards the tails, whose gaps are wide and would otherwise be lost.
    grid = (1 - np.cos(np.pi * np.arange(BRIDGE_POINTS + 1) / BRIDGE_POINTS)) / 2
    points = np.unique(reference.quantiles(grid))
    if points.size < 2:
        return np.zeros(DRAWS), np.zeros(DRAWS)
    shares = reference.cdf(points[:-1])
    gaps = np.diff(points)
    rng = np.random.default_rng(seed)
    steps = np.diff(np.concatenate(([0.0], shares, [1.0])))
    walk = np.cumsum(rng.standard_normal((DRAWS, steps.size)) * np.sqrt(steps), axis=1)
    bridge = walk[:, :-1] - shares * walk[:, -1:]
    sd = reference.sd or 1.0
    return np.abs(bridge) @ gaps / sd, 2 * np.square(bridge) @ gaps / sd


def _name(level: float) -> str:
    return f"{level:g}"
