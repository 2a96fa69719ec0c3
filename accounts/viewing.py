"""Each look of a regulator at somebody else's object is on record, whichever page or file it was.

One place for all rooms: a page cannot forget it. Objects are known by the names of their keys in addresses.
"""

from collections.abc import Callable

from django.apps import apps
from django.core.exceptions import ValidationError
from django.db import models
from django.http import HttpRequest, HttpResponse

from accounts.models import ApiToken, Organisation
from accounts.permissions import memberships
from accounts.services.access import log_view
from accounts.tokens import actor_of
from records.actor import Actor
from records.services import owner_of

SUBJECTS = {
    "submission_id": "assurance.submission",
    "dossier_id": "reporting.dossier",
    "version_id": "assurance.modelversion",
}


class ViewLogMiddleware:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        if request.method == "GET" and response.status_code == 200 and "HX-Request" not in request.headers:
            self._log(request)
        return response

    @staticmethod
    def _log(request: HttpRequest) -> None:
        match = request.resolver_match
        names = [name for name in SUBJECTS if match and name in match.kwargs]
        by = _regulator(request) if names else None
        if by is None or match is None:
            return
        for name in names:
            subject = _subject(SUBJECTS[name], match.kwargs[name])
            if subject is not None and owner_of(subject) != by.organisation_id:
                log_view(subject, by=by, what=match.view_name or match.route)


def _regulator(request: HttpRequest) -> Actor | None:
    """Who looks, when it is a regulator's person or token; None for everybody else."""
    request_id = getattr(request, "request_id", "")
    token = getattr(request, "auth", None)
    if isinstance(token, ApiToken):
        regulator = token.organisation.kind == Organisation.Kind.REGULATOR
        return actor_of(token, request_id=request_id) if regulator else None
    if not request.user.is_authenticated:
        return None
    for one in memberships(request.user):
        if one.organisation.kind == Organisation.Kind.REGULATOR:
            return Actor(request.user.pk, one.organisation_id, one.role, request_id)
    return None


def _subject(label: str, key: object) -> models.Model | None:
    try:
        return apps.get_model(label)._default_manager.filter(pk=key).first()
    except (LookupError, ValueError, ValidationError):
        return None
