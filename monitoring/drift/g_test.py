"""G test: change of shares between levels by likelihood ratio, with bias-corrected Cramér's V as the effect."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import special, stats

from assurance.evidence.errors import InvalidInput
from assurance.evidence.finding import Finding, NullLaw
from monitoring.drift import thresholds
from monitoring.drift.chi_square import corrected_v
from monitoring.drift.contingency import SMALLEST_EXPECTED, Counts, Table, permuted, table_finding, table_of
from monitoring.drift.null_laws import LEVELS, chi_square_limits


def g_test(
    reference: Any, current: Any, *, alpha_watch: float = thresholds.ALPHA_WATCH,
    alpha_act: float = thresholds.ALPHA_ACT, seed: int = 0,
) -> Finding:  # fmt: skip
    """Bias-corrected Cramér's V from G = 2ΣO·ln(O/E), 0..1, with G as evidence.

    ``reference`` and ``current`` are levels of cases or category states. Two levels with an expected count below 5:
    Fisher's exact p-value (tables no likelier than this one); more levels: 1,999 tables with the same margins, drawn by
    ``seed``. Source: Wilks (1938); Bergsma (2013) for V; Fisher (1934) for the exact law.
    """
    first, second = _levels(reference), _levels(current)
    table = table_of(first, second, key="g_test", row=thresholds.CRAMER_V, bins=10, seed=seed)
    if isinstance(table, Finding):
        return table
    statistic = float(g_of_counts(table.reference, table.current))
    total, levels = table.n + table.m, table.reference.size
    value = corrected_v(statistic, total, levels)
    df = levels - 1
    limits = dict(zip(LEVELS, chi_square_limits(df), strict=True))
    if table.smallest_expected < SMALLEST_EXPECTED and levels == 2:
        p_value, law = fisher(table), "Fisher's exact law"
    elif table.smallest_expected < SMALLEST_EXPECTED:
        drawn = permuted(table.reference, table.current, g_of_counts, statistic, seed=seed)
        p_value, law = float(drawn.p_value or 1.0), drawn.law
        limits = {level: drawn.quantiles[f"{level:g}"] for level in LEVELS}
    else:
        p_value, law = float(special.chdtrc(df, statistic)), f"chi-square with {df} degrees of freedom"
    null = NullLaw(law, {f"{level:g}": corrected_v(limit, total, levels) for level, limit in limits.items()}, p_value)
    return table_finding(
        "g_test", value, table, null=null, row=thresholds.CRAMER_V, alpha_watch=alpha_watch, alpha_act=alpha_act,
        seed=seed, details={"g": statistic, "df": df},
    )  # fmt: skip


def g_of_counts(reference: Counts, current: Counts) -> Counts:
    """2ΣO·ln(O/E) of the 2 × B tables along the last axis."""
    pooled = reference + current
    total = pooled.sum(axis=-1, keepdims=True)
    entropy = special.xlogy(pooled, pooled / total).sum(axis=-1)
    parts = sum(
        special.xlogy(side, side / side.sum(axis=-1, keepdims=True)).sum(axis=-1) for side in (reference, current)
    )
    return np.asarray(np.maximum(0.0, 2 * (parts - entropy)))


def fisher(table: Table) -> float:
    """Chance of the tables with these margins that are no likelier than the one seen (2 levels)."""
    pooled = (table.reference + table.current).astype(int)
    law = stats.hypergeom(int(pooled.sum()), int(pooled[0]), table.m)
    low, high = max(0, table.m - int(pooled[1])), min(table.m, int(pooled[0]))
    chances = law.pmf(np.arange(low, high + 1))
    seen = law.pmf(int(table.current[0]))
    return float(min(1.0, chances[chances <= seen * (1 + 1e-7)].sum()))


def _levels(side: Any) -> Any:
    from monitoring.drift.categories import CategoryState

    if hasattr(side, "masses"):
        raise InvalidInput("not_levels", "the G test reads levels: give categories, not a numeric state")
    return side if isinstance(side, CategoryState) else CategoryState.from_values(side)
