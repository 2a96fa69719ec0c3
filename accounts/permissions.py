"""Who may do what to which object: one table, asked by pages, the API and tasks alike.

A role allows an action on objects of its own organisation. Two roads lead further: a regulator sees what was submitted
to it, a developer the deployments of its own device; both are given by the object itself (:func:`organisations_of`).
"""

from collections.abc import Iterable
from enum import StrEnum
from typing import Any

from django.core.exceptions import PermissionDenied
from django.db import models

from accounts.models import Membership, Organisation, Person, Role
from records.actor import Actor


class Action(StrEnum):
    SEE = "see"
    SEE_CASES = "see_cases"
    SEND_PREDICTIONS = "send_predictions"
    ASK_EXPLANATION = "ask_explanation"
    HANDLE_ALARM = "handle_alarm"
    SET_PLAN = "set_plan"
    MANAGE_DEPLOYMENT = "manage_deployment"
    HANDLE_INCIDENT = "handle_incident"
    REGISTER_MODEL = "register_model"
    EDIT_CARD = "edit_card"
    EDIT_LOCAL_CARD = "edit_local_card"
    APPROVE_CARD = "approve_card"
    EDIT_SUBMISSION = "edit_submission"
    SUBMIT = "submit"
    ASSESS = "assess"
    DECIDE = "decide"
    BUILD_DOSSIER = "build_dossier"
    DOWNLOAD_DOSSIER = "download_dossier"
    SEE_TRAIL = "see_trail"
    MANAGE_PEOPLE = "manage_people"
    MANAGE_TOKENS = "manage_tokens"
    SIGN = "sign"


_HOSPITAL_READER = {Action.SEE, Action.SEE_CASES, Action.DOWNLOAD_DOSSIER}
_HOSPITAL_QA = _HOSPITAL_READER | {
    Action.ASK_EXPLANATION, Action.HANDLE_ALARM, Action.SET_PLAN, Action.MANAGE_DEPLOYMENT, Action.EDIT_LOCAL_CARD,
    Action.SEND_PREDICTIONS, Action.BUILD_DOSSIER, Action.SEE_TRAIL, Action.MANAGE_TOKENS,
}  # fmt: skip
_AUTHOR = {
    Action.SEE, Action.REGISTER_MODEL, Action.EDIT_CARD, Action.EDIT_SUBMISSION, Action.BUILD_DOSSIER,
    Action.DOWNLOAD_DOSSIER, Action.SEE_TRAIL,
}  # fmt: skip
_REGULATOR = {Action.SEE, Action.DOWNLOAD_DOSSIER}

ALLOWED: dict[Any, frozenset[Action]] = {
    Role.HOSPITAL_READER: frozenset(_HOSPITAL_READER),
    Role.HOSPITAL_QA: frozenset(_HOSPITAL_QA),
    Role.SAFETY_OFFICER: frozenset(
        _HOSPITAL_READER | {Action.HANDLE_ALARM, Action.HANDLE_INCIDENT, Action.SEE_TRAIL, Action.SIGN}
    ),
    Role.HOSPITAL_SIGNATORY: frozenset(_HOSPITAL_READER | {Action.SEE_TRAIL, Action.SIGN}),
    Role.DEVELOPER_AUTHOR: frozenset(_AUTHOR | {Action.SIGN}),
    Role.DEVELOPER_APPROVER: frozenset(
        {Action.SEE, Action.APPROVE_CARD, Action.SUBMIT, Action.SIGN, Action.DOWNLOAD_DOSSIER, Action.BUILD_DOSSIER,
         Action.SEE_TRAIL, Action.MANAGE_TOKENS}
    ),
    Role.REGULATOR_INTAKE: frozenset(_REGULATOR | {Action.ASSESS, Action.SIGN}),
    Role.REGULATOR_ASSESSOR: frozenset(_REGULATOR | {Action.ASSESS, Action.SIGN, Action.SEE_TRAIL}),
    Role.REGULATOR_DECIDER: frozenset(_REGULATOR | {Action.ASSESS, Action.DECIDE, Action.SIGN, Action.SEE_TRAIL}),
    Role.REGULATOR_OBSERVER: frozenset(_REGULATOR),
    Role.AUDITOR: frozenset({Action.SEE, Action.SEE_CASES, Action.SEE_TRAIL, Action.DOWNLOAD_DOSSIER}),
    Role.PLATFORM_ADMIN: frozenset({Action.SEE, Action.MANAGE_PEOPLE, Action.MANAGE_TOKENS, Action.SEE_TRAIL}),
    Role.INTEGRATION: frozenset({Action.SEE, Action.SEND_PREDICTIONS, Action.ASK_EXPLANATION}),
}  # fmt: skip

