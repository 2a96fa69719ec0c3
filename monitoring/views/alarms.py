"""Alarms: the list, and one alarm with its finding, its maps and what people wrote."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_POST

from accounts.permissions import Action, may, require
from assurance.evidence.errors import InvalidInput
from assurance.selectors.deployments import may_see_cases, visible_deployments
from monitoring.models import Alarm
from monitoring.services.alarms import handle_alarm
from monitoring.views.deployment import chart_data, panel_of


@login_required
def alarm_list(request: HttpRequest) -> HttpResponse:
    rows = Alarm.objects.filter(deployment__in=visible_deployments(request.user)).select_related(
        "deployment__organisation", "finding"
    )
    slug, status = request.GET.get("deployment", ""), request.GET.get("status", "unclosed")
    if slug:
        rows = rows.filter(deployment__slug=slug)
    if status in Alarm.Status.values:
        rows = rows.filter(status=status)
    elif status == "unclosed":
        rows = rows.exclude(status=Alarm.Status.CLOSED)
    context = {
        "page": Paginator(rows, 40).get_page(request.GET.get("page")), "slug": slug, "status": status,
        "statuses": [("unclosed", "Open and acknowledged"), *Alarm.Status.choices, ("all", "All")],
        "deployments": visible_deployments(request.user),
    }  # fmt: skip
    return render(request, "monitoring/alarm_list.html", context)


@login_required
def alarm(request: HttpRequest, alarm_id: int) -> HttpResponse:
    rows = Alarm.objects.filter(deployment__in=visible_deployments(request.user))
    found = get_object_or_404(rows.select_related("deployment__organisation", "finding", "version__model"), pk=alarm_id)
    shown = panel_of(found.deployment, signal=found.signal, quantity=found.quantity, stratum=found.stratum, alarm=found)
    context = {
        "alarm": found, "deployment": found.deployment, "content": found.finding.content,
        "panel": shown and shown[0],
        "chart_data": shown and chart_data(shown, found.stratum), "notes": found.notes.select_related("person"),
        "may_handle": may(request.user, Action.HANDLE_ALARM, found.deployment),
        "cases_visible": may_see_cases(request.user, found.deployment), "statuses": Alarm.Status.choices,
        "causes": [choice for choice in Alarm.Cause.choices if choice[0]],
    }  # fmt: skip
    return render(request, "monitoring/alarm.html", context)


@login_required
@require_POST
def alarm_handle(request: HttpRequest, alarm_id: int) -> HttpResponse:
    rows = Alarm.objects.filter(deployment__in=visible_deployments(request.user)).select_related("deployment")
    found = get_object_or_404(rows, pk=alarm_id)
    by = require(request.user, Action.HANDLE_ALARM, found.deployment, request_id=getattr(request, "request_id", ""))
    try:
        handle_alarm(
            found, status=request.POST.get("status", ""), cause=request.POST.get("cause", ""),
            text=request.POST.get("text", ""), by=by,
        )  # fmt: skip
    except InvalidInput as refusal:
        messages.error(request, refusal.message)
    else:
        messages.success(request, "The alarm was updated.")
    return redirect("monitoring:alarm", alarm_id=found.pk)
