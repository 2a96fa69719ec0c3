"""Registering by page: a model and its versions by a developer, a deployment at its sites by a hospital."""

from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render

from accounts.models import Organisation
from accounts.permissions import Action, may, organisation_ids, require
from assurance.evidence.errors import InvalidInput
from assurance.forms import DeploymentForm, ModelForm, VersionForm
from assurance.selectors.registry import visible_models, visible_versions
from assurance.services.registry import KINDS_BELOW, create_deployment, register_model, register_version
from assurance.services.version_requests import ask_version

OF_OTHERS = {  # said to who has the role in an organisation of another kind
    Action.REGISTER_MODEL: "a model is registered by a developer organisation",
    Action.MANAGE_DEPLOYMENT: "a deployment is opened by the hospital that runs it",
}


def places_of(request: HttpRequest, action: Action, kind: str) -> "QuerySet[Organisation]":
    """The person's organisations of ``kind`` in which a role of theirs allows ``action``."""
    mine = Organisation.objects.filter(pk__in=organisation_ids(request.user, kinds=[kind]))
    return mine.filter(pk__in=[one.pk for one in mine if may(request.user, action, one)])


def _places_needed(request: HttpRequest, action: Action, kind: str) -> "QuerySet[Organisation]":
    """The same, refused where there is none."""
    found = places_of(request, action, kind)
    if not found:
        require(request.user, action)
        raise PermissionDenied(OF_OTHERS[action])
    return found


def _page(request: HttpRequest, form: forms.Form, **context: Any) -> HttpResponse:
    status = 422 if form.errors else 200
    return render(request, "assurance/register.html", {"form": form, **context}, status=status)


@login_required
def model_new(request: HttpRequest) -> HttpResponse:
    organisations = _places_needed(request, Action.REGISTER_MODEL, "developer")
    form = ModelForm(organisations, request.POST or None)
    if request.method == "POST" and form.is_valid():
        by = require(request.user, Action.REGISTER_MODEL, form.cleaned_data["organisation"],
                     request_id=getattr(request, "request_id", ""))  # fmt: skip
        try:
            made = register_model(by=by, **form.cleaned_data)
        except InvalidInput as refusal:
            form.add_error(None, refusal.message)
        else:
            messages.success(request, f"{made.name} is registered. Its first version is what runs: register it next.")
            return redirect("assurance:version_new", slug=made.slug)
    return _page(request, form, what="model")


@login_required
def version_new(request: HttpRequest, slug: str) -> HttpResponse:
    """With a file the version comes into being once a worker has looked at it; with a hash alone it does so now."""
    model = get_object_or_404(visible_models(request.user), slug=slug)
    by = require(request.user, Action.REGISTER_MODEL, model, request_id=getattr(request, "request_id", ""))
    bases = visible_versions(request.user).filter(model__kind__in=KINDS_BELOW[model.kind])
    form = VersionForm(bases, request.POST or None, request.FILES or None)
    if request.method == "POST" and form.is_valid():
        upload, base = form.cleaned_data["weights"], form.cleaned_data["base"]
        try:
            if upload:
                ask_version(
                    model=model, content=form.content(), base=base, file_name=upload.name, pieces=upload.chunks(), by=by
                )
                messages.success(request, f"{upload.name} is here; a worker checks it and registers the version.")
                return redirect("assurance:model", slug=model.slug)
            made = register_version(model=model, base=base, weights=None, by=by, **form.content())
        except InvalidInput as refusal:
            form.add_error(None, refusal.message)
        else:
            messages.success(request, f"{made} is registered and can no longer change.")
            return redirect("assurance:version", version_id=made.pk)
    return _page(request, form, what="version", model=model)


@login_required
def deployment_new(request: HttpRequest) -> HttpResponse:
    organisations = _places_needed(request, Action.MANAGE_DEPLOYMENT, "hospital")
    versions = visible_versions(request.user).filter(model__kind="device")
    initial = {"version": request.GET.get("version")}
    form = DeploymentForm(organisations, versions, request.POST or None, initial=initial)
    if request.method == "POST" and form.is_valid():
        wanted = form.cleaned_data
        by = require(request.user, Action.MANAGE_DEPLOYMENT, wanted["organisation"],
                     request_id=getattr(request, "request_id", ""))  # fmt: skip
        try:
            made = create_deployment(
                version=wanted["version"], organisation=wanted["organisation"], name=wanted["name"],
                sites=wanted["sites"], note=wanted["note"], by=by,
            )  # fmt: skip
        except InvalidInput as refusal:
            form.add_error(None, refusal.message)
        else:
            messages.success(request, f"{made.name} is open for predictions of {made.version}.")
            return redirect("monitoring:deployment", made.slug)
    return _page(request, form, what="deployment", no_site=not form.fields["sites"].queryset.exists())
