"""How an act of the workspace reads what was asked, whether it came from a form or from the HTTP interface."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any, TypeAlias

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest
from django.shortcuts import get_object_or_404

from accounts.models import Person, Role
from assurance.evidence.errors import InvalidInput
from assurance.models import Submission
from assurance.plain_yaml import read_plain
from assurance.services.submission_sides import acting_as, memberships_in
from records.actor import Actor

AUTHOR: Any = Role.DEVELOPER_AUTHOR
APPROVER: Any = Role.DEVELOPER_APPROVER
INTAKE: Any = Role.REGULATOR_INTAKE
ASSESSOR: Any = Role.REGULATOR_ASSESSOR
DECIDER: Any = Role.REGULATOR_DECIDER


LONGEST_NUMBER = 9  # digits that fit a column of whole numbers


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
    content = read_plain(text, what=what)
    if not isinstance(content, dict):
        raise InvalidInput("wrong_type", f"{what} is empty or not made of `name: value` lines")
    return content


def named(rows: Any, request: Asking, name: str, *, column: str = "pk") -> Any:
    """The row that the field ``name`` numbers; 404 for one that is not there, whatever was written."""
    text = str(request.POST.get(name, ""))
    if not (text.isascii() and text.isdigit() and len(text) <= LONGEST_NUMBER):
        raise Http404
    return get_object_or_404(rows, **{column: text})


def day_of(request: Asking, name: str) -> date:
    text = request.POST.get(name, "").strip()
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise InvalidInput("not_a_date", f"{name} is {text!r}: give a date such as 2026-11-24") from error
