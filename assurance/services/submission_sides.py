"""On which side of a submission somebody stands, and in which roles."""

from typing import Any

from django.core.exceptions import PermissionDenied

from accounts.models import Membership, Person, Role
from accounts.permissions import memberships
from assurance.models import Submission
from records.actor import Actor

DEVELOPER_ROLES = {Role.DEVELOPER_AUTHOR, Role.DEVELOPER_APPROVER}
REGULATOR_ROLES = {Role.REGULATOR_INTAKE, Role.REGULATOR_ASSESSOR, Role.REGULATOR_DECIDER}
HOSPITAL_ROLES = {Role.HOSPITAL_QA, Role.HOSPITAL_SIGNATORY, Role.SAFETY_OFFICER}


def memberships_in(submission: Submission, person: Person) -> list[Membership]:
    """The person's memberships that count for this submission: of its developer, its regulator or its hospitals."""
    parties = submission.organisations()
    places = {
        "developer": {submission.organisation_id}, "regulator": parties.get("regulator", set()),
        "hospital": parties.get("hospital", set()),
    }  # fmt: skip
    roles = {"developer": DEVELOPER_ROLES, "regulator": REGULATOR_ROLES, "hospital": HOSPITAL_ROLES}
    return [
        membership
        for membership in memberships(person)
        if membership.organisation_id in places.get(membership.organisation.kind, set())
        and membership.role in roles[membership.organisation.kind]
    ]


def acting_as(submission: Submission, person: Person, roles: tuple[Any, ...], *, request_id: str = "") -> Actor | None:
    """The actor in the first of ``roles`` that the person holds for this submission, or None."""
    held = {membership.role: membership for membership in memberships_in(submission, person)}
    for role in roles:
        if role in held:
            return Actor(
                person_id=person.pk, organisation_id=held[role].organisation_id, role=role, request_id=request_id
            )
    return None


def side_of(submission: Submission, by: Actor) -> str:
    """developer, regulator or hospital; ``PermissionDenied`` for anybody else."""
    parties = submission.organisations()
    for side, organisations in (
        ("developer", parties["owner"]),
        ("regulator", parties.get("regulator", set())),
        ("hospital", parties.get("hospital", set())),
    ):
        if by.organisation_id in organisations:
            return side
    raise PermissionDenied("this submission belongs to other organisations")


def require_side(submission: Submission, by: Actor, side: str, *, roles: tuple[Any, ...] = ()) -> None:
    """Refuse who is not on ``side``, or there in none of ``roles``. A token acts with its organisation's verbs."""
    if side_of(submission, by) != side:
        raise PermissionDenied(f"only the {side} may do this")
    if roles and by.role not in roles and not by.role.startswith("token:"):
        names = ", ".join(Role(role).label for role in roles)
        raise PermissionDenied(f"{by.role} may not do this: it takes {names}")


def locked(submission: Submission) -> Submission:
    """The row as it is now, held until the transaction ends: two steps of one file take turns."""
    return Submission.objects.select_for_update().get(pk=submission.pk)
