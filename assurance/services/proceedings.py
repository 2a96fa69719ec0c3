"""Questions and answers, assessments, decisions with their conditions, and remarks among the regulator's people."""

from collections.abc import Iterable, Mapping
from datetime import date, timedelta
from typing import Any

from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.utils import timezone

from accounts.models import Person, Role
from accounts.signing import sign
from assurance import regulation
from assurance.evidence.errors import InvalidInput
from assurance.models import (
    Answer,
    Assessment,
    Condition,
    Decision,
    InformationRequest,
    RemarkInConfidence,
    RequirementJudgement,
    Submission,
)
from assurance.services.submission_sides import acting_as, require_side
from records.actor import Actor
from records.canonical import content_hash
from records.services import record_event

ASKED_IN: dict[str, tuple[Any, ...]] = {
    "completeness_check": (Role.REGULATOR_INTAKE,),
    "under_assessment": (Role.REGULATOR_ASSESSOR,),
}
JUDGEMENTS = ("met", "partly", "not_met")


@transaction.atomic
def ask(submission: Submission, *, question: str, by: Actor, kind: str = "") -> InformationRequest:
    """Ask the developer a question. The step to ``information_requested`` (t08, t11) sends all open ones.

    Raises
    ------
    InvalidInput
        ``no_question``, ``unknown_kind``, ``not_now`` (questions belong to the completeness check or the assessment).
    """
    submission = Submission.objects.select_for_update().get(pk=submission.pk)
    if not question.strip():
        raise InvalidInput("no_question", "question is empty: say what is asked")
    if kind:
        regulation.catalogue().kind(kind)
    if submission.state not in ASKED_IN:
        raise InvalidInput(
            "not_now", f"{submission.label} is {submission.state}: ask in {' or '.join(ASKED_IN)}".replace("_", " ")
        )
    require_side(submission, by, "regulator", roles=ASKED_IN[submission.state])
    profile = regulation.profile_from(submission.profile_terms)
    now = timezone.now()
    request = InformationRequest.objects.create(
        submission=submission, number=submission.requests.count() + 1, question=question.strip(), kind=kind,
        asked_in=submission.state, author_id=by.person_id, asked_at=now, due_at=now + timedelta(profile.answer_days),
    )  # fmt: skip
    record_event(
        action="submission.ask", subject=submission, by=by,
        new={"question": request.question, "number": request.number, "kind": kind},
    )  # fmt: skip
    return request


@transaction.atomic
def answer(request: InformationRequest, *, text: str, by: Actor) -> Answer:
    """Answer a question. Evidence that belongs to it is filed with ``add_evidence(..., request=request)``."""
    request = InformationRequest.objects.select_for_update().select_related("submission").get(pk=request.pk)
    require_side(request.submission, by, "developer")
    if not text.strip():
        raise InvalidInput("no_answer", f"question {request.number}: the answer is empty")
    if not request.waiting and request.status != InformationRequest.Status.ANSWERED:
        raise InvalidInput("not_now", f"question {request.number} is {request.get_status_display().lower()}")
    if request.submission.state != "information_requested":
        raise InvalidInput("not_now", "answers are taken while information is requested, not before or after")
    found = Answer.objects.create(request=request, text=text.strip(), side="developer", author_id=by.person_id)
    request.status = InformationRequest.Status.ANSWERED
    request.save(update_fields=("status",))
    record_event(
        action="submission.answer", subject=request.submission, by=by,
        new={"number": request.number, "answer_sha256": content_hash(found.text)},
    )  # fmt: skip
    return found


@transaction.atomic
def settle_request(request: InformationRequest, *, accepted: bool, reason: str, by: Actor) -> InformationRequest:
    """Accept an answer, or open the question again with the reason; the next t08 or t11 sends it once more."""
    request = InformationRequest.objects.select_for_update().select_related("submission").get(pk=request.pk)
    require_side(request.submission, by, "regulator", roles=tuple(role for r in ASKED_IN.values() for role in r))
    if request.status != InformationRequest.Status.ANSWERED or request.submission.state not in ASKED_IN:
        raise InvalidInput("not_now", f"question {request.number} is {request.get_status_display().lower()} now")
    if not accepted and not reason.strip():
        raise InvalidInput("reason_missing", f"question {request.number}: say what the answer leaves open")
    status = InformationRequest.Status
    request.status = status.ACCEPTED if accepted else status.REOPENED
    if not accepted:
        Answer.objects.create(request=request, text=reason.strip(), side="regulator", author_id=by.person_id)
        request.asked_in = request.submission.state
    request.save(update_fields=("status", "asked_in"))
    record_event(
        action="submission.accept_answer" if accepted else "submission.reopen", subject=request.submission, by=by,
        reason=reason, new={"number": request.number, "status": request.status},
    )  # fmt: skip
    return request


