"""What an administrator does to people: roles, one-time links, a lost second factor, closing an account."""

from datetime import UTC, datetime, time

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_POST

from accounts.forms import RoleForm
from accounts.models import Membership, OneTimeLink, Organisation, Person
from accounts.permissions import Action, may_manage_person, require
from accounts.services import add_person, end_role, grant_role, make_link, reset_second_factor, set_active
from accounts.views.organisations import organisation_for, organisation_page
from records.actor import Actor


@login_required
@require_POST
def role_grant(request: HttpRequest, slug: str) -> HttpResponse:
    """Give a role; a person without an account gets one, and a one-time link that is shown once."""
    found = organisation_for(request, slug, Action.MANAGE_PEOPLE)
    form = RoleForm(found, request.POST)
    if form.is_valid():
        try:
            person, secret = _grant(found, form, by=_actor(request, found))
        except ValidationError as refusal:
            form.add_error(None, "; ".join(refusal.messages))
        else:
            if secret:
                return shown_once(request, found, title=f"Invitation for {person}", secret=_address(secret))
            messages.success(request, f"{person} has the role now.")
            return redirect("accounts:organisation", slug=slug)
    return organisation_page(request, found, role_form=form, status=422)


@transaction.atomic
def _grant(organisation: Organisation, form: RoleForm, *, by: Actor) -> tuple[Person, str]:
    values, secret = form.cleaned_data, ""
    person = Person.objects.filter(email=values["email"].lower()).first()
    if person is None:
        if not values["name"]:
            raise ValidationError(f"{values['email']} has no account yet: give the printed name to invite them")
        person = add_person(email=values["email"], name=values["name"], by=by)
        _, secret = make_link(person, by=by)
    ends = values["ends_at"] and datetime.combine(values["ends_at"], time.max, UTC)
    grant_role(person, organisation, values["role"], site=values.get("site"), ends_at=ends, by=by)
    return person, secret


@login_required
@require_POST
def role_end(request: HttpRequest, slug: str, membership_id: int) -> HttpResponse:
    found = organisation_for(request, slug, Action.MANAGE_PEOPLE)
    membership = get_object_or_404(Membership, pk=membership_id, organisation=found)
    try:
        end_role(membership, by=_actor(request, found), reason=request.POST.get("reason", ""))
    except ValidationError as refusal:
        messages.error(request, "; ".join(refusal.messages))
    else:
        messages.success(request, f"{membership.person} is no longer {membership.get_role_display()}.")
    return redirect("accounts:organisation", slug=slug)


@login_required
@require_POST
def person_key(request: HttpRequest, slug: str, person_id: int, what: str) -> HttpResponse:
    """``link``: a new one-time link. ``codes``: replace a lost second factor. ``close``: close the account."""
    found = organisation_for(request, slug, Action.MANAGE_PEOPLE)
    person = get_object_or_404(Person, pk=person_id, memberships__organisation=found) if what in WHAT else None
    if person is None:
        raise Http404
    if not may_manage_person(request.user, person):
        raise PermissionDenied(
            f"{person} also works for an organisation that you do not administer: its administrator or the platform's "
            "has to agree, so ask the platform's"
            if person.pk != request.user.pk
            else "nobody hands out their own keys: another administrator has to do it"
        )
    by, reason = _actor(request, found), request.POST.get("reason", "")
    try:
        if what == "link":
            purpose = OneTimeLink.Purpose.RESET if person.has_usable_password() else OneTimeLink.Purpose.INVITE
            _, secret = make_link(person, by=by, purpose=purpose)
            return shown_once(request, found, title=f"One-time link for {person}", secret=_address(secret))
        if what == "codes":
            reset_second_factor(person, reason=reason, by=by)
            messages.success(request, f"{person} sets up one-time codes again at the next sign-in.")
        else:
            set_active(person, active=what == "open", reason=reason, by=by)
            messages.success(request, f"The account of {person} is {'open' if what == 'open' else 'closed'}.")
    except ValidationError as refusal:
        messages.error(request, "; ".join(refusal.messages))
    return redirect("accounts:organisation", slug=slug)


WHAT = ("link", "codes", "close", "open")


def shown_once(request: HttpRequest, organisation: Organisation, *, title: str, secret: str) -> HttpResponse:
    answer = render(
        request, "accounts/shown_once.html", {"organisation": organisation, "title": title, "secret": secret}
    )
    answer["Cache-Control"] = "no-store"
    return answer


def _address(secret: str) -> str:
    return f"{settings.BASE_URL}{reverse('accounts:invitation', args=[secret])}"


def _actor(request: HttpRequest, organisation: Organisation) -> Actor:
    return require(request.user, Action.MANAGE_PEOPLE, organisation, request_id=getattr(request, "request_id", ""))
