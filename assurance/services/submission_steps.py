"""The steps of a submission through its machine: who, guards, evidence, signature and trail in one transaction."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.utils import timezone

from accounts.models import Person, Role
from accounts.signing import sign
from assurance import regulation
from assurance.evidence.errors import InvalidInput
from assurance.models import EvidenceItem, StateChange, Submission
from assurance.requirements.coverage import Evidence, by_kind
from assurance.selectors.evidence import pieces_of
from assurance.services.real_world_tests import end_tests, suspend_tests
from assurance.services.regulator_access import default_end
from assurance.services.snapshots import build_snapshot
from assurance.services.submission_clocks import follow_step
from assurance.services.submission_content import bound_sha256
from assurance.services.submission_guards import Case, case_of, missing_for
from assurance.services.submission_sides import acting_as, locked
from assurance.submissions.machine import Transition
from records.actor import SYSTEM, Actor
from records.canonical import content_hash
from records.models import Signature
from records.services import record_event


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
    submission = locked(submission)
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
        suspend_tests(submission, by=by, reason=reason)
    if step.target in ("final_report_due", "terminated"):
        end_tests(submission, by=by, reason=reason or f"{submission.label} came to its end")
    if step.id in ("t12", "t13"):
        submission.requests.filter(status="answered", asked_in="completeness_check").update(status="accepted")
    if "sandbox.activity" in step.requires and step.reason_mandatory:
        EvidenceItem.objects.create(
            submission=submission, kind="sandbox.activity", title=f"{step.id}: {step.effect or step.target}"[:200],
            text=reason, sha256=content_hash(reason), author_id=by.person_id, added_in=source,
        )  # fmt: skip
    record_step(submission, step, source=source, by=by, reason=reason, sha256=sha256, signature=signature, at=at)
    follow_step(submission, source=source, target=step.target, at=at)


def record_step(
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