@transaction.atomic
def warn(request: InformationRequest, *, by: Actor) -> None:
    """Remind the developer that an answer is overdue. Two warnings come before a file counts as withdrawn."""
    now = timezone.now()
    request = InformationRequest.objects.select_for_update().select_related("submission").get(pk=request.pk)
    if not request.waiting or request.due_at > now:
        raise InvalidInput("not_now", f"question {request.number} is not overdue")
    request.warnings, request.warned_at = request.warnings + 1, now
    request.save(update_fields=("warnings", "warned_at"))
    record_event(
        action="submission.warn", subject=request.submission, by=by,
        new={"number": request.number, "warnings": request.warnings},
    )  # fmt: skip


@transaction.atomic
def sign_assessment(
    submission: Submission, *, criteria: Mapping[str, Mapping[str, str]], recommendation: str, person: Person,
    password: str, code: str, stage: str = "admission", request_id: str = "",
) -> Assessment:  # fmt: skip
    """Write and sign an assessment, criterion by criterion; it can no longer change after that.

    Each criterion maps to ``{"judgement": met|partly|not_met, "reason": ...}``.
    """
    submission = Submission.objects.select_for_update().get(pk=submission.pk)
    wanted = {"admission": "under_assessment", "exit": "exit_evaluation"}
    if stage not in wanted:
        raise InvalidInput("unknown_stage", f"stage {stage!r}: give admission or exit")
    if submission.state != wanted[stage]:
        raise InvalidInput("not_now", f"{submission.label} is {submission.state}, not {wanted[stage]}")
    for criterion, entry in criteria.items():
        if entry.get("judgement") not in JUDGEMENTS or not str(entry.get("reason", "")).strip():
            raise InvalidInput(
                "wrong_criterion", f"{criterion}: give a judgement ({', '.join(JUDGEMENTS)}) and a reason"
            )
    profile = regulation.profile_from(submission.profile_terms)
    silent = [name for name in profile.criteria if stage == "admission" and name not in criteria]
    if silent:
        raise InvalidInput("criteria_open", f"the assessment leaves open: {', '.join(silent)}")
    if not recommendation.strip():
        raise InvalidInput("no_recommendation", "recommendation is empty: say what you propose to the decider")
    by = acting_as(submission, person, (Role.REGULATOR_ASSESSOR,), request_id=request_id)
    if by is None:
        raise PermissionDenied("an assessment is signed by an assessor of the regulator concerned")
    found = Assessment(
        submission=submission, stage=stage, criteria={k: dict(v) for k, v in criteria.items()},
        recommendation=recommendation.strip(), author=person, signed_at=timezone.now(),
    )  # fmt: skip
    found.sha256 = content_hash(found.content())
    signature = sign(
        submission, content_sha256=found.sha256, meaning="review", person=person, password=password, code=code,
        request_id=request_id,
    )  # fmt: skip
    found.signature_id = signature.pk
    found.save()
    record_event(
        action="submission.assess", subject=submission, by=by, new={"stage": stage, "sha256": found.sha256},
    )  # fmt: skip
    return found


