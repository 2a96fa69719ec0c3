"""API tokens: shown once, stored as a hash."""

import hashlib
import secrets
from datetime import timedelta
from uuid import UUID

from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.utils import timezone

from accounts.models import ApiToken, Organisation, Person
from accounts.permissions import Action, require
from records.actor import Actor
from records.services import record_event

VERBS = (Action.SEE, Action.SEND_PREDICTIONS, Action.ASK_EXPLANATION, Action.BUILD_DOSSIER, Action.EDIT_SUBMISSION,
         Action.OPEN_INCIDENT)  # fmt: skip
LONGEST_DAYS = 366


@transaction.atomic
def issue_token(
    *, organisation: Organisation, person: Person, name: str, verbs: list[str], days: int = 90,
    deployment_id: UUID | None = None, request_id: str = "",
) -> tuple[ApiToken, str]:  # fmt: skip
    """Make a token and return it with its secret, which is never shown again."""
    by = require(person, Action.MANAGE_TOKENS, organisation, request_id=request_id)
    if by.organisation_id != organisation.pk:  # else the operator could read a hospital's rows through a token
        raise PermissionDenied(f"tokens of {organisation} are made by its own people: the operator only revokes them")
    unknown = sorted(set(verbs) - {str(verb) for verb in VERBS})
    if unknown or not verbs:
        raise ValidationError(f"verbs {unknown or 'is empty'}: choose from {', '.join(VERBS)}")
    if not 1 <= days <= LONGEST_DAYS:
        raise ValidationError(f"days {days}: give 1 to {LONGEST_DAYS}")
    if deployment_id is not None and not organisation.deployments.filter(pk=deployment_id).exists():  # type: ignore[attr-defined]
        raise ValidationError(f"deployment {deployment_id} is none of {organisation}")
    secret = f"vgl_{secrets.token_urlsafe(32)}"
    token = ApiToken.objects.create(
        organisation=organisation, person=person, name=name, token_sha256=token_hash(secret), prefix=secret[:8],
        verbs=sorted(verbs), deployment_id=deployment_id, expires_at=timezone.now() + timedelta(days=days),
    )  # fmt: skip
    record_event(
        action="token.issue", subject=token, by=by,
        new={"name": name, "verbs": sorted(verbs), "deployment": deployment_id, "expires_at": token.expires_at},
    )  # fmt: skip
    return token, secret


@transaction.atomic
def revoke_token(token: ApiToken, *, person: Person, request_id: str = "") -> None:
    by = require(person, Action.MANAGE_TOKENS, token.organisation, request_id=request_id)
    token = ApiToken.objects.select_for_update().get(pk=token.pk)
    if token.revoked_at is not None:
        return
    token.revoked_at = timezone.now()
    token.save(update_fields=("revoked_at",))
    record_event(action="token.revoke", subject=token, by=by, new={"revoked_at": token.revoked_at})


def token_hash(secret: str) -> str:
    """The secret has 256 random bits, so a plain hash is enough: there is nothing to guess."""
    return hashlib.sha256(secret.encode()).hexdigest()


def actor_of(token: ApiToken, *, request_id: str = "") -> Actor:
    return Actor(
        person_id=token.person_id, organisation_id=token.organisation_id, role=f"token:{token.prefix}",
        request_id=request_id,
    )  # fmt: skip
