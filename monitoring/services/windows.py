"""Computing what is due: every complete window whose inputs changed since it was computed last."""

from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone

from assurance.evidence.errors import NotComputable
from assurance.evidence.finding import Finding
from assurance.models import Deployment, FindingRecord
from assurance.services.findings import store_finding
from monitoring.drift.state import state_from_bytes
from monitoring.drift.update_markers import Marker
from monitoring.models import DayState, EmbeddingDay, Label, MonitoringPlan, ReferenceSet, WindowRun
from monitoring.plan import Plan, read_plan
from monitoring.services.alarms import raise_alarms
from monitoring.services.embedding_days import blocks_between, fill_days, reference_blocks
from monitoring.services.plans import plan_of
from monitoring.services.references import reference_of
from monitoring.windows import inputs
from monitoring.windows.calendar import Span, calendar_spans, case_spans, rolling_spans, spans
from monitoring.windows.cases import cases_of
from monitoring.windows.findings import Reference, window_findings
from monitoring.windows.markers import markers_of
from monitoring.windows.performance import performance_findings

Progress = Callable[[int, int, str], None]


def compute_due(deployment: Deployment, *, today: date, progress: Progress = lambda done, of, step: None) -> int:
    """Compute the deployment's due windows under its plan in force, oldest first; how many were computed.

    Raises
    ------
    NotComputable
        ``no_plan`` or ``no_reference``: nothing can be judged before both are frozen.
    """
    plan, reference = plan_of(deployment), reference_of(deployment)
    if plan is None:
        raise NotComputable("no_plan", f"{deployment} has no monitoring plan: freeze one first")
    if reference is None:
        raise NotComputable("no_reference", f"{deployment} has no reference set for {deployment.version}: freeze one")
    content = read_plan(plan.content)
    if content.embedding:
        fill_days(deployment, reference)
    due = due_spans(deployment, plan, reference, today=today)
    if not due:
        return 0
    whole = reference_data(deployment, reference, content)
    markers = markers_of(deployment) if content.context else []
    for done, (span, digest) in enumerate(due):
        progress(done, len(due), f"{span.start} to {span.end}")
        _compute(deployment, plan, content, whole, markers, span, digest)
    progress(len(due), len(due), "done")
    return len(due)


def due_spans(
    deployment: Deployment, plan: MonitoringPlan, reference: ReferenceSet, *, today: date
) -> list[tuple[Span, str]]:
    content = read_plan(plan.content)
    computed = {
        run.start: run.input_sha256
        for run in WindowRun.objects.filter(deployment=deployment, version=deployment.version, plan=plan)
    }
    found = []
    for span in plan_spans(deployment, content, today=today):
        digest = inputs.input_digest(deployment, span, plan.sha256, reference.sha256)
        if computed.get(span.start) != digest:
            found.append((span, digest))
    return found


def plan_spans(deployment: Deployment, content: Plan, *, today: date) -> list[Span]:
    """The complete windows of a plan over the cases that have come, oldest first."""
    first, last = inputs.days_of(deployment)
    if first is None:
        return []
    anchor = content.start or first
    if content.window == "rolling":
        return rolling_spans(
            anchor=anchor, days=content.window_days, stride=content.stride_days, last=last, today=today
        )
    if content.window == "cases":
        return case_spans(inputs.day_counts(deployment), anchor=anchor, cases=content.window_cases, today=today)
    if content.window in ("day", "week", "month"):
        return calendar_spans(content.window, anchor=anchor, last=last, today=today)
    return spans(anchor=anchor, days=content.window_days, last=last, today=today)


def reference_data(deployment: Deployment, row: ReferenceSet, content: Plan) -> Reference:
    """What every window of a plan is compared with, read once."""
    states = {one.signal: state_from_bytes(bytes(one.content)) for one in row.states.all()}
    cases = cases_of(deployment, None) if _needs_cases(content) else None
    blocks = reference_blocks(row) if content.embedding else []
    return Reference(row, states, cases, inputs.labelled(deployment, None, quantity="label"), blocks)


def _needs_cases(content: Plan) -> bool:
    return bool(content.second_opinion or content.context or content.strata or content.embedding or content.scores)


