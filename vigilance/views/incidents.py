"""Incidents: the list by what is due next, one incident with its clocks, and opening one from an alarm."""

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.db.models import F
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.permissions import Action, may, organisation_ids, require
from accounts.services import log_view
from assurance.evidence.errors import InvalidInput
from assurance.models import Deployment
from assurance.selectors.deployments import visible_deployments
from monitoring.models import Alarm
from records.models import AuditEvent, Signature
from vigilance import catalogue
from vigilance.deadlines.duties import Duty
from vigilance.forms import BY_COUNTRY, EUROPE, ActionForm, IncidentForm, KindForm, ReasonForm, wall_clock
from vigilance.models import Incident
from vigilance.selectors import visible_incidents, with_clock_counts
from vigilance.services import change_kind, close_incident, open_incident, starting_duties
from vigilance.views.words import binds, clock_row, clock_state, remaining


@login_required
@require_safe
def incident_list(request: HttpRequest) -> HttpResponse:
    """Open incidents first, the one whose report is due next on top."""
    rows = with_clock_counts(visible_incidents(request.user)).prefetch_related("clocks")
    status, slug = request.GET.get("status", "open"), request.GET.get("deployment", "")
    if status in Incident.Status.values:
        rows = rows.filter(status=status)
    if slug:
        rows = rows.filter(deployment__slug=slug)
    page = Paginator(rows.order_by("-status", F("next_due").asc(nulls_last=True), "-aware_at"), 40).get_page(
        request.GET.get("page")
    )
    context = {
        "page": page, "rows": [_list_row(one) for one in page], "status": status, "slug": slug,
        "statuses": [*Incident.Status.choices, ("all", "All")], "deployments": visible_deployments(request.user),
        "kinds": catalogue.event_kinds(), "may_open": bool(_deployments(request)),
    }  # fmt: skip
    return render(request, "vigilance/incident_list.html", context)


def _list_row(incident: Incident) -> dict[str, Any]:
    running = [clock for clock in incident.clocks.all() if clock.running]
    running.sort(key=lambda clock: (clock.due_at is None, clock.due_at))
    for clock in running:
        clock.incident = incident
    first = running[0] if running else None
    return {
        "incident": incident, "next": first, "state": clock_state(first) if first else "ok",
        "remaining": remaining(first) if first else "nothing due",
    }  # fmt: skip


@login_required
@require_safe
def incident(request: HttpRequest, number: int) -> HttpResponse:
    found = incident_for(request, number)
    return incident_page(request, found)


def incident_for(request: HttpRequest, number: int) -> Incident:
    return get_object_or_404(visible_incidents(request.user), number=number)


def incident_page(request: HttpRequest, found: Incident, *, status: int = 200, **forms: Any) -> HttpResponse:
    organisations = set(organisation_ids(request.user))
    by = require(request.user, Action.SEE, found, request_id=getattr(request, "request_id", ""))
    if not organisations & set().union(*found.organisations().values()):
        log_view(found, by=by, what="page")  # a regulator to whom it was submitted
    clocks = [clock_row(clock, organisation_ids=organisations) for clock in found.clocks.order_by("due_at", "pk")]
    handles = may(request.user, Action.HANDLE_INCIDENT, found) and found.status == Incident.Status.OPEN
    alarm = Alarm.objects.select_related("finding").filter(pk=found.alarm_id).first() if found.alarm_id else None
    events = AuditEvent.objects.filter(subject_kind=Incident._meta.label_lower, subject_id=str(found.pk))
    signed = {row.clock.signature_id: row.clock for row in clocks if row.clock.signature_id}
    signatures = [(one, signed[one.pk].covered_by(one)) for one in Signature.objects.filter(pk__in=signed)]
    duties = starting_duties(found.event_kind, aware_at=found.aware_at, later_too=True)
    advice = [duty for duty in duties if not binds(duty, on=found.aware_at.date())]
    context = {
        "incident": found, "clocks": clocks, "alarm": alarm, "events": events.order_by("pk"),
        "kind": catalogue.event_kinds().get(found.event_kind, found.event_kind),
        "owner": found.organisation_id in organisations, "handles": handles, "advice": advice,
        "signatures": signatures,
        "actions": found.actions.all(), "action_form": ActionForm(),
        "kind_form": KindForm(initial={"event_kind": found.event_kind}), "close_form": ReasonForm(),
    } | forms  # fmt: skip
    return render(request, "vigilance/incident.html", context, status=status)


