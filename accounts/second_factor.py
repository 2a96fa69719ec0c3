"""Who may sign sets up one-time codes before anything else."""

from collections.abc import Callable
from urllib.parse import urlencode

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect
from django.urls import reverse

from accounts.permissions import may_sign_somewhere
from accounts.signing import has_totp

OPEN = {"mfa_activate_totp", "account_logout", "account_reauthenticate", "healthz", "readyz", "metrics"}


class SecondFactorMiddleware:
    """Sends a signed-in person whose roles can sign, but who has no one-time codes yet, to their set-up."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_view(self, request: HttpRequest, view: object, args: object, kwargs: object) -> HttpResponse | None:
        match = request.resolver_match
        if not settings.SECOND_FACTOR_REQUIRED:
            return None
        if not request.user.is_authenticated or match is None or match.url_name in OPEN:
            return None
        if not may_sign_somewhere(request.user) or has_totp(request.user):
            return None
        if request.path.startswith("/api/"):
            refusal = {"code": "no_one_time_codes", "message": "set up one-time codes in your profile first"}
            return JsonResponse(refusal, status=403)
        query = urlencode({"next": request.get_full_path()}) if request.method == "GET" else ""
        return redirect(f"{reverse('mfa_activate_totp')}?{query}")
