"""Accepting deliveries: at once for small ones, kept safe and worked through by a task for large ones.

Every delivery is a batch. Its chunks are stored one after the other, each in one transaction with the batch's counts,
so that an interruption at any moment loses no accepted row and doubles none.
"""

import hashlib
import io
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

from django.conf import settings
from django.db import DatabaseError, IntegrityError, transaction
from django.utils import timezone

from accounts.models import ApiToken
from assurance.evidence.errors import InvalidInput, Refusal
from assurance.jobs import start_job
from assurance.models import Deployment
from assurance.services.pseudonyms import pseudonyms
from monitoring.intake.columns import Columns
from monitoring.intake.formats import encoding_of, format_of
from monitoring.intake.readers import chunks, chunks_of_bytes
from monitoring.intake.rows import check_rows
from monitoring.models import PredictionBatch
from monitoring.services import controls, rejects, schema, spool
from monitoring.services.labels import put_row_labels
from monitoring.services.storing import store_rows

SUMMARISE = "monitoring.summarise_batch"
WORK_THROUGH = "monitoring.work_through_batch"
Progress = Callable[[int, int, str], None]


def accept_batch(
    deployment: Deployment, *, content: bytes, media_type: str, idempotency_key: str = "",
    purpose: str = "monitoring", token: ApiToken | None = None, encoding: str = "", door: str = "http",
) -> PredictionBatch:  # fmt: skip
    """Store the good rows of one delivery now and refuse the others row by row. Safe to repeat.

    A delivery with the key of an earlier one and the same content gives the earlier batch again. Rows of known cases
    are duplicates, or corrections where they bring other values.

    Raises
    ------
    InvalidInput
        What the readers refuse as a whole, ``key_reused`` for a known key with other content, ``deployment_retired``.
    """
    encoding = encoding_of(encoding)
    pieces = chunks_of_bytes(content, media_type=media_type, encoding=encoding)
    return accept_columns(
        deployment, pieces=pieces, sha256=hashlib.sha256(content).hexdigest(), size=len(content),
        idempotency_key=idempotency_key, purpose=purpose, token=token, door=door, media_type=media_type,
        encoding=encoding,
    )  # fmt: skip


def accept_columns(
    deployment: Deployment, *, pieces: Iterator[Columns], sha256: str, size: int, media_type: str, door: str,
    idempotency_key: str = "", purpose: str = "monitoring", token: ApiToken | None = None, encoding: str = "",
    named: bool = True,
) -> PredictionBatch:  # fmt: skip
    """Store chunks that some door has read already, all in one transaction or not at all.

    ``named`` False: ``case_id`` holds pseudonyms already, as of a case that is stored.
    """
    key = checked_key(deployment, idempotency_key, sha256)
    known = known_batch(deployment, key, sha256)
    if known:
        return known
    with transaction.atomic():
        # One delivery at a time for a deployment: signals keep their places, and a repeated key waits for the first.
        Deployment.objects.select_for_update(of=("self",)).get(pk=deployment.pk)
        known = known_batch(deployment, key, sha256)
        if known:
            return known
        batch = PredictionBatch.objects.create(
            organisation_id=deployment.organisation_id, deployment=deployment, purpose=purpose, idempotency_key=key,
            content_sha256=sha256, content_bytes=size, token=token, media_type=media_type[:80], encoding=encoding,
            door=door, status=PredictionBatch.Status.RECEIVED, received_at=timezone.now(),
        )  # fmt: skip
        for piece in pieces:
            _store_chunk(batch, piece, named=named)
        _finish(batch)
    return batch


def receive_batch(
    deployment: Deployment, *, source: BinaryIO, media_type: str, encoding: str = "", idempotency_key: str = "",
    purpose: str = "monitoring", token: ApiToken | None = None, door: str = "http",
) -> PredictionBatch:  # fmt: skip
    """Keep one delivery safe and leave its rows to a task; a small one is worked through at once instead.

    What comes back says which it was by its status. Small means at most ``INTAKE_AT_ONCE_BYTES``, as sent.

    Raises
    ------
    InvalidInput
        As :func:`accept_batch`; of a large delivery only what can be said before it is read.
    Unavailable
        ``spool_full`` when the delivery cannot be kept. Nothing was accepted then.
    """
    format_of(media_type)
    encoding = encoding_of(encoding)
    start = source.read(settings.INTAKE_AT_ONCE_BYTES + 1)
    if len(start) <= settings.INTAKE_AT_ONCE_BYTES:
        return accept_batch(
            deployment, content=start, media_type=media_type, encoding=encoding, idempotency_key=idempotency_key,
            purpose=purpose, token=token, door=door,
        )  # fmt: skip
    batch_id = uuid.uuid4()
    kept = spool.keep(batch_id, io.BufferedReader(_Joined(start, source)), most=settings.INTAKE_LIMIT_BYTES)
    try:
        batch, fresh = _register(
            deployment, batch_id=batch_id, sha256=kept.sha256, size=kept.size, idempotency_key=idempotency_key,
            media_type=media_type, encoding=encoding, purpose=purpose, token=token, door=door,
        )  # fmt: skip
    except BaseException:
        spool.drop(batch_id)
        raise
    if not fresh:
        spool.drop(batch_id)
    return batch


