"""How an act of the workspace reads what was asked, whether it came from a form or from the HTTP interface."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any, TypeAlias

import yaml
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest

from accounts.models import Person, Role
from assurance.evidence.errors import InvalidInput
from assurance.models import Submission
from assurance.services.submission_sides import acting_as, memberships_in
from records.actor import Actor

AUTHOR: Any = Role.DEVELOPER_AUTHOR
APPROVER: Any = Role.DEVELOPER_APPROVER
INTAKE: Any = Role.REGULATOR_INTAKE
ASSESSOR: Any = Role.REGULATOR_ASSESSOR
DECIDER: Any = Role.REGULATOR_DECIDER


@dataclass(frozen=True)
class Asked:
    """What the HTTP interface hands to an act: the fields of the form, under the names that a page gives them."""

    user: Person
    POST: Mapping[str, str]
    FILES: Mapping[str, Any] = field(default_factory=dict)
    request_id: str = ""


Asking: TypeAlias = HttpRequest | Asked


def by_of(submission: Submission, request: Asking, *roles: str) -> Actor:
    """The person in one of ``roles``; without roles, in any role that counts for this submission."""
    wanted = roles or tuple(m.role for m in memberships_in(submission, request.user))
    by = acting_as(submission, request.user, wanted, request_id=getattr(request, "request_id", ""))
    if by is None:
        names = ", ".join(Role(role).label for role in roles) or "a role in this submission"
        raise PermissionDenied(f"this takes {names}")
    return by


def signing(request: Asking) -> dict[str, Any]:
    return {
        "person": request.user, "password": request.POST.get("password", ""), "code": request.POST.get("code", ""),
        "request_id": getattr(request, "request_id", ""),
    }  # fmt: skip


def mapping(text: str, what: str) -> dict[str, Any]:
    try:
        content = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise InvalidInput("not_readable", f"{what} is not readable as `name: value` lines: {error}") from error
    if not isinstance(content, dict):
        raise InvalidInput("wrong_type", f"{what} is empty or not made of `name: value` lines")
    return _dates_as_text(content)


def _dates_as_text(content: dict[str, Any]) -> dict[str, Any]:
    return {key: value.isoformat() if hasattr(value, "isoformat") else value for key, value in content.items()}


def day_of(request: Asking, name: str) -> date:
    text = request.POST.get(name, "").strip()
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise InvalidInput("not_a_date", f"{name} is {text!r}: give a date such as 2026-11-24") from error
