"""A piece of the window's page: the cases to look at first. It reads raw rows, so it comes when asked for."""

from __future__ import annotations

from datetime import date

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_GET

from accounts.permissions import Action, require
from assurance.selectors.deployments import visible_deployments
from monitoring.selectors.exemplars import exemplars_of
from monitoring.words import capital, signal_name


@login_required
@require_GET
def exemplars(request: HttpRequest, slug: str) -> HttpResponse:
    """``?signal=&stratum=&start=&end=``; strata other than a single site have no exemplars of their own."""
    subject = get_object_or_404(visible_deployments(request.user), slug=slug)
    require(request.user, Action.SEE_CASES, subject)
    signal, stratum = request.GET.get("signal", ""), request.GET.get("stratum", "")
    site = stratum.removeprefix("site=") if stratum.startswith("site=") and ";" not in stratum else ""
    if stratum and not site:
        raise Http404("exemplars are found for all cases and for single sites")
    try:
        start, end = (date.fromisoformat(request.GET.get(name, "")) for name in ("start", "end"))
    except ValueError as error:
        raise Http404("start and end are days") from error
    context = {
        "deployment": subject, "title": capital(signal_name(signal)),
        "found": exemplars_of(subject, signal=signal, site=site, start=start, end=end),
    }  # fmt: skip
    return render(request, "monitoring/_exemplars.html", context)
