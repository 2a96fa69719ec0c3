"""Labels and per-case measures: they come with the predictions or long after; a later value replaces an earlier one."""

from dataclasses import dataclass, field
from typing import Any, BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from django.db import connection, transaction
from numpy.typing import NDArray

from assurance.evidence.errors import InvalidInput
from assurance.models import Deployment
from assurance.services.pseudonyms import pseudonyms
from monitoring.intake.cells import mask, numbers, texts, times
from monitoring.intake.columns import Columns, Refused
from monitoring.intake.formats import encoding_of
from monitoring.intake.readers import chunks, chunks_of_bytes
from monitoring.intake.rows import LONGEST_ID, CheckedRows
from monitoring.intake.sieve import Sieve

SHARES = ("dice", "nsd", "iou")  # per-case measures that lie in 0..1
MEASURES = ("label", *SHARES, "hd95_mm", "assd_mm", "tre_mm")
MOST_TOLD = 100


@dataclass
class LabelOutcome:
    rows: int = 0
    accepted: int = 0
    refused: list[Refused] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        told = sorted(self.refused, key=lambda one: one.row)[:MOST_TOLD]
        rejects = [
            {"row": one.row, "column": one.column, "code": one.code, "value": one.value, "reason": one.reason}
            for one in told
        ]
        return {"rows": self.rows, "accepted": self.accepted, "rejected": len(self.refused), "rejects": rejects}


def accept_labels(deployment: Deployment, *, content: bytes, media_type: str, encoding: str = "") -> dict[str, Any]:
    """Store the good values of one delivery and refuse the others row by row; what became of it.

    Raises
    ------
    InvalidInput
        What the readers refuse as a whole; ``missing_column`` without ``case_id`` or any known measure.
    """
    pieces = chunks_of_bytes(content, media_type=media_type, encoding=encoding_of(encoding))
    return accept_label_columns(deployment, pieces).as_dict()


def accept_label_stream(
    deployment: Deployment, *, source: BinaryIO, media_type: str, encoding: str = ""
) -> dict[str, Any]:
    pieces = chunks(source, media_type=media_type, encoding=encoding_of(encoding))
    return accept_label_columns(deployment, pieces).as_dict()


@transaction.atomic
def accept_label_columns(deployment: Deployment, pieces: Any) -> LabelOutcome:
    outcome = LabelOutcome()
    for piece in pieces:
        _accept_piece(deployment, piece, outcome)
    return outcome


def _accept_piece(deployment: Deployment, columns: Columns, outcome: LabelOutcome) -> None:
    present = [name for name in MEASURES if name in columns.values]
    if len(columns.rows) and ("case_id" not in columns.values or not present):
        raise InvalidInput(
            "missing_column",
            f"columns {', '.join(columns.values)[:300] or 'none'}: give case_id and one or more of "
            f"{', '.join(MEASURES)}",
        )
    sieve = Sieve(columns.rows)
    n = len(columns.rows)
    case_id = texts(columns.values["case_id"]) if n else pa.array([], pa.string())
    sieve.refuse(mask(pc.is_null(case_id)), "case_id", "missing", "case_id is empty: name the case")
    long = mask(pc.greater(pc.utf8_length(case_id), LONGEST_ID))
    sieve.refuse(long, "case_id", "too_long", f"case_id has more than {LONGEST_ID} characters")
    label_time = _label_times(columns, n, sieve)
    values = {name: _measure(columns, name, sieve) for name in present}
    cases = np.array(pseudonyms(deployment.organisation_id, pc.fill_null(case_id, "").to_pylist()), dtype=object)
    stored = np.zeros(n, dtype=bool)
    for name, found in values.items():
        good = sieve.kept & ~np.isnan(found)
        put_labels(deployment, cases=cases[good], values=found[good], times=label_time[good], quantity=name)
        stored |= good
    outcome.rows += columns.n_sent
    outcome.accepted += int(stored.sum())
    outcome.refused += [*columns.refused, *sieve.refused]


def _measure(columns: Columns, name: str, sieve: Sieve) -> NDArray[np.float64]:
    found, words = numbers(columns.values[name])
    wrong = words | np.isinf(found)
    if name == "label":
        wrong |= ~np.isnan(found) & (found != 0) & (found != 1)
        rule = "give 0 or 1"
    else:
        share = name in SHARES
        wrong |= (found < 0) | (found > (1 if share else np.inf))
        rule = "give a number in 0..1" if share else "give millimetres, 0 or more"
    sieve.refuse(
        wrong, name, "out_of_range", lambda value: f"{name} {value[:40]!r}: {rule}", values=columns.values[name]
    )
    return found


def _label_times(columns: Columns, n: int, sieve: Sieve) -> NDArray[np.datetime64]:
    if "label_time" not in columns.values:
        return np.full(n, np.datetime64("NaT", "us"))
    column = columns.values["label_time"]
    found, unread = times(column, site=pa.array([""] * n), zones={"": "UTC"})
    sieve.refuse(
        unread, "label_time", "not_a_time", lambda value: f"label_time {value!r} is not a time: give ISO 8601",
        values=column,
    )  # fmt: skip
    return found


def put_row_labels(deployment: Deployment, cases: list[str], rows: CheckedRows) -> None:
    """Labels that came beside predictions."""
    known = ~np.isnan(rows.label)
    if known.any():
        names = np.array(cases, dtype=object)[known]
        put_labels(deployment, cases=names, values=rows.label[known], times=rows.label_time[known], quantity="label")


_PUT = """
WITH given AS (
    SELECT DISTINCT ON (c) c, v, t FROM unnest(%(cases)s::text[], %(values)s::float8[], %(times)s::timestamptz[])
        WITH ORDINALITY AS g(c, v, t, place) ORDER BY c, place DESC
), past AS (
    INSERT INTO monitoring_pastlabel (organisation_id, deployment_id, "case", quantity, value, labelled_at, received_at,
        replaced_at)
    SELECT l.organisation_id, l.deployment_id, l."case", l.quantity, l.value, l.labelled_at, l.received_at, now()
    FROM monitoring_label l JOIN given ON l."case" = given.c
    WHERE l.deployment_id = %(deployment)s AND l.quantity = %(quantity)s AND l.value IS DISTINCT FROM given.v
)
INSERT INTO monitoring_label (organisation_id, deployment_id, "case", quantity, value, labelled_at, received_at)
SELECT %(organisation)s, %(deployment)s, c, %(quantity)s, v, t, now() FROM given
ON CONFLICT (deployment_id, "case", quantity) DO UPDATE
SET value = excluded.value, labelled_at = excluded.labelled_at, received_at = excluded.received_at
WHERE monitoring_label.value IS DISTINCT FROM excluded.value
"""


def put_labels(
    deployment: Deployment, *, cases: NDArray[np.object_], values: NDArray[np.float64],
    times: NDArray[np.datetime64], quantity: str,
) -> int:  # fmt: skip
    """Store values by case pseudonym; a later value of the same case replaces the earlier one, which is kept beside."""
    if not len(cases):
        return 0
    with connection.cursor() as cursor:
        cursor.execute(
            _PUT,
            {
                "cases": cases.tolist(), "values": values.tolist(),
                "times": [None if one is None else f"{one.isoformat()}Z" for one in times.astype(object).tolist()],
                "deployment": deployment.pk, "organisation": deployment.organisation_id, "quantity": quantity,
            },
        )  # fmt: skip
        return int(cursor.rowcount)
