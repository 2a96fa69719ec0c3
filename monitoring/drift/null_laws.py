"""What chance alone gives at these sizes."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy import special

from assurance.evidence.finding import NullLaw
from monitoring.drift.distribution import Distribution

LEVELS = (0.5, 0.95, 0.99, 0.999)
DRAWS = 10_000
BRIDGE_POINTS = 200
KOLMOGOROV_LIMITS = tuple(float(special.kolmogi(1 - level)) for level in LEVELS)


@lru_cache(maxsize=1024)
def chi_square_limits(df: int) -> tuple[float, ...]:
    """Quantiles of χ² at ``LEVELS``; asked for with the same few df again and again."""
    return tuple(float(special.chdtri(df, 1 - level)) for level in LEVELS)


def scaled_chi_square(value: float, *, n: int, m: int, df: int, factor: float, law: str) -> NullLaw:
    """``value`` ~ factor · (1/n + 1/m) · χ²_df."""
    scale = factor * (1 / n + 1 / m)
    quantiles = {_name(level): scale * limit for level, limit in zip(LEVELS, chi_square_limits(df), strict=True)}
    return NullLaw(law=law, quantiles=quantiles, p_value=float(special.chdtrc(df, value / scale)))


def kolmogorov(value: float, *, n: int, m: int, continuous: bool) -> NullLaw:
    """The two-sample law: exact below 100 cases a side when there are no ties, else Kolmogorov's limit.

    With ties or binned data both are conservative (Kolmogorov 1933; Hodges 1958 for the exact law).
    """
    effective = n * m / (n + m)
    if continuous and max(n, m) < 100:
        p_value = float(_exact_ks(value, n, m))
        law = "exact two-sample Kolmogorov-Smirnov"
    else:
        p_value = float(special.kolmogorov(np.sqrt(effective) * value))
        law = "Kolmogorov limit"
    quantiles = {
        _name(level): float(limit / np.sqrt(effective)) for level, limit in zip(LEVELS, KOLMOGOROV_LIMITS, strict=True)
    }
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

    10,000 bridges on 200 shares, by ``seed``; the p-value is (1 + #{≥}) / (1 + draws).
    """
    return _sorted_law(bridge_distances(reference, seed=seed) * np.sqrt(1 / n + 1 / m), value)


def energy_bridge(value: float, *, reference: Distribution, n: int, m: int, seed: int) -> NullLaw:
    """√(2∫(F − G)²dx/σ) under no drift: √((1/n + 1/m)·2∫B(F(x))²dx/σ) with B a Brownian bridge."""
    return _sorted_law(np.sqrt(_cached_draws(_Key(reference), seed, squared=True) * (1 / n + 1 / m)), value)


def _sorted_law(draws: NDArray[np.float64], value: float) -> NullLaw:
    places = [min(draws.size - 1, int(level * draws.size)) for level in LEVELS]
    quantiles = {_name(level): float(draws[place]) for level, place in zip(LEVELS, places, strict=True)}
    beyond = draws.size - int(np.searchsorted(draws, value, side="left"))
    return NullLaw(law="Brownian bridge, 10,000 draws", quantiles=quantiles, p_value=(1 + beyond) / (1 + draws.size))


def bridge_distances(reference: Distribution, *, seed: int) -> NDArray[np.float64]:
    """W1/σ of 10,000 pairs without drift, divided by √(1/n + 1/m)."""
    return _cached_draws(_Key(reference), seed, squared=False)


class _Key:
    """A reference distribution as a cache key: equal digests are equal distributions."""

    def __init__(self, reference: Distribution) -> None:
        self.reference = reference

    def __hash__(self) -> int:
        return hash(self.reference.digest)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Key) and other.reference.digest == self.reference.digest


@lru_cache(maxsize=256)  # a reference is compared with many windows
def _cached_draws(key: _Key, seed: int, *, squared: bool) -> NDArray[np.float64]:
    """∫|B|dx/σ or 2∫B²dx/σ, B = B(F(x)), sorted: sums over the bridges' own grid, weighed by quantile steps."""
    reference = key.reference
    sizes, squares, edges = _bridges(seed)
    steps = np.diff(reference.quantiles(edges)).astype(np.float32)
    sd = reference.sd or 1.0
    if squared:
        return 2 * np.sort(squares @ steps).astype(np.float64) / sd
    return np.sort(sizes @ steps).astype(np.float64) / sd


@lru_cache(maxsize=4)
def _bridges(seed: int) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float64]]:
    """|B| and B² of 10,000 bridges on 200 shares, and the edges of the cells around these: one set for a seed."""
    # Shares crowd towards 0 and 1, where the quantiles' steps are wide and would otherwise be lost.
    grid = (1 - np.cos(np.pi * np.arange(BRIDGE_POINTS + 1) / BRIDGE_POINTS)) / 2
    inner = grid[1:-1]
    edges = np.concatenate(([0.0], (inner[1:] + inner[:-1]) / 2, [1.0]))
    rng = np.random.default_rng(seed)
    walk = np.cumsum(rng.standard_normal((DRAWS, BRIDGE_POINTS)) * np.sqrt(np.diff(grid)), axis=1)
    bridges = (walk[:, :-1] - inner * walk[:, -1:]).astype(np.float32)
    return np.abs(bridges), np.square(bridges), edges


def _name(level: float) -> str:
    return f"{level:g}"
