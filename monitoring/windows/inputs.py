"""What goes into the windows of a deployment: day states, merged, and the labels that have come."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from dataclasses import dataclass
from datetime import date
from typing import Any

import pyarrow as pa
from django.db import connection
from django.db.models import F, Max, Min
from psycopg import sql

from assurance.models import Deployment
from monitoring.columns import copy_out
from monitoring.drift.state import state_from_bytes
from monitoring.models import DayState
from monitoring.windows.calendar import Span


@dataclass(frozen=True)
class WindowInput:
    """Merged states by (stratum, signal), with the digest of the rows they came from."""

    states: dict[tuple[str, str], Any]
    digest: str
    day_states: list[int]


def days_of(deployment: Deployment) -> tuple[Any, Any]:
    """First and last day with a case under the deployment's version."""
    found = DayState.objects.filter(deployment=deployment, version=deployment.version, current=True).aggregate(
        first=Min("day"), last=Max("day")
    )
    return found["first"], found["last"]


def input_digest(deployment: Deployment, span: Span, *extra: str) -> str:
    """Names the states and labels of a window without reading them, so that an unchanged one is cheap."""
    with connection.cursor() as cursor:
        cursor.execute(
            """SELECT coalesce(string_agg(
                concat_ws(':', id, revision, n, extract(epoch FROM changed_at)), ',' ORDER BY id), '')
            FROM monitoring_daystate
            WHERE deployment_id = %s AND version_id = %s AND day >= %s AND day < %s AND current""",
            [deployment.pk, deployment.version_id, span.start, span.end],
        )
        states = cursor.fetchone()[0]
        cursor.execute(
            """SELECT coalesce(string_agg(concat_ws(':', d.id, d.revision, d.n), ',' ORDER BY d.id), '')
            FROM monitoring_embeddingday d JOIN monitoring_referenceset r ON r.id = d.reference_id
            WHERE d.deployment_id = %s AND d.version_id = %s AND d.day >= %s AND d.day < %s AND d.current
                AND r.replaced_at IS NULL""",
            [deployment.pk, deployment.version_id, span.start, span.end],
        )
        states += "/" + cursor.fetchone()[0]
        cursor.execute(
            """SELECT count(*), coalesce(sum(hashtextextended(l."case" || l.quantity || l.value, 0)), 0)
            FROM monitoring_prediction p JOIN monitoring_label l USING (deployment_id, "case")
            WHERE p.deployment_id = %s AND p.version_id = %s AND p.study_time >= %s AND p.study_time < %s""",
            [deployment.pk, deployment.version_id, span.window.start, span.window.end],
        )
        labels = "/".join(str(part) for part in cursor.fetchone())
    return hashlib.sha256("\n".join((states, labels, *extra)).encode()).hexdigest()


def window_states(deployment: Deployment, span: Span) -> WindowInput:
    """Merge the day states of a window: whole (stratum "") and, with several sites, each site."""
    several = deployment.sites.count() > 1
    merged: dict[tuple[str, str], Any] = {}
    content = hashlib.sha256()
    keys = []
    rows = DayState.objects.filter(
        deployment=deployment, version=deployment.version, current=True, day__gte=span.start, day__lt=span.end
    ).order_by("day", "site", "signal")
    for row in rows:
        state = state_from_bytes(bytes(row.content))
        content.update(bytes(row.content))
        keys.append(row.pk)
        for stratum in ("", f"site={row.site}") if several else ("",):
            place = (stratum, row.signal)
            merged[place] = merged[place].merge(state) if place in merged else state
    return WindowInput(merged, content.hexdigest(), keys)


def counts(deployment: Deployment, span: Span) -> dict[str, tuple[int, int | None]]:
    """Cases and patients by stratum; patients are None while no row names its patient."""
    with connection.cursor() as cursor:
        cursor.execute(
            """SELECT site, count(*), count(DISTINCT nullif(patient, '')) FROM monitoring_prediction
            WHERE deployment_id = %s AND version_id = %s AND study_time >= %s AND study_time < %s
                AND batch_id IN (SELECT id FROM monitoring_predictionbatch WHERE purpose = 'monitoring')
            GROUP BY GROUPING SETS ((site), ())""",
            [deployment.pk, deployment.version_id, span.window.start, span.window.end],
        )
        rows = cursor.fetchall()
    return {f"site={site}" if site else "": (cases, patients or None) for site, cases, patients in rows}


def day_counts(deployment: Deployment) -> dict[date, int]:
    """Cases of each day under the deployment's version: the largest count of any signal at each site, added up."""
    rows = (
        DayState.objects.filter(deployment=deployment, version=deployment.version, current=True)
        .values("day", "site")
        .annotate(cases=Max(F("n") + F("missing")))
    )
    counts: dict[date, int] = defaultdict(int)
    for row in rows:
        counts[row["day"]] += row["cases"]
    return dict(counts)


def labelled(deployment: Deployment, span: Span | None, *, quantity: str) -> pa.Table:
    """Cases with a value of ``quantity``: case, site, patient, score, value. ``span`` None: the reference cases."""
    where: list[Any] = [quantity, deployment.pk, deployment.version_id, "monitoring" if span else "reference"]
    condition = ""
    if span:
        condition = "AND p.study_time >= %s AND p.study_time < %s"
        where += [span.window.start, span.window.end]
    query = sql.SQL(
        """SELECT p."case", p.site, p.patient, p.score, l.value FROM monitoring_prediction p
        JOIN monitoring_label l ON l.deployment_id = p.deployment_id AND l."case" = p."case" AND l.quantity = %s
        WHERE p.deployment_id = %s AND p.version_id = %s AND p.batch_id IN
        (SELECT id FROM monitoring_predictionbatch WHERE purpose = %s) """
        + condition
        + """ ORDER BY p.study_time, p."case" """
    )
    texts = dict.fromkeys(("case", "site", "patient"), pa.string())
    types = {**texts, "score": pa.float64(), "value": pa.float64()}
    return copy_out(query, types, where)
