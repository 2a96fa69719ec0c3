"""How many positives a statement about sensitivity needs (or negatives, about specificity)."""

from __future__ import annotations

import math

from scipy import special

from assurance.evidence.errors import InvalidInput
from assurance.metrics.proportions import wilson


def cases_for_half_width(share: float, half_width: float, *, level: float = 0.95, interval: str = "wilson") -> int:
    """Smallest n whose interval at ``share`` is no wider than ±``half_width``.

    ``interval`` is ``wilson`` (the one that is then reported) or ``wald``, the usual planning formula z²p(1−p)/h².

    >>> cases_for_half_width(0.90, 0.05), cases_for_half_width(0.90, 0.05, interval="wald")
    (141, 139)

    References
    ----------
    Wilson (1927), JASA 22:209.
    """
    if not 0 < share < 1 or not 0 < half_width < 0.5:
        raise InvalidInput("out_of_range", f"share {share}, half_width {half_width}: give 0..1 and 0..0.5, exclusive")
    if interval not in ("wilson", "wald"):
        raise InvalidInput("unknown_interval", f"interval {interval!r} is not known: choose wilson or wald")
    if interval == "wald":
        return math.ceil(float(special.ndtri((1 + level) / 2)) ** 2 * share * (1 - share) / half_width**2)

    def width(n: int) -> float:
        span = wilson(share * n, n, level=level)
        return (span.high - span.low) / 2

    low, high = 1, 2
    while width(high) > half_width:
        low, high = high, high * 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if width(middle) > half_width else (low, middle)
    return high if width(low) > half_width else low


def cases_to_see_change(before: float, after: float, *, power: float = 0.8, level: float = 0.95) -> int:
    """Cases needed to tell a share ``after`` from the known ``before``, two-sided, with ``power``.

    >>> cases_to_see_change(0.90, 0.80)
    86

    References
    ----------
    Fleiss, Levin & Paik (2003), Statistical Methods for Rates and Proportions, section 2.4.
    """
    if not (0 < before < 1 and 0 < after < 1 and before != after and 0.5 < power < 1 and 0.5 <= level < 1):
        raise InvalidInput("out_of_range", f"{before} to {after} with power {power}: give two different shares in 0..1")
    z_level, z_power = float(special.ndtri((1 + level) / 2)), float(special.ndtri(power))
    spread = z_level * math.sqrt(before * (1 - before)) + z_power * math.sqrt(after * (1 - after))
    return math.ceil((spread / (before - after)) ** 2)
