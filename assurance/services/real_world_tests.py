"""Tests in the real world: planned by the developer, approved, registered, run, and their outcome notified.

What Article 60 of the AI Act asks of such a test is asked here: consent, qualified oversight, results that can be
reversed or left out of account, an approval before it starts, at most six months and once six more.
"""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.utils import timezone

from accounts.models import Person, Role
from accounts.signing import sign
from assurance import regulation
from assurance.evidence.errors import InvalidInput
from assurance.models import Deployment, RealWorldTest, RealWorldTestStep, Submission
from assurance.selectors.evidence import current_plan
from assurance.services.submission_sides import acting_as, locked, require_side
from assurance.submissions.clocks import add_months
from assurance.submissions.real_world import StepOfTest, step_named
from records.actor import SYSTEM, Actor
from records.canonical import content_hash
from records.services import record_event

PARTS = {
    "consent": "how people are informed and agree",
    "oversight": "who watches the test, and what qualifies them",
    "reversal": "how a result can be reversed or left out of account",
}
MONTHS = 6  # and once as many again: Article 60(4)(f)
PLANNED_IN = ("admitted", "plan_negotiation", "active")
Status: Any = RealWorldTest.Status


@transaction.atomic
def plan_test(
    submission: Submission, *, deployment: Deployment, title: str, content: Mapping[str, str], starts_on: date,
    ends_on: date, by: Actor,
) -> RealWorldTest:  # fmt: skip
    """Write down one test under the current plan; ``content`` holds consent, oversight and reversal in words.

    Raises
    ------
    InvalidInput
        ``not_now``, ``not_in_plan`` (the plan names no real-world environment), ``other_deployment``, ``no_title``,
        ``part_missing``, ``wrong_dates``, ``too_long``.
    """
    submission = locked(submission)
    require_side(submission, by, "developer")
    plan = current_plan(submission)
    if submission.state not in PLANNED_IN or plan is None:
        raise InvalidInput("not_now", f"{submission.label} is {submission.state}: a test is planned once admitted")
    if "real_world" not in plan.content.get("environments", []):
        raise InvalidInput(
            "not_in_plan", f"plan revision {plan.revision} has no real_world environment: amend it first"
        )
    if not submission.deployments.filter(pk=deployment.pk).exists():
        raise InvalidInput("other_deployment", f"{deployment.name} is not part of {submission.label}")
    if not title.strip():
        raise InvalidInput("no_title", "title is empty: say in a line what is tested")
    silent = [what for part, what in PARTS.items() if not str(content.get(part, "")).strip()]
    if silent:
        raise InvalidInput("part_missing", f"the test does not say {'; '.join(silent)}")
    if ends_on <= starts_on:
        raise InvalidInput("wrong_dates", f"the test ends on {ends_on}, not after it starts on {starts_on}")
    _check_length(starts_on, ends_on, months=MONTHS)
    plain = {part: str(content[part]).strip() for part in PARTS}
    test = RealWorldTest(
        submission=submission, number=submission.real_world_tests.count() + 1, plan=plan, deployment=deployment,
        title=title.strip()[:200], content=plain, starts_on=starts_on, ends_on=ends_on, author_id=by.person_id,
    )  # fmt: skip
    test.sha256 = content_hash(statement_of(test))
    test.save()
    record_event(
        action="test.plan", subject=submission, by=by, new={"test": test.number, "sha256": test.sha256},
    )  # fmt: skip
    return test


def statement_of(test: RealWorldTest) -> dict[str, Any]:
    """What every signature on the test is bound to."""
    return {
        "submission": str(test.submission_id), "number": test.number, "plan_sha256": test.plan.sha256,
        "deployment": str(test.deployment_id), "title": test.title, "content": test.content,
        "starts_on": test.starts_on, "ends_on": test.ends_on,
    }  # fmt: skip


def _check_length(starts_on: date, ends_on: date, *, months: int) -> None:
    latest = add_months(starts_on, months)
    if ends_on > latest:
        raise InvalidInput("too_long", f"a test that starts on {starts_on} ends by {latest}: {ends_on} is later")


