"""When an authority sees a submission: from the receipt to a day that is set once the procedure is over."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import transaction
from django.utils import timezone

from assurance.evidence.errors import InvalidInput
from assurance.models import Submission
from assurance.regulation import retention_rule
from assurance.services.submission_sides import locked
from records.actor import Actor
from records.services import record_event

CLOSED = ("exited", "refused", "withdrawn", "archived")  # nothing is decided any more: access may be given a date


@transaction.atomic
def end_regulator_access(submission: Submission, *, until: datetime, by: Actor, reason: str) -> Submission:
    """Let the authority's access end at ``until``; what was seen stays in the trail.

    The caller has asked :func:`accounts.permissions.require` who may. A file under decision keeps its reader, so a
    date can be set only when the procedure is over; a later call moves the date.

    Raises
    ------
    InvalidInput
        ``not_submitted``, ``procedure_open``, ``past_date``, ``no_reason``.
    """
    found = locked(submission)
    if found.submitted_at is None:
        raise InvalidInput("not_submitted", f"{found.label} was never submitted: there is no access to end")
    if found.state not in CLOSED:
        raise InvalidInput(
            "procedure_open", f"{found.label} is {found.state}: access ends only after {', '.join(CLOSED)}"
        )
    if until < timezone.now() - timedelta(minutes=1):
        raise InvalidInput("past_date", f"until {until.isoformat()} is past: give a moment from now on")
    if not reason.strip():
        raise InvalidInput("no_reason", "reason is empty: say why access ends then")
    old, found.regulator_until = found.regulator_until, until
    found.save(update_fields=("regulator_until",))
    record_event(
        action="submission.regulator_access", subject=found, by=by, reason=reason,
        old={"until": old}, new={"from": found.submitted_at, "until": until},
    )  # fmt: skip
    return found


def default_end(archived_at: datetime) -> datetime:
    """As long as technical papers must be at the authority's disposal, counted from the archiving."""
    return archived_at + timedelta(days=round(365.25 * retention_rule()["min_years"]))
