"""What a form of the workspace asks for: each act reads its fields and calls one service."""

from collections.abc import Callable
from datetime import UTC, datetime, time
from typing import Any

import yaml
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest
from django.shortcuts import get_object_or_404
from django.utils.dateparse import parse_date

from accounts.models import Role
from assurance import regulation
from assurance.evidence.errors import InvalidInput
from assurance.models import FindingRecord, Submission
from assurance.selectors.cards import latest_revision
from assurance.selectors.evidence import current_plan
from assurance.services import endings, plan_changes, plans, proceedings, submissions
from assurance.services.artefacts import store_artefact
from assurance.services.regulator_access import end_regulator_access
from assurance.services.site_commitments import sign_commitment
from assurance.services.submission_sides import acting_as, memberships_in
from records.actor import Actor

LARGEST_FILE_BYTES = 32 * 2**20
AUTHOR: Any = Role.DEVELOPER_AUTHOR
APPROVER: Any = Role.DEVELOPER_APPROVER
INTAKE: Any = Role.REGULATOR_INTAKE
ASSESSOR: Any = Role.REGULATOR_ASSESSOR
DECIDER: Any = Role.REGULATOR_DECIDER


def _by(submission: Submission, request: HttpRequest, *roles: str) -> Actor:
    """The person in one of ``roles``; without roles, in any role that counts for this submission."""
    wanted = roles or tuple(m.role for m in memberships_in(submission, request.user))
    by = acting_as(submission, request.user, wanted, request_id=getattr(request, "request_id", ""))
    if by is None:
        names = ", ".join(Role(role).label for role in roles) or "a role in this submission"
        raise PermissionDenied(f"this takes {names}")
    return by


def _signing(request: HttpRequest) -> dict[str, Any]:
    return {
        "person": request.user, "password": request.POST.get("password", ""), "code": request.POST.get("code", ""),
        "request_id": getattr(request, "request_id", ""),
    }  # fmt: skip


def _mapping(text: str, what: str) -> dict[str, Any]:
    try:
        content = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise InvalidInput("not_readable", f"{what} is not readable as `name: value` lines: {error}") from error
    if not isinstance(content, dict):
        raise InvalidInput("wrong_type", f"{what} is empty or not made of `name: value` lines")
    return _dates_as_text(content)


def _dates_as_text(content: dict[str, Any]) -> dict[str, Any]:
    return {key: value.isoformat() if hasattr(value, "isoformat") else value for key, value in content.items()}


def move(submission: Submission, request: HttpRequest) -> str:
    step = request.POST.get("transition", "")
    moved = submissions.move_submission(
        submission, transition=step, reason=request.POST.get("reason", ""), **_signing(request)
    )
    return f"{moved.label} is now: {regulation.machine().states[moved.state].title}."


def declare(submission: Submission, request: HttpRequest) -> str:
    value = request.POST.get("value", "1") == "1"
    submissions.declare(
        submission, fact=request.POST.get("fact", ""), value=value, by=_by(submission, request, APPROVER, AUTHOR)
    )
    return "The declaration is recorded."


def add_evidence(submission: Submission, request: HttpRequest) -> str:
    by = _by(submission, request)
    options: dict[str, Any] = {"title": request.POST.get("title", ""), "reason": request.POST.get("reason", "")}
    standing = request.POST.get("standing", "present")
    if standing == "present":
        options |= _source(submission, request, by)
    number = request.POST.get("request")
    if number:
        options["request"] = get_object_or_404(submission.requests, number=number)
    item = submissions.add_evidence(
        submission, kind=request.POST.get("kind", ""), standing=standing, by=by,
        confidential=bool(request.POST.get("confidential")), **options,
    )  # fmt: skip
    return f"{item.title} is on file."


def _source(submission: Submission, request: HttpRequest, by: Actor) -> dict[str, Any]:
    digest = request.POST.get("finding", "").strip().lower()
    if digest:
        seen = FindingRecord.objects.filter(deployment__in=submission.deployments.all()) | FindingRecord.objects.filter(
            version=submission.version
        )
        found = seen.filter(digest__startswith=digest).order_by("-pk").first()
        if found is None or len(digest) < 8:
            raise InvalidInput("unknown_finding", f"no Finding of this submission has the evidence id {digest!r}")
        return {"finding": found}
    upload = request.FILES.get("file")
    if upload is not None:
        if upload.size > LARGEST_FILE_BYTES:
            raise InvalidInput("too_large", f"{upload.name} has {upload.size} bytes: at most {LARGEST_FILE_BYTES}")
        return {
            "artefact": store_artefact(
                upload.read(), organisation_id=by.organisation_id or 0,
                media_type=upload.content_type or "application/octet-stream", description=upload.name,
            )
        }  # fmt: skip
    if request.POST.get("card"):
        revision = latest_revision(submission.version)
        if revision is None:
            raise InvalidInput("no_revision", "the version has no card revision yet: write the card first")
        return {"card_revision": revision}
    return {"text": request.POST.get("text", "")}


