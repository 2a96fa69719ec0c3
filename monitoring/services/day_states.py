"""From the rows of a batch to mergeable day states, exactly once."""

from datetime import date
from typing import Any
from uuid import UUID

import numpy as np
import pyarrow as pa
from django.db import connection, transaction
from django.utils import timezone
from psycopg import sql

from assurance.models import Deployment
from monitoring.columns import copy_out_batches
from monitoring.drift.state import state_from_bytes, to_bytes
from monitoring.intake.rows import CheckedRows
from monitoring.models import ChunkStates, DayState, PredictionBatch, ReferenceSet, Signal
from monitoring.services import embedding_days
from monitoring.services.states import OTHER, Key, Place, from_bytes, state_of, states_of_columns, to_packed

__all__ = ["OTHER", "keep_states", "raw_columns", "state_of", "states_of", "summarise_batch"]

FEW_STATES = 5_000
ROWS_PER_STATE = 10  # a chunk spread wider than this is counted from the tables, once for the whole delivery


def keep_states(batch: PredictionBatch, rows: CheckedRows) -> None:
    """Count a chunk's new rows while they are in memory. They join their days once the whole delivery is in."""
    if batch.purpose != PredictionBatch.Purpose.MONITORING:
        return
    signals = list(batch.deployment.signals.all())
    days = rows.study_time.astype("datetime64[D]").astype(np.int64)
    n_places = len(np.unique(days)) * max(1, len(rows.site.unique()))
    if n_places * len(signals) > max(FEW_STATES, rows.n // ROWS_PER_STATE):
        return
    columns: dict[str, Any] = {**rows.numbers, **rows.levels}
    if rows.score is not None:
        columns["score"] = rows.score
    found = states_of_columns(rows.site, days, columns, signals) if rows.n else iter(())
    ChunkStates.objects.create(batch=batch, chunk=batch.chunks_done, content=to_packed(found))


@transaction.atomic
def summarise_batch(batch_id: UUID) -> int:
    """Merge the rows of one batch into the day states; how many states changed. A second call changes nothing.

    Days that a correction touched are counted again from their current rows, since a sketch cannot forget a value.
    """
    batch = PredictionBatch.objects.get(pk=batch_id)
    # Two batches of one deployment must not merge into the same day at once.
    Deployment.objects.select_for_update(of=("self",)).get(pk=batch.deployment_id)
    batch = PredictionBatch.objects.select_for_update(of=("self",)).select_related("deployment__version").get(
        pk=batch_id
    )  # fmt: skip
    if batch.summarised_at is not None or batch.purpose != PredictionBatch.Purpose.MONITORING:
        return 0
    reopened = {(site, date.fromisoformat(day)) for site, day in batch.reopened}
    version_id = _version_of(batch)
    states = _kept_states(batch)
    if states is None:
        states = states_of(batch.deployment, batches=[batch.pk])
    added = {key: state for key, state in states.items() if key[:2] not in reopened}
    anew = _counted_again(batch, reopened, version_id) if reopened else {}
    _into_days(batch, added, version_id=version_id)
    _into_days(batch, anew, version_id=version_id, replaced=reopened)
    in_force = ReferenceSet.objects.filter(deployment=batch.deployment, version=version_id, replaced_at=None).first()
    embedding_days.add_batch(batch, in_force, version_id=version_id, reopened=reopened)
    batch.summarised_at = timezone.now()
    batch.save(update_fields=("summarised_at",))
    batch.chunk_states.all().delete()
    return len(added) + len(anew)


def _version_of(batch: PredictionBatch) -> int:
    """The version whose rows these are: the deployment may have moved on since."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT version_id FROM monitoring_prediction WHERE batch_id = %s LIMIT 1", [batch.pk])
        row = cursor.fetchone()
    return int(row[0] if row else batch.deployment.version_id)


def _kept_states(batch: PredictionBatch) -> dict[Key, Any] | None:
    """The states of all chunks as one, or None where a chunk has none (it was spread too wide)."""
    if batch.chunk_states.count() != batch.chunks_done:
        return None
    kinds = dict(batch.deployment.signals.values_list("name", "kind"))
    found: dict[Key, Any] = {}
    for content in batch.chunk_states.order_by("chunk").values_list("content", flat=True).iterator(chunk_size=1):
        chunk = {one.key: state_from_bytes(one.content) for one in from_bytes(bytes(content))}
        sizes = {key[:2]: state.n + state.missing for key, state in chunk.items()}
        for place, n in sizes.items():
            for name, kind in kinds.items():  # a column that a later chunk brought is missing in this one
                key = (*place, name)
                state = (
                    chunk[key]
                    if key in chunk
                    else state_of(kind, [None] * n if kind == "categorical" else np.full(n, np.nan))
                )
                found[key] = found[key].merge(state) if key in found else state
    return found


def states_of(deployment: Deployment, *, batches: list[UUID], by_day: bool = True) -> dict[Key, Any]:
    """States of all signals of these batches' rows, by site and UTC day (or all together under one empty place)."""
    return _states(deployment, sql.SQL("batch_id = ANY(%s)"), [batches], by_day=by_day)


def _counted_again(batch: PredictionBatch, places: set[Place], version_id: int) -> dict[Key, Any]:
    """States of whole days, from the rows of all batches that are summarised already and of this one."""
    condition = sql.SQL(
        """deployment_id = %s AND version_id = %s AND (site, (study_time AT TIME ZONE 'UTC')::date) IN
            (SELECT * FROM unnest(%s::text[], %s::date[]))
        AND study_time >= %s AND study_time < %s::date + 1
        AND batch_id IN (SELECT id FROM monitoring_predictionbatch
            WHERE deployment_id = %s AND purpose = 'monitoring' AND (summarised_at IS NOT NULL OR id = %s))"""
    )
    sites, days = (list(part) for part in zip(*sorted(places), strict=True))
    midnight = f"{min(days)} 00:00+00"
    return _states(
        batch.deployment, condition,
        [batch.deployment_id, version_id, sites, days, midnight, max(days), batch.deployment_id, batch.pk],
    )  # fmt: skip


def _states(
    deployment: Deployment, condition: sql.Composable, parameters: list[Any], *, by_day: bool = True
) -> dict[Key, Any]:
    signals = list(deployment.signals.all())
    picks, types = raw_columns(signals)
    query = sql.SQL(
        "SELECT site, (study_time AT TIME ZONE 'UTC')::date, {} FROM monitoring_prediction WHERE {}"
    ).format(picks, condition)
    found: dict[Key, Any] = {}
    for rows in copy_out_batches(query, {"site": pa.string(), "day": pa.date32(), **types}, parameters):
        days = rows.column("day").cast(pa.int32()).to_numpy(zero_copy_only=False).astype(np.int64)
        columns: dict[str, Any] = {}
        for one in signals:
            column = rows.column(one.name)
            columns[one.name] = column if pa.types.is_string(column.type) else column.to_numpy(zero_copy_only=False)
        for key, state in states_of_columns(rows.column("site"), days, columns, signals, by_day=by_day):
            found[key] = found[key].merge(state) if key in found else state
    return found


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


_NEW = """
INSERT INTO monitoring_daystate (deployment_id, version_id, site, day, signal, content, n, missing, revision, current,
    changed_at)
SELECT %s, %s, s, d, g, c, n, m, r, true, %s
FROM unnest(%s::text[], %s::date[], %s::text[], %b::bytea[], %s::int[], %s::int[], %s::int[]) AS x(s, d, g, c, n, m, r)
"""
_CHANGED = """
UPDATE monitoring_daystate SET content = c, n = x.n, missing = m, changed_at = %s
FROM unnest(%s::bigint[], %b::bytea[], %s::int[], %s::int[]) AS x(k, c, n, m) WHERE id = k
"""


def _into_days(
    batch: PredictionBatch,
    states: dict[Key, Any],
    *,
    version_id: int,
    replaced: set[Place] = frozenset(),  # type: ignore[assignment]
) -> None:
    """Merge into the current states, or put in place of them at the places ``replaced``.

    A state that a window has read is never changed: it stays beside its new revision.
    """
    days = {day for _, day, _ in states} | {day for _, day in replaced}
    existing = {
        (row.site, row.day, row.signal): row
        for row in DayState.objects.filter(
            deployment=batch.deployment, version_id=version_id, day__in=days, current=True
        ).select_for_update()
    }
    fresh: list[tuple[Any, ...]] = []
    changed: list[tuple[Any, ...]] = []
    retired = [row.pk for key, row in existing.items() if key[:2] in replaced and key not in states]
    for key, state in states.items():
        row = existing.get(key)
        if row is not None and key[:2] not in replaced:
            state = state_from_bytes(bytes(row.content)).merge(state)
        filled = (to_bytes(state), state.n, state.missing)
        if row is None or row.used_at is not None:
            if row is not None:
                retired.append(row.pk)
            fresh.append((*key, *filled, row.revision + 1 if row else 1))
        else:
            changed.append((row.pk, *filled))
    DayState.objects.filter(pk__in=retired).update(current=False)
    now = timezone.now()
    with connection.cursor() as cursor:
        if changed:
            cursor.execute(_CHANGED, [now, *map(list, zip(*changed, strict=True))])
        if fresh:
            cursor.execute(_NEW, [batch.deployment_id, version_id, now, *map(list, zip(*fresh, strict=True))])
