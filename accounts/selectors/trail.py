"""Which audit events a person may read, and how much of them."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.apps import apps
from django.core.exceptions import PermissionDenied
from django.db.models import Q, QuerySet

from accounts.models import AccessGrant, Membership, Organisation, Person, Role
from accounts.permissions import ALLOWED, Action, memberships
from records.models import AuditEvent

MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?[+-]\d\d:\d\d")
ACCOUNT_ACTIONS = ("organisation.", "site.", "person.", "role.", "token.", "access.")  # an administrator's own work


@dataclass(frozen=True)
class TrailReader:
    """Whose trail a person reads: ``everything`` for the operator's people; ``metadata_only`` hides values."""

    organisation_ids: frozenset[int]
    regulator_ids: frozenset[int]
    everything: bool
    metadata_only: bool

    def may_read_values(self, event: AuditEvent) -> bool:
        """Old and new values and reasons can hold confidential content, which is not the operator's to read."""
        if not self.metadata_only or event.action.startswith(ACCOUNT_ACTIONS):
            return True
        return event.organisation_id in self.organisation_ids or event.owner_id in self.organisation_ids

    def name_of(self, event: AuditEvent) -> str:
        """Titles are content too: who may not read the values gets the kind and key of the object."""
        if self.may_read_values(event):
            return event.subject_name or event.subject_id
        return f"{kind_in_words(event.subject_kind)} {event.subject_id[:8]}"


def trail_reader(person: Person) -> TrailReader:
    """How ``person`` may read the trail; ``PermissionDenied`` when no role allows it."""
    roles = [m for m in memberships(person) if Action.SEE_TRAIL in ALLOWED.get(m.role, frozenset())]
    if not roles:
        raise PermissionDenied("the audit trail is read by leads, officers, approvers, assessors and auditors")
    operator = [m for m in roles if m.organisation.kind == Organisation.Kind.OPERATOR]
    return TrailReader(
        organisation_ids=frozenset(m.organisation_id for m in roles),
        regulator_ids=frozenset(
            m.organisation_id for m in roles if m.organisation.kind == Organisation.Kind.REGULATOR
        ),
        everything=bool(operator),
        metadata_only=bool(operator) and not any(m.role == Role.AUDITOR for m in operator),
    )  # fmt: skip


def visible_events(reader: TrailReader) -> "QuerySet[AuditEvent]":
    """Acts of the reader's organisations, acts of anybody on their objects, and of objects shown to them since then."""
    events = AuditEvent.objects.all()
    if reader.everything:
        return events
    mine = Q(organisation_id__in=reader.organisation_ids) | Q(owner_id__in=reader.organisation_ids)
    people = Membership.objects.filter(organisation_id__in=reader.organisation_ids).values_list("person_id", flat=True)
    own_kind = Person._meta.label_lower  # sign-ins and keys of the people who work there
    mine |= Q(subject_kind=own_kind, subject_id__in=[str(key) for key in people.distinct()])
    for grant in AccessGrant.objects.current().filter(organisation_id__in=reader.regulator_ids):
        mine |= Q(subject_kind=grant.subject_kind, subject_id=grant.subject_id, at__gte=grant.starts_at)
    return events.filter(mine)


def changes(event: AuditEvent) -> list[tuple[str, str, str]]:
    """``(field, old, new)`` in words for each value that the event names; a value that stayed empty says nothing."""
    old, new = event.old or {}, event.new or {}
    fields: Iterable[str] = dict.fromkeys([*old, *new])
    rows = [(field.replace("_", " "), _in_words(old.get(field)), _in_words(new.get(field))) for field in fields]
    return [row for row in rows if row[1] or row[2]]


def _in_words(value: Any) -> str:
    if value is None or value == "":
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(_in_words(item) for item in value)
    if isinstance(value, dict):
        return ", ".join(f"{key}: {_in_words(item)}" for key, item in value.items())
    return _moment(str(value))


def _moment(text: str) -> str:
    """A stored moment (ISO 8601 with its zone) as people read it; any other text as it is."""
    if not MOMENT.fullmatch(text):
        return text
    return f"{datetime.fromisoformat(text).astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def role_in_words(role: str) -> str:
    """``hospital_qa`` as people say it; ``token:vgl_abcd`` and ``system`` stay what they are."""
    return dict(Role.choices).get(role, role.replace("_", " "))


def kind_in_words(kind: str) -> str:
    try:
        return str(apps.get_model(kind)._meta.verbose_name)
    except (LookupError, ValueError):
        return kind
