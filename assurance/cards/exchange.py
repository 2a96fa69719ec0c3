"""What every card format shares: answers as text and back, and a list of what did not fit."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from assurance.cards.answers import LISTS, MAPPINGS, TABLES, check_type
from assurance.cards.fields import CardSchema, Field
from assurance.evidence.errors import InvalidInput

LARGEST_BYTES = 2 * 2**20
NOT = re.compile(r"^Not (available|applicable): (.*)$", re.DOTALL)
HEADING = "\n\n### {}\n\n"
FINDING = re.compile(r"^Finding ([0-9a-f]{64})$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Written:
    """A card in a foreign format. ``left_out`` names the answered fields that the format has no place for."""

    content: bytes
    media_type: str
    file_name: str
    left_out: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Read:
    """Answers found in a foreign card. ``left_over`` says in words what found no place."""

    answers: dict[str, dict[str, Any]]
    left_over: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CardFacts:
    """What a format wants to know besides the answers: names and hashes of the version, and the cited numbers.

    ``findings`` maps a digest to ``metric``, ``value``, ``ci_low``, ``ci_high``, ``ci_level``, ``n`` and ``unit``.
    """

    model: str
    version: str
    developer: str
    task: str
    modality: str
    licence: str
    weights_sha256: str
    findings: Mapping[str, Mapping[str, Any]]


def refuse_large(content: bytes) -> None:
    if len(content) > LARGEST_BYTES:
        raise InvalidInput("too_large", f"the file has {len(content)} bytes: a card has at most {LARGEST_BYTES}")


def as_text(field: Field, answer: Mapping[str, Any] | None, facts: CardFacts) -> str:
    """One answer as plain text, readable and readable back by :func:`from_text`."""
    if answer is None:
        return ""
    if answer["status"] != "answered":
        return f"Not {answer['status'].removeprefix('not_')}: {answer['reason']}"
    value = answer.get("value")
    if field.is_measure:
        value = [full_measure(row, facts) for row in measures(value)]
    text = plain_text(value)
    if answer.get("finding"):
        text = f"{text}\n\nFinding {answer['finding']}".strip()
    return text


def plain_text(value: Any) -> str:
    """A value without its envelope, in a spelling that :func:`from_text` reads back."""
    if value is None:
        return ""
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        simple = "\n".join(f"- {item}" for item in value)
        if _lines(simple) == value and not _ambiguous(simple):
            return simple
    if isinstance(value, list | Mapping):
        return str(yaml.safe_dump(value, allow_unicode=True, sort_keys=False, width=10_000)).strip()
    return str(value)


def from_text(field: Field, text: str) -> dict[str, Any]:
    """The answer that ``text`` gives to ``field``; ``InvalidInput`` when it is not of the field's type."""
    text = text.strip()
    found = NOT.match(text)
    if found:
        return {"status": f"not_{found[1]}", "value": None, "reason": found[2].strip(), "finding": None}
    cited = FINDING.search(text)
    finding = cited[1] if cited else None
    text = FINDING.sub("", text).strip()
    value = _value(field, text) if text else None
    if value is not None:
        check_type(field, value)
    return {"status": "answered", "value": value, "reason": "", "finding": finding}


def _value(field: Field, text: str) -> Any:
    if field.type in LISTS:
        return _yaml(text) if _ambiguous(text) else _lines(text)
    if field.type in TABLES or field.is_measure:
        parts = _yaml(text)
        rows = parts if isinstance(parts, list) else [parts] if isinstance(parts, Mapping) else None
        if rows and all(isinstance(row, Mapping) for row in rows):
            return [dict(row) for row in rows]
        if field.is_measure:
            return text
        return [{"text": text}]
    if field.type in MAPPINGS:
        parts = _yaml(text)
        return dict(parts) if isinstance(parts, Mapping) else {"text": text}
    if field.type == "boolean":
        return {"true": True, "false": False}.get(text.lower(), text)
    return text


def _lines(text: str) -> list[str]:
    return [line.removeprefix("- ").strip() for line in text.splitlines() if line.strip()]


def _ambiguous(text: str) -> bool:
    """Whether the lines of ``text`` mean more than themselves: quoted items, or items with named parts."""
    parts = _yaml(text)
    if not isinstance(parts, list):
        return False
    quoted = all(isinstance(item, str) for item in parts) and any(
        line.startswith(('- "', "- '", "- |", "- >")) for line in text.splitlines()
    )
    return quoted or any(isinstance(item, Mapping) for item in parts)


def _yaml(text: str) -> Any:
    """``text`` as YAML with dates left as text, or None where it is none."""
    try:
        return yaml.load(text, Loader=_TextDates)  # noqa: S506 -- a safe loader with fewer types
    except yaml.YAMLError:
        return None


class _TextDates(yaml.SafeLoader):
    """The safe loader without dates: what was written as text comes back as text."""


_TextDates.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def measures(value: Any) -> list[dict[str, Any]]:
    if value is None:
        return []
    return [dict(row) for row in value] if isinstance(value, list) else [dict(value)]


def full_measure(row: Mapping[str, Any], facts: CardFacts) -> dict[str, Any]:
    """A measure with the numbers of the Finding that it cites, since a foreign reader cannot look them up."""
    known = facts.findings.get(row.get("finding", ""), {})
    return {**{key: value for key, value in known.items() if value is not None}, **row}


def joined(fields: Sequence[Field], answers: Mapping[str, Any], facts: CardFacts) -> str:
    """Several fields in one text: the first as it is, the others under their titles."""
    parts = [as_text(fields[0], answers.get(fields[0].id), facts)]
    for field in fields[1:]:
        text = as_text(field, answers.get(field.id), facts)
        if text:
            parts.append(HEADING.format(field.title).strip("\n") + "\n\n" + text)
    return "\n\n".join(parts).strip()


def parted(fields: Sequence[Field], text: str) -> dict[str, str]:
    """The reverse of :func:`joined`: text by field id."""
    by_title = {field.title: field.id for field in fields[1:]}
    found: dict[str, str] = {}
    current = fields[0].id
    lines: list[str] = []
    for line in text.splitlines():
        title = line.removeprefix("### ").strip()
        if line.startswith("### ") and title in by_title:
            found[current] = "\n".join(lines).strip()
            current, lines = by_title[title], []
        else:
            lines.append(line)
    found[current] = "\n".join(lines).strip()
    return {key: part for key, part in found.items() if part}


def answers_from(texts: Mapping[str, str], schema: CardSchema) -> Read:
    """Answers from texts by field id; a text that does not fit its field is left over with the reason."""
    answers, left = {}, []
    for key, text in texts.items():
        try:
            answers[key] = from_text(schema.field(key), text)
        except InvalidInput as refusal:
            left.append(f"{refusal.message}: {text[:120]!r}")
    return Read(answers=answers, left_over=tuple(left))


def answered(answers: Mapping[str, Any]) -> list[str]:
    return sorted(answers)