NEVER_FOR_THE_OPERATOR = {Action.SIGN, Action.SEE_CASES}
SHARED_WITH = {  # what the other side of an object may do to it, besides its owner
    "regulator": {Action.SEE, Action.ASSESS, Action.DECIDE, Action.DOWNLOAD_DOSSIER, Action.SIGN, Action.SEE_TRAIL},
    "developer": {Action.SEE, Action.DOWNLOAD_DOSSIER, Action.BUILD_DOSSIER},
    "hospital": {Action.SEE, Action.DOWNLOAD_DOSSIER, Action.SIGN},
}


def may(person: Person, action: Action, subject: models.Model | None = None) -> bool:
    """True when one of the person's current roles allows ``action`` on ``subject``."""
    return _allowing(person, action, subject) is not None


def require(person: Person, action: Action, subject: models.Model | None = None, *, request_id: str = "") -> Actor:
    """The role in which the person acts; ``PermissionDenied`` names what is missing."""
    membership = _allowing(person, action, subject)
    if membership is None:
        roles = sorted({m.get_role_display() for m in memberships(person)}) or ["no role"]
        needed = sorted({Role(role).label for role, actions in ALLOWED.items() if action in actions})
        raise PermissionDenied(
            f"{action.replace('_', ' ')} is not allowed to {', '.join(roles)}: it takes one of {', '.join(needed)} "
            "of the organisation that it concerns"
        )
    return Actor(
        person_id=person.pk, organisation_id=membership.organisation_id, role=membership.role, request_id=request_id
    )


def memberships(person: Person) -> list[Membership]:
    """Current memberships, read once for each person object (that is, once for each request)."""
    if not person.is_active:
        return []
    cached: list[Membership] | None = getattr(person, "_current_memberships", None)
    if cached is None:
        cached = list(person.memberships.current().select_related("organisation"))
        person._current_memberships = cached  # type: ignore[attr-defined]
    return cached


def _allowing(person: Person, action: Action, subject: models.Model | None) -> Membership | None:
    shared = organisations_of(subject) if subject is not None else None
    for membership in memberships(person):
        kind = membership.organisation.kind
        if action not in ALLOWED.get(membership.role, frozenset()):
            continue
        if kind == Organisation.Kind.OPERATOR and action in NEVER_FOR_THE_OPERATOR:
            continue
        if shared is None or membership.organisation_id in shared.get("owner", set()):
            return membership
        if membership.organisation_id in shared.get(kind, set()) and action in SHARED_WITH.get(kind, set()):
            return membership
        if kind == Organisation.Kind.OPERATOR and action in (
            Action.MANAGE_PEOPLE,
            Action.MANAGE_TOKENS,
            Action.SEE_TRAIL,
        ):
            return membership
    return None


def organisations_of(subject: Any) -> dict[str, set[int]]:
    """Whose object it is ("owner") and with which organisations, by kind, it is shared.

    An object says so itself by ``organisations()``; one that only has an ``organisation`` belongs to it alone.
    """
    if hasattr(subject, "organisations"):
        return dict(subject.organisations())
    if isinstance(subject, Organisation):
        return {"owner": {subject.pk}}
    return {"owner": {subject.organisation_id}}


def organisation_ids(person: Person, *, kinds: Iterable[str] | None = None) -> list[int]:
    wanted = set(kinds) if kinds is not None else None
    return sorted({m.organisation_id for m in memberships(person) if wanted is None or m.organisation.kind in wanted})
