"""Opening a submission and what its developer declares; filing and steps have files of their own, named here too."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.db import connection, transaction
from django.db.models import Max

from accounts.models import Membership, Organisation, Role
from assurance import regulation
from assurance.evidence.errors import InvalidInput
from assurance.models import Deployment, EvidenceItem, ModelVersion, Submission
from assurance.services.filing import add_evidence, withdraw_evidence
from assurance.services.plans import freeze_plan, save_plan, sign_plan
from assurance.services.proceedings import answer, ask
from assurance.services.submission_sides import DEVELOPER_ROLES, locked, require_side
from assurance.services.submission_steps import allowed_transitions, move_submission, record_step
from assurance.submissions.machine import NONE
from records.actor import Actor
from records.canonical import content_hash
from records.services import record_event

__all__ = [
    "add_evidence", "allowed_transitions", "answer", "ask", "declare", "freeze_plan", "move_submission", "save_plan",
    "sign_plan", "start_submission", "withdraw_evidence",
]  # fmt: skip

FACTS = {  # what the developer declares besides evidence
    "terms": "the entry terms are accepted",
    "confidentiality": "the confidentiality marks are confirmed",
    "personal_data": "personal data are used",
    "real_world": "the test is in the real world",
    "deletion_attested": "personal data were deleted",
}
NUMBER_LOCK = 7_283_004
FROZEN_FACTS = {"personal_data", "real_world"}


@transaction.atomic
def start_submission(
    *, organisation: Organisation, regulator: Organisation, version: ModelVersion, profile: str, title: str, by: Actor,
    deployments: Iterable[Deployment] = (),
) -> Submission:  # fmt: skip
    """Step t01: open a draft under the programme ``profile``, which is copied as it is now.

    Raises
    ------
    InvalidInput
        ``unknown_profile``, ``wrong_regulator``, ``other_model``, ``other_version``, ``no_roles``, ``no_title``.
    """
    profiles = regulation.profiles()
    if profile not in profiles:
        raise InvalidInput("unknown_profile", f"profile {profile!r}: choose from {', '.join(profiles)}")
    if regulator.kind != Organisation.Kind.REGULATOR:
        raise InvalidInput("wrong_regulator", f"{regulator.name} is a {regulator.kind}: give a regulator")
    if version.model.organisation_id != organisation.pk:
        raise InvalidInput("other_model", f"{version} belongs to {version.model.organisation.name}: submit your own")
    if not title.strip():
        raise InvalidInput("no_title", "title is empty: say in a line what is submitted")
    places = list(deployments)
    strange = [place.name for place in places if place.version_id != version.pk]
    if strange:
        raise InvalidInput("other_version", f"{', '.join(strange)} runs another version than {version}")
    roles = _roles_of(organisation)
    number = _next_number()
    submission = Submission.objects.create(
        number=number, title=title.strip()[:200], organisation=organisation, regulator=regulator, version=version,
        profile=profile, profile_terms=regulation.profile_terms(profile), created_by_id=by.person_id,
    )  # fmt: skip
    submission.deployments.set(places)
    EvidenceItem.objects.create(
        submission=submission, kind="governance.roles", title="People and roles of the applicant", text=roles,
        sha256=content_hash(roles), author_id=by.person_id, added_in="draft",
    )  # fmt: skip
    step = regulation.machine().transition("t01")
    record_step(
        submission, step, source=NONE, by=by, reason="", sha256="", signature=None,
        more={"profile": profile, "version": str(version), "regulator": regulator.slug},
    )  # fmt: skip
    return submission


def _next_number() -> int:
    """Files are numbered one by one; the lock makes two that start at the same moment take turns."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [NUMBER_LOCK])
    return (Submission.objects.aggregate(last=Max("number"))["last"] or 0) + 1


def _roles_of(organisation: Organisation) -> str:
    rows = Membership.objects.current().filter(organisation=organisation, role__in=DEVELOPER_ROLES)
    by_role: dict[str, set[int]] = {}
    for membership in rows.select_related("person"):
        by_role.setdefault(membership.role, set()).add(membership.person_id)
    authors, approvers = (by_role.get(str(role), set()) for role in (Role.DEVELOPER_AUTHOR, Role.DEVELOPER_APPROVER))
    if not authors or not approvers or len(authors | approvers) < 2:
        raise InvalidInput(
            "no_roles", f"{organisation.name} needs an author and an approver who are two people before it submits"
        )
    lines = [f"{m.get_role_display()}: {m.person.name}" for m in rows.select_related("person").order_by("role", "pk")]
    return "\n".join(lines)


@transaction.atomic
def declare(submission: Submission, *, fact: str, value: Any, by: Actor) -> Submission:
    """Record a declaration of the developer. Those that the snapshot holds are fixed once it is frozen."""
    if fact not in FACTS:
        raise InvalidInput("unknown_fact", f"fact {fact!r}: choose from {', '.join(FACTS)}")
    submission = locked(submission)
    require_side(submission, by, "developer")
    if fact in FROZEN_FACTS and submission.state != "draft":
        raise InvalidInput("frozen", f"{FACTS[fact]}: this is fixed since the draft was signed")
    old = submission.facts.get(fact)
    submission.facts = {**submission.facts, fact: value}
    submission.save(update_fields=("facts",))
    record_event(
        action="submission.declare", subject=submission, by=by, old={fact: old}, new={fact: value}, reason=FACTS[fact]
    )
    return submission
