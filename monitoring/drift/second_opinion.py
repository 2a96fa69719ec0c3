"""Evidently's verdict beside ours. The only file that knows Evidently; alarms never come from it.

Its methods are pinned here, since its own choice depends on the size of the reference alone. Loading it takes seconds,
so it is loaded on the first use.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping
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


def html_report(
    reference: Mapping[str, ArrayLike], current: Mapping[str, ArrayLike], *, categorical: Iterable[str] = ()
) -> str:
    """Evidently's own drift report of a window as one HTML page, with the methods pinned as above.

    ``reference`` and ``current`` map signal names to raw values; those in ``categorical`` are read as levels, with
    absent ones as a level of their own. Signals without values on a side are left out.

    Raises
    ------
    InvalidInput
        ``no_signals`` when no signal has values on both sides.
    """
    levels = set(categorical)
    with warnings.catch_warnings(action="ignore"):
        import pandas as pd
        from evidently import DataDefinition, Dataset, Report
        from evidently.presets import DataDriftPreset

        frames = [pd.DataFrame({name: _plain(values, name in levels) for name, values in side.items()})
                  for side in (reference, current)]  # fmt: skip
        names = [name for name in frames[0] if name in frames[1]
                 and all(frame[name].notna().any() for frame in frames)]  # fmt: skip
        if not names:
            raise InvalidInput("no_signals", "no signal has values in both windows: there is nothing to report")
        definition = DataDefinition(
            numerical_columns=[name for name in names if name not in levels],
            categorical_columns=[name for name in names if name in levels],
        )
        before, after = (Dataset.from_pandas(frame[names], data_definition=definition) for frame in frames)
        preset = DataDriftPreset(
            columns=names, num_method=NUMERIC_METHOD, num_threshold=NUMERIC_THRESHOLD, cat_method=CATEGORY_METHOD,
            cat_threshold=CATEGORY_THRESHOLD,
        )  # fmt: skip
        page = Report([preset]).run(after, before).get_html_str(as_iframe=False)
    return str(page)


def _plain(values: ArrayLike, levels: bool) -> Any:
    if levels:
        return ["(absent)" if value is None else str(value) for value in np.asarray(values, dtype=object)]
    numbers = np.asarray(values, dtype=np.float64)
    return np.where(np.isfinite(numbers), numbers, np.nan)


def installed_version() -> str:
    from importlib.metadata import version

    return version("evidently")


def disagreement(state: str, opinion: Opinion) -> str:
    """Why the two verdicts differ, in words; empty when they agree."""
    moved = state in ("watch", "act")
    if moved == opinion.drift:
        return ""
    what = "p-value" if opinion.method == NUMERIC_METHOD else "distance"
    if opinion.drift and state == "insufficient":
        return (
            f"Evidently calls this drift by its {what} alone ({opinion.value:.3g} against {opinion.threshold:g}); "
            "here the window is too small to tell a change worth watching from chance"
        )
    if opinion.drift:
        return (
            f"Evidently calls this drift by its {what} alone ({opinion.value:.3g} against {opinion.threshold:g}); "
            "here the effect must also be big enough to matter, and it is not"
        )
    if opinion.method == NUMERIC_METHOD:
        return (
            "Evidently's KS test is not significant at its level; here another statistic, with its own law at this "
            "window's size, shows evidence and effect"
        )
    return (
        f"Evidently's fixed threshold {opinion.threshold:g} is not reached ({opinion.value:.3g}); here chance and "
        "effect are judged for this window's own size"
    )
