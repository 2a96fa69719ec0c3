"""The page behind a one-time link: choose a password, once."""

from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from accounts.forms import ChoosePasswordForm
from accounts.services.links import find_link, redeem_link


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def invitation(request: HttpRequest, secret: str) -> HttpResponse:
    """Looking at it changes nothing, so a mail scanner that opens the link does not use it up."""
    link = find_link(secret)
    if link is None:
        return render(request, "accounts/invitation_over.html", status=410)
    form = ChoosePasswordForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            redeem_link(secret, password=form.cleaned_data["password"], request_id=getattr(request, "request_id", ""))
        except ValidationError as refusal:
            form.add_error(None if getattr(refusal, "code", "") == "link_over" else "password", refusal)
        else:
            return render(request, "accounts/invitation_done.html", {"person": link.person})
    return render(request, "accounts/invitation.html", {"form": form, "link": link})
