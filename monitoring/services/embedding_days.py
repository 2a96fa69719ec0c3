"""Embeddings as mergeable day states: features once when rows come, sums for ever.

A day is built in the ruler of the reference set in force. Rows that come later are added to their day; days that a
correction touched, and all days after a new reference set, are built anew from their rows before the next window.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any
from uuid import UUID

import msgspec
import numpy as np
import pyarrow as pa
from django.db import transaction
from django.utils import timezone
from numpy.typing import NDArray
from psycopg import sql

from assurance.evidence.errors import InvalidInput
from assurance.models import Deployment
from monitoring.columns import copy_out_batches
from monitoring.drift.embedding import EmbeddingState
from monitoring.drift.moments import MomentState
from monitoring.drift.ruler import MOST_ROWS, Ruler
from monitoring.drift.state import state_from_bytes, to_bytes
from monitoring.models import DayState, EmbeddingDay, PredictionBatch, ReferenceEmbedding, ReferenceSet

Place = tuple[str, date]  # site, UTC day
Block = tuple[EmbeddingState, MomentState]
MOST_BLOCKS = 128  # of a reference set: more days than these are joined, evenly
DAYS_AT_ONCE = 31


def keep_reference(reference: ReferenceSet, *, batches: list[UUID], seed: int = 0) -> ReferenceEmbedding | None:
    """The ruler and the day blocks of a set that was just frozen; None when its rows carry no embeddings."""
    condition, where = sql.SQL("batch_id = ANY(%s)"), [batches]
    sample: list[NDArray[np.float64]] = []
    for _, rows in _days(condition, where):
        if sample and rows.shape[1] != sample[0].shape[1]:
            raise InvalidInput(
                "other_width",
                f"the reference rows hold embeddings {sample[0].shape[1]} and {rows.shape[1]} wide: use one model's",
            )
        sample.append(rows if len(rows) <= MOST_ROWS else rows[:: len(rows) // MOST_ROWS + 1])
    known = np.concatenate(sample) if sample else np.empty((0, 0))
    try:
        ruler = Ruler.of(known, seed=seed)
    except InvalidInput:  # too few, or all the same: there is nothing to measure in
        return None
    blocks: list[Block] = []
    for number, (_, rows) in enumerate(_days(condition, where)):
        fresh = ruler.states(rows)
        if len(blocks) < MOST_BLOCKS:
            blocks.append(fresh)
        else:
            at = number % MOST_BLOCKS
            blocks[at] = (blocks[at][0].merge(fresh[0]), blocks[at][1].merge(fresh[1]))
    packed = msgspec.msgpack.encode([[to_bytes(sums), to_bytes(moments)] for sums, moments in blocks])
    return ReferenceEmbedding.objects.create(
        reference=reference, ruler=ruler.to_bytes(), blocks=packed, n=sum(one.n for one, _ in blocks),
        width=ruler.width,
    )  # fmt: skip


def reference_blocks(reference: ReferenceSet) -> list[Block]:
    row = ReferenceEmbedding.objects.filter(reference=reference).first()
    if row is None:
        return []
    return [(state_from_bytes(sums), state_from_bytes(moments)) for sums, moments in msgspec.msgpack.decode(row.blocks)]


def add_batch(batch: PredictionBatch, reference: ReferenceSet | None, *, version_id: int, reopened: set[Place]) -> None:
    """Merge a batch into the days that are there already; the caller holds the deployment's row.

    Days that are not there yet, and reopened ones, are left to :func:`fill_days`.
    """
    ruler = _ruler(reference)
    if reference is None or ruler is None or reference.version_id != version_id:
        return
    for site, day in reopened:
        EmbeddingDay.objects.filter(reference=reference, site=site, day=day, current=True).update(current=False)
    for place, fresh in _by_place(sql.SQL("batch_id = %s"), [batch.pk], ruler).items():
        here = EmbeddingDay.objects.filter(reference=reference, site=place[0], day=place[1], current=True)
        before = here.select_for_update().first()
        if before is not None:
            _store(before.deployment_id, version_id, reference, place, _merged(before, fresh), before)


def fill_days(deployment: Deployment, reference: ReferenceSet) -> int:
    """Build the days of the deployment's version that have no state in this ruler yet; how many were built."""
    ruler = _ruler(reference)
    if ruler is None:
        return 0
    built = 0
    with transaction.atomic():
        Deployment.objects.select_for_update(of=("self",)).get(pk=deployment.pk)
        wanted = _lacking(deployment, reference)
        for start in range(0, len(wanted), DAYS_AT_ONCE):
            part = wanted[start : start + DAYS_AT_ONCE]
            for place, state in _from_rows(deployment, part, ruler).items():
                last = EmbeddingDay.objects.filter(reference=reference, site=place[0], day=place[1]).order_by(
                    "-revision"
                ).first()  # fmt: skip
                _store(deployment.pk, deployment.version_id, reference, place, state, last)
                built += 1
    return built


