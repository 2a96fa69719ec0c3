"""How each attribution method stands with each version: report cards over cases, and who may enter a dossier."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render

from accounts.permissions import Action, require
from assurance.selectors.deployments import visible_deployments
from explainability.attribution.catalogue import EXPLAINERS
from explainability.faithfulness.catalogue import CHECKS
from explainability.faithfulness.caution import CAUTION
from explainability.selectors.explanations import method_cards


@login_required
def cards(request: HttpRequest, slug: str) -> HttpResponse:
    """Findings only, no image: whoever may see the deployment may see how its maps are judged."""
    deployment = get_object_or_404(visible_deployments(request.user), slug=slug)  # type: ignore[arg-type]
    require(request.user, Action.SEE, deployment)  # type: ignore[arg-type]
    grouped: dict[tuple[str, str], dict[str, Any]] = {}
    for record in method_cards(deployment):
        place = grouped.setdefault((str(record.version), record.signal), {"rows": [], "signals": [], "whole": None})
        if record.quantity == "report_card":
            place["whole"] = record
        elif record.quantity.startswith("card_"):
            entry = CHECKS[record.quantity.removeprefix("card_")]
            place["rows"].append({"title": entry.title, "record": record})
        else:
            place["signals"].append(record)
    shown = [
        {"version": version, "method": method, "title": EXPLAINERS[method].title, **place}
        for (version, method), place in grouped.items() if method in EXPLAINERS
    ]  # fmt: skip
    context = {"deployment": deployment, "cards": shown, "caution": CAUTION}
    return render(request, "explainability/cards.html", context)
