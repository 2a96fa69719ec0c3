"""How often one caller may knock: at the sign-in, with one-time links, and at the API. Answers 429 with Retry-After."""

import hashlib
import logging
import time
from collections.abc import Callable

import redis
from allauth.account.adapter import get_adapter
from django.conf import settings
from django.core.cache import cache
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.template.loader import render_to_string

log = logging.getLogger(__name__)
WINDOW_S = 60
GATES = ("/account/login/", "/account/2fa/authenticate/", "/account/reauthenticate/", "/account/2fa/reauthenticate/",
         "/invitation/")  # fmt: skip


class RateLimitMiddleware:
    """Counts in the cache that all web processes share; an unreachable cache lets people work and is logged."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        limits = _limits(request)
        try:
            wait = max((spent(bucket, most) for bucket, most in limits), default=0)
        except redis.RedisError as error:
            log.warning("rates are not limited, the cache is away: %s", type(error).__name__)
            wait = 0
        answer = _too_many(request, wait) if wait else self.get_response(request)
        if answer.status_code == 429 and "Retry-After" not in answer:
            answer["Retry-After"] = str(WINDOW_S)  # allauth's own limits say no time
        if answer.status_code == 401 and request.path.startswith("/api/"):
            _note_failure(request)
        return answer


def spent(bucket: str, most: int, *, now: float | None = None) -> int:
    """Take one from the bucket of this minute; 0 while some are left, else the seconds until the next minute."""
    now = time.time() if now is None else now
    window = int(now // WINDOW_S)
    key = f"rate:{bucket}:{window}"
    cache.add(key, 0, timeout=2 * WINDOW_S)
    try:
        count = cache.incr(key)
    except ValueError:  # it ran out between the two lines
        return 0
    return 0 if count <= most else max(1, int((window + 1) * WINDOW_S - now))


def _limits(request: HttpRequest) -> list[tuple[str, int]]:
    if request.path.startswith("/api/"):
        failed = (f"api-failed:{_address(request)}", settings.API_FAILURES_PER_MINUTE)
        if _spent_already(*failed):
            return [failed]
        return [(f"api:{_caller(request)}", settings.API_PER_MINUTE)]
    if request.method == "POST" and request.path.startswith(GATES):
        return [(f"gate:{_address(request)}", settings.SIGN_IN_PER_MINUTE)]
    return []


def _spent_already(bucket: str, most: int) -> bool:
    try:
        return int(cache.get(f"rate:{bucket}:{int(time.time() // WINDOW_S)}", 0)) >= most
    except redis.RedisError:
        return False


def _note_failure(request: HttpRequest) -> None:
    try:
        spent(f"api-failed:{_address(request)}", settings.API_FAILURES_PER_MINUTE)
    except redis.RedisError:
        log.warning("a failed call was not counted, the cache is away")


def _caller(request: HttpRequest) -> str:
    """Each token and each session has its own allowance, so one gateway cannot use up another's."""
    secret = request.headers.get("Authorization", "") or request.COOKIES.get(settings.SESSION_COOKIE_NAME, "")
    return hashlib.sha256(secret.encode()).hexdigest()[:20] if secret else _address(request)


def _address(request: HttpRequest) -> str:
    return str(get_adapter().get_client_ip(request))


def _too_many(request: HttpRequest, wait: int) -> HttpResponse:
    if request.path.startswith("/api/"):
        message = f"too many calls in one minute: try again in {wait} s"
        answer: HttpResponse = JsonResponse({"code": "too_many_requests", "message": message}, status=429)
    else:
        answer = HttpResponse(render_to_string("429.html", {"wait": wait}), status=429)
    answer["Retry-After"] = str(wait)
    return answer
