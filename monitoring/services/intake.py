"""Accepting a delivery: checked rows into the partitioned table by COPY, in one transaction with their batch."""

import hashlib
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from django.db import connection, transaction
from django.utils import timezone
from psycopg import sql

from accounts.models import ApiToken
from assurance.evidence.errors import InvalidInput
from assurance.jobs import start_job
from assurance.models import Deployment
from assurance.services.pseudonyms import pseudonyms
from monitoring.columns import copy_in
from monitoring.intake.readers import read
from monitoring.intake.rows import CheckedRows, Expected, check_rows
from monitoring.models import PredictionBatch, Reject, Signal

SUMMARISE = "monitoring.summarise_batch"


def accept_batch(
    deployment: Deployment, *, content: bytes, media_type: str, idempotency_key: str = "",
    purpose: str = "monitoring", token: ApiToken | None = None,
) -> PredictionBatch:  # fmt: skip
    """Store the good rows of one delivery and refuse the others row by row. Safe to repeat.

    A delivery with the key of an earlier one and the same content gives the earlier batch again. Rows whose case,
    version and study time are already stored are counted as duplicates and change nothing.

    Raises
    ------
    InvalidInput
        What the readers refuse as a whole, ``key_reused`` for a known key with other content, ``deployment_retired``.
    """
    if deployment.status == Deployment.Status.RETIRED:
        raise InvalidInput("deployment_retired", f"{deployment} is retired: it takes no predictions")
    sha256 = hashlib.sha256(content).hexdigest()
    key = idempotency_key.strip() or f"sha256:{sha256}"
    if len(key) > 120:
        raise InvalidInput("bad_key", f"Idempotency-Key has {len(key)} characters: at most 120")
    known = _known(deployment, key, sha256)
    if known:
        return known
    columns = read(content, media_type=media_type)
    with transaction.atomic():
        # One delivery at a time for a deployment: signals keep their places, and a repeated key waits for the first.
        Deployment.objects.select_for_update(of=("self",)).get(pk=deployment.pk)
        known = _known(deployment, key, sha256)
        if known:
            return known
        rows = check_rows(columns, expected_of(deployment))
        new = _add_signals(deployment, rows)
        batch = PredictionBatch(
            organisation_id=deployment.organisation_id, deployment=deployment, purpose=purpose, idempotency_key=key,
            content_sha256=sha256, token=token, rows=rows.n_sent, accepted=0, rejected=len(rows.refused),
            new_columns=new, received_at=timezone.now(),
        )  # fmt: skip
        cases = pseudonyms(deployment.organisation_id, rows.case_id)
        batch.accepted = _store(batch, rows, cases) if rows.n else 0
        batch.duplicates = rows.n - batch.accepted
        batch.save(force_insert=True)
        _store_labels(batch, cases, rows.label, rows.label_time)
        _store_rejects(batch, rows)
        if purpose == PredictionBatch.Purpose.MONITORING and batch.accepted:
            start_job(
                SUMMARISE, queue="ingest", title=f"Day states of {batch.accepted} predictions of {deployment}",
                arguments={"batch_id": str(batch.pk)}, organisation_id=deployment.organisation_id,
            )  # fmt: skip
    return batch


def expected_of(deployment: Deployment) -> Expected:
    return Expected(
        sites=dict(deployment.sites.order_by("code").values_list("code", "time_zone")),
        version=deployment.version.version, now=timezone.now(),
        signals={name: kind for name, kind in deployment.signals.values_list("name", "kind") if kind != "score"},
    )  # fmt: skip


def _known(deployment: Deployment, key: str, sha256: str) -> PredictionBatch | None:
    batch = PredictionBatch.objects.filter(deployment=deployment, idempotency_key=key).first()
    if batch and batch.content_sha256 != sha256:
        raise InvalidInput("key_reused", f"Idempotency-Key {key!r} came before with other content: give a new key")
    return batch


def _add_signals(deployment: Deployment, rows: CheckedRows) -> list[str]:
    """Give every new column its place after those that exist; answer the new names."""
    known = set(deployment.signals.values_list("name", flat=True))
    wanted = [("score", Signal.Kind.SCORE)] if rows.score is not None else []
    wanted += [(name, Signal.Kind.NUMERIC) for name in rows.numbers]
    wanted += [(name, Signal.Kind.CATEGORICAL) for name in rows.levels]
    fresh: list[Signal] = []
    for name, kind in wanted:
        if name in known:
            continue
        taken = deployment.signals.filter(kind=kind).count() + len([one for one in fresh if one.kind == kind])
        family = "input" if name.startswith(("meta_", "q_")) else "output"
        fresh.append(Signal(deployment=deployment, name=name, kind=kind, family=family, position=taken))
    Signal.objects.bulk_create(fresh)
    return [one.name for one in fresh]


