"""The vigilance app's HTTP interface: incidents of a deployment with their clocks, and opening one."""

from datetime import date, datetime
from typing import Any
from uuid import UUID

from django.http import HttpRequest
from django.shortcuts import get_object_or_404
from ninja import Router, Schema
from ninja.responses import Status

from accounts.api_auth import AUTH, caller
from accounts.permissions import Action
from assurance.evidence.moments import in_utc
from assurance.models import Deployment
from vigilance.models import Incident, ReportingClock
from vigilance.selectors import incidents_for
from vigilance.services import DEFAULT_FRAMEWORKS, open_incident

router = Router(tags=["vigilance"], auth=AUTH)


class ClockOut(Schema):
    duty: str
    ref: str
    framework: str
    actor: str
    recipient: list[str]
    due_at: datetime | None
    reported_at: datetime | None
    reference: str
    late_reason: str
    waived_reason: str
    overdue: bool


class ActionOut(Schema):
    kind: str
    text: str
    responsible: str
    due_on: date
    done_at: datetime | None
    effect: str


class IncidentOut(Schema):
    id: UUID
    number: int
    deployment: UUID
    alarm: int | None
    event_kind: str
    title: str
    description: str
    aware_at: datetime
    time_zone: str
    status: str
    closing_reason: str
    clocks: list[ClockOut]
    actions: list[ActionOut]


class IncidentIn(Schema):
    event_kind: str
    title: str
    description: str
    aware_at: datetime
    time_zone: str = "UTC"
    alarm: int | None = None
    frameworks: list[str] = list(DEFAULT_FRAMEWORKS)
    is_device: bool = True


@router.get("/deployments/{deployment_id}/incidents", response=list[IncidentOut])
def incidents(
    request: HttpRequest, deployment_id: UUID, start: datetime | None = None, end: datetime | None = None
) -> list[dict[str, Any]]:
    """Incidents that were learnt of from ``start`` to before ``end``, oldest first, each with its clocks."""
    deployment = get_object_or_404(Deployment.objects.select_related("version__model"), pk=deployment_id)
    caller(request, Action.SEE, deployment)
    return [_incident(one) for one in incidents_for(deployment, start=start and in_utc(start), end=end and in_utc(end))]


@router.post("/deployments/{deployment_id}/incidents", response={201: IncidentOut})
def open_one(request: HttpRequest, deployment_id: UUID, body: IncidentIn) -> Status:
    """Open an incident. The clocks of every duty in force start at ``aware_at``; a time without a zone is refused."""
    deployment = get_object_or_404(Deployment.objects.select_related("version__model"), pk=deployment_id)
    by = caller(request, Action.OPEN_INCIDENT, deployment)
    values = body.dict()
    if body.aware_at.tzinfo is not None:
        values["aware_at"] = in_utc(body.aware_at)
    made = open_incident(deployment=deployment, alarm_id=values.pop("alarm"), by=by, **values)
    return Status(201, _incident(made))


@router.get("/incidents/{incident_id}", response=IncidentOut)
def incident(request: HttpRequest, incident_id: UUID) -> dict[str, Any]:
    found = get_object_or_404(Incident.objects.select_related("deployment__version__model"), pk=incident_id)
    caller(request, Action.SEE, found)
    return _incident(found)


def _incident(one: Incident) -> dict[str, Any]:
    return {
        "id": one.pk, "number": one.number, "deployment": one.deployment_id, "alarm": one.alarm_id,
        "event_kind": one.event_kind, "title": one.title, "description": one.description, "aware_at": one.aware_at,
        "time_zone": one.time_zone, "status": one.status, "closing_reason": one.closing_reason,
        "clocks": [_clock(clock) for clock in one.clocks.all()],
        "actions": list(one.actions.values("kind", "text", "responsible", "due_on", "done_at", "effect")),
    }  # fmt: skip


def _clock(clock: ReportingClock) -> dict[str, Any]:
    return {
        "duty": clock.duty, "ref": clock.terms["ref"], "framework": clock.terms["framework"],
        "actor": clock.terms["actor"], "recipient": clock.terms["recipient"], "due_at": clock.due_at,
        "reported_at": clock.reported_at, "reference": clock.reference, "late_reason": clock.late_reason,
        "waived_reason": clock.waived_reason, "overdue": clock.overdue,
    }  # fmt: skip