@transaction.atomic
def _register(
    deployment: Deployment, *, batch_id: uuid.UUID, sha256: str, size: int, idempotency_key: str, media_type: str,
    encoding: str, purpose: str, token: ApiToken | None, door: str, job: bool = True,
) -> tuple[PredictionBatch, bool]:  # fmt: skip
    """The batch of a kept delivery with its job, or the earlier batch of the same key."""
    key = checked_key(deployment, idempotency_key, sha256)
    batch = PredictionBatch(
        id=batch_id, organisation_id=deployment.organisation_id, deployment=deployment, purpose=purpose,
        idempotency_key=key, content_sha256=sha256, content_bytes=size, token=token, media_type=media_type[:80],
        encoding=encoding, door=door, status=PredictionBatch.Status.RECEIVED,
    )  # fmt: skip
    known = known_batch(deployment, key, sha256)
    if known:
        return known, False
    try:
        with transaction.atomic():
            batch.save(force_insert=True)
    except IntegrityError:  # the same delivery was sent twice at once, and the other one was first
        known = known_batch(deployment, key, sha256)
        if known is None:
            raise
        return known, False
    if job:
        start_job(
            WORK_THROUGH, queue="ingest", title=f"A delivery of {size} bytes for {deployment}",
            arguments={"batch_id": str(batch.pk)}, organisation_id=deployment.organisation_id,
        )  # fmt: skip
    return batch, True


def accept_file(
    deployment: Deployment, path: Path, *, media_type: str, encoding: str = "", purpose: str = "monitoring",
    door: str = "file", progress: Progress = lambda done, of, step: None,
) -> PredictionBatch:  # fmt: skip
    """A file on this machine, of any size, chunk by chunk. Called again after an interruption it goes on.

    Raises
    ------
    InvalidInput
        What the readers refuse as a whole. Chunks before a break stay in; the batch says so.
    """
    size = path.stat().st_size
    with path.open("rb") as source:
        sha256 = hashlib.file_digest(source, "sha256").hexdigest()
        source.seek(0)
        batch, _ = _register(
            deployment, batch_id=uuid.uuid4(), sha256=sha256, size=size, idempotency_key="", media_type=media_type,
            encoding=encoding, purpose=purpose, token=None, door=door, job=False,
        )  # fmt: skip
        if batch.status == PredictionBatch.Status.RECEIVED:
            _work(batch, source, progress=lambda step: progress(source.tell(), size, step))
    return batch


def work_through(batch_id: uuid.UUID, *, progress: Progress = lambda done, of, step: None) -> PredictionBatch:
    """Store what is left of a kept delivery. A second call, or one after a crash, goes on where the first stopped."""
    batch = PredictionBatch.objects.select_related("deployment__version__model", "deployment__organisation").get(
        pk=batch_id
    )
    if batch.status != PredictionBatch.Status.RECEIVED:
        spool.drop(batch.pk)
        return batch
    try:
        with spool.opened(batch.pk, sha256=batch.content_sha256) as source:
            _work(batch, source, progress=lambda step: progress(source.tell(), batch.content_bytes, step))
    except InvalidInput as refusal:
        if batch.status == PredictionBatch.Status.RECEIVED:
            _give_up(batch, refusal.message)
    spool.drop(batch.pk)
    return batch


