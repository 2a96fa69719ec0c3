"""Checked rows into the partitioned table: new ones by COPY, known ones sorted into duplicates and corrections.

A case of one version has one current row. A row that comes again with the same values is a duplicate; one that brings
other values is a correction: the earlier revision is kept beside, what the new row leaves empty stays as it was, and
the day states of both days are made anew.
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import psycopg
import pyarrow as pa
from django.db import DatabaseError, connection, transaction
from numpy.typing import NDArray
from psycopg import sql

from assurance.services.pseudonyms import pseudonyms
from monitoring import binary_copy
from monitoring.binary_copy import Fields, copy_binary
from monitoring.intake.columns import Refused
from monitoring.intake.rows import CheckedRows
from monitoring.models import PredictionBatch, Signal


@dataclass
class Stored:
    """``accepted`` counts new rows and corrections; ``new`` marks the rows of new cases, None when all are."""

    accepted: int = 0
    corrected: int = 0
    duplicates: int = 0
    twice: list[Refused] = field(default_factory=list)
    reopened: set[tuple[str, str]] = field(default_factory=set)
    new: NDArray[np.bool_] | None = None


def store_rows(batch: PredictionBatch, rows: CheckedRows, cases: list[str]) -> Stored:
    """Store one chunk. The caller holds the deployment's row, so no other delivery writes meanwhile."""
    if not rows.n:
        return Stored()
    signals = list(batch.deployment.signals.order_by("position"))
    numeric = [one.name for one in signals if one.kind == Signal.Kind.NUMERIC]
    categorical = [one.name for one in signals if one.kind == Signal.Kind.CATEGORICAL]
    shape = _Shape(len(numeric), len(categorical))
    with connection.cursor() as cursor:
        for month in np.unique(rows.study_time.astype("datetime64[M]")):
            cursor.execute("SELECT vigil_prediction_month(%s::date)", [f"{month}-01"])
        cursor.execute(_ARRIVING)
        copy_binary("arriving", _fields(batch, rows, cases, numeric, categorical), rows.n)
        try:
            with transaction.atomic():  # nearly always every case is new, so that is tried without asking first
                _insert_new(cursor, batch, "")
                return Stored(accepted=rows.n)
        except DatabaseError as error:
            if not isinstance(error.__cause__, psycopg.errors.UniqueViolation):
                raise
        return _sort_known(cursor, batch, rows, shape)


@dataclass(frozen=True)
class _Shape:
    """How many numbers and levels a row has, and the SQL that follows from it."""

    numeric: int
    categorical: int

    def merged(self) -> tuple[sql.Composable, sql.Composable]:
        return (
            self._array("coalesce(a.numbers[{0}], p.numbers[{0}])", self.numeric, "float8[]"),
            self._array("coalesce(a.levels[{0}], p.levels[{0}])", self.categorical, "text[]"),
        )

    def old(self) -> tuple[sql.Composable, sql.Composable]:
        return (
            self._array("p.numbers[{0}]", self.numeric, "float8[]"),
            self._array("p.levels[{0}]", self.categorical, "text[]"),
        )

    @staticmethod
    def _array(pattern: str, length: int, kind: str) -> sql.Composable:
        parts = ", ".join(pattern.format(place) for place in range(1, length + 1))
        return sql.SQL(f"ARRAY[{parts}]::{kind}")


# Row security lets nobody COPY into the tables themselves, so rows arrive here and are inserted from here.
_ARRIVING = """
DROP TABLE IF EXISTS arriving;
CREATE TEMP TABLE arriving (place int, "case" text, patient text, study_time timestamptz, site text, score float8,
    decision text, numbers float8[], levels text[], embedding bytea) ON COMMIT DROP
"""


