"""Tells the database who looks, at the start of every request."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

from accounts import row_security
from accounts.permissions import tenants_of


class TenantMiddleware:
    """Limits the database session to the organisations of the signed-in person's current memberships."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        row_security.see_only(tenants_of(request.user) if request.user.is_authenticated else ())
        try:
            return self.get_response(request)
        finally:
            row_security.see_only(())
