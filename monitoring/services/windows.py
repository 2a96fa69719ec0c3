"""Computing what is due: every complete window whose inputs changed since it was computed last."""

from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone

from assurance.evidence.errors import NotComputable
from assurance.evidence.finding import Finding, Method, State
from assurance.models import Deployment, FindingRecord
from assurance.services.findings import store_finding
from monitoring.drift.state import state_from_bytes
from monitoring.models import DayState, Label, MonitoringPlan, ReferenceSet, WindowRun
from monitoring.plan import Plan, read_plan
from monitoring.services.alarms import raise_alarms
from monitoring.services.plans import plan_of
from monitoring.services.references import reference_of
from monitoring.windows import inputs
from monitoring.windows.calendar import Span, spans
from monitoring.windows.compare import drift_findings
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
    due = due_spans(deployment, plan, reference, today=today)
    if not due:
        return 0
    content = read_plan(plan.content)
    states = {row.signal: state_from_bytes(bytes(row.content)) for row in reference.states.all()}
    raw_reference = inputs.raw_values(deployment, span=None).get("", {}) if content.second_opinion else None
    for done, (span, digest) in enumerate(due):
        progress(done, len(due), f"{span.start} to {span.end}")
        _compute(deployment, plan, content, reference, states, raw_reference, span, digest)
    progress(len(due), len(due), "done")
    return len(due)


def due_spans(
    deployment: Deployment, plan: MonitoringPlan, reference: ReferenceSet, *, today: date
) -> list[tuple[Span, str]]:
    content = read_plan(plan.content)
    first, last = inputs.days_of(deployment)
    if first is None:
        return []
    computed = {
        run.start: run.input_sha256
        for run in WindowRun.objects.filter(deployment=deployment, version=deployment.version, plan=plan)
    }
    found = []
    for span in spans(anchor=content.start or first, days=content.window_days, last=last, today=today):
        digest = inputs.input_digest(deployment, span, plan.sha256, reference.sha256)
        if computed.get(span.start) != digest:
            found.append((span, digest))
    return found


def _compute(
    deployment: Deployment, plan: MonitoringPlan, content: Plan, reference: ReferenceSet, states: dict[str, Any],
    raw_reference: dict[str, Any] | None, span: Span, digest: str,
) -> None:  # fmt: skip
    window = inputs.window_states(deployment, span)
    raw = inputs.raw_values(deployment, span=span) if content.second_opinion else {}
    counts = inputs.counts(deployment, span)
    families = dict(deployment.signals.values_list("name", "family"))
    place: dict[str, Any] = {"window": span.window, "model_version": str(deployment.version)}
    found: list[tuple[str, Finding]] = []
    for stratum in sorted({stratum for stratum, _ in window.states}):
        level = {"site": stratum.removeprefix("site=")} if stratum else {}
        current = {signal: state for (where, signal), state in window.states.items() if where == stratum}
        cases, patients = counts.get(stratum, (0, None))
        for signal, finding in drift_findings(
            states, current, plan=content, raw=raw.get(stratum), raw_reference=raw_reference
        ):
            placed = replace(
                finding, signal=signal, stratum=level, reference=f"{reference.name} {reference.sha256[:12]}",
                n_patients=patients, **place,
            )  # fmt: skip
            found.append((families.get(signal, "output"), placed))
        found.append(("input", _volume(cases, patients, window.digest, level, place)))
    found += [("performance", finding) for finding in _performance(deployment, content, span, place)]
    with transaction.atomic():
        records = [
            store_finding(finding, family=family, deployment=deployment, version=deployment.version)
            for family, finding in found
        ]
        _settle(deployment, plan, span, digest, window.day_states, counts.get("", (0, None))[0])
        raise_alarms(deployment, records, plan=content)


def _volume(cases: int, patients: int | None, digest: str, stratum: dict[str, str], place: dict[str, Any]) -> Finding:
    return Finding(
        quantity="volume", value=float(cases), unit="cases", state=State.OK, n_cases=cases, n_patients=patients,
        method=Method("volume", "vigil", "1", {}), input_digest=digest, stratum=stratum, **place,
    )  # fmt: skip


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
    days = max(content.performance_days or content.window_days, content.window_days)
    return Span(span.end - timedelta(days=days), span.end)


def _settle(
    deployment: Deployment, plan: MonitoringPlan, span: Span, digest: str, day_states: list[int], cases: int
) -> None:
    DayState.objects.filter(pk__in=day_states, used_at=None).update(used_at=timezone.now())
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
