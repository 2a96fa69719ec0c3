"""Corrective and preventive actions of an incident. Every step is an audit event of the incident."""

from datetime import date

from django.db import transaction
from django.utils import timezone

from assurance.evidence.errors import InvalidInput
from records.actor import Actor
from records.services import record_event
from vigilance.models import CorrectiveAction, Incident


@transaction.atomic
def add_action(
    incident: Incident, *, kind: str, text: str, responsible: str, due_on: date, by: Actor
) -> CorrectiveAction:
    """Plan what is done about an open incident, by whom and until when.

    Raises
    ------
    InvalidInput
        ``closed``, ``unknown_kind``, ``reason_missing``, ``in_the_past``.
    """
    incident = Incident.objects.select_for_update().get(pk=incident.pk)
    if incident.status == Incident.Status.CLOSED:
        raise InvalidInput("closed", f"incident {incident.number} was closed: open a new one for a new event")
    if kind not in CorrectiveAction.Kind.values:
        raise InvalidInput("unknown_kind", f"kind {kind!r}: choose one of {', '.join(CorrectiveAction.Kind.values)}")
    if not text.strip() or not responsible.strip():
        raise InvalidInput("reason_missing", "text or responsible is empty: say what is done and who does it")
    if due_on < timezone.now().date():
        raise InvalidInput("in_the_past", f"due_on {due_on.isoformat()} lies in the past: give today or later")
    action = CorrectiveAction.objects.create(
        incident=incident, kind=kind, text=text.strip(), responsible=responsible.strip(), due_on=due_on
    )
    record_event(
        action="incident.action", subject=incident, by=by, reason=action.text,
        new={"action": action.pk, "kind": kind, "responsible": action.responsible, "due_on": due_on},
    )  # fmt: skip
    return action


@transaction.atomic
def complete_action(action: CorrectiveAction, *, effect: str, by: Actor) -> CorrectiveAction:
    """Say that an action is done and what shows that it worked."""
    action = CorrectiveAction.objects.select_for_update().get(pk=action.pk)
    if action.done_at is not None:
        raise InvalidInput("already_done", f"the action was done on {action.done_at.date().isoformat()}")
    if not effect.strip():
        raise InvalidInput("reason_missing", "effect is empty: say what shows that the action worked")
    action.done_at, action.effect = timezone.now(), effect.strip()
    action.save(update_fields=("done_at", "effect"))
    record_event(
        action="incident.action_done", subject=action.incident, by=by, reason=action.effect,
        new={"action": action.pk, "late": action.done_at.date() > action.due_on},
    )  # fmt: skip
    return action
