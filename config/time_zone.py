"""Times as the reader's clock shows them: the zone of the hospital's sites, when all of them share one."""

from collections.abc import Callable
from typing import Any
from zoneinfo import ZoneInfo

from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from accounts.models import Site
from accounts.permissions import memberships


class TimeZoneMiddleware:
    """Pages print in the site's zone and give UTC under the pointer; sites in several zones print in UTC."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.user.is_authenticated and not request.path.startswith("/api/"):
            here = [m.organisation_id for m in memberships(request.user)]
            zones = (
                set(Site.objects.filter(organisation__in=here).values_list("time_zone", flat=True)) if here else set()
            )
            if len(zones) == 1:
                with timezone.override(ZoneInfo(zones.pop())):
                    return self.get_response(request)
        return self.get_response(request)


def zone_name(request: HttpRequest) -> dict[str, Any]:
    return {"zone_name": timezone.get_current_timezone_name()}
