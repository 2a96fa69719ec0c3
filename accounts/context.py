"""What every page shows of the person who looks at it."""

from typing import Any

from django.http import HttpRequest

from accounts.permissions import memberships


def workplace(request: HttpRequest) -> dict[str, Any]:
    if not request.user.is_authenticated:
        return {"workplaces": []}
    return {"workplaces": memberships(request.user)}
