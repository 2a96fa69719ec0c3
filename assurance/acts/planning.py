"""Acts on the plan: its revisions, signatures and changes, the commitment of a site, and tests in the real world."""

from django.shortcuts import get_object_or_404

from assurance.acts.reading import APPROVER, ASSESSOR, AUTHOR, DECIDER, Asking, by_of, day_of, mapping, named, signing
from assurance.evidence.errors import InvalidInput
from assurance.models import Submission
from assurance.selectors.evidence import current_plan
from assurance.services import plan_changes, plans, real_world_tests
from assurance.services.site_commitments import sign_commitment


def save_plan(submission: Submission, request: Asking) -> str:
    by = by_of(submission, request, AUTHOR, ASSESSOR)
    plan = plans.save_plan(submission, content=mapping(request.POST.get("plan", ""), "the plan"), by=by)
    return f"Plan revision {plan.revision} is kept."


def freeze_plan(submission: Submission, request: Asking) -> str:
    plan = plans.freeze_plan(submission, by=by_of(submission, request, AUTHOR, APPROVER))
    return f"Plan revision {plan.revision} is frozen: SHA-256 {plan.sha256[:12]}…"


def sign_plan(submission: Submission, request: Asking) -> str:
    plan = current_plan(submission)
    if plan is None:
        raise InvalidInput("no_plan", "there is no plan to sign")
    plans.sign_plan(plan, **signing(request))
    return "The plan is signed."


def commit_site(submission: Submission, request: Asking) -> str:
    sign_commitment(submission, **signing(request))
    return "The commitment of the site is signed."


def propose_change(submission: Submission, request: Asking) -> str:
    content = mapping(request.POST.get("plan", ""), "the plan")
    change = plan_changes.propose_plan_change(
        submission, content=content, kind=request.POST.get("kind", "amendment"), reason=request.POST.get("reason", ""),
        by=by_of(submission, request, AUTHOR, ASSESSOR),
    )  # fmt: skip
    return f"{change.get_kind_display()} is proposed; both sides sign it."


def agree_change(submission: Submission, request: Asking) -> str:
    change = named(submission.plan_changes, request, "change")
    change = plan_changes.agree_plan_change(change, **signing(request))
    return f"{change.get_kind_display()}: {change.get_status_display().lower()}."


def reject_change(submission: Submission, request: Asking) -> str:
    change = named(submission.plan_changes, request, "change")
    plan_changes.settle_plan_change(
        change, status=request.POST.get("status", ""), reason=request.POST.get("reason", ""),
        by=by_of(submission, request, AUTHOR, APPROVER, DECIDER),
    )  # fmt: skip
    return "Settled."


def plan_test(submission: Submission, request: Asking) -> str:
    deployment = get_object_or_404(submission.deployments, slug=request.POST.get("deployment", ""))
    test = real_world_tests.plan_test(
        submission, deployment=deployment, title=request.POST.get("title", ""),
        content={part: request.POST.get(part, "") for part in real_world_tests.PARTS},
        starts_on=day_of(request, "starts_on"), ends_on=day_of(request, "ends_on"),
        by=by_of(submission, request, AUTHOR, APPROVER),
    )  # fmt: skip
    return f"Test {test.number} is planned; the regulator approves it before it starts."


def move_test(submission: Submission, request: Asking) -> str:
    test = named(submission.real_world_tests, request, "test", column="number")
    moved = real_world_tests.move_test(
        test, step=request.POST.get("step", ""), reason=request.POST.get("reason", ""),
        registration=request.POST.get("registration", ""), **signing(request),
    )  # fmt: skip
    return f"Test {moved.number}: {moved.get_status_display().lower()}."


def extend_test(submission: Submission, request: Asking) -> str:
    test = named(submission.real_world_tests, request, "test", column="number")
    longer = real_world_tests.extend_test(
        test, ends_on=day_of(request, "ends_on"), reason=request.POST.get("reason", ""),
        by=by_of(submission, request, APPROVER),
    )  # fmt: skip
    return f"Test {longer.number} now ends on {longer.ends_on}."
