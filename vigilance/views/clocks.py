"""What people do with one clock: say that its report went out, that it does not apply, or when it is due."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST

from accounts.permissions import Action, require
from accounts.signing_form import signed_by_form
from assurance.evidence.errors import InvalidInput
from records.canonical import content_hash
from vigilance.forms import DueForm, ReasonForm, ReportForm, in_zone, wall_clock
from vigilance.models import ReportingClock
from vigilance.services import check_report, report_sent, set_due_date, waive_clock
from vigilance.views.incidents import incident_for, incident_page
from vigilance.views.words import clock_row


def clock_for(request: HttpRequest, number: int, clock_id: int) -> ReportingClock:
    found = incident_for(request, number)
    return get_object_or_404(ReportingClock.objects.select_related("incident__deployment"), pk=clock_id, incident=found)


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def clock_report(request: HttpRequest, number: int, clock_id: int) -> HttpResponse:
    """The reporter signs what went out when, with password and one-time code, and the clock stops."""
    clock = clock_for(request, number, clock_id)
    by = require(request.user, Action.HANDLE_INCIDENT, clock.incident, request_id=getattr(request, "request_id", ""))
    zone = request.user.time_zone
    initial = {"reported_at": wall_clock(timezone.now(), zone)}
    form = ReportForm(zone, request.POST or None, request.FILES or None, initial=initial)
    if request.method == "POST" and form.is_valid():
        values = form.cleaned_data
        try:
            check_report(clock, at=values["reported_at"], by=by, late_reason=values["late_reason"])
        except InvalidInput as refusal:
            form.add_error(None, refusal.message)
        else:
            said = clock.statement(
                reported_at=values["reported_at"], reference=values["reference"], report_sha256=values["report"]
            )
            signature = signed_by_form(
                request, form, clock.incident, content_sha256=content_hash(said), meaning="responsibility"
            )
            if signature is not None:
                report_sent(
                    clock, at=values["reported_at"], reference=values["reference"], late_reason=values["late_reason"],
                    report_sha256=values["report"], signature_id=signature.pk, by=by,
                )  # fmt: skip
                messages.success(request, "The report is on record and its clock has stopped.")
                return redirect("vigilance:incident", number=number)
    context = {
        "incident": clock.incident, "row": clock_row(clock, organisation_ids={by.organisation_id or 0}), "form": form,
        "signing_form": form, "signing_meaning": "responsibility", "zone": zone,
        "plain": [form[name] for name in ("reported_at", "reference", "late_reason", "report")],
    }  # fmt: skip
    return render(request, "vigilance/clock_report.html", context, status=422 if form.errors else 200)


@login_required
@require_POST
def clock_waive(request: HttpRequest, number: int, clock_id: int) -> HttpResponse:
    clock = clock_for(request, number, clock_id)
    by = require(request.user, Action.HANDLE_INCIDENT, clock.incident, request_id=getattr(request, "request_id", ""))
    form = ReasonForm(request.POST)
    try:
        waive_clock(clock, reason=form.cleaned_data["reason"] if form.is_valid() else "", by=by)
    except InvalidInput as refusal:
        messages.error(request, refusal.message)
        return incident_page(request, clock.incident, status=422)
    messages.success(request, f"{clock.terms['ref']} does not apply; the reason is on record.")
    return redirect("vigilance:incident", number=number)


@login_required
@require_POST
def clock_due(request: HttpRequest, number: int, clock_id: int) -> HttpResponse:
    clock = clock_for(request, number, clock_id)
    by = require(request.user, Action.HANDLE_INCIDENT, clock.incident, request_id=getattr(request, "request_id", ""))
    form = DueForm(request.POST)
    if not form.is_valid():
        messages.error(request, "Give a date, a time and a reason.")
        return incident_page(request, clock.incident, status=422)
    try:
        due_at = in_zone(form.cleaned_data["due_at"], clock.incident.time_zone)
        set_due_date(clock, due_at=due_at, reason=form.cleaned_data["reason"], by=by)
    except InvalidInput as refusal:
        messages.error(request, refusal.message)
        return incident_page(request, clock.incident, status=422)
    messages.success(request, "The date is set.")
    return redirect("vigilance:incident", number=number)