def _fields(
    batch: PredictionBatch, rows: CheckedRows, cases: list[str], numeric: list[str], categorical: list[str]
) -> dict[str, Fields]:
    """The columns of ``arriving``. The index of places fills faster in the order of its key."""
    codes = np.array(cases, dtype="S32")
    order = np.argsort(codes.view(">u8")[::4], kind="stable")
    taken = pa.array(order)

    def numbers(values: Any) -> Any:
        return None if values is None else values[order]

    levels = [rows.levels.get(name) for name in categorical]
    return {
        "place": binary_copy.whole_numbers(order), "case": binary_copy.codes(codes[order]),
        "patient": binary_copy.texts(_patients(batch.organisation_id, rows.patient_id).take(taken), null_as=""),
        "study_time": binary_copy.times(rows.study_time[order]), "site": binary_copy.texts(rows.site.take(taken)),
        "score": binary_copy.floats(numbers(rows.score)),
        "decision": binary_copy.texts(rows.decision.take(taken), null_as=""),
        "numbers": binary_copy.float_arrays([numbers(rows.numbers.get(name)) for name in numeric]),
        "levels": binary_copy.text_arrays([None if one is None else one.take(taken) for one in levels]),
        "embedding": binary_copy.half_floats(numbers(rows.embedding)),
    }  # fmt: skip


def _patients(organisation_id: int, names: pa.Array) -> pa.Array:
    """A patient has several cases: each name is hashed once."""
    coded = names.dictionary_encode()
    known = pa.array(pseudonyms(organisation_id, coded.dictionary.to_pylist()), pa.string())
    return known.take(coded.indices)


_PLACES = sql.SQL("""
INSERT INTO monitoring_caseplace (deployment_id, version_id, organisation_id, study_time, "case")
SELECT %s, %s, %s, study_time, "case" FROM arriving a {where}
""")
_ROWS = sql.SQL("""
INSERT INTO monitoring_prediction (deployment_id, organisation_id, version_id, batch_id, received_at, "case", patient,
    study_time, site, score, decision, numbers, levels, embedding)
SELECT %s, %s, %s, %s, %s, "case", patient, study_time, site, score, decision, numbers, levels, embedding
FROM arriving a {where}
""")


def _insert_new(cursor: Any, batch: PredictionBatch, where: str) -> int:
    deployment, version = batch.deployment_id, batch.deployment.version_id
    condition = sql.SQL(where)
    cursor.execute(_PLACES.format(where=condition), [deployment, version, batch.organisation_id])
    cursor.execute(
        _ROWS.format(where=condition),
        [deployment, batch.organisation_id, version, batch.pk, batch.received_at],
    )
    return int(cursor.rowcount)


# OFFSET 0 keeps the order: each arriving row looks for its place and there for its row, by index. Left to choose, the
# planner reads whole tables against each other while they are too new for statistics.
_MEETING = sql.SQL("""
CREATE TEMP TABLE meeting ON COMMIT DROP AS
SELECT a.place, p."case", p.batch_id AS old_batch, p.study_time AS old_time, p.site AS old_site,
    p.batch_id = %(batch)s AS twice, b.purpose = %(purpose)s AS same_purpose,
    coalesce(nullif(a.patient, ''), p.patient) AS patient, a.study_time, a.site, coalesce(a.score, p.score) AS score,
    coalesce(nullif(a.decision, ''), p.decision) AS decision, {numbers} AS numbers, {levels} AS levels,
    coalesce(a.embedding, p.embedding) AS embedding,
    (coalesce(nullif(a.patient, ''), p.patient), a.study_time, a.site, coalesce(a.score, p.score),
        coalesce(nullif(a.decision, ''), p.decision), {numbers}, {levels}, coalesce(a.embedding, p.embedding))
    IS DISTINCT FROM (p.patient, p.study_time, p.site, p.score, p.decision, {old_numbers}, {old_levels}, p.embedding)
    AS differs
FROM arriving a
CROSS JOIN LATERAL (
    SELECT study_time FROM monitoring_caseplace
    WHERE deployment_id = %(deployment)s AND version_id = %(version)s AND "case" = a."case" OFFSET 0
) c
CROSS JOIN LATERAL (
    SELECT * FROM monitoring_prediction
    WHERE deployment_id = %(deployment)s AND study_time = c.study_time AND version_id = %(version)s
        AND "case" = a."case" OFFSET 0
) p
JOIN monitoring_predictionbatch b ON b.id = p.batch_id
""")
_CORRECTS = "differs AND same_purpose AND NOT twice"
_KEEP_OLD = f"""
INSERT INTO monitoring_pastprediction
SELECT p.*, now(), %(batch)s FROM meeting m JOIN monitoring_prediction p
    ON p.deployment_id = %(deployment)s AND p.version_id = %(version)s AND p."case" = m."case"
    AND p.study_time = m.old_time
WHERE {_CORRECTS}
"""
_TAKE_OLD = f"""
WITH old AS (
    DELETE FROM monitoring_prediction p USING meeting m
    WHERE p.deployment_id = %(deployment)s AND p.version_id = %(version)s AND p."case" = m."case"
        AND p.study_time = m.old_time AND {_CORRECTS}
    RETURNING m.place, p.revision
)
INSERT INTO monitoring_prediction (deployment_id, organisation_id, version_id, batch_id, received_at, "case", patient,
    study_time, site, score, decision, numbers, levels, embedding, revision)
SELECT %(deployment)s, %(organisation)s, %(version)s, %(batch)s, %(received)s, m."case", m.patient, m.study_time,
    m.site, m.score, m.decision, m.numbers, m.levels, m.embedding, old.revision + 1
FROM meeting m JOIN old USING (place)
"""
_MOVE_PLACE = f"""
UPDATE monitoring_caseplace c SET study_time = m.study_time FROM meeting m
WHERE c.deployment_id = %(deployment)s AND c.version_id = %(version)s AND c."case" = m."case"
    AND m.study_time <> m.old_time AND {_CORRECTS}
"""
_REOPENED = f"""
SELECT DISTINCT site, (at AT TIME ZONE 'UTC')::date::text FROM (
    SELECT old_site, old_time FROM meeting WHERE {_CORRECTS}
    UNION ALL SELECT site, study_time FROM meeting WHERE {_CORRECTS}
) AS touched(site, at)
"""


