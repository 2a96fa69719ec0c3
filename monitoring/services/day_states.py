"""From the rows of a batch to mergeable day states, exactly once."""

from collections.abc import Iterator
from datetime import date
from typing import Any
from uuid import UUID

import numpy as np
import pyarrow as pa
from django.db import connection, transaction
from django.utils import timezone
from numpy.typing import NDArray
from psycopg import sql

from assurance.models import Deployment
from monitoring.columns import copy_out_batches
from monitoring.drift.binned import BinnedState
from monitoring.drift.categories import MOST_LEVELS, CategoryState
from monitoring.drift.sketch import SketchState
from monitoring.drift.state import state_from_bytes, to_bytes
from monitoring.models import DayState, PredictionBatch, ReferenceSet, Signal
from monitoring.services import embedding_days

Place = tuple[str, date]  # site, UTC day
Key = tuple[str, date, str]  # site, UTC day, signal
OTHER = "__other__"  # the rarest levels of a column that has more than a state may count


@transaction.atomic
def summarise_batch(batch_id: UUID) -> int:
    """Merge the rows of one batch into the day states; how many states changed. A second call changes nothing.

    Days that a correction touched are counted again from their current rows, since a sketch cannot forget a value.
    """
    batch = PredictionBatch.objects.select_for_update().select_related("deployment__version").get(pk=batch_id)
    if batch.summarised_at is not None or batch.purpose != PredictionBatch.Purpose.MONITORING:
        return 0
    # Two batches of one deployment must not merge into the same day at once.
    Deployment.objects.select_for_update(of=("self",)).get(pk=batch.deployment_id)
    reopened = {(site, date.fromisoformat(day)) for site, day in batch.reopened}
    version_id = _version_of(batch)
    states = states_of(batch.deployment, batches=[batch.pk])
    added = {key: state for key, state in states.items() if key[:2] not in reopened}
    anew = _counted_again(batch, reopened, version_id) if reopened else {}
    _into_days(batch, added, version_id=version_id)
    _into_days(batch, anew, version_id=version_id, replaced=reopened)
    in_force = ReferenceSet.objects.filter(deployment=batch.deployment, version=version_id, replaced_at=None).first()
    embedding_days.add_batch(batch, in_force, version_id=version_id, reopened=reopened)
    batch.summarised_at = timezone.now()
    batch.save(update_fields=("summarised_at",))
    return len(added) + len(anew)


def _version_of(batch: PredictionBatch) -> int:
    """The version whose rows these are: the deployment may have moved on since."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT version_id FROM monitoring_prediction WHERE batch_id = %s LIMIT 1", [batch.pk])
        row = cursor.fetchone()
    return int(row[0] if row else batch.deployment.version_id)


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
        for key, state in _states_of_rows(rows, signals, by_day=by_day):
            found[key] = found[key].merge(state) if key in found else state
    return found


def _states_of_rows(rows: pa.RecordBatch, signals: list[Signal], *, by_day: bool) -> Iterator[tuple[Key, Any]]:
    """Rows are sorted by place once; each signal's values of one place then lie side by side."""
    places, starts, order = _places(rows) if by_day else ([("", date.min)], np.array([0]), None)
    ends = np.append(starts[1:], rows.num_rows)
    for signal in signals:
        column = rows.column(signal.name)
        if signal.kind == Signal.Kind.CATEGORICAL:
            states: Any = _category_states(column, starts, ends, order)
        else:
            values = column.to_numpy(zero_copy_only=False).astype(np.float64)
            values = values if order is None else values[order]
            states = (state_of(signal.kind, values[start:end]) for start, end in zip(starts, ends, strict=True))
        for (site, day), state in zip(places, states, strict=True):
            yield (site, day, signal.name), state


def _places(rows: pa.RecordBatch) -> tuple[list[Place], NDArray[np.int64], NDArray[np.int64]]:
    sites = rows.column("site").dictionary_encode()
    days = rows.column("day").cast(pa.int32()).to_numpy(zero_copy_only=False).astype(np.int64)
    codes = days * len(sites.dictionary) + sites.indices.to_numpy(zero_copy_only=False)
    order = np.argsort(codes, kind="stable")
    starts = np.flatnonzero(np.r_[True, np.diff(codes[order]) != 0])
    firsts = order[starts]
    names = rows.column("site").take(pa.array(firsts)).to_pylist()
    dates = rows.column("day").take(pa.array(firsts)).to_pylist()
    return list(zip(names, dates, strict=True)), starts, order


def _category_states(
    column: pa.Array, starts: NDArray[np.int64], ends: NDArray[np.int64], order: NDArray[np.int64] | None
) -> Iterator[CategoryState]:
    coded = column.dictionary_encode()
    levels = coded.dictionary.to_pylist()
    codes = coded.indices.fill_null(len(levels)).to_numpy(zero_copy_only=False)
    codes = codes if order is None else codes[order]
    for start, end in zip(starts, ends, strict=True):
        counts = np.bincount(codes[start:end], minlength=len(levels) + 1)
        seen = np.flatnonzero(counts[:-1])
        found = {levels[at]: int(counts[at]) for at in seen.tolist()}
        yield CategoryState(dict(sorted(_most_frequent(found).items())), int(counts[-1]))


def _most_frequent(counts: dict[str, int]) -> dict[str, int]:
    if len(counts) <= MOST_LEVELS:
        return counts
    ranked = sorted(counts.items(), key=lambda one: (-one[1], one[0]))
    return dict(ranked[: MOST_LEVELS - 1]) | {OTHER: sum(n for _, n in ranked[MOST_LEVELS - 1 :])}


def state_of(kind: str, values: Any) -> Any:
    if kind == Signal.Kind.SCORE:
        return BinnedState.from_values(values)
    return SketchState.from_values(values) if kind == Signal.Kind.NUMERIC else CategoryState.from_values(values)


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
    here = {"deployment": batch.deployment, "version_id": version_id}
    existing = {
        (row.site, row.day, row.signal): row
        for row in DayState.objects.filter(**here, day__in=days, current=True).select_for_update()
    }
    now = timezone.now()
    fresh, changed = [], []
    retired = [row.pk for key, row in existing.items() if key[:2] in replaced and key not in states]
    for key, state in states.items():
        row = existing.get(key)
        if row is not None and key[:2] not in replaced:
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
