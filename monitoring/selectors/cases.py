"""Cases of a deployment: only for the hospital's own people and jobs, as row security enforces."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection
from psycopg import sql

from assurance.models import CaseFile, Deployment
from monitoring.models import Alarm, Signal


def farthest_cases(alarm: Alarm, *, most: int) -> list[str]:
    """Cases of the alarm's window and stratum, the most unusual of the alarm's signal first; with an image only."""
    deployment = alarm.deployment
    images = set(
        CaseFile.objects.filter(deployment=deployment, role=CaseFile.Role.IMAGE).values_list("case", flat=True)
    )
    if not images:
        return []
    conditions = ["deployment_id = %s", "version_id = %s", "study_time >= %s", "study_time < %s", '"case" = ANY(%s)']
    values: list[Any] = [
        deployment.pk, alarm.version_id, alarm.finding.window_start, alarm.finding.window_end, sorted(images),
    ]  # fmt: skip
    if alarm.stratum.startswith("site="):
        conditions.append("site = %s")
        values.append(alarm.stratum.removeprefix("site="))
    order, extra = _order(alarm)
    query = sql.SQL(
        'SELECT "case" FROM monitoring_prediction WHERE ' + " AND ".join(conditions) + " ORDER BY {} LIMIT %s"
    )
    with connection.cursor() as cursor:
        cursor.execute(query.format(order), [*values, *extra, most])
        return [row[0] for row in cursor.fetchall()]


def _order(alarm: Alarm) -> tuple[sql.Composable, list[Any]]:
    signal = Signal.objects.filter(deployment=alarm.deployment, name=alarm.signal).first()
    if signal is None or signal.kind == Signal.Kind.CATEGORICAL:
        return sql.SQL('study_time, "case"'), []
    column = (
        sql.SQL("score") if signal.kind == Signal.Kind.SCORE else sql.SQL("numbers[{}]").format(signal.position + 1)
    )
    centre = _reference_centre(alarm)
    return sql.SQL('abs({} - %s) DESC NULLS LAST, "case"').format(column), [centre]


def _reference_centre(alarm: Alarm) -> float:
    from monitoring.drift.distribution import distribution
    from monitoring.drift.state import state_from_bytes
    from monitoring.models import ReferenceState

    state = ReferenceState.objects.filter(
        reference__deployment=alarm.deployment, reference__version=alarm.version_id, reference__replaced_at=None,
        signal=alarm.signal,
    ).first()  # fmt: skip
    return distribution(state_from_bytes(bytes(state.content)), name="reference").mean if state else 0.0


@dataclass(frozen=True, slots=True)
class CaseFacts:
    """One prediction as the case page shows it: signals by name."""

    case: str
    site: str
    study_time: datetime
    score: float | None
    decision: str
    values: dict[str, Any]


def case_facts(deployment: Deployment, case: str) -> CaseFacts | None:
    with connection.cursor() as cursor:
        cursor.execute(
            'SELECT p."case", p.site, p.study_time, p.score, p.decision, p.numbers, p.levels '
            "FROM monitoring_caseplace c "
            'JOIN monitoring_prediction p USING (deployment_id, version_id, "case", study_time) '
            'WHERE c.deployment_id = %s AND c."case" = %s ORDER BY c.study_time DESC LIMIT 1',
            [deployment.pk, case],
        )
        row = cursor.fetchone()
    if row is None:
        return None
    numbers, levels = row[5], row[6]
    values = {}
    for signal in deployment.signals.exclude(kind=Signal.Kind.SCORE):
        array = numbers if signal.kind == Signal.Kind.NUMERIC else levels
        values[signal.name] = array[signal.position] if signal.position < len(array) else None
    case, site, study_time, score, decision = row[:5]
    return CaseFacts(case, site, study_time, score, decision, values)
