"""Writing a submission: its file, its plan, its evidence, and its steps through the state machine."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.core.exceptions import PermissionDenied
from django.db import connection, transaction
from django.db.models import Max
from django.utils import timezone

from accounts.models import Membership, Organisation, Person, Role
from accounts.signing import sign
from assurance import regulation
from assurance.evidence.errors import InvalidInput
from assurance.models import (
    Artefact,
    CardRevision,
    Deployment,
    EvidenceItem,
    FindingRecord,
    InformationRequest,
    ModelVersion,
    StateChange,
    Submission,
)
from assurance.requirements.coverage import Evidence, by_kind
from assurance.selectors.evidence import pieces_of
from assurance.services.plans import freeze_plan, save_plan, sign_plan
from assurance.services.proceedings import answer, ask
from assurance.services.regulator_access import default_end
from assurance.services.snapshots import build_snapshot
from assurance.services.submission_clocks import follow_step
from assurance.services.submission_content import bound_sha256
from assurance.services.submission_guards import Case, case_of, missing_for
from assurance.services.submission_sides import DEVELOPER_ROLES, acting_as, require_side, side_of
from assurance.submissions.machine import NONE, Transition
from records.actor import SYSTEM, Actor
from records.canonical import content_hash
from records.models import Signature
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
HOSPITAL_KINDS = ("generalizability.local", "drift.", "monitoring.", "incident.", "capa.", "complaint.", "logs.system")


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
    _record_step(
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
    submission = _locked(submission)
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


@transaction.atomic
def add_evidence(
    submission: Submission, *, kind: str, by: Actor, finding: FindingRecord | None = None,
    artefact: Artefact | None = None, card_revision: CardRevision | None = None, text: str = "", title: str = "",
    standing: str = "present", reason: str = "", request: InformationRequest | None = None, confidential: bool = False,
) -> EvidenceItem:  # fmt: skip
    """File one piece of evidence, bound by hash: a Finding, a file, a card revision or words; or say why there is none.

    Raises
    ------
    InvalidInput
        ``unknown_kind``, ``not_now`` (the state takes no such evidence), ``one_source``, ``computed_kind`` (words alone
        cannot prove a computed value), ``reason_missing``, ``not_asked``.
    PermissionDenied
        Who files it stands on no side that may.
    """
    submission = _locked(submission)
    entry = regulation.catalogue().kind(kind)
    _check_may_file(submission, kind, by, request)
    sources = [source for source in (finding, artefact, card_revision, text.strip() or None) if source]
    if standing not in EvidenceItem.Standing.values:
        raise InvalidInput("unknown_standing", f"standing {standing!r}: {', '.join(EvidenceItem.Standing.values)}")
    if standing != EvidenceItem.Standing.PRESENT:
        if not reason.strip() or sources:
            raise InvalidInput(
                "reason_missing", f"{kind} is {standing.replace('_', ' ')}: give the reason, nothing else"
            )
    elif len(sources) != 1:
        raise InvalidInput("one_source", f"{kind}: give one of finding, artefact, card_revision or text")
    elif entry.computed and text:
        raise InvalidInput(
            "computed_kind", f"{kind} is computed: link a Finding or a signed report, words do not prove it"
        )
    _check_belongs(submission, finding, artefact, card_revision)
    item = EvidenceItem.objects.create(
        submission=submission, kind=kind, standing=standing, finding=finding, artefact=artefact,
        card_revision=card_revision, text=text.strip(), reason=reason.strip(), request=request,
        title=(title or _title(finding, artefact, card_revision, entry.title))[:200], confidential=confidential,
        sha256=_hash_of(finding, artefact, card_revision, text.strip() or reason.strip()), author_id=by.person_id,
        added_in=submission.state,
    )  # fmt: skip
    record_event(
        action="submission.add_evidence", subject=submission, by=by, reason=reason,
        new={"kind": kind, "sha256": item.sha256, "standing": standing, "item": item.pk},
    )  # fmt: skip
    return item


@transaction.atomic
def withdraw_evidence(item: EvidenceItem, *, by: Actor, reason: str) -> None:
    """Take evidence back while its file is a draft; it stays in the trail."""
    submission = _locked(item.submission)
    require_side(submission, by, "developer")
    if submission.state != "draft":
        raise InvalidInput(
            "not_now", f"{submission.label} is {submission.state}: evidence is taken back in a draft only"
        )
    EvidenceItem.objects.filter(pk=item.pk, withdrawn_at=None).update(withdrawn_at=timezone.now())
    record_event(
        action="submission.withdraw_evidence", subject=submission, by=by, reason=reason, old={"sha256": item.sha256}
    )


def _check_may_file(submission: Submission, kind: str, by: Actor, request: InformationRequest | None) -> None:
    state = regulation.machine().states[submission.state]
    if by != SYSTEM:
        side = side_of(submission, by)
        if side == "regulator":
            raise PermissionDenied(
                "the regulator writes questions, assessments and decisions, not the applicant's evidence"
            )
        if side == "hospital" and not kind.startswith(HOSPITAL_KINDS):
            raise PermissionDenied(f"a hospital gives local results and incidents, not {kind}")
    if state.asked:
        if request is None or request.submission_id != submission.pk or not request.waiting:
            raise InvalidInput("not_asked", "only what an open question asks for may be added now: name the question")
    elif state.accepts is not None and kind not in state.accepts:
        allowed = ", ".join(sorted(state.accepts)) or "nothing"
        raise InvalidInput("not_now", f"{submission.label} is {state.title.lower()}: it takes {allowed}, not {kind}")


def _check_belongs(
    submission: Submission, finding: FindingRecord | None, artefact: Artefact | None, revision: CardRevision | None
) -> None:
    if revision is not None and revision.card.version_id != submission.version_id:
        raise InvalidInput("other_version", f"{revision} describes another version than {submission.version}")
    if finding is not None:
        theirs = finding.deployment and finding.deployment.version.model_id != submission.version.model_id
        if theirs or (finding.version and finding.version.model_id != submission.version.model_id):
            raise InvalidInput("other_model", f"Finding {finding.evidence_id} is about another model")
    parties = {submission.organisation_id, *submission.deployments.values_list("organisation_id", flat=True)}
    if artefact is not None and artefact.organisation_id not in parties:
        raise InvalidInput("other_file", f"file {artefact} belongs to an organisation outside this submission")


def _title(
    finding: FindingRecord | None, artefact: Artefact | None, revision: CardRevision | None, default: str
) -> str:
    if finding:
        place = " · ".join(part for part in (finding.signal, finding.stratum) if part)
        return f"{finding.quantity} {place}".strip()
    if artefact:
        return artefact.description or f"File {artefact}"
    return str(revision) if revision else default


def _hash_of(
    finding: FindingRecord | None, artefact: Artefact | None, revision: CardRevision | None, words: str
) -> str:
    if finding:
        return finding.digest
    if artefact:
        return artefact.sha256
    return revision.sha256 if revision else content_hash(words)


@dataclass(frozen=True, slots=True)
class Step:
    """One step out of the current state, as the workspace shows it. ``missing`` is empty when it can be taken."""

    transition: Transition
    target: str
    mine: bool
    missing: tuple[str, ...]

    @property
    def ready(self) -> bool:
        return self.mine and not self.missing


def allowed_transitions(
    submission: Submission, person: Person | None, *, pieces: list[Evidence] | None = None
) -> list[Step]:
    """Every step that leaves the current state, whether it is the person's to take, and what is still missing."""
    machine, now = regulation.machine(), timezone.now()
    evidence = by_kind(pieces_of(submission) if pieces is None else pieces)
    steps = []
    for transition in machine.from_state(submission.state):
        mine = transition.by_system if person is None else bool(acting_as(submission, person, transition.by))
        missing = tuple(missing_for(case_of(submission, transition, person, now, evidence)))
        steps.append(Step(transition, machine.states[transition.target].title, mine, missing))
    return steps