@transaction.atomic
def move_test(
    test: RealWorldTest, *, step: str, person: Person, reason: str = "", registration: str = "", password: str = "",
    code: str = "", request_id: str = "", today: date | None = None,
) -> RealWorldTest:  # fmt: skip
    """Take one step of the test's life: who, what must be there, signature and audit event together, or nothing.

    Raises
    ------
    InvalidInput
        ``unknown_step``, ``wrong_state``, ``reason_missing``, ``registration_missing``, ``not_ready``.
    PermissionDenied
        The person's role does not take this step.
    """
    taken = step_named(regulation.steps_of_test(), step)
    submission = locked(test.submission)
    test = RealWorldTest.objects.select_for_update().select_related("submission", "plan").get(pk=test.pk)
    if test.status not in taken.sources:
        raise InvalidInput(
            "wrong_state", f"{step} leads from {' or '.join(taken.sources)}, and {test} is {test.status}"
        )
    by = acting_as(submission, person, taken.by, request_id=request_id)
    if by is None:
        needed = ", ".join(Role(role).label for role in taken.by)
        raise PermissionDenied(f"“{taken.title}” is for {needed} of the organisation concerned")
    if taken.reason_mandatory and not reason.strip():
        raise InvalidInput("reason_missing", f"“{taken.title}” needs a reason: say in a sentence why")
    if taken.needs == "registration":
        if not registration.strip():
            raise InvalidInput("registration_missing", "give the number under which the test is registered")
        test.registration = registration.strip()[:120]
    if taken.target == Status.RUNNING:
        _check_may_run(submission, test, today or timezone.now().date())
    sha256 = content_hash(statement_of(test) | {"step": taken.target, "reason": reason.strip()})
    signature = None
    if taken.sign:
        signature = sign(
            submission, content_sha256=sha256, meaning=taken.meaning, person=person, password=password, code=code,
            request_id=request_id, not_by=[test.author_id] if taken.id == "r1" else [],
        )  # fmt: skip
    return _record(test, taken.target, by=by, reason=reason, sha256=sha256, signature_id=signature and signature.pk)


def _check_may_run(submission: Submission, test: RealWorldTest, today: date) -> None:
    if submission.state != "active":
        raise InvalidInput("not_ready", f"{submission.label} is {submission.state}: a test runs while it is active")
    if today < test.starts_on or today >= test.ends_on:
        raise InvalidInput("not_ready", f"the test is planned from {test.starts_on} to {test.ends_on}")
    plan = current_plan(submission)
    if plan is None or "real_world" not in plan.content.get("environments", []):
        raise InvalidInput("not_ready", "the plan that holds has no real_world environment")


def _record(
    test: RealWorldTest, target: str, *, by: Actor, reason: str, sha256: str = "", signature_id: int | None = None
) -> RealWorldTest:
    source, test.status = test.status, target
    test.save(update_fields=("status", "registration"))
    RealWorldTestStep.objects.create(
        test=test, source=source, target=target, person_id=by.person_id, role=by.role, reason=reason.strip(),
        content_sha256=sha256, signature_id=signature_id,
    )  # fmt: skip
    record_event(
        action=f"test.{target}", subject=test.submission, by=by, reason=reason, old={"status": source},
        new={"test": test.number, "status": target, "content_sha256": sha256, "signature": signature_id},
    )  # fmt: skip
    return test


@transaction.atomic
def extend_test(test: RealWorldTest, *, ends_on: date, reason: str, by: Actor) -> RealWorldTest:
    """Give a running test more time, once, with the reason, before it ends."""
    submission = locked(test.submission)
    test = RealWorldTest.objects.select_for_update().select_related("submission", "plan").get(pk=test.pk)
    require_side(submission, by, "developer", roles=(Role.DEVELOPER_APPROVER,))
    if test.status not in (Status.RUNNING, Status.SUSPENDED):
        raise InvalidInput("not_now", f"{test} is {test.get_status_display().lower()}: a running test is extended")
    if test.extended:
        raise InvalidInput("extended_already", f"{test} was extended once already: Article 60(4)(f) allows no more")
    if not reason.strip():
        raise InvalidInput("reason_missing", "say why the test needs more time")
    if ends_on <= test.ends_on:
        raise InvalidInput("wrong_dates", f"the new end {ends_on} does not lie after {test.ends_on}")
    _check_length(test.starts_on, ends_on, months=2 * MONTHS)
    old, test.ends_on, test.extended = test.ends_on, ends_on, True
    test.sha256 = content_hash(statement_of(test))
    test.save(update_fields=("ends_on", "extended", "sha256"))
    record_event(
        action="test.extend", subject=submission, by=by, reason=reason, old={"ends_on": old},
        new={"test": test.number, "ends_on": ends_on, "sha256": test.sha256},
    )  # fmt: skip
    return test


def suspend_tests(submission: Submission, *, by: Actor, reason: str) -> None:
    """A suspended submission suspends its running tests with it; each is let go on by itself."""
    for test in submission.real_world_tests.filter(status=Status.RUNNING):
        _record(test, Status.SUSPENDED, by=by, reason=reason)


def end_tests(submission: Submission, *, by: Actor, reason: str) -> None:
    """No test outlives its submission."""
    for test in submission.real_world_tests.filter(status__in=(Status.RUNNING, Status.SUSPENDED)):
        _record(test, Status.ENDED, by=by, reason=reason)


@transaction.atomic
def end_due_tests(*, now: datetime) -> list[RealWorldTest]:
    """End every test whose last day is over, by the clock of the instance."""
    due = RealWorldTest.objects.select_for_update().filter(
        status__in=(Status.RUNNING, Status.SUSPENDED), ends_on__lte=now.date()
    )
    return [_record(test, Status.ENDED, by=SYSTEM, reason=f"the last day was {test.ends_on}") for test in due]


def steps_open_to(test: RealWorldTest, person: Person) -> list[StepOfTest]:
    """Steps out of the test's state that the person may take."""
    return [
        step
        for step in regulation.steps_of_test().values()
        if test.status in step.sources and acting_as(test.submission, person, step.by) is not None
    ]
