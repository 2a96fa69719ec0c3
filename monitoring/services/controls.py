"""Canary and phantom studies: recognised by rule, kept apart from patients' cases, never in a day state."""

from dataclasses import fields, replace
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from monitoring.intake.rows import CheckedRows
from monitoring.models import ControlReading, PredictionBatch, Signal


def set_aside(batch: PredictionBatch, rows: CheckedRows, cases: list[str]) -> tuple[CheckedRows, list[str], int]:
    """Store the control studies among ``rows``; what is left, with its pseudonyms, and how many went aside."""
    control = rows.control != ""
    if not control.any():
        return rows, cases, 0
    signals = list(batch.deployment.signals.order_by("position"))
    readings = [_reading(batch, rows, cases, int(at), signals) for at in np.flatnonzero(control)]
    ControlReading.objects.bulk_create(readings, batch_size=1000)
    kept = [case for case, apart in zip(cases, control, strict=True) if not apart]
    return only(rows, ~control), kept, len(readings)


def only(rows: CheckedRows, keep: NDArray[np.bool_]) -> CheckedRows:
    """The rows where ``keep`` is true."""

    def part(value: Any) -> Any:
        if isinstance(value, np.ndarray):
            return value[keep]
        if isinstance(value, dict):
            return {name: part(one) for name, one in value.items()}
        return value.filter(pa.array(keep)) if isinstance(value, pa.Array | pa.ChunkedArray) else value

    whole = ("refused", "n_sent", "removed")
    return replace(rows, **{one.name: part(getattr(rows, one.name)) for one in fields(rows) if one.name not in whole})


def _reading(
    batch: PredictionBatch, rows: CheckedRows, cases: list[str], at: int, signals: list[Signal]
) -> ControlReading:
    numbers = [_number(rows.numbers.get(one.name), at) for one in signals if one.kind == Signal.Kind.NUMERIC]
    levels = [
        rows.levels[one.name][at].as_py() if one.name in rows.levels else None
        for one in signals
        if one.kind == Signal.Kind.CATEGORICAL
    ]
    return ControlReading(
        organisation_id=batch.organisation_id, deployment=batch.deployment, batch=batch, kind=rows.control[at],
        case=cases[at], study_time=f"{rows.study_time[at]}+00:00", site=rows.site[at].as_py(),
        score=_number(rows.score, at), decision=rows.decision[at].as_py() or "", numbers=numbers, levels=levels,
    )  # fmt: skip


def _number(values: Any, at: int) -> float | None:
    return None if values is None or np.isnan(values[at]) else float(values[at])
