"""From an alarm to an incident, its clocks, its reports and its end. Every step is an audit event."""

from collections.abc import Iterable
from datetime import date, datetime
from zoneinfo import available_timezones

from django.core.exceptions import PermissionDenied
from django.db import connection, transaction
from django.db.models import Max
from django.utils import timezone

from assurance.evidence.errors import InvalidInput, NotComputable
from assurance.models import Deployment
from assurance.services.submission_incidents import note_incident_step, record_incident
from monitoring.models import Alarm
from records.actor import Actor
from records.services import record_event
from vigilance import catalogue
from vigilance.deadlines.clock import due
from vigilance.deadlines.duties import Duty, duties_for
from vigilance.models import Incident, ReportingClock

DEFAULT_FRAMEWORKS = ("eu-mdr", "eu-ai-act", "uk-pms", "cfr-803", "gdpr")
DEFAULT_ACTORS = ("manufacturer", "provider", "deployer", "user_facility", "controller")
NUMBERING_LOCK = 7_283_004


@transaction.atomic
def open_incident(
    *, deployment: Deployment, event_kind: str, title: str, description: str, aware_at: datetime, by: Actor,
    time_zone: str = "UTC", alarm_id: int | None = None, frameworks: Iterable[str] = DEFAULT_FRAMEWORKS,
    actors: Iterable[str] = DEFAULT_ACTORS, is_device: bool = True,
) -> Incident:  # fmt: skip
    """Open an incident and start a clock for each duty in force that an event of this kind brings with it.

    ``is_device`` says that the system is a medical device, for which the AI Act leaves most reporting to device law
    (Article 73(10)).

    Raises
    ------
    InvalidInput
        ``unknown_event_kind``, ``unknown_framework``, ``no_time_zone``, ``unknown_time_zone``, ``in_the_future``,
        ``reason_missing``, ``alarm_elsewhere``.
    """
    kinds = catalogue.event_kinds()
    if event_kind not in kinds:
        raise InvalidInput(
            "unknown_event_kind", f"event_kind {event_kind!r} is not known: choose one of {', '.join(kinds)}"
        )
    frameworks = tuple(frameworks)
    known = catalogue.frameworks()
    if not frameworks or not set(frameworks) <= set(known):
        raise InvalidInput(
            "unknown_framework", f"frameworks {', '.join(frameworks) or 'is empty'}: choose from {', '.join(known)}"
        )
    if aware_at.tzinfo is None:
        raise InvalidInput("no_time_zone", f"aware_at {aware_at.isoformat()} has no time zone: give one")
    if time_zone not in available_timezones():
        raise InvalidInput("unknown_time_zone", f"time_zone {time_zone!r}: give an IANA name such as Europe/Berlin")
    if aware_at > timezone.now():
        raise InvalidInput(
            "in_the_future", f"aware_at {aware_at.isoformat()} lies in the future: give when it was learnt"
        )
    if not title.strip() or not description.strip():
        raise InvalidInput("reason_missing", "title or description is empty: say what happened")
    if alarm_id is not None and not Alarm.objects.filter(pk=alarm_id, deployment=deployment).exists():
        raise InvalidInput("alarm_elsewhere", f"alarm {alarm_id} is none of {deployment}")
    incident = Incident.objects.create(
        number=_next_number(), organisation_id=deployment.organisation_id, deployment=deployment, alarm_id=alarm_id,
        event_kind=event_kind, title=title.strip(), description=description.strip(), aware_at=aware_at,
        time_zone=time_zone,
    )  # fmt: skip
    found = starting_duties(
        event_kind, frameworks=frameworks, actors=actors, aware_at=aware_at, is_device=is_device
    )  # fmt: skip
    ReportingClock.objects.bulk_create([_clock(incident, duty) for duty in found if duty.live])
    record_event(
        action="incident.open", subject=incident, by=by, reason=incident.description,
        new={"event_kind": event_kind, "aware_at": aware_at, "alarm": alarm_id, "frameworks": list(frameworks),
             "is_device": is_device, "clocks": [duty.id for duty in found if duty.live]},
    )  # fmt: skip
    record_incident(
        deployment, number=incident.number, event_kind=event_kind, title=incident.title, aware_at=aware_at, by=by
    )
    _tell_submissions(incident, by=by, reason=incident.description)
    return incident


