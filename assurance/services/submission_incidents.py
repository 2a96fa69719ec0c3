"""Incidents at a deployment as its submissions follow them.

The incident itself and its legal clocks live elsewhere and tell each step here, so that nothing is entered twice.
"""

from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils import timezone

from assurance import regulation
from assurance.models import Deployment, Submission, SubmissionIncident
from assurance.services.endings import propose_suspension
from records.actor import Actor
from records.canonical import content_hash
from records.services import record_event

FOLLOWED_IN = ("active", "suspended", "final_report_due", "exit_evaluation", "terminated")
STOPPING = ("death", "serious_public_health_threat")  # such an event proposes the suspension at once
Status: Any = SubmissionIncident.Status
ORDER = (
    Status.RECORDED, Status.TRIAGED, Status.NOT_REPORTABLE, Status.REPORTABLE, Status.REPORTED_INITIAL,
    Status.REPORTED_FINAL, Status.CLOSED,
)  # fmt: skip


@transaction.atomic
def record_incident(
    deployment: Deployment, *, number: int, event_kind: str, title: str, aware_at: datetime, by: Actor
) -> list[SubmissionIncident]:
    """Put an incident on the file of every running submission of ``deployment``; safe to call again.

    An event of the two gravest kinds raises a proposal to suspend; people decide about it.
    """
    made = []
    for submission in Submission.objects.select_for_update(of=("self",)).filter(
        deployments=deployment, state__in=FOLLOWED_IN
    ):
        incident, fresh = SubmissionIncident.objects.get_or_create(
            submission=submission, incident_number=number,
            defaults={"deployment": deployment, "event_kind": event_kind, "title": title[:200], "aware_at": aware_at},
        )  # fmt: skip
        made.append(incident)
        if fresh:
            record_event(
                action="submission.incident", subject=submission, by=by,
                new={"incident": number, "event_kind": event_kind, "status": incident.status},
            )  # fmt: skip
        _propose(incident, by)
    return made


@transaction.atomic
def note_incident_step(*, number: int, status: str, by: Actor, reason: str = "", event_kind: str = "") -> None:
    """Follow a step of the incident on every file that has it. A step that was passed already changes nothing."""
    rows = SubmissionIncident.objects.select_for_update(of=("self",)).filter(incident_number=number)
    for incident in rows.select_related("submission"):
        old = incident.status
        kind_changed = bool(event_kind) and event_kind != incident.event_kind
        if ORDER.index(status) <= ORDER.index(old) and not kind_changed:
            continue
        incident.status = status  # a graver kind may ask for new reports after the last one
        incident.event_kind = event_kind or incident.event_kind
        incident.reason, incident.changed_at = reason.strip(), timezone.now()
        incident.save(update_fields=("status", "event_kind", "reason", "changed_at"))
        record_event(
            action="submission.incident_step", subject=incident.submission, by=by, reason=reason,
            old={"status": old}, new={"incident": number, "status": incident.status, "event_kind": incident.event_kind},
        )  # fmt: skip
        _propose(incident, by)


def _propose(incident: SubmissionIncident, by: Actor) -> None:
    if incident.event_kind not in STOPPING or incident.submission.state != "active":
        return
    kind = regulation.event_kinds().get(incident.event_kind, incident.event_kind)
    propose_suspension(
        incident.submission, trigger="incident", subject=f"incident {incident.incident_number}", by=by,
        evidence_sha256=content_hash({"incident": incident.incident_number, "event_kind": incident.event_kind}),
        reason=f"Incident {incident.incident_number}, {incident.title}: {kind}.",
    )  # fmt: skip
