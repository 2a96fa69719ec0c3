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
from psycopg import sql

from assurance.services.pseudonyms import pseudonyms
from monitoring.columns import copy_in
from monitoring.intake.columns import Refused
from monitoring.intake.rows import CheckedRows
from monitoring.models import PredictionBatch, Signal


@dataclass
class Stored:
    """``accepted`` counts new rows and corrections."""

    accepted: int = 0
    corrected: int = 0
    duplicates: int = 0
    twice: list[Refused] = field(default_factory=list)
    reopened: set[tuple[str, str]] = field(default_factory=set)


def store_rows(batch: PredictionBatch, rows: CheckedRows, cases: list[str]) -> Stored:
    """Store one chunk. The caller holds the deployment's row, so no other delivery writes meanwhile."""
    if not rows.n:
        return Stored()
    signals = list(batch.deployment.signals.order_by("position"))
    numeric = [one.name for one in signals if one.kind == Signal.Kind.NUMERIC]
    categorical = [one.name for one in signals if one.kind == Signal.Kind.CATEGORICAL]
    table = _table(batch, rows, cases, numeric, categorical)
    shape = _Shape(len(numeric), len(categorical))
    with connection.cursor() as cursor:
        for month in np.unique(rows.study_time.astype("datetime64[M]")):
            cursor.execute("SELECT vigil_prediction_month(%s::date)", [f"{month}-01"])
        cursor.execute("DROP TABLE IF EXISTS arriving")
        cursor.execute(sql.SQL("CREATE TEMP TABLE arriving ({}) ON COMMIT DROP").format(shape.definition(table)))
        copy_in("arriving", table)
        try:
            with transaction.atomic():  # nearly always every case is new, so that is tried without asking first
                _insert_new(cursor, batch, shape, "")
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

    def definition(self, table: pa.Table) -> sql.Composable:
        kinds = {"study_time": "timestamptz", "score": "float8", "embedding": "bytea", "place": "int"}
        return sql.SQL(", ").join(
            sql.SQL("{} {}").format(
                sql.Identifier(name), sql.SQL(kinds.get(name, "float8" if name.startswith("n_") else "text"))
            )
            for name in table.column_names
        )

    def new(self) -> tuple[sql.Composable, sql.Composable]:
        return self._array("a.n_{0}", self.numeric, "float8[]"), self._array("a.l_{0}", self.categorical, "text[]")

    def merged(self) -> tuple[sql.Composable, sql.Composable]:
        return (
            self._array("coalesce(a.n_{0}, p.numbers[{1}])", self.numeric, "float8[]"),
            self._array("coalesce(a.l_{0}, p.levels[{1}])", self.categorical, "text[]"),
        )

    def old(self) -> tuple[sql.Composable, sql.Composable]:
        return (
            self._array("p.numbers[{1}]", self.numeric, "float8[]"),
            self._array("p.levels[{1}]", self.categorical, "text[]"),
        )

    @staticmethod
    def _array(pattern: str, length: int, kind: str) -> sql.Composable:
        parts = ", ".join(pattern.format(place, place + 1) for place in range(length))
        return sql.SQL(f"ARRAY[{parts}]::{kind}")


def _table(
    batch: PredictionBatch, rows: CheckedRows, cases: list[str], numeric: list[str], categorical: list[str]
) -> pa.Table:
    columns: dict[str, Any] = {
        "place": pa.array(np.arange(rows.n, dtype=np.int32)),
        "case": pa.array(cases, pa.string()),
        "patient": _patients(batch.organisation_id, rows.patient_id),
        "study_time": pa.array(rows.study_time, type=pa.timestamp("us", tz="UTC")),
        "site": rows.site,
        "score": _floats(rows.score, rows.n),
        "decision": rows.decision,
        "embedding": hex_of(rows.embedding, rows.n),
    }
    for place, name in enumerate(numeric):
        columns[f"n_{place}"] = _floats(rows.numbers.get(name), rows.n)
    for place, name in enumerate(categorical):
        columns[f"l_{place}"] = rows.levels.get(name, pa.nulls(rows.n, pa.string()))
    return pa.table(columns)


def _patients(organisation_id: int, names: pa.Array) -> pa.Array:
    coded = names.dictionary_encode()
    known = pa.array(pseudonyms(organisation_id, coded.dictionary.to_pylist()), pa.string())
    return known.take(coded.indices)


