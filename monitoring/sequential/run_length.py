"""Average run lengths of charts of independent normal points, by integral equation."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numpy as np
from scipy import optimize, special, stats

from assurance.evidence.errors import InvalidInput
from monitoring.sequential.result import Vector

NODES = 80


def cusum_arl(k: float, h: float, shift: float = 0.0, *, sides: int = 1) -> float:
    """ARL of the tabular CUSUM with reference value k and limit h (in sd) when the mean has moved by ``shift`` sd.

    One-sided (upper): the Fredholm equation L(z) = 1 + L(0)Φ(k − z − δ) + ∫₀ʰ L(y)φ(y − z + k − δ)dy, solved by
    Gauss–Legendre. Two-sided: 1/ARL = 1/ARL⁺ + 1/ARL⁻ (Kemp 1961, exact while the two do not run at once).

    References
    ----------
    Page (1954), Biometrika 41:100. Van Dobben de Bruyn (1968). Kemp (1961), JRSS B 23:149.
    """
    upper = _one_sided(float(k), float(h), float(shift))
    return upper if sides == 1 else 1 / (1 / upper + 1 / _one_sided(float(k), float(h), -float(shift)))


@lru_cache(maxsize=4096)
def _one_sided(k: float, h: float, shift: float) -> float:
    nodes, weights = np.polynomial.legendre.leggauss(NODES)
    points, weights = (nodes + 1) * h / 2, weights * h / 2
    starts = np.concatenate(([0.0], points))
    kernel = stats.norm.pdf(points[None, :] - starts[:, None] + k - shift) * weights[None, :]
    matrix = np.column_stack((special.ndtr(k - starts - shift), kernel))
    return float(np.linalg.solve(np.eye(starts.size) - matrix, np.ones(starts.size))[0])


def cusum_limit(k: float, arl0: float, *, sides: int = 2) -> float:
    """The h with which a chart of reference value k has this ARL0."""
    return solved(lambda h: cusum_arl(k, h, sides=sides), arl0, low=0.05, high=40.0)


def ewma_arl(weight: float, limit: float, shift: float = 0.0) -> float:
    """ARL of the two-sided EWMA with exact limits ±L·sd_t from the first point on.

    The density of the statistic is carried from point to point inside the moving limits until they stand still; the
    remaining run comes from the integral equation of the fixed limits.

    References
    ----------
    Roberts (1959), Technometrics 1:239. Lucas & Saccucci (1990), Technometrics 32:1. Steiner (1999), JQT 31:75.
    """
    return _ewma(float(weight), float(limit), float(shift))


@lru_cache(maxsize=1024)
def _ewma(weight: float, limit: float, shift: float) -> float:
    nodes, weights = np.polynomial.legendre.leggauss(NODES)
    steady = np.sqrt(weight / (2 - weight))
    points, widths = nodes * limit * steady, weights * limit * steady

    def kernel(arrive: Vector, start: Vector) -> Vector:
        moved = (arrive[:, None] - (1 - weight) * start[None, :]) / weight - shift
        return np.asarray(stats.norm.pdf(moved) / weight)

    onward = kernel(points, points) * widths[:, None]
    remaining = np.linalg.solve(np.eye(NODES) - onward.T, np.ones(NODES))
    expected, step = 1.0, 1  # the first point is always drawn
    reach = limit * weight
    here = nodes * reach
    density = stats.norm.pdf(here / weight - shift) / weight
    mass = weights * reach
    while (1 - weight) ** (2 * step) > 1e-10:
        expected += float(density @ mass)
        step += 1
        reach = limit * steady * np.sqrt(1 - (1 - weight) ** (2 * step))
        there = nodes * reach
        density = kernel(there, here) @ (density * mass)
        here, mass = there, weights * reach
    return expected + float((density * mass) @ np.interp(here, points, remaining))


def ewma_limit(weight: float, arl0: float) -> float:
    return solved(lambda limit: ewma_arl(weight, limit), arl0, low=0.5, high=6.0)


def shewhart_arl(limit: float, shift: float = 0.0) -> float:
    """1 over the chance that one point lies beyond ±limit (Shewhart 1931)."""
    return float(1 / (special.ndtr(-limit + shift) + special.ndtr(-limit - shift)))


def solved(arl: Callable[[float], float], wanted: float, *, low: float, high: float) -> float:
    """The limit whose ARL is ``wanted``.

    Raises
    ------
    InvalidInput
        ``bad_arl0`` when no limit between ``low`` and ``high`` gives it.
    """
    smallest = arl(low)
    if not (np.isfinite(wanted) and smallest <= wanted):
        raise InvalidInput("bad_arl0", f"arl0 {wanted}: give {np.ceil(smallest):.0f} or more points")
    below, above = low, min(2 * low, high)
    while (reached := arl(above)) < wanted:
        if above == high or reached <= 0:  # a numerically singular equation can turn negative
            raise InvalidInput("bad_arl0", f"arl0 {wanted}: give at most {arl(below):.3g} points")
        below, above = above, min(2 * above, high)
    return float(optimize.brentq(lambda limit: np.log(arl(limit) / wanted), below, above, xtol=1e-6, rtol=1e-7))
