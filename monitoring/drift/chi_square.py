"""Change of shares between levels: χ² for the evidence, bias-corrected Cramér's V for the effect."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import special

from assurance.evidence.finding import Finding, Method, NullLaw, State
from monitoring.drift import state as states
from monitoring.drift import thresholds
from monitoring.drift.categories import CategoryState, aligned
from monitoring.drift.comparison import VERSION
from monitoring.drift.distribution import joint_digest
from monitoring.drift.null_laws import LEVELS, chi_square_limits
from monitoring.drift.verdict import verdict

MONTE_CARLO_DRAWS = 9999


def chi_square(
    reference: Any, current: Any, *, alpha_watch: float = thresholds.ALPHA_WATCH,
    alpha_act: float = thresholds.ALPHA_ACT, seed: int = 0,
) -> Finding:  # fmt: skip
    """Bias-corrected Cramér's V of the 2 × B table (Bergsma 2013), 0..1, with the two-sample χ² as evidence.

    ``reference`` and ``current`` are levels of cases or category states; missing is a level of its own, a new level
    keeps its name. Where an expected count is below 5, the p-value comes from 9,999 tables with the same margins, drawn
    by ``seed``: (1 + #{≥}) / (1 + draws).
    """
    first = reference if isinstance(reference, CategoryState) else CategoryState.from_values(reference)
    second = current if isinstance(current, CategoryState) else CategoryState.from_values(current)
    levels, p_counts, q_counts = aligned(first, second)
    n, m = int(p_counts.sum()), int(q_counts.sum())
    digest = joint_digest(states.digest(first), states.digest(second))
    settings = {"alpha_watch": alpha_watch, "alpha_act": alpha_act, "watch": thresholds.CRAMER_V.watch,
                "act": thresholds.CRAMER_V.act}  # fmt: skip
    method = Method("chi_square", "vigil", VERSION, settings, seed)
    if n < 2 or m < 2 or len(levels) < 2:
        reason = (
            f"reference has {n} and current {m} cases: both need two or more"
            if n < 2 or m < 2
            else f"only the level {levels[0]!r} was seen: nothing can change"
        )
        return Finding(
            "chi_square", None, "1", State.INSUFFICIENT, m, method, digest, n_reference=n, reason=reason,
            minimum_n=thresholds.CRAMER_V.act_n,
        )  # fmt: skip
    statistic, df, smallest = chi_square_statistic(p_counts, q_counts)
    if smallest < 5:
        p_value = _monte_carlo(p_counts, q_counts, statistic, seed)
        law = f"{MONTE_CARLO_DRAWS} tables with the same margins"
    else:
        p_value = float(special.chdtrc(df, statistic))
        law = f"chi-square with {df} degrees of freedom"
    value = corrected_v(statistic, n + m, len(levels))
    quantiles = {
        f"{level:g}": corrected_v(limit, n + m, len(levels))
        for level, limit in zip(LEVELS, chi_square_limits(df), strict=True)
    }
    state, reason, minimum = verdict(
        effect=value, p_value=p_value, n=n, m=m, row=thresholds.CRAMER_V, alpha_watch=alpha_watch, alpha_act=alpha_act
    )
    details = {
        "levels": levels, "reference_counts": p_counts.tolist(), "current_counts": q_counts.tolist(),
        "chi_square": statistic, "df": df,
        "new_levels": [level for level in second.counts if level not in first.counts],
    }  # fmt: skip
    return Finding(
        "chi_square", value, "1", state, m, method, digest, n_reference=n, null=NullLaw(law, quantiles, p_value),
        minimum_n=minimum, reason=reason, details=details,
    )  # fmt: skip


def chi_square_statistic(reference: NDArray[np.int64], current: NDArray[np.int64]) -> tuple[float, int, float]:
    """Pearson's statistic without continuity correction, its degrees of freedom and the smallest expected count."""
    table = np.vstack((reference, current)).astype(np.float64)
    expected = table.sum(axis=1, keepdims=True) * table.sum(axis=0, keepdims=True) / table.sum()
    return float((np.square(table - expected) / expected).sum()), table.shape[1] - 1, float(expected.min())


def corrected_v(statistic: float, total: int, levels: int) -> float:
    """Cramér's V with Bergsma's correction for bias; 0 where chance alone would give as much."""
    phi = max(0.0, statistic / total - (levels - 1) / (total - 1))
    width = levels - (levels - 1) ** 2 / (total - 1)
    return float(np.sqrt(phi / min(width - 1, 1 - 1 / (total - 1)))) if width > 1 else 0.0


def _monte_carlo(reference: NDArray[np.int64], current: NDArray[np.int64], statistic: float, seed: int) -> float:
    rng = np.random.default_rng(seed)
    pooled = reference + current
    total, m = int(pooled.sum()), int(current.sum())
    draws = rng.multivariate_hypergeometric(pooled, m, size=MONTE_CARLO_DRAWS, method="marginals").astype(np.float64)
    expected = pooled * (m / total)
    # Pearson's statistic of a 2 × B table with fixed margins needs the second row alone.
    values = (np.square(draws - expected) / (pooled * (m / total) * (1 - m / total))).sum(axis=1)
    return (1 + int((values >= statistic * (1 - 1e-12)).sum())) / (1 + MONTE_CARLO_DRAWS)
