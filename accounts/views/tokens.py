"""API tokens: made, shown once, revoked."""

from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.views.decorators.http import require_POST

from accounts.forms import TokenForm
from accounts.models import ApiToken
from accounts.permissions import Action
from accounts.services import create_token, revoke_token
from accounts.views.organisations import organisation_for, organisation_page
from accounts.views.people import shown_once


@login_required
@require_POST
def token_make(request: HttpRequest, slug: str) -> HttpResponse:
    found = organisation_for(request, slug, Action.MANAGE_TOKENS)
    form = TokenForm(found, request.POST)
    if form.is_valid():
        values = form.cleaned_data
        try:
            token, secret = create_token(
                organisation=found, person=request.user, name=values["name"], verbs=values["verbs"],
                days=values["days"], request_id=getattr(request, "request_id", ""),
                deployment_id=UUID(values["deployment"]) if values["deployment"] else None,
            )  # fmt: skip
        except ValidationError as refusal:
            form.add_error(None, "; ".join(refusal.messages))
        else:
            return shown_once(request, found, title=f"API token {token.name}", secret=secret)
    return organisation_page(request, found, token_form=form, status=422)


@login_required
@require_POST
def token_revoke(request: HttpRequest, slug: str, token_id: int) -> HttpResponse:
    found = organisation_for(request, slug, Action.MANAGE_TOKENS)
    token = get_object_or_404(ApiToken, pk=token_id, organisation=found)
    revoke_token(token, person=request.user, request_id=getattr(request, "request_id", ""))
    messages.success(request, f"The token {token.name} no longer opens anything.")
    return redirect("accounts:organisation", slug=slug)
