"""From the rows of a batch to mergeable day states, exactly once."""

from collections import defaultdict
from datetime import date
from typing import Any
from uuid import UUID

import numpy as np
import pyarrow as pa
from django.db import transaction
from django.utils import timezone
from psycopg import sql

from assurance.models import Deployment
from monitoring.columns import copy_out
from monitoring.drift.binned import BinnedState
from monitoring.drift.categories import CategoryState
from monitoring.drift.sketch import SketchState
from monitoring.drift.state import state_from_bytes, to_bytes
from monitoring.models import DayState, PredictionBatch, Signal

Key = tuple[str, date, str]  # site, day, signal


@transaction.atomic
def summarise_batch(batch_id: UUID) -> int:
    """Merge the rows of one batch into the day states; how many states changed. A second call changes nothing."""
    batch = PredictionBatch.objects.select_for_update().select_related("deployment__version").get(pk=batch_id)
    if batch.summarised_at is not None or batch.purpose != PredictionBatch.Purpose.MONITORING:
        return 0
    # Two batches of one deployment must not merge into the same day at once.
    Deployment.objects.select_for_update(of=("self",)).get(pk=batch.deployment_id)
    states = states_of(batch.deployment, batches=[batch.pk])
    _merge_into_days(batch, states)
    batch.summarised_at = timezone.now()
    batch.save(update_fields=("summarised_at",))
    return len(states)


def states_of(deployment: Deployment, *, batches: list[UUID], by_day: bool = True) -> dict[Key, Any]:
    """States of all signals of these batches' rows, by site and UTC day (or all together under one empty place)."""
    signals = list(deployment.signals.all())
    rows = _rows(signals, batches)
    if not rows.num_rows:
        return {}
    if by_day:
        sites, days = (rows.column(name).to_pylist() for name in ("site", "day"))
        places = list(zip(sites, days, strict=True))
    else:
        places = [("", date.min)] * rows.num_rows
    order: dict[tuple[str, date], list[int]] = defaultdict(list)
    for at, place in enumerate(places):
        order[place].append(at)
    states = {}
    for signal in signals:
        column = rows.column(signal.name)
        values = (
            np.asarray(column.to_pylist(), dtype=object)
            if signal.kind == Signal.Kind.CATEGORICAL
            else column.to_numpy(zero_copy_only=False).astype(np.float64)
        )
        for (site, day), where in order.items():
            states[site, day, signal.name] = state_of(signal.kind, values[where])
    return states


def state_of(kind: str, values: Any) -> Any:
    if kind == Signal.Kind.SCORE:
        return BinnedState.from_values(values)
    return SketchState.from_values(values) if kind == Signal.Kind.NUMERIC else CategoryState.from_values(values)


def _rows(signals: list[Signal], batches: list[UUID]) -> pa.Table:
    picks, types = raw_columns(signals)
    query = sql.SQL(
        "SELECT site, (study_time AT TIME ZONE 'UTC')::date, {} FROM monitoring_prediction WHERE batch_id = ANY(%s)"
    ).format(picks)
    return copy_out(query, {"site": pa.string(), "day": pa.date32(), **types}, [batches])


def raw_columns(signals: list[Signal]) -> tuple[sql.Composable, dict[str, pa.DataType]]:
    """The SQL that picks these signals from a prediction row, and their types."""
    picks: list[sql.Composable] = []
    types: dict[str, pa.DataType] = {}
    for signal in signals:
        if signal.kind == Signal.Kind.SCORE:
            picks.append(sql.SQL("score"))
        else:
            array = "numbers" if signal.kind == Signal.Kind.NUMERIC else "levels"
            picks.append(sql.SQL("{}[{}]").format(sql.Identifier(array), sql.Literal(signal.position + 1)))
        types[signal.name] = pa.string() if signal.kind == Signal.Kind.CATEGORICAL else pa.float64()
    return sql.SQL(", ").join(picks or [sql.SQL("1")]), types or {"nothing": pa.int64()}


def _merge_into_days(batch: PredictionBatch, states: dict[Key, Any]) -> None:
    days = {day for _, day, _ in states}
    here = {"deployment": batch.deployment, "version_id": batch.deployment.version_id}
    existing = {
        (row.site, row.day, row.signal): row
        for row in DayState.objects.filter(**here, day__in=days, current=True).select_for_update()
    }
    now = timezone.now()
    fresh, changed, retired = [], [], []
    for key, state in states.items():
        row = existing.get(key)
        if row is not None:
            state = state_from_bytes(bytes(row.content)).merge(state)
        filled = {"content": to_bytes(state), "n": state.n, "missing": state.missing, "changed_at": now}
        if row is None or row.used_at is not None:
            if row is not None:
                retired.append(row.pk)
            site, day, signal = key
            revision = row.revision + 1 if row else 1
            fresh.append(DayState(**here, site=site, day=day, signal=signal, revision=revision, **filled))
        else:
            for name, value in filled.items():
                setattr(row, name, value)
            changed.append(row)
    DayState.objects.filter(pk__in=retired).update(current=False)
    DayState.objects.bulk_update(changed, ("content", "n", "missing", "changed_at"), batch_size=500)
    DayState.objects.bulk_create(fresh, batch_size=500)
