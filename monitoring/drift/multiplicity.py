"""Adjusted p-values: how many tests were made is part of each answer."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from assurance.evidence.checks import share_vector
from assurance.evidence.errors import InvalidInput

Vector = NDArray[np.float64]


def holm(p_values: ArrayLike) -> Vector:
    """Holm's step-down: family-wise error under any dependence (Holm 1979, Scandinavian Journal of Statistics 6:65)."""
    p = share_vector(p_values, name="p_values")
    order = np.argsort(p, kind="stable")
    raised = np.minimum(1.0, np.maximum.accumulate(p[order] * np.arange(p.size, 0, -1)))
    return _back(raised, order)


def bonferroni(p_values: ArrayLike) -> Vector:
    """K·p, family-wise error under any dependence."""
    p = share_vector(p_values, name="p_values")
    return np.minimum(1.0, p * p.size)


def benjamini_hochberg(p_values: ArrayLike) -> Vector:
    """False-discovery rate for independent or positively dependent tests (1995, JRSS B 57:289)."""
    return _step_up(share_vector(p_values, name="p_values"), 1.0)


def benjamini_yekutieli(p_values: ArrayLike) -> Vector:
    """False-discovery rate under any dependence: BH times Σ1/i (2001, Annals of Statistics 29:1165)."""
    p = share_vector(p_values, name="p_values")
    return _step_up(p, float((1 / np.arange(1, p.size + 1)).sum()))


METHODS = {
    "holm": holm, "bonferroni": bonferroni, "bh": benjamini_hochberg, "by": benjamini_yekutieli,
}  # fmt: skip


def adjusted(p_values: ArrayLike, *, method: str) -> Vector:
    """Adjusted p-values (K,) in the order given, by "holm", "bonferroni", "bh" or "by"."""
    if method not in METHODS:
        raise InvalidInput("unknown_method", f"method {method!r}: choose one of {', '.join(METHODS)}")
    return METHODS[method](p_values)


def _step_up(p: Vector, factor: float) -> Vector:
    order = np.argsort(p, kind="stable")
    raised = p[order] * p.size * factor / np.arange(1, p.size + 1)
    return _back(np.minimum(1.0, np.minimum.accumulate(raised[::-1])[::-1]), order)


def _back(sorted_values: Vector, order: NDArray[np.intp]) -> Vector:
    values = np.empty(order.size)
    values[order] = sorted_values
    return values