def withdraw_evidence(submission: Submission, request: HttpRequest) -> str:
    item = get_object_or_404(submission.evidence, pk=request.POST.get("item"))
    submissions.withdraw_evidence(item, by=_by(submission, request, AUTHOR), reason=request.POST.get("reason", ""))
    return "Taken back; the trail keeps it."


def save_plan(submission: Submission, request: HttpRequest) -> str:
    by = _by(submission, request, AUTHOR, ASSESSOR)
    plan = plans.save_plan(submission, content=_mapping(request.POST.get("plan", ""), "the plan"), by=by)
    return f"Plan revision {plan.revision} is kept."


def freeze_plan(submission: Submission, request: HttpRequest) -> str:
    plan = plans.freeze_plan(submission, by=_by(submission, request, AUTHOR, APPROVER))
    return f"Plan revision {plan.revision} is frozen: SHA-256 {plan.sha256[:12]}…"


def sign_plan(submission: Submission, request: HttpRequest) -> str:
    plan = current_plan(submission)
    if plan is None:
        raise InvalidInput("no_plan", "there is no plan to sign")
    plans.sign_plan(plan, **_signing(request))
    return "The plan is signed."


def commit_site(submission: Submission, request: HttpRequest) -> str:
    sign_commitment(submission, **_signing(request))
    return "The commitment of the site is signed."


def ask(submission: Submission, request: HttpRequest) -> str:
    by = (
        _by(submission, request, INTAKE, ASSESSOR)
        if submission.state == "completeness_check"
        else _by(submission, request, ASSESSOR)
    )
    found = proceedings.ask(
        submission, question=request.POST.get("question", ""), kind=request.POST.get("kind", ""), by=by
    )
    return f"Question {found.number} is noted; it is sent with the step “information requested”."


def _request(submission: Submission, request: HttpRequest) -> Any:
    return get_object_or_404(submission.requests, number=request.POST.get("number"))


def answer(submission: Submission, request: HttpRequest) -> str:
    by = _by(submission, request, AUTHOR, APPROVER)
    proceedings.answer(_request(submission, request), text=request.POST.get("text", ""), by=by)
    return "The answer is kept; an approver signs it with the step that hands it over."


def settle_request(submission: Submission, request: HttpRequest) -> str:
    accepted = request.POST.get("accepted") == "1"
    proceedings.settle_request(
        _request(submission, request), accepted=accepted, reason=request.POST.get("reason", ""),
        by=_by(submission, request, ASSESSOR, INTAKE),
    )  # fmt: skip
    return "The answer is accepted." if accepted else "The question is open again."


def assess(submission: Submission, request: HttpRequest) -> str:
    stage = request.POST.get("stage", "admission")
    profile = regulation.profile_from(submission.profile_terms)
    names = profile.criteria if stage == "admission" else ("objectives of the plan",)
    criteria = {
        name: {"judgement": request.POST.get(f"judgement-{place}", ""), "reason": request.POST.get(f"why-{place}", "")}
        for place, name in enumerate(names)
    }
    proceedings.sign_assessment(
        submission, stage=stage, criteria=criteria, recommendation=request.POST.get("recommendation", ""),
        **_signing(request),
    )  # fmt: skip
    return "The assessment is signed."


def decide(submission: Submission, request: HttpRequest) -> str:
    proceedings.prepare_decision(
        submission, transition=request.POST.get("transition", ""), reasons=request.POST.get("reasons", ""),
        conditions=request.POST.get("conditions", "").splitlines(), ground=request.POST.get("ground", ""),
        no_conditions=bool(request.POST.get("no_conditions")), by=_by(submission, request, DECIDER, ASSESSOR),
    )  # fmt: skip
    return "The decision is prepared; it takes effect when the decider signs its step."


def meet_condition(submission: Submission, request: HttpRequest) -> str:
    from assurance.models import Condition

    condition = get_object_or_404(Condition, pk=request.POST.get("condition"), decision__submission=submission)
    by = _by(submission, request, ASSESSOR, DECIDER)
    proceedings.meet_condition(condition, reason=request.POST.get("reason", ""), by=by)
    return "The condition is met."


def remark(submission: Submission, request: HttpRequest) -> str:
    proceedings.remark(
        submission, text=request.POST.get("text", ""), by=_by(submission, request, INTAKE, ASSESSOR, DECIDER)
    )
    return "The remark is kept for the regulator's people."


def propose_change(submission: Submission, request: HttpRequest) -> str:
    content = _mapping(request.POST.get("plan", ""), "the plan")
    change = plan_changes.propose_plan_change(
        submission, content=content, kind=request.POST.get("kind", "amendment"), reason=request.POST.get("reason", ""),
        by=_by(submission, request, AUTHOR, ASSESSOR),
    )  # fmt: skip
    return f"{change.get_kind_display()} is proposed; both sides sign it."


def agree_change(submission: Submission, request: HttpRequest) -> str:
    change = get_object_or_404(submission.plan_changes, pk=request.POST.get("change"))
    change = plan_changes.agree_plan_change(change, **_signing(request))
    return f"{change.get_kind_display()}: {change.get_status_display().lower()}."