def _deployments(request: HttpRequest) -> list[Deployment]:
    return [one for one in visible_deployments(request.user) if may(request.user, Action.OPEN_INCIDENT, one)]


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def incident_new(request: HttpRequest) -> HttpResponse:
    """``?alarm=KEY`` takes over what the alarm says; a person judges the kind and from when it was known."""
    allowed = Deployment.objects.filter(pk__in=[one.pk for one in _deployments(request)])
    alarm = _alarm(request)
    if not allowed.exists():
        require(
            request.user, Action.OPEN_INCIDENT, alarm.deployment if alarm else visible_deployments(request.user).first()
        )
    form = IncidentForm(allowed, request.POST or None, initial=_initial(request, alarm))
    if request.method == "POST" and form.is_valid():
        values = form.cleaned_data
        deployment = values.pop("deployment")
        by = require(request.user, Action.OPEN_INCIDENT, deployment, request_id=getattr(request, "request_id", ""))
        try:
            made = open_incident(deployment=deployment, alarm_id=values.pop("alarm"), by=by, **values)
        except InvalidInput as refusal:
            form.add_error(None, refusal.message)
        else:
            messages.success(request, f"Incident {made.number} is open; {made.clocks.count()} clocks run.")
            return redirect("vigilance:incident", number=made.number)
    context = {"form": form, "alarm": alarm, "kinds": _kinds_with_duties()}
    return render(request, "vigilance/incident_new.html", context, status=422 if form.errors else 200)


def _alarm(request: HttpRequest) -> Alarm | None:
    key = request.POST.get("alarm") or request.GET.get("alarm", "")
    if not key.isdecimal():
        return None
    seen = Alarm.objects.filter(deployment__in=visible_deployments(request.user))
    return get_object_or_404(seen.select_related("deployment__organisation", "finding"), pk=key)


def _initial(request: HttpRequest, alarm: Alarm | None) -> dict[str, Any]:
    zone = request.user.time_zone
    values: dict[str, Any] = {
        "time_zone": zone, "deployment": request.GET.get("deployment", ""), "is_device": True,
        "frameworks": list(EUROPE), "aware_at": wall_clock(timezone.now(), zone),
    }  # fmt: skip
    if alarm is not None:
        finding = alarm.finding
        values |= {
            "alarm": alarm.pk, "deployment": alarm.deployment.slug, "title": str(alarm)[:200],
            "aware_at": wall_clock(alarm.opened_at, zone),
            "frameworks": list(BY_COUNTRY.get(alarm.deployment.organisation.country, EUROPE)),
            "description": f"Raised by the alarm “{alarm}”: {finding.quantity} = {finding.value}, n = "
            f"{finding.n_cases}, windows from {alarm.window_start:%Y-%m-%d} to {alarm.last_window_end:%Y-%m-%d}, "
            f"evidence {finding.digest[:12]}.\n\n",
        }  # fmt: skip
    return values


def _kinds_with_duties() -> list[tuple[str, list[tuple[Duty, bool]]]]:
    """What each kind starts, so that the judgement and its consequence stand side by side."""
    now = timezone.now()
    return [
        (title, [(duty, binds(duty, on=now.date())) for duty in starting_duties(kind, aware_at=now, later_too=True)])
        for kind, title in catalogue.event_kinds().items()
    ]


@login_required
@require_POST
def incident_kind(request: HttpRequest, number: int) -> HttpResponse:
    found = incident_for(request, number)
    by = require(request.user, Action.HANDLE_INCIDENT, found, request_id=getattr(request, "request_id", ""))
    form = KindForm(request.POST)
    if form.is_valid():
        try:
            change_kind(found, **form.cleaned_data, by=by)
        except InvalidInput as refusal:
            form.add_error(None, refusal.message)
        else:
            messages.success(request, "The kind was changed; clocks of the new kind were added.")
            return redirect("vigilance:incident", number=number)
    return incident_page(request, found, kind_form=form, status=422)


@login_required
@require_POST
def incident_close(request: HttpRequest, number: int) -> HttpResponse:
    found = incident_for(request, number)
    by = require(request.user, Action.HANDLE_INCIDENT, found, request_id=getattr(request, "request_id", ""))
    form = ReasonForm(request.POST)
    if form.is_valid():
        try:
            close_incident(found, reason=form.cleaned_data["reason"], by=by)
        except InvalidInput as refusal:
            form.add_error(None, refusal.message)
        else:
            messages.success(request, f"Incident {number} is closed.")
            return redirect("vigilance:incident", number=number)
    return incident_page(request, found, close_form=form, status=422)
