"""Large deliveries and files: kept safe first, worked through chunk by chunk, gone on with after an interruption."""

import hashlib
import io
import uuid
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import BinaryIO

from django.conf import settings
from django.db import DatabaseError, IntegrityError, InterfaceError, transaction
from django.utils import timezone

from accounts.models import ApiToken
from assurance.evidence.errors import InvalidInput, Refusal, Unavailable
from assurance.jobs import start_job
from assurance.models import Deployment, Job
from monitoring.intake.formats import encoding_of, format_of
from monitoring.intake.readers import chunks
from monitoring.models import PredictionBatch
from monitoring.services import intake, spool

WORK_THROUGH = "monitoring.work_through_batch"
Progress = Callable[[int, int, str], None]


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
        return intake.accept_batch(
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
    key = intake.checked_key(deployment, idempotency_key, sha256)
    batch = PredictionBatch(
        id=batch_id, organisation_id=deployment.organisation_id, deployment=deployment, purpose=purpose,
        idempotency_key=key, content_sha256=sha256, content_bytes=size, token=token, media_type=media_type[:80],
        encoding=encoding, door=door, status=PredictionBatch.Status.RECEIVED,
    )  # fmt: skip
    known = intake.known_batch(deployment, key, sha256)
    if known:
        return known, False
    try:
        with transaction.atomic():
            batch.save(force_insert=True)
    except IntegrityError:  # the same delivery was sent twice at once, and the other one was first
        known = intake.known_batch(deployment, key, sha256)
        if known is None:
            raise
        return known, False
    if job:
        _start_work(batch)
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
    except OSError as error:
        raise Unavailable("spool_away", f"the kept delivery could not be read: {error.strerror or error}") from error
    spool.drop(batch.pk)
    return batch


def resume_waiting() -> int:
    """Start again what was accepted and is still kept but that no open job will work through; how many there were.

    A job is given up after some attempts, an accepted delivery never.
    """
    started = 0
    old = timezone.now() - timedelta(minutes=5)
    for batch in PredictionBatch.objects.filter(status=PredictionBatch.Status.RECEIVED, received_at__lt=old):
        open_jobs = Job.objects.filter(
            task=WORK_THROUGH, arguments__batch_id=str(batch.pk), status__in=(Job.Status.QUEUED, Job.Status.RUNNING)
        )
        if spool.is_kept(batch.pk) and not open_jobs.exists():
            _start_work(batch)
            started += 1
    return started


def _start_work(batch: PredictionBatch) -> None:
    start_job(
        WORK_THROUGH, queue="ingest", title=f"A delivery of {batch.content_bytes} bytes for {batch.deployment}",
        arguments={"batch_id": str(batch.pk)}, organisation_id=batch.organisation_id,
    )  # fmt: skip


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
                intake.store_chunk(batch, piece)
            progress(f"{batch.rows} rows read, {batch.accepted} in, {batch.rejected} refused")
        with transaction.atomic():
            Deployment.objects.select_for_update(of=("self",)).get(pk=batch.deployment_id)
            batch.refresh_from_db()
            intake.finish(batch)
    except InvalidInput as refusal:
        _give_up(batch, refusal.message)
        raise
    except (Refusal, DatabaseError, InterfaceError, OSError):
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
    intake.finish(batch, status=PredictionBatch.Status.FAILED, reason=f"{reason}{told}"[:400])


def give_up(batch_id: uuid.UUID, reason: str) -> None:
    """End a delivery that somebody stopped; its rows so far stay in."""
    _give_up(PredictionBatch.objects.get(pk=batch_id), reason)
    spool.drop(batch_id)


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
