"""Sandbox plans: saved as revisions, frozen and hashed before data are opened, signed, changed only by agreement."""

from collections.abc import Mapping
from datetime import date
from typing import Any

from django.db import transaction
from django.utils import timezone

from accounts.models import Person
from accounts.signing import sign
from assurance.evidence.errors import InvalidInput
from assurance.models import SandboxPlan, Submission
from assurance.services.submission_sides import side_of
from assurance.submissions.thresholds import read_bounds
from records.actor import Actor
from records.canonical import content_hash
from records.models import Signature
from records.services import record_event

OPEN_STATES = ("draft", "admitted", "plan_negotiation")
ENVIRONMENTS = ("simulation", "virtual", "real_world")
PARTS = {  # part of the plan, its kind, and whether freezing asks for it
    "question": (str, True), "method": (str, True), "answer_criterion": (str, True), "environments": (list, True),
    "end_date": (str, True), "start_date": (str, False), "safeguards": (list, True), "stop_rules": (list, True),
    "thresholds": (dict, True), "test_sets": (list, True), "limits": (dict, False), "report_every_days": (int, False),
    "incident_procedure": (str, False), "duties": (list, False), "personal_data": (bool, False),
    "data_protection_authority": (str, False), "legal_basis": (str, False), "notes": (str, False),
}  # fmt: skip


@transaction.atomic
def save_plan(submission: Submission, *, content: Mapping[str, Any], by: Actor) -> SandboxPlan:
    """Keep ``content`` as the next revision of the plan; the same content again is no new one.

    Raises
    ------
    InvalidInput
        ``unknown_part``, ``wrong_type``, ``not_a_date``, ``not_now`` (the plan is agreed: propose an amendment).
    """
    submission = Submission.objects.select_for_update().get(pk=submission.pk)
    side_of(submission, by)
    if submission.state not in OPEN_STATES:
        raise InvalidInput("not_now", f"{submission.label} is {submission.state}: the plan changes by amendment only")
    plain = checked_plan(content)
    sha256 = content_hash(plain)
    last = submission.plans.order_by("-revision").first()
    if last is not None and last.sha256 == sha256:
        return last
    return _next_plan(submission, plain, by)


def _next_plan(submission: Submission, content: dict[str, Any], by: Actor) -> SandboxPlan:
    last = submission.plans.order_by("-revision").first()
    plan = SandboxPlan.objects.create(
        submission=submission, revision=last.revision + 1 if last else 1, content=content,
        sha256=content_hash(content), author_id=by.person_id,
    )  # fmt: skip
    record_event(
        action="plan.save", subject=submission, by=by, old={"sha256": last.sha256} if last else None,
        new={"revision": plan.revision, "sha256": plan.sha256},
    )  # fmt: skip
    return plan


def checked_plan(content: Mapping[str, Any]) -> dict[str, Any]:
    """``content`` with every part known and of its kind."""
    for part, value in content.items():
        if part not in PARTS:
            raise InvalidInput("unknown_part", f"plan has the part {part!r}: known are {', '.join(PARTS)}")
        kind = PARTS[part][0]
        if value is not None and not isinstance(value, kind):
            raise InvalidInput("wrong_type", f"{part} of the plan is {value!r}: give {kind.__name__}")
    for part in ("start_date", "end_date"):
        if content.get(part):
            try:
                date.fromisoformat(content[part])
            except ValueError as error:
                raise InvalidInput(
                    "not_a_date", f"{part} is {content[part]!r}: give a date such as 2026-11-24"
                ) from error
    for place in content.get("environments") or []:
        if place not in ENVIRONMENTS:
            raise InvalidInput("unknown_environment", f"environment {place!r}: choose from {', '.join(ENVIRONMENTS)}")
    read_bounds(content.get("thresholds") or {})
    days = content.get("report_every_days")
    if days is not None and (isinstance(days, bool) or not 1 <= days <= 366):
        raise InvalidInput("wrong_type", f"report_every_days of the plan is {days!r}: give 1 to 366 days")
    return dict(content)


def open_parts(content: Mapping[str, Any]) -> list[str]:
    """Parts that freezing asks for and that are empty."""
    return [part for part, (_, needed) in PARTS.items() if needed and not content.get(part)]


@transaction.atomic
def freeze_plan(submission: Submission, *, by: Actor) -> SandboxPlan:
    """Fix the newest revision: from now on its question, thresholds and test sets are what its hash says."""
    submission = Submission.objects.select_for_update().get(pk=submission.pk)
    side_of(submission, by)
    plan = submission.plans.order_by("-revision").first()
    if plan is None:
        raise InvalidInput("no_plan", f"{submission.label} has no plan: save one first")
    if plan.frozen_at:
        return plan
    if submission.state not in OPEN_STATES:
        raise InvalidInput("not_now", f"{submission.label} is {submission.state}: a plan is frozen before it starts")
    empty = open_parts(plan.content)
    if empty:
        raise InvalidInput("not_ready", f"the plan cannot be frozen: {', '.join(empty)} is empty")
    plan.frozen_at, plan.frozen_by_id = timezone.now(), by.person_id
    plan.save(update_fields=("frozen_at", "frozen_by"))
    record_event(
        action="plan.freeze", subject=submission, by=by,
        new={"revision": plan.revision, "sha256": plan.sha256, "thresholds": plan.content["thresholds"],
             "test_sets": plan.content["test_sets"]},
    )  # fmt: skip
    return plan


def sign_plan(
    plan: SandboxPlan, *, person: Person, password: str, code: str, time_zone: str = "UTC", request_id: str = ""
) -> Signature:
    """Take responsibility for a frozen plan, for the developer or for one hospital."""
    if plan.frozen_at is None:
        raise InvalidInput("not_frozen", f"{plan} is not frozen: freeze it before anybody signs")
    return sign(
        plan, content_sha256=plan.sha256, meaning="responsibility", person=person, password=password, code=code,
        time_zone=time_zone, request_id=request_id,
    )  # fmt: skip
