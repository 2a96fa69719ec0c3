"""Evidently's report of a window: asked for here, read here, and kept apart from the platform's own pages."""

from __future__ import annotations

from datetime import date
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET

from accounts.permissions import Action, require
from assurance.evidence.errors import InvalidInput
from assurance.models import Deployment, Job
from assurance.selectors.deployments import visible_deployments
from assurance.services.artefacts import read_artefact
from monitoring.models import WindowReport
from monitoring.services.window_reports import ask_window_report, is_stale, latest_report, report_job
from monitoring.words import capital, signal_name

# The page is another tool's: it may run its own scripts, in an origin of its own, and may reach nothing and nobody.
ALONE = (
    "sandbox allow-scripts allow-downloads; default-src 'none'; script-src 'unsafe-inline' 'unsafe-eval'; "
    "style-src 'unsafe-inline'; img-src data: blob:; font-src data:; form-action 'none'; base-uri 'none'; "
    "frame-ancestors 'none'"
)


@login_required
def window_report(request: HttpRequest, slug: str) -> HttpResponse:
    """``?start=&end=`` as days. GET shows how far the report is, POST asks for it."""
    subject = get_object_or_404(visible_deployments(request.user), slug=slug)
    by = require(request.user, Action.SEE_CASES, subject, request_id=getattr(request, "request_id", ""))
    start, end = _day(request.GET.get("start", "")), _day(request.GET.get("end", ""))
    here = f"{reverse('monitoring:window_report', args=[slug])}?start={start}&end={end}"
    if request.method == "POST":
        try:
            ask_window_report(subject, start=start, end=end, by=by)
        except InvalidInput as refusal:
            messages.error(request, refusal.message)
        return redirect(here)
    report, job = latest_report(subject, start=start, end=end), report_job(subject, start=start, end=end)
    context: dict[str, Any] = {
        "deployment": subject, "start": start, "end": end, "here": here, "report": report, "job": job,
        "working": job is not None and job.status in (Job.Status.QUEUED, Job.Status.RUNNING),
        "failed": job is not None and job.status == Job.Status.FAILED,
        "opinions": _opinions(report), "stale": report is not None and is_stale(report),
        "differing": sum(bool(one.get("differs_because")) for one in report.opinions) if report else 0,
    }  # fmt: skip
    template = "monitoring/_window_report.html" if request.htmx else "monitoring/window_report.html"
    return render(request, template, context)


@login_required
@require_GET
def report_page(request: HttpRequest, slug: str, report_id: int) -> HttpResponse:
    """Evidently's own page, sandboxed, or as a file with ``?download=1``."""
    subject = get_object_or_404(visible_deployments(request.user), slug=slug)
    require(request.user, Action.SEE_CASES, subject)
    report = get_object_or_404(WindowReport.objects.select_related("artefact"), pk=report_id, deployment=subject)
    return report_answer(subject, report, download=request.GET.get("download") == "1")


def report_answer(subject: Deployment, report: WindowReport, *, download: bool) -> HttpResponse:
    answer = HttpResponse(read_artefact(report.artefact), content_type="text/html; charset=utf-8")
    answer["Content-Security-Policy"] = ALONE
    answer["X-Content-Type-Options"] = "nosniff"
    answer["Cache-Control"] = "private, no-store"
    name = f"evidently-{subject.slug}-{report.start}-{report.end}.html"
    answer["Content-Disposition"] = f'{"attachment" if download else "inline"}; filename="{name}"'
    return answer


def _opinions(report: WindowReport | None) -> list[tuple[str, dict[str, Any]]]:
    """By signal, those that differ first."""
    listed = sorted(report.opinions, key=lambda one: not one.get("differs_because")) if report else []
    return [(capital(signal_name(one["signal"])), one) for one in listed]


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise Http404(f"{text!r} is no day") from error