def reject_change(submission: Submission, request: HttpRequest) -> str:
    change = get_object_or_404(submission.plan_changes, pk=request.POST.get("change"))
    plan_changes.settle_plan_change(
        change, status=request.POST.get("status", ""), reason=request.POST.get("reason", ""),
        by=_by(submission, request, AUTHOR, APPROVER, DECIDER),
    )  # fmt: skip
    return "Settled."


def propose_suspension(submission: Submission, request: HttpRequest) -> str:
    endings.propose_suspension(
        submission, trigger=request.POST.get("trigger", "person"), reason=request.POST.get("reason", ""),
        by=_by(submission, request),
    )  # fmt: skip
    return "The proposal is raised; a decider settles it."


def set_aside(submission: Submission, request: HttpRequest) -> str:
    proposal = get_object_or_404(submission.suspension_proposals, pk=request.POST.get("proposal"))
    endings.set_aside(proposal, reason=request.POST.get("reason", ""), by=_by(submission, request, DECIDER))
    return "The proposal is set aside."


def write_paper(submission: Submission, request: HttpRequest) -> str:
    kind = request.POST.get("kind", "")
    names = ("objective", "criterion", "activities", "results", "questions", "suspensions", "incidents", "lessons",
             "conclusion")  # fmt: skip
    content = {name: request.POST[name] for name in names if request.POST.get(name)}
    paper = endings.write_exit_paper(submission, kind=kind, content=content, by=_by(submission, request))
    return f"{paper.get_kind_display()} is kept."


def share_paper(submission: Submission, request: HttpRequest) -> str:
    paper = get_object_or_404(submission.exit_papers, pk=request.POST.get("paper"))
    endings.share_exit_paper(paper, by=_by(submission, request, ASSESSOR, DECIDER))
    return "The participant can read it and comment."


def comment_paper(submission: Submission, request: HttpRequest) -> str:
    paper = get_object_or_404(submission.exit_papers, pk=request.POST.get("paper"))
    endings.comment_exit_paper(
        paper, comment=request.POST.get("comment", ""), by=_by(submission, request, APPROVER, AUTHOR)
    )
    return "The comment is kept with the document."


def ask_publication(submission: Submission, request: HttpRequest) -> str:
    endings.ask_publication(
        submission, redacted=request.POST.get("redacted", ""), by=_by(submission, request, ASSESSOR, DECIDER)
    )
    return "Both sides are asked."


def agree_publication(submission: Submission, request: HttpRequest) -> str:
    found = endings.agree_publication(submission.publication, **_signing(request))
    return f"Publication: {found.get_status_display().lower()}."


def decline_publication(submission: Submission, request: HttpRequest) -> str:
    endings.decline_publication(
        submission, reason=request.POST.get("reason", ""), by=_by(submission, request, APPROVER, DECIDER)
    )
    return "Nothing is published."


def lodge_appeal(submission: Submission, request: HttpRequest) -> str:
    endings.lodge_appeal(submission, reasons=request.POST.get("reason", ""), by=_by(submission, request, APPROVER))
    return "The appeal is lodged."


def settle_appeal(submission: Submission, request: HttpRequest) -> str:
    appeal = get_object_or_404(submission.appeals, pk=request.POST.get("appeal"))
    upheld = request.POST.get("upheld") == "1"
    endings.settle_appeal(
        appeal, upheld=upheld, reason=request.POST.get("reason", ""), by=_by(submission, request, DECIDER)
    )
    return "The appeal is upheld." if upheld else "The appeal is dismissed."


def end_access(submission: Submission, request: HttpRequest) -> str:
    day = parse_date(request.POST.get("until", ""))
    if day is None:
        raise InvalidInput(
            "bad_date", f"until {request.POST.get('until', '')[:40]!r} is not a date: write it as 2027-01-31"
        )
    until = datetime.combine(day, time.max, UTC).replace(microsecond=0)
    found = end_regulator_access(
        submission, until=until, by=_by(submission, request, DECIDER), reason=request.POST.get("reason", "")
    )
    return f"The authority's access ends {found.regulator_until:%Y-%m-%d %H:%M} UTC."


def not_applicable(submission: Submission, request: HttpRequest) -> str:
    proceedings.mark_not_applicable(
        submission, requirement=request.POST.get("requirement", ""), reason=request.POST.get("reason", ""),
        **_signing(request),
    )  # fmt: skip
    return "The requirement is marked as not applicable."


ACTS: dict[str, Callable[[Submission, HttpRequest], str]] = {
    act.__name__: act
    for act in (
        move, declare, add_evidence, withdraw_evidence, save_plan, freeze_plan, sign_plan, commit_site, ask, answer,
        settle_request, assess, decide, meet_condition, remark, propose_change, agree_change, reject_change,
        propose_suspension, set_aside, write_paper, share_paper, comment_paper, ask_publication, agree_publication,
        decline_publication, lodge_appeal, settle_appeal, end_access, not_applicable,
    )
}  # fmt: skip
