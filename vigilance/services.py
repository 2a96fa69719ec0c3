"""From an alarm to an incident, its clocks, its reports and its end. Every step is an audit event."""

from collections.abc import Iterable
from datetime import datetime

from django.db import transaction
from django.db.models import Max
from django.utils import timezone

from assurance.evidence.errors import InvalidInput, NotComputable
from assurance.models import Deployment
from records.actor import Actor
from records.services import record_event
from vigilance import catalogue
from vigilance.deadlines.clock import due
from vigilance.deadlines.duties import Duty, duties_for
from vigilance.models import Incident, ReportingClock

DEFAULT_FRAMEWORKS = ("eu-mdr", "eu-ai-act", "uk-pms", "cfr-803")
DEFAULT_ACTORS = ("manufacturer", "provider", "deployer", "user_facility")


@transaction.atomic
def open_incident(
    *, deployment: Deployment, event_kind: str, title: str, description: str, aware_at: datetime, by: Actor,
    time_zone: str = "UTC", alarm_id: int | None = None, frameworks: Iterable[str] = DEFAULT_FRAMEWORKS,
    actors: Iterable[str] = DEFAULT_ACTORS,
) -> Incident:  # fmt: skip
    """Open an incident and start a clock for each duty in force that an event of this kind brings with it."""
    kinds = catalogue.event_kinds()
    if event_kind not in kinds:
        raise InvalidInput(
            "unknown_event_kind", f"event_kind {event_kind!r} is not known: choose one of {', '.join(kinds)}"
        )
    if aware_at.tzinfo is None:
        raise InvalidInput("no_time_zone", f"aware_at {aware_at.isoformat()} has no time zone: give one")
    if aware_at > timezone.now():
        raise InvalidInput(
            "in_the_future", f"aware_at {aware_at.isoformat()} lies in the future: give when it was learnt"
        )
    if not title.strip() or not description.strip():
        raise InvalidInput("reason_missing", "title and description are empty: say what happened")
    incident = Incident.objects.create(
        number=_next_number(), organisation_id=deployment.organisation_id, deployment=deployment, alarm_id=alarm_id,
        event_kind=event_kind, title=title.strip(), description=description.strip(), aware_at=aware_at,
        time_zone=time_zone,
    )  # fmt: skip
    found = duties_for(
        catalogue.duties().values(), event_kind=event_kind, frameworks=frameworks, actors=actors, on=aware_at.date()
    )
    ReportingClock.objects.bulk_create([_clock(incident, duty) for duty in found if duty.live])
    record_event(
        action="incident.open", subject=incident, by=by, reason=incident.description,
        new={"event_kind": event_kind, "aware_at": aware_at, "clocks": [duty.id for duty in found if duty.live]},
    )  # fmt: skip
    return incident


def _next_number() -> int:
    return int(Incident.objects.aggregate(most=Max("number"))["most"] or 0) + 1


def _clock(incident: Incident, duty: Duty) -> ReportingClock:
    terms = {
        "recipient": list(duty.recipient), "actor": duty.actor, "ref": duty.ref, "framework": duty.framework,
        "immediate": duty.immediate, "days": duty.days, "hours": duty.hours, "working_days": duty.working_days,
        "verified": duty.verified, "trigger": duty.trigger, "notes": duty.notes,
    }  # fmt: skip
    try:
        answer = due(duty, aware=incident.aware_at, zone=incident.time_zone)
    except NotComputable:
        return ReportingClock(incident=incident, duty=duty.id, terms=terms)
    return ReportingClock(incident=incident, duty=duty.id, terms=terms, due_at=answer.at, moved_to=answer.moved_to)


@transaction.atomic
def report_sent(
    clock: ReportingClock, *, at: datetime, reference: str, by: Actor, late_reason: str = ""
) -> ReportingClock:
    """Stop a clock: the report went out ``at``. A late one needs its reason."""
    clock = ReportingClock.objects.select_for_update().get(pk=clock.pk)
    if clock.reported_at is not None:
        raise InvalidInput("already_reported", f"{clock.duty} was reported on {clock.reported_at.date()}")
    if clock.due_at is not None and at > clock.due_at and not late_reason.strip():
        raise InvalidInput("reason_missing", f"the report went out after {clock.due_at.isoformat()}: give late_reason")
    clock.reported_at, clock.reference, clock.late_reason = at, reference, late_reason.strip()
    clock.save(update_fields=("reported_at", "reference", "late_reason"))
    record_event(
        action="incident.report", subject=clock.incident, by=by, reason=late_reason,
        new={"duty": clock.duty, "reported_at": at, "reference": reference},
    )  # fmt: skip
    return clock


@transaction.atomic
def close_incident(incident: Incident, *, reason: str, by: Actor) -> Incident:
    """End an incident with a reason; clocks that still run must be stopped first."""
    incident = Incident.objects.select_for_update().get(pk=incident.pk)
    running = [clock.duty for clock in incident.clocks.all() if clock.reported_at is None]
    if running:
        raise InvalidInput("clocks_running", f"reports are still due: {', '.join(running)}")
    if not reason.strip():
        raise InvalidInput("reason_missing", "reason is empty: say why the incident can be closed")
    incident.status, incident.closing_reason, incident.closed_at = (
        Incident.Status.CLOSED,
        reason.strip(),
        timezone.now(),
    )
    incident.save(update_fields=("status", "closing_reason", "closed_at"))
    record_event(
        action="incident.close",
        subject=incident,
        by=by,
        reason=reason,
        old={"status": "open"},
        new={"status": "closed"},
    )
    return incident
