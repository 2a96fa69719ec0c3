"""Giving and ending roles, with what no administrator can override: sides, kinds, and nobody for themselves."""

from datetime import datetime

from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.utils import timezone

from accounts.models import ROLES_OF_KIND, Membership, Organisation, Person, Role, Site
from records.actor import Actor
from records.services import record_event

SIDES = {  # one person never stands on two sides of a submission, nor on the operator's and on one of them
    Organisation.Kind.DEVELOPER: "applicant",
    Organisation.Kind.HOSPITAL: "applicant",
    Organisation.Kind.REGULATOR: "regulator",
    Organisation.Kind.OPERATOR: "operator",
}


@transaction.atomic
def grant_role(
    person: Person, organisation: Organisation, role: str, *, by: Actor, site: Site | None = None,
    starts_at: datetime | None = None, ends_at: datetime | None = None, reason: str = "",
) -> Membership:  # fmt: skip
    """Give ``person`` a role, from a time to a time.

    Raises
    ------
    ValidationError
        The organisation has no such role, the site is another's, the role is held already, the times are crossed, or
        the person works for another side.
    PermissionDenied
        An administrator tries to raise their own rights.
    """
    if by.person_id == person.pk:
        raise PermissionDenied("nobody gives a role to themselves: another administrator has to do it")
    if role not in ROLES_OF_KIND[organisation.kind]:
        allowed = ", ".join(sorted(ROLES_OF_KIND[organisation.kind]))
        raise ValidationError(f"role {role!r} is none of a {organisation.get_kind_display().lower()}: one of {allowed}")
    if site is not None and site.organisation_id != organisation.pk:
        raise ValidationError(f"site {site.code!r} does not belong to {organisation}")
    starts_at = starts_at or timezone.now()
    if ends_at is not None and ends_at <= starts_at:
        raise ValidationError(f"ends_at {ends_at.isoformat()} is not after starts_at {starts_at.isoformat()}")
    locked = Person.objects.select_for_update().get(pk=person.pk)  # two grants at once must see each other
    held = list(locked.memberships.current().select_related("organisation"))
    other = next((m for m in held if SIDES[m.organisation.kind] != SIDES[organisation.kind]), None)
    if other is not None:
        raise ValidationError(
            f"{person} is {other.get_role_display()} at {other.organisation} and cannot also work for {organisation}: "
            "one person never stands on two sides"
        )
    if any(m.organisation_id == organisation.pk and m.role == role and m.site_id == (site and site.pk) for m in held):
        raise ValidationError(f"{person} is {Role(role).label} at {organisation} already")
    membership = Membership.objects.create(
        person=person, organisation=organisation, role=role, site=site, starts_at=starts_at, ends_at=ends_at
    )
    record_event(
        action="role.grant", subject=organisation, by=by, reason=reason,
        new={"person": person.email, "role": role, "site": site and site.code, "starts_at": starts_at,
             "ends_at": ends_at},
    )  # fmt: skip
    return membership


@transaction.atomic
def end_role(membership: Membership, *, by: Actor, reason: str) -> Membership:
    """End a role now; its time stays on record. ``reason`` is kept in the trail."""
    membership = Membership.objects.select_for_update().get(pk=membership.pk)
    now = timezone.now()
    if membership.ends_at is not None and membership.ends_at <= now:
        raise ValidationError(f"the role ended on {membership.ends_at.isoformat()}")
    if not reason.strip():
        raise ValidationError("reason is empty: say why the role ends")
    old = membership.ends_at
    membership.ends_at = max(now, membership.starts_at)
    membership.save(update_fields=("ends_at",))
    record_event(
        action="role.end", subject=membership.organisation, by=by, reason=reason.strip(), old={"ends_at": old},
        new={"person": membership.person.email, "role": membership.role, "ends_at": membership.ends_at},
    )  # fmt: skip
    return membership
