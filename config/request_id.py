"""Every request gets an id that the audit trail, the log line and the answer share."""

import logging
import re
import time
import uuid
from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

from config.logs import REQUEST_ID, route_of

WELL_FORMED = re.compile(r"[A-Za-z0-9-]{8,64}")
access = logging.getLogger("vigil.access")
QUIET = ("/healthz", "/readyz", "/metrics", "/static/")


class RequestIdMiddleware:
    """Also writes the one line of the access log: route, status and time, never the address with its case."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        given = request.headers.get("X-Request-Id", "")
        request.request_id = given if WELL_FORMED.fullmatch(given) else uuid.uuid4().hex  # type: ignore[attr-defined]
        marker, start = REQUEST_ID.set(request.request_id), time.perf_counter()  # type: ignore[attr-defined]
        try:
            response = self.get_response(request)
            if not request.path.startswith(QUIET):
                access.info("request", extra=_facts(request, response, start))
        finally:
            REQUEST_ID.reset(marker)
        response["X-Request-Id"] = request.request_id  # type: ignore[attr-defined]
        return response


def _facts(request: HttpRequest, response: HttpResponse, start: float) -> dict[str, object]:
    return {
        "method": request.method, "route": route_of(request), "status": response.status_code,
        "duration_ms": round(1000 * (time.perf_counter() - start), 1),
        "person_id": getattr(getattr(request, "user", None), "pk", None),
    }  # fmt: skip