def findings_of_span(
    deployment: Deployment, content: Plan, reference: Reference, markers: list[Marker], span: Span
) -> list[tuple[str, Finding]]:
    """(family, Finding) of one window, performance included. Stores nothing."""
    return _found(deployment, content, reference, markers, span, inputs.window_states(deployment, span))


def _found(
    deployment: Deployment, content: Plan, reference: Reference, markers: list[Marker], span: Span,
    window: inputs.WindowInput,
) -> list[tuple[str, Finding]]:  # fmt: skip
    place: dict[str, Any] = {"window": span.window, "model_version": str(deployment.version)}
    found = window_findings(
        deployment, span, window, plan=content, reference=reference, markers=markers,
        cases=cases_of(deployment, span) if _needs_cases(content) else None, counts=inputs.counts(deployment, span),
        blocks=blocks_between(reference.row, span.start, span.end)[0] if reference.blocks else {},
    )  # fmt: skip
    return found + [("performance", finding) for finding in _performance(deployment, content, span, place)]


def _compute(
    deployment: Deployment, plan: MonitoringPlan, content: Plan, reference: Reference, markers: list[Marker],
    span: Span, digest: str,
) -> None:  # fmt: skip
    window = inputs.window_states(deployment, span)
    found = _found(deployment, content, reference, markers, span, window)
    cases = next((one.n_cases for _, one in found if one.quantity == "volume" and not one.stratum), 0)
    with transaction.atomic():
        records = [
            store_finding(finding, family=family, deployment=deployment, version=deployment.version)
            for family, finding in found
        ]
        _settle(deployment, plan, span, digest, window.day_states, cases)
        if span.disjoint:
            raise_alarms(deployment, records, plan=content)


def _performance(deployment: Deployment, content: Plan, span: Span, place: dict[str, Any]) -> list[Finding]:
    several = deployment.sites.count() > 1
    found = []
    reach = performance_span(content, span)
    for quantity in Label.objects.filter(deployment=deployment).values_list("quantity", flat=True).distinct():
        rows = inputs.labelled(deployment, reach, quantity=quantity)
        found += [
            replace(finding, **(place | {"window": reach.window}))
            for finding in performance_findings(quantity, rows, plan=content, several_sites=several)
        ]
    return found


def performance_span(content: Plan, span: Span) -> Span:
    """The last ``performance_days`` up to the window's end: truth is scarcer than predictions."""
    days = max(content.performance_days, (span.end - span.start).days)
    return Span(span.end - timedelta(days=days), span.end)


def _settle(
    deployment: Deployment, plan: MonitoringPlan, span: Span, digest: str, day_states: list[int], cases: int
) -> None:
    now = timezone.now()
    DayState.objects.filter(pk__in=day_states, used_at=None).update(used_at=now)
    EmbeddingDay.objects.filter(
        deployment=deployment, version=deployment.version, current=True, used_at=None, day__gte=span.start,
        day__lt=span.end,
    ).update(used_at=now)  # fmt: skip
    run, fresh = WindowRun.objects.get_or_create(
        deployment=deployment, version=deployment.version, plan=plan, start=span.start,
        defaults={"end": span.end, "input_sha256": digest, "n_cases": cases},
    )  # fmt: skip
    if not fresh:
        run.input_sha256, run.n_cases, run.computed_at = digest, cases, timezone.now()
        run.revision += 1
        run.save(update_fields=("input_sha256", "n_cases", "computed_at", "revision"))


def reference_performance(deployment: Deployment, *, reference: ReferenceSet, plan: Plan) -> list[FindingRecord]:
    """Performance on the reference cases that have truth, stored without a window, to stand beside the windows'."""
    found = []
    for quantity in Label.objects.filter(deployment=deployment).values_list("quantity", flat=True).distinct():
        rows = inputs.labelled(deployment, None, quantity=quantity)
        for finding in performance_findings(quantity, rows, plan=plan, several_sites=False):
            placed = replace(
                finding, stratum={"set": "reference"}, reference=f"{reference.name} {reference.sha256[:12]}",
                model_version=str(deployment.version),
            )  # fmt: skip
            found.append(store_finding(placed, family="performance", deployment=deployment, version=deployment.version))
    return found