def _tell_submissions(incident: Incident, *, by: Actor, reason: str) -> None:
    """The files of sandbox programmes follow an incident: what it asks to be reported, and what was."""
    clocks = list(incident.clocks.all())
    sent = [clock for clock in clocks if clock.reported_at]
    if incident.status == Incident.Status.CLOSED:
        status = "closed"
    elif sent:
        status = "reported_initial" if any(clock.running for clock in clocks) else "reported_final"
    else:
        status = "reportable" if any(clock.running for clock in clocks) else "not_reportable"
    note_incident_step(number=incident.number, status=status, by=by, reason=reason, event_kind=incident.event_kind)


def starting_duties(
    event_kind: str, *, aware_at: datetime, frameworks: Iterable[str] = DEFAULT_FRAMEWORKS,
    actors: Iterable[str] = DEFAULT_ACTORS, is_device: bool = True, later_too: bool = False,
) -> list[Duty]:  # fmt: skip
    """Duties that an event of this kind brings with it; ``later_too`` adds those that bind only from a later day."""
    on = date.max if later_too else aware_at.date()
    conditions = ["high_risk_via_annex_i"]
    if event_kind == "real_world_test_incident":
        conditions.append("real_world_testing")
    if not is_device:
        conditions.append("not_mdr_ivdr_device")
    return duties_for(
        catalogue.duties().values(), event_kind=event_kind, frameworks=frameworks, actors=actors, on=on,
        conditions=conditions,
    )  # fmt: skip


def _next_number() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [NUMBERING_LOCK])  # numbers have no gap and no double
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
def change_kind(
    incident: Incident, *, event_kind: str, reason: str, by: Actor, frameworks: Iterable[str] = DEFAULT_FRAMEWORKS,
    is_device: bool = True,
) -> Incident:  # fmt: skip
    """Judge the event anew (an injury became a death). Running clocks stay; those of the new kind are added.

    The days count from the first awareness, so a clock that starts now may already be late.
    """
    incident = Incident.objects.select_for_update().get(pk=incident.pk)
    _still_open(incident)
    if event_kind not in catalogue.event_kinds():
        raise InvalidInput("unknown_event_kind", f"event_kind {event_kind!r} is not known")
    if event_kind == incident.event_kind:
        raise InvalidInput("no_change", f"the incident is {event_kind!r} already")
    if not reason.strip():
        raise InvalidInput("reason_missing", "reason is empty: say which new fact changes the judgement")
    found = starting_duties(event_kind, frameworks=frameworks, aware_at=incident.aware_at, is_device=is_device)
    there = set(incident.clocks.values_list("duty", flat=True))
    fresh = [duty for duty in found if duty.live and duty.id not in there]
    ReportingClock.objects.bulk_create([_clock(incident, duty) for duty in fresh])
    old, incident.event_kind = incident.event_kind, event_kind
    incident.save(update_fields=("event_kind",))
    record_event(
        action="incident.change_kind", subject=incident, by=by, reason=reason.strip(), old={"event_kind": old},
        new={"event_kind": event_kind, "clocks": [duty.id for duty in fresh]},
    )  # fmt: skip
    _tell_submissions(incident, by=by, reason=reason.strip())
    return incident


def check_report(clock: ReportingClock, *, at: datetime, by: Actor, late_reason: str = "") -> None:
    """Refuse a report that :func:`report_sent` would refuse, before anybody signs it."""
    if not clock.running:
        ended = "reported" if clock.reported_at else "waived"
        raise InvalidInput("already_ended", f"{clock.duty} was {ended}: its clock no longer runs")
    holders = clock.organisations().get("developer" if clock.holder == "developer" else "owner", set())
    if by.person_id is not None and by.organisation_id not in holders:
        raise PermissionDenied(
            f"this duty is the {clock.terms['actor'].replace('_', ' ')}'s: its own people say when the report went out"
        )
    if at.tzinfo is None:
        raise InvalidInput("no_time_zone", f"at {at.isoformat()} has no time zone: give one")
    if at > timezone.now():
        raise InvalidInput(
            "in_the_future", f"at {at.isoformat()} lies in the future: a report is noted once it went out"
        )
    if at < clock.incident.aware_at:
        raise InvalidInput("before_awareness", f"at {at.isoformat()} lies before the awareness")
    if clock.due_at is not None and at > clock.due_at and not late_reason.strip():
        raise InvalidInput("reason_missing", f"the report went out after {clock.due_at.isoformat()}: give late_reason")


