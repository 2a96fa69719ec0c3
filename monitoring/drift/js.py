"""Jensen–Shannon distance over reference-decile bins."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from assurance.evidence.finding import Finding, NullLaw
from monitoring.drift import thresholds
from monitoring.drift.bins import decile_edges
from monitoring.drift.comparison import judged, not_comparable
from monitoring.drift.contingency import few_expected, permuted
from monitoring.drift.distribution import distribution
from monitoring.drift.null_laws import scaled_chi_square


def js(
    reference: Any, current: Any, *, alpha_watch: float = thresholds.ALPHA_WATCH,
    alpha_act: float = thresholds.ALPHA_ACT, seed: int = 0, bins: int = 10,
) -> Finding:  # fmt: skip
    """√(½KL(p‖M) + ½KL(q‖M)) in base 2, 0..1; its square in nats is about (1/n + 1/m)·χ²_{B−1}/8 (Lin 1991).

    ``reference`` (n,) and ``current`` (m,) are rows of numbers or numeric states; NaN counts as missing. Below 50
    expected cases in a bin the law comes from 1,999 tables with the same margins, drawn by ``seed``.
    """
    first, second = distribution(reference, name="reference"), distribution(current, name="current")
    refused = not_comparable("js", first, second, row=thresholds.JS)
    if refused:
        return refused
    edges = decile_edges(first, bins=bins)
    p_counts, q_counts = first.counts(edges), second.counts(edges)
    value = js_of_counts(p_counts, q_counts)
    if few_expected(p_counts, q_counts):
        null = permuted(p_counts, q_counts, js_along, value, seed=seed)
    else:
        square = scaled_chi_square(
            value**2 * np.log(2), n=first.n, m=second.n, df=p_counts.size - 1, factor=1 / 8, law=""
        )
        quantiles = {level: float(np.sqrt(limit / np.log(2))) for level, limit in square.quantiles.items()}
        null = NullLaw("square root of (1/n + 1/m) times chi-square / (8 ln 2)", quantiles, square.p_value)
    return judged(
        "js", value, reference=first, current=second, null=null, row=thresholds.JS, alpha_watch=alpha_watch,
        alpha_act=alpha_act, seed=seed, parameters={"bins": p_counts.size, "base": 2},
    )  # fmt: skip


def js_of_counts(reference: NDArray[np.float64], current: NDArray[np.float64]) -> float:
    """Distance of the two share vectors in base 2; empty bins need no smoothing here."""
    return float(js_along(reference, current))


def js_along(reference: NDArray[np.float64], current: NDArray[np.float64]) -> NDArray[np.float64]:
    """Distance of counts along the last axis."""
    p = reference / reference.sum(axis=-1, keepdims=True)
    q = current / current.sum(axis=-1, keepdims=True)
    middle = (p + q) / 2
    with np.errstate(divide="ignore", invalid="ignore"):
        left = np.where(p > 0, p * np.log2(p / middle), 0.0).sum(axis=-1)
        right = np.where(q > 0, q * np.log2(q / middle), 0.0).sum(axis=-1)
    return np.asarray(np.sqrt(np.maximum(0.0, (left + right) / 2)))
