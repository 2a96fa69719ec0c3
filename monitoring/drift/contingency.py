"""Two rows of counts over the same bins or levels, for the statistics that compare shares of either kind of signal."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assurance.evidence.finding import Finding, Method, NullLaw, State
from monitoring.drift import state as states
from monitoring.drift.bins import decile_edges
from monitoring.drift.categories import CategoryState, aligned
from monitoring.drift.comparison import VERSION, missing_share, not_comparable
from monitoring.drift.distribution import distribution, joint_digest
from monitoring.drift.null_laws import LEVELS
from monitoring.drift.thresholds import Row, on_sd_scale
from monitoring.drift.verdict import verdict

Counts = NDArray[np.float64]
DRAWS = 1999
SMALLEST_EXPECTED = 5
ENOUGH_EXPECTED = 50


@dataclass(frozen=True, eq=False)
class Table:
    """``reference`` and ``current`` (B,) counts; ``numeric`` says that the bins are the reference's tenths."""

    reference: Counts
    current: Counts
    numeric: bool
    digest: str
    details: Mapping[str, Any]

    @property
    def n(self) -> int:
        return round(float(self.reference.sum()))

    @property
    def m(self) -> int:
        return round(float(self.current.sum()))

    @property
    def smallest_expected(self) -> float:
        pooled = self.reference + self.current
        return float(pooled[pooled > 0].min() * min(self.n, self.m) / (self.n + self.m))


def table_of(reference: Any, current: Any, *, key: str, row: Row, bins: int, seed: int) -> Table | Finding:
    """Counts of both sides, or the Finding that says why nothing can be compared.

    Levels (text or category states) are counted by name, missing is a level; numbers are counted in the reference's
    decile bins, where missing values stand apart.
    """
    if _are_levels(reference) or _are_levels(current):
        first, second = (
            side if isinstance(side, CategoryState) else CategoryState.from_values(side)
            for side in (reference, current)
        )
        levels, p_counts, q_counts = aligned(first, second)
        digest = joint_digest(states.digest(first), states.digest(second))
        details = {
            "levels": levels, "reference_counts": p_counts.tolist(), "current_counts": q_counts.tolist(),
            "new_levels": [level for level in second.counts if level not in first.counts],
        }  # fmt: skip
        n, m = int(p_counts.sum()), int(q_counts.sum())
        if n >= 2 and m >= 2 and len(levels) >= 2:
            return Table(p_counts.astype(np.float64), q_counts.astype(np.float64), False, digest, details)
        reason = (
            f"reference has {n} and current {m} cases: both need two or more"
            if n < 2 or m < 2
            else f"only the level {levels[0]!r} was seen: nothing can change"
        )
        return Finding(
            key, None, "1", State.INSUFFICIENT, m, Method(key, "vigil", VERSION, {}, seed), digest, n_reference=n,
            reason=reason, minimum_n=row.act_n,
        )  # fmt: skip
    before, after = distribution(reference, name="reference"), distribution(current, name="current")
    refused = not_comparable(key, before, after, row=row, seed=seed)
    if refused:
        return refused
    edges = decile_edges(before, bins=bins)
    p_binned, q_binned = before.counts(edges), after.counts(edges)
    details = {
        "edges": edges.tolist(), "reference_counts": p_binned.tolist(), "current_counts": q_binned.tolist(),
        "missing_share": missing_share(after), "reference_missing_share": missing_share(before),
    }  # fmt: skip
    return Table(p_binned, q_binned, True, joint_digest(before.digest, after.digest), details)


def _are_levels(side: Any) -> bool:
    if isinstance(side, CategoryState):
        return True
    if hasattr(side, "masses") or hasattr(side, "positions"):
        return False
    values = np.asarray(side)
    return values.dtype.kind in "US" or (
        values.dtype.kind == "O" and any(isinstance(value, str) for value in values.ravel())
    )


def few_expected(reference: Counts, current: Counts) -> bool:
    """True when the limit law of a distance cannot be trusted yet: a bin expects fewer than 50 cases on a side.

    Measured: at 10 expected cases 2 % of the windows without drift have p ≤ 0.01 by the limit law of JS or Hellinger.
    """
    pooled = reference + current
    share = min(reference.sum(), current.sum()) / pooled.sum()
    return bool(pooled[pooled > 0].min() * share < ENOUGH_EXPECTED)


def permuted(
    reference: Counts, current: Counts, statistic: Callable[[Counts, Counts], Counts], value: float, *, seed: int,
    draws: int = DRAWS,
) -> NullLaw:  # fmt: skip
    """The law of ``statistic(reference (R, B), current (R, B))`` over tables with the same margins."""
    rng = np.random.default_rng(seed)
    pooled = np.rint(reference).astype(np.int64) + np.rint(current).astype(np.int64)
    m = int(np.rint(current).sum())
    drawn = rng.multivariate_hypergeometric(pooled, m, size=draws, method="marginals").astype(np.float64)
    values = statistic(pooled - drawn, drawn)
    quantiles = {f"{level:g}": float(np.quantile(values, level)) for level in LEVELS}
    p_value = (1 + int((values >= value * (1 - 1e-12)).sum())) / (1 + draws)
    return NullLaw(f"{draws} tables with the same margins", quantiles, p_value)


def table_finding(
    key: str, value: float, table: Table, *, null: NullLaw, row: Row, alpha_watch: float, alpha_act: float, seed: int,
    parameters: Mapping[str, Any] | None = None, details: Mapping[str, Any] | None = None,
) -> Finding:  # fmt: skip
    state, reason, minimum = verdict(
        effect=value, p_value=1.0 if null.p_value is None else null.p_value, n=table.n, m=table.m, row=row,
        alpha_watch=alpha_watch, alpha_act=alpha_act,
    )  # fmt: skip
    settings = {"alpha_watch": alpha_watch, "alpha_act": alpha_act, "watch": row.watch, "act": row.act,
                "bins": int(table.reference.size), **(parameters or {})}  # fmt: skip
    return Finding(
        quantity=key, value=value, unit="1", state=state, n_cases=table.m, n_reference=table.n,
        method=Method(key, "vigil", VERSION, settings, seed), input_digest=table.digest, null=null,
        effect=on_sd_scale(key, value) if table.numeric else None, minimum_n=minimum, reason=reason,
        details={**table.details, **(details or {})},
    )  # fmt: skip
