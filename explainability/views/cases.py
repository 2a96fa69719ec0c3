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
from django.urls import reverse
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
        "layers": (layers := _layers(deployment.slug, case, files, explanations)), "layers_json": json.dumps(layers),
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
    parameters: dict[str, Any] = {"effort": request.POST.get("effort", "quick")}
    if request.POST.get("baseline"):
        parameters["baseline"] = request.POST["baseline"]
    try:
        found = ask_explanation(
            deployment, case=case, method=request.POST.get("method", ""), parameters=parameters, origin="person", by=by
        )
    except InvalidInput as refusal:
        messages.error(request, refusal.message)
    else:
        waiting = found.status in (Explanation.Status.QUEUED, Explanation.Status.RUNNING)
        messages.success(
            request, "The map is being made; this page shows it as soon as it is there." if waiting else "It is there."
        )
    return redirect("explainability:case", slug=slug, case=case)


def _shown(row: Explanation) -> dict[str, Any]:
    checks = [{"title": CHECKS[item["quantity"]].title, **item} for item in row.report_card]
    title = EXPLAINERS[row.method].title if row.method in EXPLAINERS else row.method
    variant = ", ".join(f"{name} {value}" for name, value in row.parameters.items() if name != "effort")
    return {"row": row, "title": title, "variant": variant, "checks": checks}


def _layers(slug: str, case: str, files: dict[str, CaseFile], rows: list[Explanation]) -> dict[str, Any]:
    """What the viewer may fetch, as plain values for a data attribute."""
    maps = [
        {
            "id": str(row.pk), "title": " ".join(filter(None, (_shown(row)["title"], _shown(row)["variant"]))),
            "version": str(row.version), "signed": bool(row.facts.get("signed")), "unit": row.facts.get("unit", ""),
            "url": reverse("explainability:map_layer", args=[row.pk, "map"]),
            "mask": reverse("explainability:map_layer", args=[row.pk, "mask"])
            if row.facts.get("prediction", {}).get("quantity", "").endswith("mask") else "",
            "extras": row.facts.get("extras", {}),
        }
        for row in rows if row.status == Explanation.Status.DONE and row.map_file
    ]  # fmt: skip
    facts = files["image"].facts if "image" in files else {}
    prompt = facts.get("prompt", facts.get("box"))
    box = prompt.get("box") if isinstance(prompt, dict) else prompt
    return {
        "image": reverse("explainability:case_layer", args=[slug, case, "image"]) if "image" in files else "",
        "truth": reverse("explainability:case_layer", args=[slug, case, "truth"]) if "truth" in files else "",
        "box": box or None, "maps": maps, "landmarks": facts.get("landmarks", []), "unit": facts.get("unit", ""),
    }  # fmt: skip
