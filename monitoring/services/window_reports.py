"""Evidently's HTML report of a window, made when somebody asks: a second opinion, with where it differs and why."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

from django.db import transaction

from assurance.evidence.errors import InvalidInput, NotComputable
from assurance.jobs import start_job
from assurance.models import Deployment, FindingRecord, Job
from assurance.services.artefacts import store_artefact
from monitoring.models import WindowReport, WindowRun
from monitoring.windows.calendar import Span
from monitoring.windows.cases import Cases, cases_of
from monitoring.windows.compare import MOST_RAW, PRIMARY
from records.actor import Actor
from records.services import record_event

MAKE = "monitoring.make_window_report"
Progress = Callable[[int, int, str], None]


def ask_window_report(deployment: Deployment, *, start: date, end: date, by: Actor) -> Job:
    """Queue the report of a window that was computed; a job for it that waits or runs is answered as it is.

    Raises
    ------
    InvalidInput
        ``no_window`` when no window of the deployment's version has these days.
    """
    if not WindowRun.objects.filter(deployment=deployment, version=deployment.version, start=start, end=end).exists():
        raise InvalidInput("no_window", f"{deployment} has no computed window from {start} to {end}")
    arguments = {"deployment_id": str(deployment.pk), "start": start.isoformat(), "end": end.isoformat()}
    with transaction.atomic():
        Deployment.objects.select_for_update(of=("self",)).get(pk=deployment.pk)
        waiting = report_job(deployment, start=start, end=end, open_only=True)
        if waiting is not None:
            return waiting
        record_event(action="window_report.ask", subject=deployment, by=by, new={"start": str(start), "end": str(end)})
        return start_job(
            MAKE, queue="statistics", title=f"Evidently's report on {deployment}, {start} to {end}",
            arguments=arguments, organisation_id=deployment.organisation_id,
        )  # fmt: skip


def report_job(deployment: Deployment, *, start: date, end: date, open_only: bool = False) -> Job | None:
    """The newest job for the report of a window."""
    jobs = Job.objects.filter(
        task=MAKE, arguments__deployment_id=str(deployment.pk), arguments__start=start.isoformat(),
        arguments__end=end.isoformat(),
    )  # fmt: skip
    if open_only:
        jobs = jobs.filter(status__in=(Job.Status.QUEUED, Job.Status.RUNNING))
    return jobs.order_by("-queued_at").first()


def make_window_report(
    deployment: Deployment, *, start: date, end: date, progress: Progress = lambda done, of, step: None
) -> WindowReport:
    """Evidently's report of the window's raw values against the reference's, stored as an artefact.

    Raises
    ------
    NotComputable
        ``no_cases`` when a side has none any more, which is so once raw rows have expired.
    """
    progress(0, 3, "reading cases")
    span = Span(start, end)
    reference, current = cases_of(deployment, None, embeddings=False), cases_of(deployment, span, embeddings=False)
    if not reference.n or not current.n:
        raise NotComputable(
            "no_cases", f"{reference.n} reference and {current.n} current cases are stored: none to show"
        )
    from monitoring.drift import second_opinion  # Evidently takes seconds to load

    progress(1, 3, "comparing signals")
    opinions = _opinions(deployment, span, reference, current)
    progress(2, 3, "drawing")
    levels = [name for name, kind in current.kinds.items() if kind == "categorical"]
    page = second_opinion.html_report(_thinned(reference), _thinned(current), categorical=levels)
    artefact = store_artefact(
        page.encode(), organisation_id=deployment.organisation_id, media_type="text/html",
        description=f"Evidently's report on {deployment}, {start} to {end}",
    )  # fmt: skip
    report = WindowReport.objects.create(
        deployment=deployment, version=deployment.version, start=start, end=end, artefact=artefact,
        tool=f"evidently {second_opinion.installed_version()}", opinions=opinions, n_cases=current.n,
    )  # fmt: skip
    progress(3, 3, "done")
    return report


def _thinned(cases: Cases) -> dict[str, Any]:
    step = max(1, -(-cases.n // MOST_RAW))
    return {name: values[::step] for name, values in cases.values.items()}


def _opinions(deployment: Deployment, span: Span, reference: Cases, current: Cases) -> list[dict[str, Any]]:
    """Their verdict and ours for each signal; what ours is was stored with the window and is not computed here."""
    from monitoring.drift import second_opinion

    ours = {
        row.signal: row
        for row in FindingRecord.objects.filter(
            deployment=deployment, version=deployment.version, superseded_by=None, stratum="",
            quantity__in=PRIMARY.values(), window_end=span.window.end,
        )
    }  # fmt: skip
    first, second = _thinned(reference), _thinned(current)
    found = []
    for name, kind in current.kinds.items():
        row = ours.get(name)
        state = row.state if row else ""
        try:
            if kind == "categorical":
                opinion = second_opinion.category_opinion(_known(first[name]), _known(second[name]))
            else:
                opinion = second_opinion.numeric_opinion(first[name], second[name])
        except InvalidInput as refusal:
            found.append({"signal": name, "ours": state, "reason": refusal.message})
            continue
        found.append({
            "signal": name, **opinion.as_dict(), "ours": state, "evidence": row.evidence_id if row else "",
            "differs_because": second_opinion.disagreement(state, opinion) if state else "",
        })  # fmt: skip
    return found


def _known(values: Any) -> list[str]:
    return [str(value) for value in values if value is not None]


def latest_report(deployment: Deployment, *, start: date, end: date) -> WindowReport | None:
    return (
        WindowReport.objects.filter(deployment=deployment, version=deployment.version, start=start, end=end)
        .select_related("artefact").first()
    )  # fmt: skip


def is_stale(report: WindowReport) -> bool:
    """True when the window was computed again, from other rows, after the report was made."""
    run = WindowRun.objects.filter(
        deployment=report.deployment_id, version=report.version_id, start=report.start, end=report.end
    ).order_by("-computed_at").first()  # fmt: skip
    return bool(run and run.computed_at > report.made_at)
