"""Organisations: who works there in which role, its sites and its keys."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods, require_POST

from accounts.forms import OrganisationForm, RoleForm, SiteForm, TokenForm
from accounts.models import Membership, Organisation, Person
from accounts.permissions import Action, may, may_manage_person, memberships, organisation_ids, require
from accounts.services import add_site, create_organisation
from accounts.signing import has_totp


def runs_the_platform(person: Person) -> bool:
    return any(
        m.organisation.kind == Organisation.Kind.OPERATOR and may(person, Action.MANAGE_PEOPLE)
        for m in memberships(person)
    )


def organisation_for(request: HttpRequest, slug: str, action: Action = Action.SEE) -> Organisation:
    """404 for a stranger, 403 for a colleague whose role does not allow it."""
    found = get_object_or_404(Organisation, slug=slug)
    if found.pk not in organisation_ids(request.user) and not may(request.user, Action.MANAGE_PEOPLE, found):
        raise Http404
    if action != Action.SEE:
        require(request.user, action, found)
    return found


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def organisation_list(request: HttpRequest) -> HttpResponse:
    operator = runs_the_platform(request.user)
    form = OrganisationForm(request.POST or None) if operator else None
    if request.method == "POST":
        if form is None:
            raise PermissionDenied("organisations are made by the administrator of the platform")
        if form.is_valid():
            by = require(request.user, Action.MANAGE_PEOPLE, request_id=getattr(request, "request_id", ""))
            made = create_organisation(**form.cleaned_data, by=by)
            messages.success(request, f"{made} was made. Invite its first administrator now.")
            return redirect("accounts:organisation", slug=made.slug)
    rows = (
        Organisation.objects.all() if operator else Organisation.objects.filter(pk__in=organisation_ids(request.user))
    )
    return render(request, "accounts/organisation_list.html", {"rows": rows, "form": form})


@login_required
@require_http_methods(["GET", "HEAD"])
def organisation(request: HttpRequest, slug: str) -> HttpResponse:
    return organisation_page(request, organisation_for(request, slug))


def organisation_page(request: HttpRequest, found: Organisation, *, status: int = 200, **forms: object) -> HttpResponse:
    """The page, with the form that was just refused in place of its empty one."""
    manages, tokens = may(request.user, Action.MANAGE_PEOPLE, found), may(request.user, Action.MANAGE_TOKENS, found)
    rows = Membership.objects.filter(organisation=found).select_related("person", "site").order_by("person__name")
    current = list(rows.current())
    people = {row.person_id: row.person for row in current}
    context = {
        "organisation": found, "manages": manages, "manages_tokens": tokens, "memberships": current,
        "codes": {key: has_totp(person) for key, person in people.items()} if manages else {},
        "keys_of": {key for key, person in people.items() if manages and may_manage_person(request.user, person)},
        "past": rows.exclude(pk__in=[row.pk for row in current]).order_by("-ends_at")[:30] if manages else [],
        "sites": found.sites.all(), "role_form": RoleForm(found), "site_form": SiteForm(),
        "token_form": TokenForm(found), "tokens": found.tokens.select_related("person") if tokens else [],
    } | forms  # fmt: skip
    return render(request, "accounts/organisation.html", context, status=status)


@login_required
@require_POST
def site_add(request: HttpRequest, slug: str) -> HttpResponse:
    found = organisation_for(request, slug, Action.MANAGE_PEOPLE)
    form = SiteForm(request.POST)
    if form.is_valid():
        by = require(request.user, Action.MANAGE_PEOPLE, found, request_id=getattr(request, "request_id", ""))
        try:
            site = add_site(found, **form.cleaned_data, by=by)
        except ValidationError as refusal:
            form.add_error(None, "; ".join(refusal.messages))
        else:
            messages.success(request, f"The site {site} was added.")
            return redirect("accounts:organisation", slug=slug)
    return organisation_page(request, found, site_form=form, status=422)
