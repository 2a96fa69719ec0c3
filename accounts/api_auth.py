"""Who calls the API: a token in the Authorization header, or the session of a signed-in page."""

from typing import Any
from uuid import UUID

from django.db import models
from django.http import Http404, HttpRequest
from django.utils import timezone
from ninja.errors import HttpError
from ninja.security import HttpBearer, SessionAuth

from accounts import row_security
from accounts.models import ApiToken, Person
from accounts.permissions import Action, memberships, require
from accounts.tokens import actor_of, token_hash
from records.actor import Actor


class TokenAuth(HttpBearer):
    """``request.auth`` becomes the token; the database session sees its organisation's rows and no others."""

    def authenticate(self, request: HttpRequest, token: str) -> ApiToken | None:
        found = ApiToken.objects.filter(token_sha256=token_hash(token)).select_related("organisation", "person").first()
        if found is None or not found.valid:
            return None
        ApiToken.objects.filter(pk=found.pk).update(last_used_at=timezone.now())
        row_security.see_only([found.organisation_id])
        return found


AUTH = [TokenAuth(), SessionAuth(csrf=True)]


def caller(request: HttpRequest, action: Action, subject: models.Model) -> Actor:
    """The actor of this call; 403 when the token lacks the verb, 404 when the object is another organisation's."""
    auth: Any = request.auth  # type: ignore[attr-defined]
    request_id = getattr(request, "request_id", "")
    if isinstance(auth, Person):
        return require(auth, action, subject, request_id=request_id)
    owner = getattr(subject, "organisation_id", None)
    if owner != auth.organisation_id or auth.deployment_id not in (None, _deployment_of(subject)):
        raise Http404
    if action not in auth.verbs:
        raise HttpError(403, f"this token may {', '.join(auth.verbs)}, not {action}: ask for one with that verb")
    return actor_of(auth, request_id=request_id)


def _deployment_of(subject: models.Model) -> UUID | None:
    return getattr(subject, "deployment_id", None) or (subject.pk if isinstance(subject.pk, UUID) else None)


def caller_organisations(request: HttpRequest) -> list[int]:
    """Organisations whose objects the caller may name at all."""
    auth: Any = request.auth  # type: ignore[attr-defined]
    if isinstance(auth, Person):
        return sorted({m.organisation_id for m in memberships(auth)})
    return [auth.organisation_id]