@transaction.atomic
def prepare_decision(
    submission: Submission, *, transition: str, reasons: str, by: Actor, conditions: Iterable[str] = (),
    no_conditions: bool = False, ground: str = "",
) -> Decision:  # fmt: skip
    """Write the decision that the step ``transition`` will sign. A later one for the same step takes its place.

    A condition that begins with a date (``2027-03-01 Report on the first month``) is due on that day; once it is over,
    the instance proposes a suspension.
    """
    submission = Submission.objects.select_for_update().get(pk=submission.pk)
    require_side(submission, by, "regulator", roles=(Role.REGULATOR_DECIDER, Role.REGULATOR_ASSESSOR))
    step = regulation.machine().transition(transition)
    if "sandbox.decision" not in step.requires:
        raise InvalidInput("no_decision", f"{transition} takes no decision")
    if not reasons.strip():
        raise InvalidInput("reason_missing", "reasons is empty: a decision gives its reasons")
    listed = [text.strip() for text in conditions if text.strip()]
    if listed and no_conditions:
        raise InvalidInput("conditions_and_none", "conditions are listed and said to be none: choose one")
    decision = Decision.objects.create(
        submission=submission, transition=transition, reasons=reasons.strip(), ground=ground,
        no_conditions=no_conditions, author_id=by.person_id,
    )  # fmt: skip
    for text in listed:
        due, words = _dated(text)
        Condition.objects.create(decision=decision, text=words, due=due)
    decision.sha256 = content_hash(decision.content())
    decision.save(update_fields=("sha256",))
    record_event(
        action="submission.prepare_decision", subject=submission, by=by,
        new={"transition": transition, "conditions": listed, "ground": ground},
    )  # fmt: skip
    return decision


def _dated(text: str) -> tuple[date | None, str]:
    first, _, rest = text.partition(" ")
    try:
        return date.fromisoformat(first.rstrip(":")), rest.strip() or text
    except ValueError:
        return None, text


@transaction.atomic
def meet_condition(condition: Condition, *, reason: str, by: Actor) -> None:
    """The regulator's people say that a condition is met, and why."""
    submission = condition.decision.submission
    require_side(submission, by, "regulator", roles=(Role.REGULATOR_ASSESSOR, Role.REGULATOR_DECIDER))
    if not reason.strip():
        raise InvalidInput("reason_missing", "say how the condition was met")
    Condition.objects.filter(pk=condition.pk, status=Condition.Status.OPEN).update(
        status=Condition.Status.MET, met_reason=reason.strip(), met_by_id=by.person_id, met_at=timezone.now()
    )
    record_event(
        action="submission.condition_met", subject=submission, by=by, reason=reason, new={"condition": condition.text}
    )


@transaction.atomic
def remark(submission: Submission, *, text: str, by: Actor) -> RemarkInConfidence:
    """Note something for the regulator's own people."""
    require_side(submission, by, "regulator")
    if not text.strip():
        raise InvalidInput("no_text", "the remark is empty")
    found = RemarkInConfidence.objects.create(submission=submission, text=text.strip(), author_id=by.person_id)
    record_event(action="submission.remark", subject=submission, by=by, new={"sha256": content_hash(found.text)})
    return found


@transaction.atomic
def mark_not_applicable(
    submission: Submission, *, requirement: str, reason: str, person: Person, password: str, code: str,
    request_id: str = "",
) -> RequirementJudgement:  # fmt: skip
    """Sign that a requirement does not apply, with the reason; for the developer's approver."""
    regulation.catalogue().requirement(requirement)
    if not reason.strip():
        raise InvalidInput("reason_missing", f"{requirement}: say why it does not apply")
    by = acting_as(submission, person, (Role.DEVELOPER_APPROVER,), request_id=request_id)
    if by is None:
        raise PermissionDenied("only an approver of the developer signs that a requirement does not apply")
    if submission.judgements.filter(requirement=requirement).exists():
        raise InvalidInput("done", f"{requirement} is marked as not applicable already")
    sha256 = content_hash({"submission": str(submission.pk), "requirement": requirement, "reason": reason.strip()})
    signature = sign(
        submission, content_sha256=sha256, meaning="responsibility", person=person, password=password, code=code,
        request_id=request_id,
    )  # fmt: skip
    found = RequirementJudgement.objects.create(
        submission=submission, requirement=requirement, reason=reason.strip(), person=person,
        signature_id=signature.pk, sha256=sha256,
    )  # fmt: skip
    record_event(
        action="submission.not_applicable", subject=submission, by=by, reason=reason, new={"requirement": requirement}
    )
    return found


def waiting_requests(submission: Submission) -> "list[InformationRequest]":
    status: Any = InformationRequest.Status
    return list(submission.requests.filter(status__in=(status.OPEN, status.REOPENED)))
