"""Refused rows as rows: kept with their reason until the batch goes, and given back as a file."""

import csv
import io
from collections.abc import Iterator

from django.db import connection

from monitoring.intake.columns import Refused
from monitoring.models import PredictionBatch, Reject


def store(batch: PredictionBatch, refused: list[Refused]) -> None:
    if not refused:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            """INSERT INTO monitoring_reject (organisation_id, batch_id, row, "column", code, value, reason)
            SELECT %s, %s, r, c, k, v, w FROM unnest(%s::int[], %s::text[], %s::text[], %s::text[], %s::text[])
                AS given(r, c, k, v, w)""",
            [
                batch.organisation_id, batch.pk, [one.row for one in refused],
                [_safe(one.column)[:120] for one in refused], [one.code[:40] for one in refused],
                [_safe(one.value)[:80] for one in refused], [_safe(one.reason)[:300] for one in refused],
            ],
        )  # fmt: skip


def _safe(text: str) -> str:
    return text.replace("\x00", "\ufffd").encode("utf-8", "replace").decode()


def as_csv(batch: PredictionBatch) -> Iterator[bytes]:
    """The reject file of a batch, in pieces: one line for each refused row."""
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    writer.writerow(("row", "column", "code", "value", "reason"))
    rows = (
        Reject.objects.filter(batch=batch).order_by("row", "pk").values_list("row", "column", "code", "value", "reason")
    )
    for place, row in enumerate(rows.iterator(chunk_size=5000), start=1):
        writer.writerow([_no_formula(cell) for cell in row])
        if place % 1000 == 0:
            yield _taken(buffer)
    yield _taken(buffer)


def _taken(buffer: io.StringIO) -> bytes:
    text = buffer.getvalue().encode()
    buffer.seek(0)
    buffer.truncate()
    return text


def _no_formula(cell: object) -> object:
    """A spreadsheet must not run what a sender wrote into a cell."""
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(("=", "+", "-", "@", "\t", "\r")) else cell
