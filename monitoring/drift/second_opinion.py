"""Evidently's verdict beside ours. The only file that knows Evidently; alarms never come from it.

Its methods are pinned here, since its own choice depends on the size of the reference alone. Loading it takes seconds,
so it is loaded on the first use.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from assurance.evidence.errors import InvalidInput

NUMERIC_METHOD, NUMERIC_THRESHOLD = "ks", 0.01
CATEGORY_METHOD, CATEGORY_THRESHOLD = "jensenshannon", 0.1


@dataclass(frozen=True, slots=True)
class Opinion:
    """What Evidently said: its method, its value, its threshold, and whether it calls that drift."""

    method: str
    value: float
    threshold: float
    drift: bool
    version: str

    def as_dict(self) -> dict[str, Any]:
        return {
            "tool": f"evidently {self.version}", "method": self.method, "value": self.value,
            "threshold": self.threshold, "drift": self.drift,
        }  # fmt: skip


def numeric_opinion(reference: ArrayLike, current: ArrayLike) -> Opinion:
    """Two-sample KS, drift when p ≤ 0.01. Needs the raw values; NaN and infinities are dropped first, as it does."""
    first, second = (np.asarray(side, dtype=np.float64) for side in (reference, current))
    return _ask(first[np.isfinite(first)], second[np.isfinite(second)], "num", NUMERIC_METHOD, NUMERIC_THRESHOLD)


def category_opinion(reference: Iterable[str], current: Iterable[str]) -> Opinion:
    """Jensen–Shannon distance in base e, drift when ≥ 0.1."""
    return _ask(list(reference), list(current), "cat", CATEGORY_METHOD, CATEGORY_THRESHOLD)


def _ask(reference: Any, current: Any, kind: str, method: str, threshold: float) -> Opinion:
    if len(reference) == 0 or len(current) == 0:
        raise InvalidInput(
            "too_few", f"reference has {len(reference)} and current {len(current)} values: give both some"
        )
    with warnings.catch_warnings(action="ignore"):
        import evidently
        import pandas as pd
        from evidently import DataDefinition, Dataset, Report
        from evidently.metrics import ValueDrift

        columns = {"numerical_columns" if kind == "num" else "categorical_columns": ["signal"]}
        definition = DataDefinition(**columns)
        before, after = (
            Dataset.from_pandas(pd.DataFrame({"signal": side}), data_definition=definition)
            for side in (reference, current)
        )
        report = Report([ValueDrift(column="signal", method=method, threshold=threshold)])
        value = float(report.run(after, before).dict()["metrics"][0]["value"])
    drift = value <= threshold if method == "ks" else value >= threshold
    return Opinion(method, value, threshold, drift, evidently.__version__)


def disagreement(state: str, opinion: Opinion) -> str:
    """Why the two verdicts differ, in words; empty when they agree."""
    moved = state in ("watch", "act")
    if moved == opinion.drift:
        return ""
    if opinion.drift:
        return (
            "Evidently calls this drift by its p-value or distance alone; here the effect is too small to matter, "
            "or the window too small to tell"
        )
    return "Evidently's threshold is not reached; here chance and effect are judged for this window's own size"
