"""From findings to alarms: one for each lasting condition, and the maps that it asks for."""

from collections.abc import Iterable

from django.contrib.auth import get_user_model
from django.db import transaction
from django.utils import timezone

from assurance.evidence.errors import InvalidInput
from assurance.jobs import start_job
from assurance.models import Deployment, FindingRecord
from monitoring.models import Alarm, AlarmNote
from monitoring.plan import Plan
from records.actor import SYSTEM, Actor
from records.services import record_event

EXPLAIN = "explainability.explain_cases"  # by name: the two apps do not know each other


def raise_alarms(deployment: Deployment, records: Iterable[FindingRecord], *, plan: Plan) -> list[Alarm]:
    """Open an alarm for each finding at ``act`` that the plan listens to, or add the window to the open one."""
    opened = []
    for record in records:
        if record.state != "act" or record.quantity not in plan.alarm_on or record.window_start is None:
            continue
        alarm = _open_alarm(deployment, record)
        if alarm is None:
            continue
        opened.append(alarm)
        record_event(
            action="alarm.open", subject=alarm, by=SYSTEM,
            new={"finding": record.digest, "signal": record.signal, "stratum": record.stratum, "state": record.state},
        )  # fmt: skip
    _ask_for_maps(deployment, opened, plan=plan)
    return opened


def _ask_for_maps(deployment: Deployment, opened: list[Alarm], *, plan: Plan) -> None:
    """Maps of the cases behind each alarm; a case that several alarms share is one case, and ``maps.most`` ends it."""
    if not plan.maps.cases or not plan.maps.methods:
        return
    asked: set[str] = set()
    for alarm in opened:
        room = plan.maps.most - len(asked)
        fresh = [case for case in cases_behind(alarm, most=plan.maps.cases) if case not in asked][:room]
        if not fresh:
            continue
        asked.update(fresh)
        start_job(
            EXPLAIN, queue="inference", title=f"Maps for the alarm: {alarm}",
            arguments={"deployment_id": str(deployment.pk), "alarm_id": alarm.pk, "cases": fresh,
                       "methods": list(plan.maps.methods)},
            organisation_id=deployment.organisation_id,
        )  # fmt: skip


def _open_alarm(deployment: Deployment, record: FindingRecord) -> Alarm | None:
    """A new alarm; None when an open one took the window in."""
    condition = {
        "deployment": deployment, "version": deployment.version, "family": record.family, "signal": record.signal,
        "stratum": record.stratum,
    }  # fmt: skip
    current = Alarm.objects.select_for_update().filter(**condition).exclude(status=Alarm.Status.CLOSED).first()
    if current is None:
        closed = Alarm.objects.filter(**condition, last_window_end__gte=record.window_end).exists()
        if closed:
            return None  # a person has judged this window already; recomputing it calls nobody again
        return Alarm.objects.create(
            **condition, quantity=record.quantity, finding=record, finding_state=record.state,
            window_start=record.window_start, last_window_end=record.window_end,
        )  # fmt: skip
    if record.window_end and record.window_end > current.last_window_end:
        current.last_window_end = record.window_end
        current.windows += 1
        current.finding, current.finding_state = record, record.state
        current.save(update_fields=("last_window_end", "windows", "finding", "finding_state"))
    return None


def cases_behind(alarm: Alarm, *, most: int) -> list[str]:
    """Pseudonyms of the window's cases that lie farthest from the reference's centre, of those with an image."""
    from monitoring.selectors.cases import farthest_cases

    return farthest_cases(alarm, most=most)


@transaction.atomic
def handle_alarm(alarm: Alarm, *, status: str, text: str, cause: str = "", by: Actor) -> Alarm:
    """Acknowledge, close or reopen an alarm with a reason; closing needs a cause.

    Raises
    ------
    InvalidInput
        ``unknown_status``, ``unknown_cause``, ``reason_missing``, ``cause_missing``, ``no_change``.
    """
    alarm = Alarm.objects.select_for_update().get(pk=alarm.pk)
    if status not in Alarm.Status.values:
        raise InvalidInput("unknown_status", f"status {status!r}: choose one of {', '.join(Alarm.Status.values)}")
    if cause not in Alarm.Cause.values:
        raise InvalidInput(
            "unknown_cause", f"cause {cause!r}: choose one of {', '.join(filter(None, Alarm.Cause.values))}"
        )
    if not text.strip():
        raise InvalidInput("reason_missing", "text is empty: say what was found or decided")
    if status == Alarm.Status.CLOSED and not cause:
        raise InvalidInput("cause_missing", "cause is empty: an alarm is closed with its cause")
    if alarm.status == Alarm.Status.CLOSED:
        raise InvalidInput("no_change", "the alarm is closed: a new one opens when the condition returns")
    old = {"status": alarm.status, "cause": alarm.cause}
    alarm.status, alarm.cause = status, cause or alarm.cause
    alarm.closed_at = timezone.now() if status == Alarm.Status.CLOSED else None
    alarm.save(update_fields=("status", "cause", "closed_at"))
    AlarmNote.objects.create(
        alarm=alarm, person=get_user_model()._default_manager.get(pk=by.person_id), status=status, cause=cause,
        text=text.strip(),
    )  # fmt: skip
    record_event(action="alarm.handle", subject=alarm, by=by, old=old, new={"status": status, "cause": alarm.cause},
                 reason=text)  # fmt: skip
    return alarm
