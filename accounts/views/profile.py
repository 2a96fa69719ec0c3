"""What a person sees and changes of their own: time zone, second factor, sessions, roles, own signatures."""

from allauth.mfa.models import Authenticator
from allauth.usersessions.models import UserSession
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods, require_POST

from accounts.forms import ProfileForm
from accounts.permissions import may_sign_somewhere
from accounts.services import change_profile
from accounts.signing import has_totp
from records.actor import Actor
from records.models import Signature


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def profile(request: HttpRequest) -> HttpResponse:
    person = request.user
    form = ProfileForm(request.POST or None, initial={"time_zone": person.time_zone})
    if request.method == "POST" and form.is_valid():
        by = Actor(person.pk, None, "self", getattr(request, "request_id", ""))
        change_profile(person, time_zone=form.cleaned_data["time_zone"], by=by)
        messages.success(request, "Your profile was saved.")
        return redirect("accounts:profile")
    recovery = Authenticator.objects.filter(user=person, type=Authenticator.Type.RECOVERY_CODES).first()
    signed = Signature.objects.filter(person_id=person.pk).order_by("-signed_at")[:10]
    context = {
        "form": form, "has_totp": has_totp(person), "may_sign": may_sign_somewhere(person),
        "recovery_left": len(recovery.wrap().get_unused_codes()) if recovery else 0,
        "memberships": person.memberships.select_related("organisation", "site").order_by("-starts_at"),
        "sessions": UserSession.objects.purge_and_list(person), "session_key": request.session.session_key,
        "signatures": [(one, None) for one in signed],
    }  # fmt: skip
    return render(request, "accounts/profile.html", context)


@login_required
@require_POST
def end_session(request: HttpRequest, session_id: int) -> HttpResponse:
    get_object_or_404(UserSession, pk=session_id, user=request.user).end()
    messages.success(request, "That session has ended.")
    return redirect("accounts:profile")
