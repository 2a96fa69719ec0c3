"""Answers as people type and read them: one field, one box, every type as plain lines."""

import re
from collections.abc import Mapping
from typing import Any

import yaml

from assurance.cards.answers import LISTS, MAPPINGS, TABLES, measures_of
from assurance.cards.fields import Field
from assurance.plain_yaml import read_plain

HEX = re.compile(r"^[0-9a-f]{64}$")


def answer_from(field: Field, posted: Mapping[str, Any]) -> dict[str, Any] | None:
    """The envelope that a form sent; None clears the field. Rows and parts are written as YAML, lists one line each."""
    status = posted.get("status") or "answered"
    text = (posted.get("value") or "").strip()
    reason = (posted.get("reason") or "").strip()
    finding = (posted.get("finding") or "").strip()
    if status == "open" or (status == "answered" and not text and not finding):
        return None
    if status != "answered":
        return {"status": status, "reason": reason}
    return {"status": status, "value": _value(field, text), "reason": reason, "finding": finding or None}


def _value(field: Field, text: str) -> Any:
    if not text:
        return None
    if field.type in LISTS:
        return [line.strip("-• ").strip() for line in text.splitlines() if line.strip("-• ").strip()]
    if field.type in TABLES or field.type in MAPPINGS or field.is_measure:
        return _parts(field, text)
    if field.type == "boolean":
        return text.lower() in ("true", "yes", "on", "1")
    return text


def _parts(field: Field, text: str) -> Any:
    value = read_plain(text, what=field.id)
    if field.type in TABLES or field.is_measure:
        return value if isinstance(value, list) else [value] if isinstance(value, Mapping) else [{"text": str(value)}]
    return value if isinstance(value, Mapping) else {"text": str(value)}


def shown_answer(field: Field, answer: Mapping[str, Any] | None) -> dict[str, Any]:
    """An answer for a page: ``text`` to edit, and ``kind`` with ``rows`` or ``items`` to read."""
    if answer is None:
        return {"kind": "open", "text": ""}
    if answer["status"] != "answered":
        return {"kind": answer["status"], "text": "", "reason": answer["reason"]}
    value = answer.get("value")
    if field.is_measure:
        return {
            "kind": "measures",
            "rows": [{"finding": "", **row} for row in measures_of(answer)],
            "text": _yaml(value),
        }
    if isinstance(value, list) and value and isinstance(value[0], Mapping):
        columns = list(dict.fromkeys(key for row in value for key in row))
        rows = [[row.get(column, "") for column in columns] for row in value]
        return {"kind": "table", "columns": columns, "rows": rows, "text": _yaml(value)}
    if isinstance(value, list):
        return {"kind": "list", "items": value, "text": "\n".join(str(item) for item in value)}
    if isinstance(value, Mapping):
        return {"kind": "parts", "rows": list(value.items()), "text": _yaml(value)}
    return {"kind": "text", "text": "" if value is None else str(value)}


def _yaml(value: Any) -> str:
    return "" if value is None else str(yaml.safe_dump(value, allow_unicode=True, sort_keys=False)).strip()
