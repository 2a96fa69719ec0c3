"""Deliveries: the list of a deployment, and what became of one with its refused rows."""

from typing import Any

from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.db.models import Count, Sum
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import get_object_or_404, render

from accounts.permissions import Action, require
from assurance.models import Deployment
from assurance.selectors.deployments import may_see_cases, visible_deployments
from monitoring.models import ControlReading, FeatureSchema, PredictionBatch, StudyObject
from monitoring.services import rejects

REASONS = {  # what each code means, in the words of a hospital
    "missing": "a needed cell is empty",
    "ragged_row": "more or fewer cells than the header",
    "unknown_site": "a site that the deployment does not have",
    "other_version": "a version that the deployment does not run",
    "not_a_time": "not a time",
    "in_the_future": "a time in the future",
    "too_old": "a time before 1990",
    "not_numeric": "a word where a number belongs",
    "not_finite": "an infinite number",
    "out_of_range": "a number outside its range",
    "not_binary": "a label other than 0 or 1",
    "twice": "a case that stands in the delivery twice",
    "too_long": "a cell that is too long",
    "other_width": "an embedding of another width",
    "synthetic": "a synthetic image",
    "unreadable": "could not be read",
    "unreadable_line": "a line that is no JSON",
    "line_too_long": "a line that is too long",
    "not_an_object": "a JSON value that is no object",
}


@login_required
def batch_list(request: HttpRequest, slug: str) -> HttpResponse:
    """Newest first, with the sums over all of them and the schema's state."""
    deployment = get_object_or_404(visible_deployments(request.user), slug=slug)
    rows = PredictionBatch.objects.filter(deployment=deployment)
    names = ("rows", "accepted", "corrected", "duplicates", "set_aside", "rejected")
    totals = rows.aggregate(batches=Count("pk"), **{name: Sum(name, default=0) for name in names})
    context = {
        "deployment": deployment, "page": Paginator(rows, 40).get_page(request.GET.get("page")), "totals": totals,
        "schema": FeatureSchema.objects.filter(deployment=deployment).first(),
    }  # fmt: skip
    return render(request, "monitoring/batch_list.html", context)


@login_required
def batch(request: HttpRequest, batch_id: Any) -> HttpResponse:
    found = _batch(request, batch_id)
    cases_visible = may_see_cases(request.user, found.deployment)
    reasons = list(found.rejects.order_by().values("code", "column").annotate(n=Count("pk")).order_by("-n", "code"))
    for reason in reasons:
        reason["means"] = REASONS.get(reason["code"], "")
        reason["share"] = 100 * reason["n"] / found.rows if found.rows else 0
    context = {
        "batch": found, "deployment": found.deployment, "cases_visible": cases_visible, "reasons": reasons,
        "rejects": found.rejects.order_by("row", "pk")[:50] if cases_visible else [],
        "events": found.schema_events.all(), "controls": _controls(found) if cases_visible else [],
        "objects": _objects(found) if cases_visible else [],
        "waiting": found.status == PredictionBatch.Status.RECEIVED,
    }  # fmt: skip
    name = "monitoring/_batch_body.html" if request.htmx else "monitoring/batch.html"
    return render(request, name, context)


@login_required
def batch_rejects(request: HttpRequest, batch_id: Any) -> StreamingHttpResponse:
    found = _batch(request, batch_id)
    require(request.user, Action.SEE_CASES, found.deployment, request_id=getattr(request, "request_id", ""))
    content = list(rejects.as_csv(found))
    answer = StreamingHttpResponse(iter(content), content_type="text/csv; charset=utf-8")
    answer["Content-Disposition"] = f'attachment; filename="rejects-{found.pk}.csv"'
    return answer


def _batch(request: HttpRequest, batch_id: Any) -> PredictionBatch:
    rows = PredictionBatch.objects.filter(deployment__in=visible_deployments(request.user))
    return get_object_or_404(
        rows.select_related("deployment__organisation", "deployment__version__model", "token"), pk=batch_id
    )


def _controls(found: PredictionBatch) -> list[ControlReading]:
    return list(found.control_readings.order_by("study_time")[:20])


def _objects(found: PredictionBatch) -> list[StudyObject]:
    """Those with defects first, the most defects on top."""
    return sorted(found.study_objects.all()[:500], key=lambda one: -len(one.defects))[:50]


def deployment_of(request: HttpRequest, slug: str) -> Deployment:
    return get_object_or_404(visible_deployments(request.user), slug=slug)
