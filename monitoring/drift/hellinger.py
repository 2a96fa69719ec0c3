"""Hellinger distance between the shares of bins or levels."""

from __future__ import annotations

from typing import Any

import numpy as np

from assurance.evidence.finding import Finding, NullLaw
from monitoring.drift import thresholds
from monitoring.drift.contingency import Counts, few_expected, permuted, table_finding, table_of
from monitoring.drift.null_laws import scaled_chi_square


def hellinger(
    reference: Any, current: Any, *, alpha_watch: float = thresholds.ALPHA_WATCH,
    alpha_act: float = thresholds.ALPHA_ACT, seed: int = 0, bins: int = 10,
) -> Finding:  # fmt: skip
    """√(1 − Σ√(pq)), 0..1, over the reference's decile bins or the levels of a category.

    Its square is about (1/n + 1/m)·χ²_{B−1}/8; where an expected count is below 50 the law comes from 1,999 tables with
    the same margins, drawn by ``seed``. Source: Hellinger (1909); Le Cam & Yang (2000) for the limit law.
    """
    table = table_of(reference, current, key="hellinger", row=thresholds.HELLINGER, bins=bins, seed=seed)
    if isinstance(table, Finding):
        return table
    value = float(hellinger_of_counts(table.reference, table.current))
    if few_expected(table.reference, table.current):
        null = permuted(table.reference, table.current, hellinger_of_counts, value, seed=seed)
    else:
        used = int((table.reference + table.current > 0).sum())
        square = scaled_chi_square(value**2, n=table.n, m=table.m, df=used - 1, factor=1 / 8, law="")
        quantiles = {level: float(np.sqrt(limit)) for level, limit in square.quantiles.items()}
        null = NullLaw("square root of (1/n + 1/m) times chi-square / 8", quantiles, square.p_value)
    return table_finding(
        "hellinger", value, table, null=null, row=thresholds.HELLINGER, alpha_watch=alpha_watch, alpha_act=alpha_act,
        seed=seed,
    )  # fmt: skip


def hellinger_of_counts(reference: Counts, current: Counts) -> Counts:
    """Distance of counts along the last axis."""
    p = reference / reference.sum(axis=-1, keepdims=True)
    q = current / current.sum(axis=-1, keepdims=True)
    return np.asarray(np.sqrt(np.square(np.sqrt(p) - np.sqrt(q)).sum(axis=-1) / 2))
