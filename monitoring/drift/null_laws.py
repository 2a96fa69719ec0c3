"""What chance alone gives at these sizes."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from scipy import special

from assurance.evidence.finding import NullLaw

LEVELS = (0.5, 0.95, 0.99, 0.999)
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


def _name(level: float) -> str:
    return f"{level:g}"
