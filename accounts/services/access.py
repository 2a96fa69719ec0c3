"""Showing one object to one organisation for a time, and writing down who looked."""

from datetime import datetime

from django.core.exceptions import ValidationError
from django.db import models, transaction
from django.utils import timezone

from accounts.models import AccessGrant, Organisation
from records.actor import Actor
from records.services import record_event


@transaction.atomic
def grant_access(
    subject: models.Model, *, to: Organisation, by: Actor, starts_at: datetime | None = None,
    ends_at: datetime | None = None, reason: str = "",
) -> AccessGrant:  # fmt: skip
    """Show ``subject`` to the people of ``to``, read-only, within these times. What they do with it is logged."""
    starts_at = starts_at or timezone.now()
    if ends_at is not None and ends_at <= starts_at:
        raise ValidationError(f"ends_at {ends_at.isoformat()} is not after starts_at {starts_at.isoformat()}")
    grant = AccessGrant.objects.create(
        organisation=to, subject_kind=subject._meta.label_lower, subject_id=str(subject.pk),
        subject_name=str(subject)[:200], starts_at=starts_at, ends_at=ends_at, reason=reason,
    )  # fmt: skip
    record_event(
        action="access.grant", subject=subject, by=by, reason=reason,
        new={"organisation": to.slug, "starts_at": starts_at, "ends_at": ends_at},
    )  # fmt: skip
    return grant


@transaction.atomic
def end_access(grant: AccessGrant, *, subject: models.Model, by: Actor, reason: str) -> AccessGrant:
    """Take an object back from now on; what was seen stays in the trail."""
    grant = AccessGrant.objects.select_for_update().get(pk=grant.pk)
    if grant.revoked_at is None:
        grant.revoked_at = timezone.now()
        grant.save(update_fields=("revoked_at",))
        record_event(
            action="access.end", subject=subject, by=by, reason=reason,
            new={"organisation": grant.organisation.slug, "revoked_at": grant.revoked_at},
        )  # fmt: skip
    return grant


@transaction.atomic
def log_view(subject: models.Model, *, by: Actor, what: str = "") -> None:
    """Write that somebody outside the owner looked at ``subject``; ``what`` names the page or file."""
    record_event(action="object.view", subject=subject, by=by, new={"what": what} if what else None)