def _work(batch: PredictionBatch, source: BinaryIO, *, progress: Callable[[str], None]) -> None:
    """Chunks that an earlier run stored are read again, to reach the place, and not stored again."""
    number = 0
    try:
        for piece in chunks(source, media_type=batch.media_type, encoding=batch.encoding):
            number += 1
            if number <= batch.chunks_done:
                continue
            with transaction.atomic():
                Deployment.objects.select_for_update(of=("self",)).get(pk=batch.deployment_id)
                batch.refresh_from_db()
                if number <= batch.chunks_done:  # another worker was faster
                    continue
                _store_chunk(batch, piece)
            progress(f"{batch.rows} rows read, {batch.accepted} in, {batch.rejected} refused")
        with transaction.atomic():
            Deployment.objects.select_for_update(of=("self",)).get(pk=batch.deployment_id)
            batch.refresh_from_db()
            _finish(batch)
    except InvalidInput as refusal:
        _give_up(batch, refusal.message)
        raise
    except (Refusal, DatabaseError, OSError):
        raise  # tried again: what was stored stays, what was not comes then
    except Exception as error:
        _give_up(batch, f"{type(error).__name__}: {error}")
        raise


@transaction.atomic
def _give_up(batch: PredictionBatch, reason: str) -> None:
    batch.refresh_from_db()
    if batch.status != PredictionBatch.Status.RECEIVED:
        return
    told = f" after row {batch.rows}, the rows before it are in" if batch.rows else ""
    _finish(batch, status=PredictionBatch.Status.FAILED, reason=f"{reason}{told}"[:400])


def give_up(batch_id: uuid.UUID, reason: str) -> None:
    """End a delivery that somebody stopped; its rows so far stay in."""
    _give_up(PredictionBatch.objects.get(pk=batch_id), reason)
    spool.drop(batch_id)


def _store_chunk(batch: PredictionBatch, piece: Columns, *, named: bool = True) -> None:
    """Inside a transaction that holds the deployment's row."""
    deployment = batch.deployment
    rows = check_rows(piece, schema.expected_of(deployment))
    schema.note_columns(batch, rows)
    names = rows.case_id.to_pylist()
    cases = pseudonyms(batch.organisation_id, names) if named else names
    rows = schema.dated(deployment, rows) if named else rows  # a stored case has its date shifted already
    patients, cases, set_aside = controls.set_aside(batch, rows, cases)
    stored = store_rows(batch, patients, cases)
    put_row_labels(deployment, cases, patients)
    refused = [*rows.refused, *stored.twice]
    rejects.store(batch, refused)
    batch.rows += rows.n_sent
    batch.accepted += stored.accepted
    batch.corrected += stored.corrected
    batch.duplicates += stored.duplicates
    batch.rejected += len(refused)
    batch.set_aside += set_aside
    batch.reopened = sorted({tuple(one) for one in batch.reopened} | stored.reopened)
    batch.removed = {
        name: batch.removed.get(name, 0) + rows.removed.get(name, 0) for name in {*batch.removed, *rows.removed}
    }
    batch.chunks_done += 1
    batch.save()


def _finish(batch: PredictionBatch, *, status: Any = PredictionBatch.Status.DONE, reason: str = "") -> None:
    if batch.status != PredictionBatch.Status.RECEIVED:
        return
    schema.settle_columns(batch)
    batch.status, batch.reason, batch.done_at = status, reason, timezone.now()
    batch.save()
    if batch.purpose == PredictionBatch.Purpose.MONITORING and batch.accepted:
        start_job(
            SUMMARISE, queue="ingest", title=f"Day states of {batch.accepted} predictions of {batch.deployment}",
            arguments={"batch_id": str(batch.pk)}, organisation_id=batch.organisation_id,
        )  # fmt: skip


def checked_key(deployment: Deployment, idempotency_key: str, sha256: str) -> str:
    if deployment.status == Deployment.Status.RETIRED:
        raise InvalidInput("deployment_retired", f"{deployment} is retired: it takes no predictions")
    key = idempotency_key.strip() or f"sha256:{sha256}"
    if len(key) > 120 or not key.isprintable():
        raise InvalidInput("bad_key", f"Idempotency-Key has {len(key)} characters: give at most 120 printable ones")
    return key


def known_batch(deployment: Deployment, key: str, sha256: str) -> PredictionBatch | None:
    batch = PredictionBatch.objects.filter(deployment=deployment, idempotency_key=key).first()
    if batch and batch.content_sha256 != sha256:
        raise InvalidInput("key_reused", f"Idempotency-Key {key!r} came before with other content: give a new key")
    return batch


class _Joined(io.RawIOBase):
    """What was read already, then the rest of the request."""

    def __init__(self, start: bytes, rest: BinaryIO) -> None:
        self._start, self._rest = memoryview(start), rest

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        piece = self._start[: len(buffer)] if self._start else self._rest.read(len(buffer))
        self._start = self._start[len(piece) :]
        buffer[: len(piece)] = piece
        return len(piece)
