"""Tells the database who looks, at the start of every request."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

from accounts import row_security


class TenantMiddleware:
    """Limits the database session to the organisations of the signed-in person's current memberships."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        organisation_ids: list[int] = []
        if request.user.is_authenticated:
            memberships = request.user.memberships.current()
            organisation_ids = sorted(set(memberships.values_list("organisation_id", flat=True)))
        row_security.see_only(organisation_ids)
        try:
            return self.get_response(request)
        finally:
            row_security.see_only(())