@transaction.atomic
def move_submission(
    submission: Submission, *, transition: str, person: Person | None = None, reason: str = "",
    password: str | None = None, code: str | None = None, request_id: str = "", now: datetime | None = None,
) -> Submission:  # fmt: skip
    """Take one step: who, guards, evidence, signature and the audit event together, or nothing at all.

    ``person`` is None only for steps that the system itself takes (planned end, overdue answers, archive).

    Raises
    ------
    InvalidInput
        ``unknown_transition``, ``wrong_state``, ``reason_missing``, ``not_ready`` (with everything that is missing).
    PermissionDenied
        The person's roles do not allow the step, or duties are separate.
    ValidationError
        Password or one-time code was refused.
    """
    step = regulation.machine().transition(transition)
    submission = _locked(submission)
    if submission.state not in step.sources:
        raise InvalidInput(
            "wrong_state", f"{transition} leads from {' or '.join(step.sources)}, and {submission.label} is "
            f"{submission.state}",
        )  # fmt: skip
    by = _actor(submission, step, person, request_id)
    if step.reason_mandatory and not reason.strip():
        raise InvalidInput("reason_missing", f"{transition} needs a reason: say in a sentence why")
    case = case_of(submission, step, person, now or timezone.now())
    missing = missing_for(case)
    if missing:
        raise InvalidInput("not_ready", f"{transition} cannot be taken yet: {'; '.join(missing)}")
    if transition == "t02":
        submission.snapshot = build_snapshot(submission)
        submission.snapshot_sha256 = content_hash(submission.snapshot)
    sha256 = bound_sha256(case, reason=reason) if step.sign else submission.snapshot_sha256
    signature = None
    if step.sign:
        assert person is not None  # noqa: S101 -- no system step asks for a signature
        signature = sign(
            submission, content_sha256=sha256, meaning=step.meaning, person=person, password=password or "",
            code=code or "", request_id=request_id, not_by=ruled_out(submission, step),
        )  # fmt: skip
    _apply(case, sha256=sha256, signature=signature, reason=reason, by=by)
    return submission


