"""Who may do what to which object: one table, asked by pages, the API and tasks alike.

A role allows an action on objects of its own organisation. Three roads lead further: what the object itself says
(:func:`organisations_of`: a developer and the deployments of its device), an access grant (a regulator and what was
submitted to it, from a date to a date), and the operator's accounts and trail. A role that is narrowed to one site
reaches only objects of that site.
"""

from collections.abc import Iterable
from enum import StrEnum
from typing import Any

from django.core.exceptions import PermissionDenied
from django.db import models

from accounts.models import AccessGrant, Membership, Organisation, Person, Role
from records.actor import Actor


class Action(StrEnum):
    SEE = "see"
    SEE_CASES = "see_cases"
    SEND_PREDICTIONS = "send_predictions"
    ASK_EXPLANATION = "ask_explanation"
    HANDLE_ALARM = "handle_alarm"
    SET_PLAN = "set_plan"
    MANAGE_DEPLOYMENT = "manage_deployment"
    OPEN_INCIDENT = "open_incident"
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
    Action.SEND_PREDICTIONS, Action.BUILD_DOSSIER, Action.SEE_TRAIL, Action.MANAGE_TOKENS, Action.OPEN_INCIDENT,
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
        _HOSPITAL_READER
        | {Action.HANDLE_ALARM, Action.OPEN_INCIDENT, Action.HANDLE_INCIDENT, Action.SEE_TRAIL, Action.SIGN}
    ),
    Role.HOSPITAL_SIGNATORY: frozenset(_HOSPITAL_READER | {Action.SEE_TRAIL, Action.SIGN}),
    Role.DEVELOPER_AUTHOR: frozenset(_AUTHOR | {Action.SIGN}),
    Role.DEVELOPER_APPROVER: frozenset(
        {Action.SEE, Action.APPROVE_CARD, Action.SUBMIT, Action.SIGN, Action.DOWNLOAD_DOSSIER, Action.BUILD_DOSSIER,
         Action.SEE_TRAIL, Action.MANAGE_TOKENS, Action.HANDLE_INCIDENT}
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
FOR_THE_OPERATOR = {  # on objects of every organisation: accounts and the trail, and for its auditor reading
    Role.PLATFORM_ADMIN: {Action.MANAGE_PEOPLE, Action.MANAGE_TOKENS, Action.SEE_TRAIL},
    Role.AUDITOR: {Action.SEE, Action.SEE_TRAIL, Action.DOWNLOAD_DOSSIER},
}
SHARED_WITH = {  # what the other side of an object may do to it, besides its owner
    "regulator": {Action.SEE, Action.ASSESS, Action.DECIDE, Action.DOWNLOAD_DOSSIER, Action.SIGN, Action.SEE_TRAIL},
    "developer": {Action.SEE, Action.DOWNLOAD_DOSSIER, Action.BUILD_DOSSIER, Action.HANDLE_INCIDENT},
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
        if shared is None or subject is None:
            return membership
        if membership.site_id is not None and not _at_site(subject, membership.site_id):
            continue
        if membership.organisation_id in shared.get("owner", set()):
            return membership
        if kind == Organisation.Kind.OPERATOR and action in FOR_THE_OPERATOR.get(Role(membership.role), set()):
            return membership
        if action in SHARED_WITH.get(kind, set()) and (
            membership.organisation_id in shared.get(kind, set()) or _granted(membership.organisation_id, subject)
        ):
            return membership
    return None


def _granted(organisation_id: int, subject: models.Model) -> bool:
    """True while an access grant shows ``subject`` to the organisation; asked only when nothing else allows it."""
    grants = AccessGrant.objects.current().filter(
        organisation_id=organisation_id, subject_kind=subject._meta.label_lower, subject_id=str(subject.pk)
    )
    return grants.exists()


def granted_ids(person: Person, model: type[models.Model]) -> list[str]:
    """Keys of the objects of ``model`` that access grants show to the person's organisations now, for lists."""
    grants = AccessGrant.objects.current().filter(
        organisation_id__in=organisation_ids(person), subject_kind=model._meta.label_lower
    )
    return list(grants.values_list("subject_id", flat=True).distinct())


def _at_site(subject: models.Model, site_id: int) -> bool:
    """Objects that name no site belong to all of them; a deployment belongs to each of its own."""
    if hasattr(subject, "site_id"):
        return subject.site_id in (None, site_id)
    sites = getattr(subject, "sites", None)
    return sites is None or isinstance(subject, Organisation) or sites.filter(pk=site_id).exists()


def tenants_of(person: Person) -> list[int]:
    """Organisations whose patient-level rows the person's database session may see: none through an administrator."""
    return sorted(
        {
            m.organisation_id
            for m in memberships(person)
            if m.role != Role.PLATFORM_ADMIN and m.organisation.kind != Organisation.Kind.OPERATOR
        }
    )


def may_manage_person(administrator: Person, person: Person) -> bool:
    """An administrator keeps the keys of people who work for their own organisations and no other; never their own."""
    if administrator.pk == person.pk:
        return False
    work = {m.organisation for m in memberships(person)}
    if not work:  # nobody's any more: the last organisation's administrator, or the operator's
        past = person.memberships.select_related("organisation").order_by("-ends_at").first()
        work = {past.organisation} if past else set()
    if not work:
        return bool(organisation_ids(administrator, kinds=["operator"])) and may(administrator, Action.MANAGE_PEOPLE)
    return all(may(administrator, Action.MANAGE_PEOPLE, organisation) for organisation in work)


def may_sign_somewhere(person: Person) -> bool:
    """True when one of the person's roles can sign: such a person needs one-time codes before anything else."""
    return any(Action.SIGN in ALLOWED.get(m.role, frozenset()) for m in memberships(person))


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