def _floats(values: Any, n: int) -> pa.Array:
    return pa.nulls(n, pa.float64()) if values is None else pa.array(values, type=pa.float64(), from_pandas=True)


def hex_of(matrix: Any, n: int) -> pa.Array:
    """Each row of half floats as PostgreSQL's hex spelling of its little-endian bytes; a row of NaN is null."""
    if matrix is None:
        return pa.nulls(n, pa.string())
    content = np.ascontiguousarray(matrix.astype("<f2")).view(np.uint8)
    digits = np.frombuffer(b"0123456789abcdef", dtype=np.uint8)
    text = np.empty((n, 2 + 2 * content.shape[1]), dtype=np.uint8)
    text[:, :2] = np.frombuffer(b"\\x", dtype=np.uint8)
    text[:, 2::2], text[:, 3::2] = digits[content >> 4], digits[content & 15]
    offsets = np.arange(0, (n + 1) * text.shape[1], text.shape[1], dtype=np.int64)
    spelt = pa.LargeStringArray.from_buffers(n, pa.py_buffer(offsets), pa.py_buffer(text))
    absent = np.isnan(matrix).all(axis=1)
    return pa.compute.if_else(pa.array(absent), None, spelt) if absent.any() else spelt


_PLACES = sql.SQL("""
INSERT INTO monitoring_caseplace (deployment_id, version_id, organisation_id, study_time, "case")
SELECT %s, %s, %s, study_time, "case" FROM arriving a {where} ORDER BY "case"
""")
_ROWS = sql.SQL("""
INSERT INTO monitoring_prediction (deployment_id, organisation_id, version_id, batch_id, received_at, "case", patient,
    study_time, site, score, decision, numbers, levels, embedding)
SELECT %s, %s, %s, %s, %s, "case", coalesce(patient, ''), study_time, site, score, coalesce(decision, ''),
    {numbers}, {levels}, embedding
FROM arriving a {where}
""")


def _insert_new(cursor: Any, batch: PredictionBatch, shape: _Shape, where: str) -> int:
    deployment, version = batch.deployment_id, batch.deployment.version_id
    numbers, levels = shape.new()
    condition = sql.SQL(where)
    cursor.execute(_PLACES.format(where=condition), [deployment, version, batch.organisation_id])
    cursor.execute(
        _ROWS.format(numbers=numbers, levels=levels, where=condition),
        [deployment, batch.organisation_id, version, batch.pk, batch.received_at],
    )
    return int(cursor.rowcount)


_MEETING = sql.SQL("""
CREATE TEMP TABLE meeting ON COMMIT DROP AS
SELECT a.place, p."case", p.study_time AS old_time, p.site AS old_site,
    p.batch_id = %(batch)s AS twice, b.purpose = %(purpose)s AS same_purpose,
    coalesce(nullif(a.patient, ''), p.patient) AS patient, a.study_time, a.site, coalesce(a.score, p.score) AS score,
    coalesce(nullif(a.decision, ''), p.decision) AS decision, {numbers} AS numbers, {levels} AS levels,
    coalesce(a.embedding, p.embedding) AS embedding,
    (coalesce(nullif(a.patient, ''), p.patient), a.study_time, a.site, coalesce(a.score, p.score),
        coalesce(nullif(a.decision, ''), p.decision), {numbers}, {levels}, coalesce(a.embedding, p.embedding))
    IS DISTINCT FROM (p.patient, p.study_time, p.site, p.score, p.decision, {old_numbers}, {old_levels}, p.embedding)
    AS differs
FROM arriving a
JOIN monitoring_caseplace c ON c.deployment_id = %(deployment)s AND c.version_id = %(version)s AND c."case" = a."case"
JOIN monitoring_prediction p ON p.deployment_id = c.deployment_id AND p.version_id = c.version_id
    AND p."case" = c."case" AND p.study_time = c.study_time
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
    found.accepted = _insert_new(
        cursor, batch, shape, "WHERE NOT EXISTS (SELECT FROM meeting m WHERE m.place = a.place)"
    )
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
        cursor.execute(_KEEP_OLD, given)
        cursor.execute(_TAKE_OLD, given)
        found.corrected = int(cursor.rowcount)
        cursor.execute(_MOVE_PLACE, given)
        found.accepted += found.corrected
    return found
