"""What every page shows of the person who looks at it."""

from typing import Any

from django.http import HttpRequest


def workplace(request: HttpRequest) -> dict[str, Any]:
    if not request.user.is_authenticated:
        return {"workplaces": []}
    return {"workplaces": list(request.user.memberships.current().select_related("organisation"))}
