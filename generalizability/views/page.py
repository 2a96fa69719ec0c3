"""What the deployment says about other sites and other scanners."""

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_POST

from accounts.permissions import Action, may, require
from accounts.row_security import seeing
from assurance.charts.forest import ForestRow, forest
from assurance.charts.severity import severity_curve
from assurance.evidence.errors import Refusal
from assurance.models import Deployment, FindingRecord
from assurance.selectors.deployments import visible_deployments
from generalizability import selectors, services, tasks
from generalizability.shifts.catalogue import SHIFTS

MOST_CASES = 200


@login_required
def generalizability(request: HttpRequest, slug: str) -> HttpResponse:
    """Pooled performance over sites with its prediction interval, and severity curves of simulated shifts."""
    deployment = get_object_or_404(visible_deployments(request.user), slug=slug)
    curves = [
        (SHIFTS[kind].title, _curve(SHIFTS[kind].title, rows), [row for _, row in rows])
        for kind, rows in selectors.severity_curves(deployment).items()
    ]
    context = {
        "deployment": deployment, "pooled": [(row, _forest(row)) for row in selectors.pooled_of(deployment)],
        "curves": curves, "may_measure": may(request.user, Action.ASK_EXPLANATION, deployment),
        "kinds": _kinds(deployment), "segments": deployment.version.model.task == "segmentation",
    }  # fmt: skip
    return render(request, "generalizability/generalizability.html", context)


@login_required
@require_POST
def measure(request: HttpRequest, slug: str) -> HttpResponse:
    """Ask for a robustness measurement, or pool the sites again."""
    deployment = get_object_or_404(visible_deployments(request.user), slug=slug)
    by = require(request.user, Action.ASK_EXPLANATION, deployment, request_id=getattr(request, "request_id", ""))
    try:
        if request.POST.get("what") == "sites":
            services.pool_sites(deployment)
            messages.success(request, "The sites were pooled from their newest findings.")
        else:
            kinds = [kind for kind in request.POST.getlist("kind") if kind in SHIFTS]
            with seeing([deployment.organisation_id]):
                tasks.start_robustness(deployment, kinds=kinds or ["rician_noise"], severities=[1, 2, 3, 4, 5],
                                       cases=_cases(request), by=by)  # fmt: skip
            messages.success(request, "The measurement is queued: its progress stands on the page of jobs.")
    except Refusal as refusal:
        messages.error(request, refusal.message)
    return redirect("generalizability:page", slug=slug)


def _cases(request: HttpRequest) -> int:
    text = request.POST.get("cases", "50")
    return min(max(int(text), 2), MOST_CASES) if text.isdigit() else 50


def _kinds(deployment: Deployment) -> list[tuple[str, str]]:
    modality = deployment.version.model.modality
    return [(key, entry.title) for key, entry in SHIFTS.items() if modality in entry.facts["modalities"]]


def _forest(row: FindingRecord) -> Any:
    details = row.content["details"]
    intervals = {found.digest: found.content["interval"] for found in FindingRecord.objects.filter(
        digest__in=list(details.get("findings", {}).values()))}  # fmt: skip
    rows = []
    for site, value in details["sites"].items():
        part = intervals.get(details.get("findings", {}).get(site))
        if part:
            rows.append(ForestRow(site, value, part["low"], part["high"], f"{value:.3f}"))
    part = row.content["interval"]
    if part and row.value is not None:
        rows.append(ForestRow("pooled", row.value, part["low"], part["high"], f"{row.value:.3f}", "pooled"))
        span = details.get("prediction_interval")
        if span:
            rows.append(
                ForestRow(
                    "a further site", row.value, span[0], span[1], f"{span[0]:.2f} to {span[1]:.2f}", "prediction"
                )
            )
    return forest(rows, label=row.quantity) if rows else ""


def _curve(title: str, rows: list[tuple[int, FindingRecord]]) -> Any:
    points = []
    for severity, row in rows:
        part = row.content["interval"] or {"low": row.value, "high": row.value}
        if row.value is not None:
            points.append((severity, row.value, part["low"], part["high"], row.state))
    return severity_curve(points, label=f"Change of Dice under {title}") if points else ""
