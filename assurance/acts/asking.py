"""Acts of question and answer, of assessment and of decision."""

from typing import Any

from assurance import regulation
from assurance.acts.reading import APPROVER, ASSESSOR, AUTHOR, DECIDER, INTAKE, Asking, by_of, named, signing
from assurance.models import Condition, Submission
from assurance.services import proceedings


def ask(submission: Submission, request: Asking) -> str:
    by = (
        by_of(submission, request, INTAKE, ASSESSOR)
        if submission.state == "completeness_check"
        else by_of(submission, request, ASSESSOR)
    )
    found = proceedings.ask(
        submission, question=request.POST.get("question", ""), kind=request.POST.get("kind", ""), by=by
    )
    return f"Question {found.number} is noted; it is sent with the step “information requested”."


def _request(submission: Submission, request: Asking) -> Any:
    return named(submission.requests, request, "number", column="number")


def answer(submission: Submission, request: Asking) -> str:
    by = by_of(submission, request, AUTHOR, APPROVER)
    proceedings.answer(_request(submission, request), text=request.POST.get("text", ""), by=by)
    return "The answer is kept; an approver signs it with the step that hands it over."


def settle_request(submission: Submission, request: Asking) -> str:
    accepted = request.POST.get("accepted") == "1"
    proceedings.settle_request(
        _request(submission, request), accepted=accepted, reason=request.POST.get("reason", ""),
        by=by_of(submission, request, ASSESSOR, INTAKE),
    )  # fmt: skip
    return "The answer is accepted." if accepted else "The question is open again."


def assess(submission: Submission, request: Asking) -> str:
    stage = request.POST.get("stage", "admission")
    profile = regulation.profile_from(submission.profile_terms)
    names = profile.criteria if stage == "admission" else ("objectives of the plan",)
    criteria = {
        name: {"judgement": request.POST.get(f"judgement-{place}", ""), "reason": request.POST.get(f"why-{place}", "")}
        for place, name in enumerate(names)
    }
    proceedings.sign_assessment(
        submission, stage=stage, criteria=criteria, recommendation=request.POST.get("recommendation", ""),
        **signing(request),
    )  # fmt: skip
    return "The assessment is signed."


def decide(submission: Submission, request: Asking) -> str:
    proceedings.prepare_decision(
        submission, transition=request.POST.get("transition", ""), reasons=request.POST.get("reasons", ""),
        conditions=request.POST.get("conditions", "").splitlines(), ground=request.POST.get("ground", ""),
        no_conditions=bool(request.POST.get("no_conditions")), by=by_of(submission, request, DECIDER, ASSESSOR),
    )  # fmt: skip
    return "The decision is prepared; it takes effect when the decider signs its step."


def meet_condition(submission: Submission, request: Asking) -> str:
    condition = named(Condition.objects.filter(decision__submission=submission), request, "condition")
    by = by_of(submission, request, ASSESSOR, DECIDER)
    proceedings.meet_condition(condition, reason=request.POST.get("reason", ""), by=by)
    return "The condition is met."


def remark(submission: Submission, request: Asking) -> str:
    proceedings.remark(
        submission, text=request.POST.get("text", ""), by=by_of(submission, request, INTAKE, ASSESSOR, DECIDER)
    )
    return "The remark is kept for the regulator's people."
