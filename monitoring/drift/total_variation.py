"""Total variation: the share of cases that would have to change their bin or level."""

from __future__ import annotations

from typing import Any

import numpy as np

from assurance.evidence.finding import Finding
from monitoring.drift import thresholds
from monitoring.drift.contingency import Counts, permuted, table_finding, table_of


def total_variation(
    reference: Any, current: Any, *, alpha_watch: float = thresholds.ALPHA_WATCH,
    alpha_act: float = thresholds.ALPHA_ACT, seed: int = 0, bins: int = 10,
) -> Finding:  # fmt: skip
    """½Σ|p − q|, 0..1, over the reference's decile bins or the levels of a category.

    The null law comes from 1,999 tables with the same margins, drawn by ``seed``. Source: Levin & Peres (2017), Markov
    Chains and Mixing Times, chapter 4.
    """
    table = table_of(reference, current, key="total_variation", row=thresholds.TOTAL_VARIATION, bins=bins, seed=seed)
    if isinstance(table, Finding):
        return table
    value = float(variation_of_counts(table.reference, table.current))
    null = permuted(table.reference, table.current, variation_of_counts, value, seed=seed)
    return table_finding(
        "total_variation", value, table, null=null, row=thresholds.TOTAL_VARIATION, alpha_watch=alpha_watch,
        alpha_act=alpha_act, seed=seed,
    )  # fmt: skip


def variation_of_counts(reference: Counts, current: Counts) -> Counts:
    """Distance of counts along the last axis."""
    p = reference / reference.sum(axis=-1, keepdims=True)
    q = current / current.sum(axis=-1, keepdims=True)
    return np.asarray(np.abs(p - q).sum(axis=-1) / 2)
