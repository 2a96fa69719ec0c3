"""The columns of a deployment: inferred, shown for confirmation, with every change; and the rules of intake."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_POST

from accounts.permissions import Action, may, require
from assurance.evidence.errors import InvalidInput
from monitoring.models import FeatureSchema, IntakeRules, SchemaEvent
from monitoring.services.schema import confirm_schema, rules_of, set_rules
from monitoring.signal_packs import entry_of
from monitoring.views.batches import deployment_of


@login_required
def schema(request: HttpRequest, slug: str) -> HttpResponse:
    deployment = deployment_of(request, slug)
    revisions = list(FeatureSchema.objects.filter(deployment=deployment).select_related("confirmed_by", "batch"))
    newest = revisions[0] if revisions else None
    confirmed = next((one for one in revisions if one.status == FeatureSchema.Status.CONFIRMED), None)
    before = {column["name"] for column in confirmed.columns} if confirmed else set()
    columns = [
        {**column, "fresh": column["name"] not in before, "known": entry_of(column["name"])}
        for column in (newest.columns if newest else [])
    ]
    context = {
        "deployment": deployment, "newest": newest, "revisions": revisions, "columns": columns,
        "confirmed": confirmed, "rules": rules_of(deployment), "dates": IntakeRules.Dates.choices,
        "events": SchemaEvent.objects.filter(deployment=deployment).select_related("batch")[:40],
        "may_confirm": may(request.user, Action.MANAGE_DEPLOYMENT, deployment),
    }  # fmt: skip
    return render(request, "monitoring/schema.html", context)


@login_required
@require_POST
def schema_confirm(request: HttpRequest, slug: str) -> HttpResponse:
    deployment = deployment_of(request, slug)
    by = require(request.user, Action.MANAGE_DEPLOYMENT, deployment, request_id=getattr(request, "request_id", ""))
    text = request.POST.get("revision", "")
    found = get_object_or_404(FeatureSchema, deployment=deployment, revision=int(text) if text.isdigit() else 0)
    confirm_schema(found, person=request.user, by=by)
    messages.success(request, f"Revision {found.revision} of the columns was confirmed.")
    return redirect("monitoring:schema", slug=slug)


@login_required
@require_POST
def intake_rules(request: HttpRequest, slug: str) -> HttpResponse:
    deployment = deployment_of(request, slug)
    by = require(request.user, Action.MANAGE_DEPLOYMENT, deployment, request_id=getattr(request, "request_id", ""))
    try:
        set_rules(
            deployment, canary_pattern=request.POST.get("canary_pattern", "").strip(),
            phantom_pattern=request.POST.get("phantom_pattern", "").strip(), dates=request.POST.get("dates", ""), by=by,
        )  # fmt: skip
    except InvalidInput as refusal:
        messages.error(request, refusal.message)
    else:
        messages.success(request, "The rules were saved. They hold for deliveries from now on.")
    return redirect("monitoring:schema", slug=slug)
