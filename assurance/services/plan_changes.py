"""Amendments and extensions: proposed with the resulting plan, in force only when both sides have signed."""

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any

from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.utils import timezone

from accounts.models import Person, Role
from accounts.signing import sign
from assurance import regulation
from assurance.evidence.errors import InvalidInput
from assurance.models import PlanChange, SandboxPlan, Submission
from assurance.selectors.evidence import current_plan
from assurance.services.plans import checked_plan, open_parts
from assurance.services.submission_guards import planned_end
from assurance.services.submission_sides import acting_as, side_of
from assurance.submissions.clocks import add_months
from records.actor import Actor
from records.canonical import content_hash
from records.services import record_event

OPEN_IN = ("active", "suspended")
SIDES = {
    "developer": (Role.DEVELOPER_APPROVER, "developer_signature"),
    "regulator": (Role.REGULATOR_DECIDER, "regulator_signature"),
}


@transaction.atomic
def propose_plan_change(
    submission: Submission, *, content: Mapping[str, Any], reason: str, by: Actor, kind: str = "amendment"
) -> PlanChange:
    """Propose the plan that is to hold from then on. An extension changes the end date and nothing else.

    Raises
    ------
    InvalidInput
        ``not_now``, ``reason_missing``, ``nothing_changes``, ``not_an_extension``, ``too_late`` (an extension is agreed
        a number of days before the planned end), ``too_long`` (real-world tests have a longest length).
    """
    submission = Submission.objects.select_for_update().get(pk=submission.pk)
    side_of(submission, by)
    base = current_plan(submission)
    if submission.state not in OPEN_IN or base is None or base.frozen_at is None:
        raise InvalidInput("not_now", f"{submission.label} is {submission.state}: a running plan is what is amended")
    if not reason.strip():
        raise InvalidInput("reason_missing", "say why the plan is to change")
    plain = checked_plan(content)
    empty = open_parts(plain)
    if empty:
        raise InvalidInput("not_ready", f"the resulting plan leaves empty: {', '.join(empty)}")
    changed = {part for part in {*plain, *base.content} if plain.get(part) != base.content.get(part)}
    if not changed:
        raise InvalidInput("nothing_changes", "the resulting plan is the plan that holds already")
    if kind == PlanChange.Kind.EXTENSION:
        _check_extension(submission, plain, changed)
    elif kind not in PlanChange.Kind.values:
        raise InvalidInput("unknown_kind", f"kind {kind!r}: give amendment or extension")
    elif "end_date" in changed:
        raise InvalidInput("is_extension", "the end date changes by an extension, not by an amendment")
    change = PlanChange.objects.create(
        submission=submission, kind=kind, base=base, content=plain, sha256=content_hash(plain), reason=reason.strip(),
        author_id=by.person_id,
    )  # fmt: skip
    record_event(
        action="plan.propose_change", subject=submission, by=by, reason=reason,
        new={"kind": kind, "parts": sorted(changed), "sha256": change.sha256},
    )  # fmt: skip
    return change


def _check_extension(submission: Submission, plain: Mapping[str, Any], changed: set[str]) -> None:
    profile = regulation.profile_from(submission.profile_terms)
    end = planned_end(submission)
    if changed != {"end_date"} or end is None:
        raise InvalidInput("not_an_extension", "an extension changes the end date and nothing else")
    new_end = date.fromisoformat(plain["end_date"])
    if new_end <= end:
        raise InvalidInput("not_an_extension", f"the new end {new_end} does not lie after {end}")
    last_day = end - timedelta(days=profile.extension_days_before)
    if timezone.now().date() > last_day:
        raise InvalidInput(
            "too_late", f"an extension is agreed {profile.extension_days_before} days before the end: until {last_day}"
        )
    started = submission.changes.filter(transition="t17").order_by("pk").first()
    if profile.longest_real_world_months and "real_world" in plain.get("environments", []) and started:
        longest = add_months(started.at.date(), profile.longest_real_world_months)
        if new_end > longest:
            raise InvalidInput("too_long", f"a real-world test ends by {longest}: {new_end} is later")


@transaction.atomic
def agree_plan_change(
    change: PlanChange, *, person: Person, password: str, code: str, request_id: str = ""
) -> PlanChange:
    """Sign a proposed change for one side; with both signatures it becomes the plan that holds."""
    change = PlanChange.objects.select_for_update().select_related("submission").get(pk=change.pk)
    _open(change)
    for role, column in SIDES.values():
        by = acting_as(change.submission, person, (role,), request_id=request_id)
        if by is not None and getattr(change, column) is None:
            break
    else:
        raise PermissionDenied("a change of plan is signed by the developer's approver and the regulator's decider")
    signature = sign(
        change, content_sha256=change.sha256, meaning="approval", person=person, password=password, code=code,
        request_id=request_id, not_by=[change.author_id] if role == Role.DEVELOPER_APPROVER else [],
    )  # fmt: skip
    setattr(change, column, signature.pk)
    if change.developer_signature and change.regulator_signature:
        plan = SandboxPlan.objects.create(
            submission=change.submission, revision=change.submission.plans.count() + 1, content=change.content,
            sha256=change.sha256, author_id=change.author_id, frozen_at=timezone.now(), frozen_by_id=person.pk,
        )  # fmt: skip
        change.status, change.result, change.settled_at = PlanChange.Status.AGREED, plan, timezone.now()
    change.save()
    record_event(
        action="plan.agree_change", subject=change.submission, by=by,
        new={"status": change.status, "sha256": change.sha256, "signature": signature.pk},
    )  # fmt: skip
    return change


@transaction.atomic
def settle_plan_change(change: PlanChange, *, status: str, reason: str, by: Actor) -> None:
    """The other side rejects a proposal, or its own side withdraws it."""
    change = PlanChange.objects.select_for_update().select_related("submission").get(pk=change.pk)
    _open(change)
    if status not in (PlanChange.Status.REJECTED, PlanChange.Status.WITHDRAWN) or not reason.strip():
        raise InvalidInput("reason_missing", "give rejected or withdrawn, and the reason")
    side_of(change.submission, by)
    change.status, change.settled_at = status, timezone.now()
    change.save(update_fields=("status", "settled_at"))
    record_event(
        action="plan.settle_change", subject=change.submission, by=by, reason=reason, new={"status": status},
    )  # fmt: skip


def _open(change: PlanChange) -> None:
    if change.status != PlanChange.Status.PROPOSED or change.submission.state not in OPEN_IN:
        raise InvalidInput("not_now", f"this {change.kind} is {change.get_status_display().lower()}")
