"""Corrective and preventive actions on an incident's page."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.views.decorators.http import require_POST

from accounts.permissions import Action, require
from assurance.evidence.errors import InvalidInput
from vigilance.actions import add_action, complete_action
from vigilance.forms import ActionForm
from vigilance.models import CorrectiveAction
from vigilance.views.incidents import incident_for, incident_page


@login_required
@require_POST
def action_add(request: HttpRequest, number: int) -> HttpResponse:
    found = incident_for(request, number)
    by = require(request.user, Action.HANDLE_INCIDENT, found, request_id=getattr(request, "request_id", ""))
    form = ActionForm(request.POST)
    if form.is_valid():
        try:
            add_action(found, **form.cleaned_data, by=by)
        except InvalidInput as refusal:
            form.add_error(None, refusal.message)
        else:
            messages.success(request, "The action is planned.")
            return redirect("vigilance:incident", number=number)
    return incident_page(request, found, action_form=form, status=422)


@login_required
@require_POST
def action_done(request: HttpRequest, number: int, action_id: int) -> HttpResponse:
    found = incident_for(request, number)
    by = require(request.user, Action.HANDLE_INCIDENT, found, request_id=getattr(request, "request_id", ""))
    action = get_object_or_404(CorrectiveAction, pk=action_id, incident=found)
    try:
        complete_action(action, effect=request.POST.get("effect", ""), by=by)
    except InvalidInput as refusal:
        messages.error(request, refusal.message)
        return incident_page(request, found, status=422)
    messages.success(request, "The action is done.")
    return redirect("vigilance:incident", number=number)
