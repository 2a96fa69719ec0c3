"""Answers of a card: each field is answered, not available with a reason, or not applicable with a reason."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date
from typing import Any

from assurance.cards.fields import STATUSES, CardSchema, Field
from assurance.evidence.errors import InvalidInput
from records.canonical import canonical_json

LARGEST_ANSWER_BYTES = 200_000
KEYS = {"status", "value", "reason", "finding"}
DIGEST = re.compile(r"^[0-9a-f]{64}$")
MEASURE_PARTS = {
    "metric", "value", "ci_low", "ci_high", "ci_level", "n", "dataset", "population", "date", "unit", "finding",
    "stratum", "interpretation", "goal",
}  # fmt: skip
TABLES = {"table"}
LISTS = {"list_of_string", "list_of_reference", "list_of_dataset_ref", "list_of_party"}
MAPPINGS = {"object", "party", "contact", "signature"}


def checked_answers(answers: Mapping[str, Any], schema: CardSchema) -> dict[str, dict[str, Any]]:
    """``answers`` in the one shape that is stored: every field known, every envelope whole, values of the field's type.

    Raises
    ------
    InvalidInput
        ``unknown_field``, ``unknown_status``, ``reason_missing``, ``value_missing``, ``wrong_type``, ``too_large``,
        ``not_a_digest``; the message names the field.
    """
    if not isinstance(answers, Mapping):
        raise InvalidInput("wrong_type", f"answers is a {type(answers).__name__}: give field ids with their answers")
    return {key: _checked(schema.field(key), answers[key]) for key in sorted(answers)}


def _checked(field: Field, answer: Any) -> dict[str, Any]:
    if not isinstance(answer, Mapping) or set(answer) - KEYS:
        raise InvalidInput("wrong_type", f"{field.id}: give status, value, reason and finding, nothing else")
    status, reason = answer.get("status"), str(answer.get("reason") or "").strip()
    if status not in STATUSES:
        raise InvalidInput("unknown_status", f"{field.id} has status {status!r}: give one of {', '.join(STATUSES)}")
    finding = answer.get("finding") or None
    if finding is not None and not DIGEST.match(str(finding)):
        raise InvalidInput("not_a_digest", f"{field.id} has finding {finding!r}: give its 64 hexadecimal digits")
    if status != "answered":
        if not reason:
            raise InvalidInput("reason_missing", f"{field.id} is {status.replace('_', ' ')}: say why")
        return {"status": status, "value": None, "reason": reason, "finding": None}
    value = answer.get("value")
    if finding is None and value in (None, "", [], {}):
        raise InvalidInput(
            "value_missing", f"{field.id} is answered without a value: give one, or say why there is none"
        )
    try:
        size = len(canonical_json(value))
    except ValueError as error:
        raise InvalidInput("wrong_type", f"{field.id}: {error}") from error
    if size > LARGEST_ANSWER_BYTES:
        raise InvalidInput("too_large", f"{field.id} has {size} bytes: at most {LARGEST_ANSWER_BYTES}")
    if value is not None:
        check_type(field, value)
    return {"status": status, "value": value, "reason": reason, "finding": finding}


def check_type(field: Field, value: Any) -> None:
    """Refuse (``wrong_type``) a value that is not of the field's type, and say what the type asks for."""
    problem = _problem(field, value)
    if problem:
        raise InvalidInput("wrong_type", f"{field.id} is {str(value)[:60]!r}: {problem}")


def _problem(field: Field, value: Any) -> str:
    kind = field.type
    if kind in ("string", "text", "url"):
        if not isinstance(value, str):
            return "give text"
        return "give an address that starts with https:// or http://" if kind == "url" and not _web(value) else ""
    if kind == "enum":
        return "" if value in field.values else f"give one of {', '.join(field.values)}"
    if kind == "date":
        return "" if _is_date(value) else "give a date such as 2026-11-24"
    if kind == "hash":
        return "" if DIGEST.match(str(value)) else "give 64 hexadecimal digits"
    if kind == "boolean":
        return "" if isinstance(value, bool) else "give true or false"
    if kind in LISTS:
        good = isinstance(value, list) and all(isinstance(item, str | Mapping) for item in value)
        return "" if good else "give a list, one line each"
    if kind in TABLES:
        good = isinstance(value, list) and all(isinstance(row, Mapping) for row in value)
        return "" if good else "give rows of named parts"
    if kind in MAPPINGS:
        return "" if isinstance(value, Mapping) else "give named parts"
    return _measure_problem(value)


def _measure_problem(value: Any) -> str:
    rows = value if isinstance(value, list) else [value]
    for row in rows:
        if not isinstance(row, Mapping) or set(row) - MEASURE_PARTS:
            return f"give measures with parts {', '.join(sorted(MEASURE_PARTS))}"
        for part in ("value", "ci_low", "ci_high", "ci_level", "n"):
            number = row.get(part)
            if number is not None and (isinstance(number, bool) or not isinstance(number, int | float)):
                return f"{part} of a measure is a number"
        if row.get("finding") and not DIGEST.match(str(row["finding"])):
            return "the finding of a measure is named by its 64 hexadecimal digits"
    return ""


def _web(text: str) -> bool:
    return text.startswith(("https://", "http://")) and " " not in text


def _is_date(value: Any) -> bool:
    try:
        date.fromisoformat(str(value))
    except ValueError:
        return False
    return True


def measures_of(answer: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The measures in the answer of a field of type measure, always as a list."""
    value = answer.get("value")
    if value is None:
        return []
    return [dict(row) for row in value] if isinstance(value, list) else [dict(value)]


def findings_in(answers: Mapping[str, Mapping[str, Any]]) -> dict[str, list[str]]:
    """Digest of every Finding that the card cites, with the fields that cite it."""
    cited: dict[str, list[str]] = {}
    for key, answer in answers.items():
        digests = [answer.get("finding")]
        value = answer.get("value")
        rows = value if isinstance(value, list) else [value]
        digests += [row.get("finding") for row in rows if isinstance(row, Mapping)]
        for digest in digests:
            if digest and key not in cited.setdefault(digest, []):
                cited[digest].append(key)
    return cited


def difference(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Fields that were added, removed or changed, in the order of their ids, with both answers."""
    rows = []
    for key in sorted({*before, *after}):
        old, new = before.get(key), after.get(key)
        if old != new:
            kind = "added" if old is None else "removed" if new is None else "changed"
            rows.append({"field": key, "kind": kind, "before": old, "after": new})
    return rows