def blocks_between(
    reference: ReferenceSet, start: date, end: date, *, site: str = ""
) -> tuple[dict[str, list[Block]], list[int]]:
    """Day blocks by stratum ("" and each ``site=…``), and the keys of the rows that were read."""
    rows = EmbeddingDay.objects.filter(reference=reference, current=True, day__gte=start, day__lt=end, n__gt=0)
    if site:
        rows = rows.filter(site=site)
    found: dict[str, list[Block]] = defaultdict(list)
    keys = []
    for row in rows.order_by("day", "site"):
        block = (state_from_bytes(bytes(row.sums)), state_from_bytes(bytes(row.moments)))
        keys.append(row.pk)
        for stratum in ("", f"site={row.site}"):
            found[stratum].append(block)
    return found, keys


def _ruler(reference: ReferenceSet | None) -> Ruler | None:
    row = ReferenceEmbedding.objects.filter(reference=reference).only("ruler").first() if reference else None
    return None if row is None else Ruler.from_bytes(bytes(row.ruler))


def _lacking(deployment: Deployment, reference: ReferenceSet) -> list[Place]:
    here = {"deployment": deployment, "version": deployment.version, "current": True}
    seen = DayState.objects.filter(**here).order_by("site", "day").values_list("site", "day").distinct()
    present = set(EmbeddingDay.objects.filter(reference=reference, current=True).values_list("site", "day"))
    return [place for place in seen if place not in present]


def _from_rows(deployment: Deployment, places: list[Place], ruler: Ruler) -> Mapping[Place, Block]:
    """States of whole days from the rows of all batches that are summarised; an empty one where no row has a vector."""
    nothing = ruler.states(np.empty((0, ruler.width)))
    found: dict[Place, Block] = dict.fromkeys(places, nothing)
    sites, days = (list(part) for part in zip(*places, strict=True))
    condition = sql.SQL(
        """deployment_id = %s AND version_id = %s AND (site, (study_time AT TIME ZONE 'UTC')::date) IN
            (SELECT * FROM unnest(%s::text[], %s::date[]))
        AND study_time >= %s AND study_time < %s::date + 1
        AND batch_id IN (SELECT id FROM monitoring_predictionbatch
            WHERE deployment_id = %s AND purpose = 'monitoring' AND summarised_at IS NOT NULL)"""
    )
    where = [deployment.pk, deployment.version_id, sites, days, f"{min(days)} 00:00+00", max(days), deployment.pk]
    found |= _by_place(condition, where, ruler)
    return found


def _by_place(condition: sql.Composable, where: list[Any], ruler: Ruler) -> dict[Place, Block]:
    """States of the rows by site and day. Rows are read to the end first: a COPY leaves its connection to no other."""
    found: dict[Place, Block] = {}
    for place, rows in _days(condition, where, without=True):
        sums, moments = ruler.states(rows)
        if place in found:
            sums, moments = found[place][0].merge(sums), found[place][1].merge(moments)
        found[place] = (sums, moments)
    return found


def _days(
    condition: sql.Composable, where: list[Any], *, without: bool = False
) -> Iterator[tuple[Place, NDArray[np.float64]]]:
    """(site, day) with its vectors (n, d), a place perhaps in several pieces and one piece for each width.

    ``without`` also gives the rows that have no vector, as a table without columns.
    """
    query = sql.SQL(
        "SELECT site, (study_time AT TIME ZONE 'UTC')::date, encode(embedding, 'hex') FROM monitoring_prediction "
        "WHERE {} {} ORDER BY 2, 1, length(embedding)"
    ).format(condition, sql.SQL("" if without else "AND embedding IS NOT NULL"))
    for piece in copy_out_batches(query, {"site": pa.string(), "day": pa.date32(), "vector": pa.string()}, where):
        sites, days, texts = (piece.column(name).to_pylist() for name in ("site", "day", "vector"))
        start = 0
        for at in range(1, len(sites) + 1):
            ends = at == len(sites) or (sites[at], days[at], len(texts[at] or "")) != (
                sites[start], days[start], len(texts[start] or "")
            )  # fmt: skip
            if ends:
                yield (sites[start], days[start]), _matrix(texts[start:at])
                start = at


def _matrix(texts: list[str | None]) -> NDArray[np.float64]:
    if not texts[0]:
        return np.empty((len(texts), 0))
    content = bytes.fromhex("".join(text or "" for text in texts))
    return np.frombuffer(content, dtype="<f2").reshape(len(texts), -1).astype(np.float64)


def _merged(row: EmbeddingDay, fresh: Block) -> Block:
    return (
        state_from_bytes(bytes(row.sums)).merge(fresh[0]),
        state_from_bytes(bytes(row.moments)).merge(fresh[1]),
    )


def _store(
    deployment_id: Any, version_id: Any, reference: ReferenceSet, place: Place, block: Block, last: EmbeddingDay | None
) -> None:
    """Into the row that is current and was not read yet, or as a new revision beside the one that was."""
    sums, moments = block
    filled = {
        "sums": to_bytes(sums), "moments": to_bytes(moments), "n": sums.n, "missing": sums.missing,
        "changed_at": timezone.now(),
    }  # fmt: skip
    if last is not None and last.current and last.used_at is None:
        EmbeddingDay.objects.filter(pk=last.pk).update(**filled)
        return
    if last is not None and last.current:
        EmbeddingDay.objects.filter(pk=last.pk).update(current=False)
    EmbeddingDay.objects.create(
        deployment_id=deployment_id, version_id=version_id, reference=reference, site=place[0], day=place[1],
        revision=last.revision + 1 if last else 1, **filled,
    )  # fmt: skip
