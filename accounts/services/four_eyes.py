"""No single administrator can become somebody else: who replaced one key of a person does not hand out the other."""

from datetime import timedelta

from django.core.exceptions import PermissionDenied
from django.utils import timezone

from accounts.models import Person
from records.actor import Actor
from records.models import AuditEvent

APART = timedelta(days=7)


def refuse_second_key(person: Person, *, by: Actor, other: str) -> None:
    """``PermissionDenied`` when ``by`` did ``other`` to ``person`` within a week, as the trail shows."""
    if by.person_id is None:
        return  # at the machine itself, where the database could be changed anyway
    done = AuditEvent.objects.filter(
        action=other, subject_kind=Person._meta.label_lower, subject_id=str(person.pk), person_id=by.person_id,
        at__gt=timezone.now() - APART,
    )  # fmt: skip
    if done.exists():
        raise PermissionDenied(
            f"you replaced the other key of {person} within a week: with both one could sign in their name, so another "
            "administrator has to do this"
        )