@transaction.atomic
def report_sent(
    clock: ReportingClock, *, at: datetime, reference: str, by: Actor, late_reason: str = "", report_sha256: str = "",
    signature_id: int | None = None,
) -> ReportingClock:  # fmt: skip
    """Stop a clock: the report went out ``at``. A late one needs its reason; the duty's holder alone can say it.

    Raises
    ------
    InvalidInput
        ``already_ended``, ``no_time_zone``, ``in_the_future``, ``before_awareness``, ``reason_missing``.
    PermissionDenied
        The duty is another side's.
    """
    clock = ReportingClock.objects.select_for_update().get(pk=clock.pk)
    check_report(clock, at=at, by=by, late_reason=late_reason)
    clock.reported_at, clock.reference, clock.late_reason = at, reference.strip(), late_reason.strip()
    clock.report_sha256, clock.signature_id = report_sha256, signature_id
    clock.save(update_fields=("reported_at", "reference", "late_reason", "report_sha256", "signature_id"))
    record_event(
        action="incident.report", subject=clock.incident, by=by, reason=late_reason.strip(),
        new={"duty": clock.duty, "reported_at": at, "reference": clock.reference, "report_sha256": report_sha256,
             "signature": signature_id, "late": bool(clock.due_at and at > clock.due_at)},
    )  # fmt: skip
    _tell_submissions(clock.incident, by=by, reason=clock.reference)
    return clock


@transaction.atomic
def waive_clock(clock: ReportingClock, *, reason: str, by: Actor) -> ReportingClock:
    """Say that a duty does not apply to this incident after all, with the reason; the clock stays on record."""
    clock = ReportingClock.objects.select_for_update().get(pk=clock.pk)
    if not reason.strip():
        raise InvalidInput("reason_missing", "reason is empty: say why nothing has to be reported under this duty")
    check_report(clock, at=timezone.now(), by=by, late_reason="not a report")
    clock.waived_at, clock.waived_reason = timezone.now(), reason.strip()
    clock.save(update_fields=("waived_at", "waived_reason"))
    record_event(
        action="incident.waive", subject=clock.incident, by=by, reason=clock.waived_reason, new={"duty": clock.duty}
    )
    _tell_submissions(clock.incident, by=by, reason=clock.waived_reason)
    return clock


@transaction.atomic
def set_due_date(clock: ReportingClock, *, due_at: datetime, reason: str, by: Actor) -> ReportingClock:
    """Set the date where the law names no number of days; where it names one, nobody moves it."""
    clock = ReportingClock.objects.select_for_update().get(pk=clock.pk)
    if clock.terms["days"] is not None or clock.terms["hours"] is not None:
        raise InvalidInput("fixed_by_law", f"{clock.terms['ref']} fixes the date: it cannot be set")
    if due_at.tzinfo is None:
        raise InvalidInput("no_time_zone", f"due_at {due_at.isoformat()} has no time zone: give one")
    if not reason.strip():
        raise InvalidInput("reason_missing", "reason is empty: say where the date comes from")
    old, clock.due_at = clock.due_at, due_at
    clock.save(update_fields=("due_at",))
    record_event(
        action="incident.set_due", subject=clock.incident, by=by, reason=reason.strip(), old={"due_at": old},
        new={"duty": clock.duty, "due_at": due_at},
    )  # fmt: skip
    return clock


@transaction.atomic
def close_incident(incident: Incident, *, reason: str, by: Actor) -> Incident:
    """End an incident with a reason; running clocks must be stopped and open actions finished first."""
    incident = Incident.objects.select_for_update().get(pk=incident.pk)
    _still_open(incident)
    running = [clock.duty for clock in incident.clocks.all() if clock.running]
    if running:
        raise InvalidInput("clocks_running", f"reports are still due: {', '.join(running)}")
    if incident.actions.filter(done_at=None).exists():
        raise InvalidInput("actions_open", "corrective actions are still open: finish each and say what it did")
    if not reason.strip():
        raise InvalidInput("reason_missing", "reason is empty: say why the incident can be closed")
    incident.status, incident.closing_reason = Incident.Status.CLOSED, reason.strip()
    incident.closed_at = timezone.now()
    incident.save(update_fields=("status", "closing_reason", "closed_at"))
    record_event(
        action="incident.close", subject=incident, by=by, reason=reason.strip(), old={"status": "open"},
        new={"status": "closed"},
    )  # fmt: skip
    _tell_submissions(incident, by=by, reason=incident.closing_reason)
    return incident


def _still_open(incident: Incident) -> None:
    if incident.status == Incident.Status.CLOSED:
        raise InvalidInput("closed", f"incident {incident.number} was closed: open a new one for a new event")
