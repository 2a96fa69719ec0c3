"""Storing deliveries: checked chunk by chunk, each chunk in one transaction with what is told of it.

Every delivery is a batch. Its chunks are stored one after the other, each in one transaction with the batch's counts,
so that an interruption at any moment loses no accepted row and doubles none.
"""

import hashlib
from collections.abc import Iterator
from typing import Any

from django.db import transaction
from django.utils import timezone

from accounts.models import ApiToken
from assurance.evidence.errors import InvalidInput
from assurance.jobs import start_job
from assurance.models import Deployment
from assurance.services.pseudonyms import pseudonyms
from assurance.services.running_software import LONGEST_NAME, note_running_software
from monitoring.intake.columns import Columns
from monitoring.intake.formats import encoding_of
from monitoring.intake.readers import chunks_of_bytes
from monitoring.intake.rows import check_rows
from monitoring.models import PredictionBatch
from monitoring.services import controls, day_states, rejects, schema
from monitoring.services.labels import put_row_labels
from monitoring.services.storing import store_rows
from records.actor import SYSTEM

MOST_VERSIONS = 5  # of a delivery with many wrong ones so many are told on
SUMMARISE = "monitoring.summarise_batch"


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
            store_chunk(batch, piece, named=named)
        finish(batch)
    return batch


def store_chunk(batch: PredictionBatch, piece: Columns, *, named: bool = True) -> None:
    """Inside a transaction that holds the deployment's row."""
    deployment = batch.deployment
    rows = check_rows(piece, schema.expected_of(deployment))
    schema.note_columns(batch, rows)
    names = rows.case_id.to_pylist()
    cases = pseudonyms(batch.organisation_id, names) if named else names
    rows = schema.dated(deployment, rows) if named else rows  # a stored case has its date shifted already
    patients, cases, set_aside = controls.set_aside(batch, rows, cases)
    stored = store_rows(batch, patients, cases)
    day_states.keep_states(batch, patients if stored.new is None else controls.only(patients, stored.new))
    put_row_labels(deployment, cases, patients)
    refused = [*rows.refused, *stored.twice]
    rejects.store(batch, refused)
    for told in sorted({one.value for one in refused if one.code == "other_version" and one.value})[:MOST_VERSIONS]:
        note_running_software(deployment, version=told[:LONGEST_NAME], door="predictions", by=SYSTEM)
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


def finish(batch: PredictionBatch, *, status: Any = PredictionBatch.Status.DONE, reason: str = "") -> None:
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
