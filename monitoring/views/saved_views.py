"""Keeping a choice of filters under a name, and the weekly mail."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.views.decorators.http import require_POST

from accounts.permissions import Action, require
from assurance.evidence.errors import InvalidInput
from assurance.selectors.deployments import visible_deployments
from monitoring.models import SavedView
from monitoring.services.saved_views import forget_view, save_view, want_weekly_summary


def address(view: SavedView) -> str:
    page = (
        reverse("monitoring:deployment", args=[view.deployment.slug])
        if view.deployment
        else reverse("monitoring:fleet")
    )
    return f"{page}?{view.query}" if view.query else page


@login_required
@require_POST
def save(request: HttpRequest) -> HttpResponse:
    slug = request.POST.get("deployment", "")
    subject = get_object_or_404(visible_deployments(request.user), slug=slug) if slug else None
    by = require(request.user, Action.SEE, subject, request_id=getattr(request, "request_id", ""))
    try:
        view = save_view(
            title=request.POST.get("title", ""), query=request.POST.get("query", ""), deployment=subject, by=by
        )
    except InvalidInput as refusal:
        messages.error(request, refusal.message)
        return redirect("monitoring:deployment", slug) if slug else redirect("monitoring:fleet")
    messages.success(request, f"The view {view.title} is kept.")
    return redirect(address(view))


@login_required
@require_POST
def forget(request: HttpRequest, view_id: int) -> HttpResponse:
    view = get_object_or_404(SavedView.objects.select_related("deployment"), pk=view_id, person=request.user)
    by = require(request.user, Action.SEE, request_id=getattr(request, "request_id", ""))
    page = address(view).partition("?")[0]
    forget_view(view, by=by)
    messages.success(request, f"The view {view.title} is forgotten.")
    return redirect(page)


@login_required
@require_POST
def weekly(request: HttpRequest) -> HttpResponse:
    wanted = request.POST.get("wanted") == "yes"
    by = require(request.user, Action.SEE, request_id=getattr(request, "request_id", ""))
    want_weekly_summary(request.user, wanted=wanted, by=by)
    messages.success(request, "The fleet's week comes by mail on Mondays." if wanted else "No weekly mail any more.")
    return redirect("monitoring:fleet")
