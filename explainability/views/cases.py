"""Cases with images: the list, and one case with its maps, report cards and sentences."""

from __future__ import annotations

import json
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.db.models import Count, Q
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.dateparse import parse_date
from django.views.decorators.http import require_POST

from accounts.permissions import Action, may, require
from assurance.evidence.errors import InvalidInput
from assurance.models import CaseFile
from explainability.attribution.catalogue import EXPLAINERS
from explainability.faithfulness.catalogue import CHECKS
from explainability.faithfulness.caution import CAUTION
from explainability.models import Explanation
from explainability.selectors.explanations import case_explanations
from explainability.services.explanations import ask_explanation
from explainability.services.map_export import EXPORTS
from explainability.views.access import case_files, deployment_of
from explainability.views.asking import fields_for, parameters_from
from explainability.views.layers import layers_of, title_of


@login_required
def case_list(request: HttpRequest, slug: str) -> HttpResponse:
    """Cases with an image, those with maps first; ``?alarm=`` keeps the cases that an alarm asked about."""
    deployment = deployment_of(request, slug)
    rows = Explanation.objects.filter(deployment=deployment)
    alarm = request.GET.get("alarm", "")
    if alarm.isdigit():
        rows = rows.filter(origin=f"alarm:{alarm}")
    counted = {
        row["case"]: row
        for row in rows.values("case").annotate(
            maps=Count("pk", filter=Q(status=Explanation.Status.DONE)),
            refused=Count("pk", filter=Q(status=Explanation.Status.FAILED)),
            asked=Count("pk"),
        )
    }
    images = CaseFile.objects.filter(deployment=deployment, role=CaseFile.Role.IMAGE).order_by("created_at", "pk")
    if alarm.isdigit():
        images = images.filter(case__in=counted)
    start, end = request.GET.get("from", ""), request.GET.get("to", "")
    for day, lookup in ((start, "facts__study_time__gte"), (end, "facts__study_time__lt")):
        if parse_date(day or ""):
            images = images.filter(**{lookup: day})  # ISO times sort as text
    entries = [{"file": file, **counted.get(file.case, {"maps": 0, "refused": 0, "asked": 0})} for file in images]
    entries.sort(key=lambda entry: -entry["asked"])
    page = Paginator(entries, 24).get_page(request.GET.get("page"))
    shown = [entry["file"].case for entry in page]
    overlays: dict[str, Explanation] = {}
    for row in rows.filter(case__in=shown, status=Explanation.Status.DONE).order_by("created_at"):
        overlays.setdefault(row.case, row)
    for entry in page:
        entry["overlay"] = overlays.get(entry["file"].case)
    context = {"deployment": deployment, "page": page, "alarm": alarm, "start": start, "end": end, "caution": CAUTION}
    return render(request, "explainability/case_list.html", context)


@login_required
def case(request: HttpRequest, slug: str, case: str) -> HttpResponse:
    deployment = deployment_of(request, slug)
    files = case_files(deployment, case)
    explanations = list(case_explanations(deployment, case))
    if "image" not in files and not explanations:
        raise Http404
    open_work = any(row.status in ("queued", "running") for row in explanations)
    task = deployment.version.model.task
    context = {
        "deployment": deployment, "case": case, "files": files, "caution": CAUTION, "open_work": open_work,
        "explanations": [_shown(row) for row in explanations],
        "layers": (layers := layers_of(deployment.slug, case, task, files, explanations)),
        "layers_json": json.dumps(layers), "fields": fields_for(task, files, explanations),
        "facts": files["image"].facts if "image" in files else {},
        "methods": [(key, entry) for key, entry in EXPLAINERS.items() if task in entry.facts["tasks"]],
        "may_ask": may(request.user, Action.ASK_EXPLANATION, deployment),  # type: ignore[arg-type]
        "exports": EXPORTS,
    }  # fmt: skip
    return render(request, "explainability/case.html", context)


@login_required
@require_POST
def ask(request: HttpRequest, slug: str, case: str) -> HttpResponse:
    deployment = deployment_of(request, slug)
    by = require(
        request.user, Action.ASK_EXPLANATION, deployment,  # type: ignore[arg-type]
        request_id=getattr(request, "request_id", ""),
    )  # fmt: skip
    method = request.POST.get("method", "")
    try:
        parameters = parameters_from(method, request.POST)
        found = ask_explanation(deployment, case=case, method=method, parameters=parameters, origin="person", by=by)
    except InvalidInput as refusal:
        messages.error(request, refusal.message)
    else:
        waiting = found.status in (Explanation.Status.QUEUED, Explanation.Status.RUNNING)
        messages.success(
            request, "The map is being made; this page shows it as soon as it is there." if waiting else "It is there."
        )
    return redirect("explainability:case", slug=slug, case=case)


def _shown(row: Explanation) -> dict[str, Any]:
    checks = [
        {"title": CHECKS[item["quantity"]].title, "judged": CHECKS[item["quantity"]].facts["judged"], **item}
        for item in row.report_card
        if item["quantity"] in CHECKS
    ]
    title, variant = title_of(row)
    judged = EXPLAINERS[row.method].facts.get("judged", True) if row.method in EXPLAINERS else True
    return {"row": row, "title": title, "variant": variant, "checks": checks, "judged": judged}