def _store(batch: PredictionBatch, rows: CheckedRows, cases: list[str]) -> int:
    numeric, categorical = (
        list(batch.deployment.signals.filter(kind=kind).order_by("position").values_list("name", flat=True))
        for kind in (Signal.Kind.NUMERIC, Signal.Kind.CATEGORICAL)
    )
    patients = pseudonyms(batch.organisation_id, rows.patient_id)
    columns: dict[str, Any] = {
        "case": pa.array(cases),
        "patient": pa.array([code if name else "" for code, name in zip(patients, rows.patient_id, strict=True)]),
        "study_time": pa.array(rows.study_time, type=pa.timestamp("us", tz="UTC")).cast(pa.string()),
        "site": pa.array(rows.site),
        "score": _floats(rows.score, rows.n),
        "decision": pa.array(rows.decision),
        "embedding": pa.array(_hex(rows.embedding, rows.n), type=pa.string()),
    }
    for place, name in enumerate(numeric):
        columns[f"n{place}"] = _floats(rows.numbers.get(name), rows.n)
    for place, name in enumerate(categorical):
        columns[f"l{place}"] = pa.array(rows.levels.get(name, [None] * rows.n), type=pa.string())
    table = pa.table(columns)
    months = pd.Series(rows.study_time).dt.strftime("%Y-%m-01").unique()
    kinds = {"study_time": "timestamptz", "score": "double precision", "embedding": "bytea"}
    definition = sql.SQL(", ").join(
        sql.SQL("{} {}").format(
            sql.Identifier(name),
            sql.SQL("double precision" if name[0] == "n" and name[1:].isdigit() else kinds.get(name, "text")),
        )
        for name in table.column_names
    )
    with connection.cursor() as cursor:
        for month in months:
            cursor.execute("SELECT vigil_prediction_month(%s::date)", [month])
        cursor.execute(sql.SQL("CREATE TEMP TABLE arriving ({}) ON COMMIT DROP").format(definition))
        copy_in("arriving", table)
        cursor.execute(_INSERT.format(numbers=_array("n", len(numeric), "float8[]"),
                                      levels=_array("l", len(categorical), "text[]")),
                       [batch.deployment_id, batch.organisation_id, batch.deployment.version_id, batch.pk,
                        batch.received_at])  # fmt: skip
        stored = int(cursor.rowcount)
        cursor.execute("DROP TABLE arriving")
    return stored


_INSERT = sql.SQL("""
INSERT INTO monitoring_prediction (deployment_id, organisation_id, version_id, batch_id, received_at, "case", patient,
    study_time, site, score, decision, numbers, levels, embedding)
SELECT %s, %s, %s, %s, %s, "case", coalesce(patient, ''), study_time, site, score, coalesce(decision, ''),
    {numbers}, {levels}, embedding
FROM arriving ON CONFLICT DO NOTHING
""")


def _array(letter: str, length: int, kind: str) -> sql.Composable:
    names = sql.SQL(", ").join(sql.Identifier(f"{letter}{place}") for place in range(length))
    return sql.SQL("ARRAY[{}]::{}").format(names, sql.SQL(kind))


def _floats(values: Any, n: int) -> pa.Array:
    return pa.nulls(n, pa.float64()) if values is None else pa.array(values, type=pa.float64(), from_pandas=True)


def _hex(embedding: Any, n: int) -> list[str | None]:
    return [None] * n if embedding is None else ["\\x" + row.astype("<f2").tobytes().hex() for row in embedding]


def _store_labels(batch: PredictionBatch, cases: list[str], label: Any, label_time: pd.Series) -> None:
    known = np.flatnonzero(~np.isnan(label))
    if known.size:
        times = [None if pd.isna(time) else time.to_pydatetime() for time in label_time]
        put_labels(batch.deployment, [(cases[at], float(label[at]), times[at]) for at in known], quantity="label")


def put_labels(deployment: Deployment, values: list[tuple[str, float, Any]], *, quantity: str) -> int:
    """Store (case pseudonym, value, time); a later value of the same case replaces the earlier one."""
    if not values:
        return 0
    cases, numbers, times = (list(part) for part in zip(*values, strict=True))
    with connection.cursor() as cursor:
        cursor.execute(
            """INSERT INTO monitoring_label (organisation_id, deployment_id, "case", quantity, value, labelled_at,
                received_at)
            SELECT %s, %s, c, %s, v, t, now() FROM unnest(%s::text[], %s::float8[], %s::timestamptz[]) AS given(c, v, t)
            ON CONFLICT (deployment_id, "case", quantity) DO UPDATE
            SET value = excluded.value, labelled_at = excluded.labelled_at, received_at = excluded.received_at
            WHERE monitoring_label.value IS DISTINCT FROM excluded.value""",
            [deployment.organisation_id, deployment.pk, quantity, cases, numbers, times],
        )
        return int(cursor.rowcount)


def _store_rejects(batch: PredictionBatch, rows: CheckedRows) -> None:
    Reject.objects.bulk_create(
        [
            Reject(organisation_id=batch.organisation_id, batch=batch, row=one.row, column=one.column, code=one.code,
                   reason=one.reason)
            for one in rows.refused
        ],
        batch_size=2000,
    )  # fmt: skip