_WAITING = f"""
SELECT b.id, array_agg(DISTINCT ARRAY[old_site, (old_time AT TIME ZONE 'UTC')::date::text])
FROM meeting m JOIN monitoring_predictionbatch b ON b.id = m.old_batch
WHERE {_CORRECTS} AND b.summarised_at IS NULL GROUP BY b.id
"""


def _reopen_waiting(cursor: Any) -> None:
    """A delivery whose states still wait has counted the rows that are replaced now: it counts those days again."""
    cursor.execute(_WAITING)
    for key, places in cursor.fetchall():
        earlier = PredictionBatch.objects.get(pk=key)
        earlier.reopened = sorted({tuple(one) for one in [*earlier.reopened, *places]})
        earlier.save(update_fields=("reopened",))


def _sort_known(cursor: Any, batch: PredictionBatch, rows: CheckedRows, shape: _Shape) -> Stored:
    given = {
        "deployment": batch.deployment_id, "version": batch.deployment.version_id, "batch": batch.pk,
        "organisation": batch.organisation_id, "received": batch.received_at, "purpose": batch.purpose,
    }  # fmt: skip
    numbers, levels = shape.merged()
    old_numbers, old_levels = shape.old()
    cursor.execute("ANALYZE arriving")
    cursor.execute("DROP TABLE IF EXISTS meeting")
    cursor.execute(
        _MEETING.format(numbers=numbers, levels=levels, old_numbers=old_numbers, old_levels=old_levels), given
    )
    found = Stored()
    found.accepted = _insert_new(cursor, batch, "WHERE NOT EXISTS (SELECT FROM meeting m WHERE m.place = a.place)")
    cursor.execute("SELECT place FROM meeting")
    found.new = np.ones(rows.n, dtype=bool)
    found.new[[place for (place,) in cursor.fetchall()]] = False
    cursor.execute("SELECT place FROM meeting WHERE twice")
    for (place,) in cursor.fetchall():
        name = rows.case_id[place].as_py()
        reason = f"case_id {name!r} stands in this delivery twice"
        found.twice.append(Refused(int(rows.rows[place]), "case_id", "twice", reason[:300], name[:80]))
    cursor.execute(f"SELECT count(*) FROM meeting WHERE NOT twice AND NOT ({_CORRECTS})")
    found.duplicates = int(cursor.fetchone()[0])
    cursor.execute(_REOPENED)
    found.reopened = {(site, day) for site, day in cursor.fetchall()}
    if found.reopened:
        for day in {day for _, day in found.reopened}:
            cursor.execute("SELECT vigil_prediction_month(%s::date)", [day])
        _reopen_waiting(cursor)
        cursor.execute(_KEEP_OLD, given)
        cursor.execute(_TAKE_OLD, given)
        found.corrected = int(cursor.rowcount)
        cursor.execute(_MOVE_PLACE, given)
        found.accepted += found.corrected
    return found
