"""Anderson–Darling distance: as Cramér–von Mises, with the tails weighed up."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import stats

from assurance.evidence.finding import Finding, NullLaw
from monitoring.drift import thresholds
from monitoring.drift.comparison import judged, not_comparable
from monitoring.drift.cramer_von_mises import has_heavy_ties, pooled_gaps
from monitoring.drift.distribution import distribution
from monitoring.drift.sample_paths import pooled_law

QUANTILES = {"0.5": 0.7742, "0.95": 2.4922, "0.99": 3.8784, "0.999": 5.9671}  # of the limit law
FARTHEST = 8.0


def anderson_darling(
    reference: Any, current: Any, *, alpha_watch: float = thresholds.ALPHA_WATCH,
    alpha_act: float = thresholds.ALPHA_ACT, seed: int = 0,
) -> Finding:  # fmt: skip
    """√∫(F − G)²/(H(1 − H))dH, H the pooled distribution. A² = nm/(n + m)·∫… follows the limit law (Pettitt 1976).

    ``reference`` (n,) and ``current`` (m,) are rows of numbers or numeric states; NaN counts as missing. Where one
    value holds over 1 % of the cases the limit does not hold, and the law is drawn by ``seed`` instead: samples of
    these sizes from the pooled cases.
    """
    first, second = distribution(reference, name="reference"), distribution(current, name="current")
    refused = not_comparable("anderson_darling", first, second, row=thresholds.ANDERSON_DARLING)
    if refused:
        return refused
    gaps, pooled, shares = pooled_gaps(first, second)
    inner = pooled < 1 - 1e-12
    square = float((np.square(gaps) / (pooled * (1 - pooled) + ~inner) * shares)[inner].sum())
    total = first.n * second.n / (first.n + second.n)
    if has_heavy_ties(first, second):
        law = pooled_law(float(np.sqrt(square)), first, second, weighted=True, seed=seed)
        return judged(
            "anderson_darling", float(np.sqrt(square)), reference=first, current=second, null=law,
            row=thresholds.ANDERSON_DARLING, alpha_watch=alpha_watch, alpha_act=alpha_act, seed=seed,
            details={"a_squared": total * square},
        )  # fmt: skip
    quantiles = {level: float(np.sqrt(limit / total)) for level, limit in QUANTILES.items()}
    null = NullLaw("Anderson–Darling limit", quantiles, chance_beyond(total * square))
    return judged(
        "anderson_darling", float(np.sqrt(square)), reference=first, current=second, null=null,
        row=thresholds.ANDERSON_DARLING, alpha_watch=alpha_watch, alpha_act=alpha_act,
        details={"a_squared": total * square},
    )  # fmt: skip


def chance_beyond(x: float) -> float:
    """P(A² > x), within 2e-6 (Marsaglia & Marsaglia 2004, Journal of Statistical Software 9:2)."""
    if x <= 0:
        return 1.0
    if x < 2:
        inner = np.polyval([0.00168691, -0.011672, 0.0347962, -0.0649821, 0.247105, 2.00012], x)
        return float(1 - np.exp(-1.2337141 / x) / np.sqrt(x) * inner)
    outer = np.polyval([-0.0003146, 0.008056, -0.082433, 0.43424, -2.30695, 1.0776], min(x, FARTHEST))
    # the fit ends there; beyond it the leading term of the law, √3·χ²₁ of 2x, falls on
    beyond = stats.chi2.logsf(2 * x, 1) - stats.chi2.logsf(2 * FARTHEST, 1) if x > FARTHEST else 0.0
    return float(max(-np.expm1(-np.exp(outer)) * np.exp(beyond), 1e-300))
