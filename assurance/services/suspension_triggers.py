"""What proposes a suspension by itself: a threshold of the frozen plan that a Finding crosses, and an overdue report.

Asked by the clock of the instance, as often as one likes: a proposal is raised once for its evidence, and none is
raised while an earlier one about the same threshold or report is still open. People decide; nothing here suspends.
"""

import logging
from datetime import datetime, timedelta

from django.db.models import QuerySet
from django.utils import timezone

from assurance.evidence.errors import InvalidInput
from assurance.models import Condition, FindingRecord, StateChange, Submission, SuspensionProposal
from assurance.selectors.evidence import current_plan, findings_for
from assurance.services.endings import propose_suspension
from assurance.submissions.thresholds import Bound, read_bounds
from records.actor import SYSTEM
from records.canonical import content_hash

log = logging.getLogger(__name__)
NAMED = 3  # so many of the Findings beyond a threshold are named in the reason, the rest are counted


def raise_due_proposals(*, now: datetime | None = None) -> list[SuspensionProposal]:
    """Look at every running test; the proposals that were raised by this call."""
    moment = now or timezone.now()
    raised = []
    for submission in Submission.objects.filter(state="active"):
        before = set(submission.suspension_proposals.values_list("pk", flat=True))
        try:
            propose_for_thresholds(submission)
            propose_for_reports(submission, now=moment)
        except InvalidInput as refusal:  # a plan from before its thresholds were checked stops no other file
            log.warning("%s: %s", submission.label, refusal.message)
        raised += list(submission.suspension_proposals.exclude(pk__in=before))
    return raised


def propose_for_thresholds(submission: Submission) -> None:
    """One proposal for each threshold that the newest window of its quantity crosses."""
    plan, started = current_plan(submission), _started(submission)
    if plan is None or plan.frozen_at is None or started is None:
        return
    for bound in read_bounds(plan.content.get("thresholds") or {}):
        beyond = crossing(submission, bound, since=started.at)
        if not beyond:
            continue
        worst = beyond[0]
        more = f" and {len(beyond) - NAMED} more" if len(beyond) > NAMED else ""
        propose_suspension(
            submission, trigger="plan_limit", subject=bound.key, evidence_sha256=worst.digest, by=SYSTEM,
            reason=f"Plan revision {plan.revision} asks for {bound}: " + "; ".join(map(_said, beyond[:NAMED])) + more
            + ".",
        )  # fmt: skip


def crossing(submission: Submission, bound: Bound, *, since: datetime) -> list[FindingRecord]:
    """Current Findings of the newest window since the start that lie beyond ``bound``, the farthest first.

    Findings without a value or with too few cases cross nothing: they are no evidence either way.
    """
    rows = _judged(submission, bound, since)
    newest = rows.order_by("-window_end").values_list("window_end", flat=True).first()
    if newest is None:
        return []
    found = [row for row in rows.filter(window_end=newest) if row.value is not None and bound.crossed(row.value)]
    return sorted(found, key=lambda row: (-_distance(bound, row.value or 0.0), row.digest))


def _judged(submission: Submission, bound: Bound, since: datetime) -> "QuerySet[FindingRecord]":
    rows = findings_for(submission=submission).filter(
        quantity=bound.quantity, stratum=bound.stratum, window_end__gt=since, value__isnull=False
    )
    if bound.signal:
        rows = rows.filter(signal=bound.signal)
    return rows.exclude(state="insufficient")


def _distance(bound: Bound, value: float) -> float:
    below = bound.at_least - value if bound.at_least is not None else 0.0
    above = value - bound.at_most if bound.at_most is not None else 0.0
    return max(below, above)


def _said(row: FindingRecord) -> str:
    interval = row.content.get("interval") or {}
    span = f" ({100 * interval['level']:g} % {interval['low']:.3g} to {interval['high']:.3g})" if interval else ""
    signal = f" of {row.signal}" if row.signal else ""
    end = f", window to {row.window_end:%Y-%m-%d}" if row.window_end else ""
    return f"Finding {row.evidence_id} is {row.value:.3g}{span}{signal}, {row.n_cases} cases{end}"


def propose_for_reports(submission: Submission, *, now: datetime) -> None:
    """One proposal for each report that is overdue: the plan's periodic one, and conditions with a date."""
    plan, started = current_plan(submission), _started(submission)
    every = plan.content.get("report_every_days") if plan and plan.frozen_at else None
    if every and started:
        last = submission.evidence.filter(kind="periodic_report", withdrawn_at=None).order_by("-added_at").first()
        counted = max(started.at, last.added_at) if last else started.at
        due = counted + timedelta(days=every)
        if now > due:
            since = "the last one" if last and last.added_at >= started.at else "the start"
            _overdue(submission, "periodic report", due, f"The plan asks for a report every {every} days; counted from "
                     f"{since} on {counted:%Y-%m-%d} it was due on {due:%Y-%m-%d}.")  # fmt: skip
    conditions = Condition.objects.filter(
        decision__submission=submission, decision__decided_at__isnull=False, status=Condition.Status.OPEN,
        due__lt=now.date(),
    )  # fmt: skip
    for condition in conditions:
        _overdue(submission, f"condition {condition.pk}", condition.due, f"The condition “{condition.text}” was due on "
                 f"{condition.due} and is not met.")  # fmt: skip


def _overdue(submission: Submission, subject: str, due: object, reason: str) -> None:
    propose_suspension(
        submission, trigger="report_overdue", subject=subject, reason=reason, by=SYSTEM,
        evidence_sha256=content_hash({"submission": str(submission.pk), "subject": subject, "due": due}),
    )  # fmt: skip


def _started(submission: Submission) -> StateChange | None:
    """The step that began the test, or the newest that let it go on after a suspension."""
    return submission.changes.filter(transition__in=("t17", "t20")).order_by("-pk").first()
