"""Sign-ins, failures and changes of secrets in the audit trail. The libraries that do them tell of them by signals."""

import logging
from typing import Any

from allauth.account.signals import password_changed, password_set, user_logged_in
from allauth.core import context
from allauth.mfa.models import Authenticator
from django.contrib.auth.signals import user_login_failed
from django.db.models.signals import post_delete, post_save
from django.http import HttpRequest

from accounts.models import Person
from records.actor import SYSTEM, Actor
from records.services import record_event

log = logging.getLogger(__name__)


def connect() -> None:
    user_logged_in.connect(_signed_in, dispatch_uid="trail")
    user_login_failed.connect(_failed, dispatch_uid="trail")
    for signal, action in ((password_changed, "person.password_change"), (password_set, "person.password_set")):
        signal.connect(_recorder(action), weak=False, dispatch_uid=f"trail-{action}")
    for model_signal, what in ((post_save, "added"), (post_delete, "removed")):  # in the transaction of the change
        model_signal.connect(
            _second_factor(what), sender=Authenticator, weak=False, dispatch_uid=f"trail-second-factor-{what}"
        )


def _self(person: Person, request: HttpRequest | None) -> Actor:
    return Actor(person_id=person.pk, organisation_id=None, role="self", request_id=getattr(request, "request_id", ""))


def _signed_in(sender: Any, request: HttpRequest, user: Person, **_: Any) -> None:
    record_event(action="person.sign_in", subject=user, by=_self(user, request))


def _failed(sender: Any, credentials: dict[str, Any], request: HttpRequest | None = None, **_: Any) -> None:
    """Only a known address is written: what else stands in that field may be a password typed into the wrong one."""
    address = str(credentials.get("email") or credentials.get("username") or "").strip().lower()
    person = Person.objects.filter(email=address).first()
    if person is None:
        log.warning("a sign-in failed for an unknown address")
        return
    by = Actor(person_id=None, organisation_id=None, role="unknown", request_id=getattr(request, "request_id", ""))
    record_event(action="person.sign_in_failed", subject=person, by=by)


def _recorder(action: str) -> Any:
    def record(sender: Any, request: HttpRequest, user: Person, **_: Any) -> None:
        record_event(action=action, subject=user, by=_self(user, request))

    return record


def _second_factor(what: str) -> Any:
    def record(sender: Any, instance: Authenticator, created: bool = True, **_: Any) -> None:
        if not created:
            return  # a used code, not a changed key
        request = context.request
        person = getattr(request, "user", None)
        by = _self(person, request) if isinstance(person, Person) else SYSTEM
        record_event(
            action="person.second_factor", subject=instance.user, by=by, new={"kind": str(instance.type), "what": what}
        )

    return record