def _actor(submission: Submission, step: Transition, person: Person | None, request_id: str) -> Actor:
    if person is None:
        if not step.by_system:
            raise PermissionDenied(f"{step.id} is taken by a person: {', '.join(step.by)}")
        return SYSTEM
    by = acting_as(submission, person, step.by, request_id=request_id)
    if by is None:
        needed = ", ".join(Role(role).label for role in step.by if role in Role.values) or "the instance itself"
        raise PermissionDenied(f"{step.id} is for {needed} of the organisation concerned")
    return by


def ruled_out(submission: Submission, step: Transition) -> set[int]:
    """People whose earlier part forbids them to sign: the author does not approve, who reviewed does not decide."""
    if step.id == "t04":
        authored = submission.changes.filter(transition="t02").order_by("-pk").first()
        return {authored.person_id} if authored and authored.person_id else set()
    if step.by == (Role.REGULATOR_DECIDER,):
        reviewers = set(submission.assessments.exclude(signed_at=None).values_list("author_id", flat=True))
        checked = submission.changes.filter(transition="t09").values_list("person_id", flat=True)
        return reviewers | {person for person in checked if person}
    return set()


def _apply(case: Case, *, sha256: str, signature: Signature | None, reason: str, by: Actor) -> None:
    submission, step, at = case.submission, case.transition, case.now
    source, submission.state, submission.state_since = submission.state, step.target, at
    decision = case.decision() if "sandbox.decision" in step.requires or step.id in ("t10", "t15") else None
    if step.target == "draft":  # signatures stay on record and no longer cover anything
        submission.snapshot, submission.snapshot_sha256 = None, ""
        submission.facts = {k: v for k, v in submission.facts.items() if k not in ("terms", "confidentiality")}
    if step.id == "t06":
        submission.submitted_at, submission.receipt = at, sha256
    if step.target in ("final_report_due", "terminated") and submission.ended_at is None:
        submission.ended_at = at
    if step.target == "archived" and submission.regulator_until is None:
        submission.regulator_until = default_end(at)
    submission.save()
    if decision is not None:
        decision.sha256, decision.decided_at = sha256, at
        decision.signature_id = signature.pk if signature else None
        decision.save(update_fields=("sha256", "decided_at", "signature_id"))
    if step.id in ("t18", "t19"):
        submission.suspension_proposals.filter(status="open").update(
            status="followed", settled_at=at, settled_by_id=by.person_id, settled_reason=reason
        )
    if step.id in ("t12", "t13"):
        submission.requests.filter(status="answered", asked_in="completeness_check").update(status="accepted")
    if "sandbox.activity" in step.requires and step.reason_mandatory:
        EvidenceItem.objects.create(
            submission=submission, kind="sandbox.activity", title=f"{step.id}: {step.effect or step.target}"[:200],
            text=reason, sha256=content_hash(reason), author_id=by.person_id, added_in=source,
        )  # fmt: skip
    _record_step(submission, step, source=source, by=by, reason=reason, sha256=sha256, signature=signature, at=at)
    follow_step(submission, source=source, target=step.target, at=at)


def _record_step(
    submission: Submission, step: Transition, *, source: str, by: Actor, reason: str, sha256: str,
    signature: Signature | None, at: datetime | None = None, more: Mapping[str, Any] | None = None,
) -> StateChange:  # fmt: skip
    event = record_event(
        action=f"submission.{step.id}", subject=submission, by=by, reason=reason, old={"state": source},
        new={"state": step.target, "content_sha256": sha256, "snapshot_sha256": submission.snapshot_sha256,
             "signature": signature.pk if signature else None, "effect": step.effect,
             "regulator_until": submission.regulator_until, **(more or {})},
    )  # fmt: skip
    return StateChange.objects.create(
        submission=submission, transition=step.id, source=source, target=step.target, person_id=by.person_id,
        role=by.role, reason=reason, content_sha256=sha256, signature_id=signature.pk if signature else None,
        audit_event_id=event.pk, at=at or timezone.now(),
    )  # fmt: skip


def _locked(submission: Submission) -> Submission:
    return Submission.objects.select_for_update().get(pk=submission.pk)
