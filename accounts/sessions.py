"""How long a sign-in lasts: a day's work at most, and less when nobody is there."""

import time
from collections.abc import Callable

from django.conf import settings
from django.contrib import messages
from django.contrib.auth import logout
from django.http import HttpRequest, HttpResponse

TOUCH_EVERY_S = 60


class SessionLimitMiddleware:
    """Ends a session ``SESSION_COOKIE_AGE`` after its start and ``SESSION_IDLE_S`` after the last page that was opened.

    Pages that refresh themselves do not count as a person.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.user.is_authenticated:
            self._check(request)
        return self.get_response(request)

    @staticmethod
    def _check(request: HttpRequest) -> None:
        now = int(time.time())
        started = request.session.setdefault("started_at", now)
        seen = request.session.get("seen_at", now)
        if now - started > settings.SESSION_COOKIE_AGE or now - seen > settings.SESSION_IDLE_S:
            logout(request)
            messages.info(request, "Your session has ended. Sign in again to go on.")
        elif "seen_at" not in request.session or (now - seen >= TOUCH_EVERY_S and "HX-Request" not in request.headers):
            request.session["seen_at"] = now
