"""Our own exchange format: the answers as they are, and a JSON Schema that describes them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from assurance.cards.answers import LISTS, MAPPINGS, MEASURE_PARTS, TABLES, checked_answers
from assurance.cards.exchange import CardFacts, Read, Written, refuse_large
from assurance.cards.fields import CardSchema, Field
from assurance.evidence.errors import InvalidInput

FORMAT = "vigil-model-card"
SCHEMA_ID = "urn:vigil:model-card:1"


def write_vigil(answers: Mapping[str, Any], schema: CardSchema, facts: CardFacts) -> Written:
    """Byte for byte the same for the same answers: no date, no number of the revision."""
    content = {"format": FORMAT, "schema_version": schema.version, "answers": dict(answers)}
    text = json.dumps(content, indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False)
    return Written(text.encode() + b"\n", "application/json", "model-card.json", ())


def read_vigil(content: bytes, schema: CardSchema) -> Read:
    """Answers of our own format, checked field by field.

    Raises
    ------
    InvalidInput
        ``too_large``, ``not_json``, ``not_vigil``, ``other_version``, or what :func:`checked_answers` refuses.
    """
    refuse_large(content)
    body = parsed_json(content)
    if not isinstance(body, dict) or body.get("format") != FORMAT or not isinstance(body.get("answers"), dict):
        raise InvalidInput("not_vigil", f"the file is not a {FORMAT}: it has no such format line or no answers")
    if body.get("schema_version") != schema.version:
        raise InvalidInput(
            "other_version", f"schema_version {body.get('schema_version')!r}: this instance reads {schema.version!r}"
        )
    return Read(checked_answers(body["answers"], schema), ())


def parsed_json(content: bytes) -> Any:
    try:
        return json.loads(content)
    except (ValueError, RecursionError) as error:
        raise InvalidInput("not_json", f"the file is not JSON: {str(error)[:120]}") from error


def json_schema(schema: CardSchema) -> dict[str, Any]:
    """JSON Schema (draft 2020-12) of our format, made from the same data as the editor."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": SCHEMA_ID,
        "title": "Vigil model card",
        "type": "object",
        "additionalProperties": False,
        "required": ["format", "schema_version", "answers"],
        "properties": {
            "format": {"const": FORMAT},
            "schema_version": {"const": schema.version},
            "answers": {
                "type": "object",
                "additionalProperties": False,
                "properties": {field.id: _envelope(field) for field in schema},
            },
        },
    }


def _envelope(field: Field) -> dict[str, Any]:
    digest = {"anyOf": [{"type": "null"}, {"type": "string", "pattern": "^[0-9a-f]{64}$"}]}
    absent = {"enum": ["not_available", "not_applicable"]}
    return {
        "title": field.title,
        "description": field.description,
        "type": "object",
        "additionalProperties": False,
        "required": ["status"],
        "properties": {
            "status": {"enum": ["answered", "not_available", "not_applicable"]},
            "value": {"anyOf": [{"type": "null"}, _type(field)]},
            "reason": {"type": "string"},
            "finding": digest,
        },
        "if": {"properties": {"status": absent}},
        "then": {"required": ["reason"], "properties": {"reason": {"minLength": 1}, "value": {"type": "null"}}},
    }


def _type(field: Field) -> dict[str, Any]:
    if field.type == "enum":
        return {"enum": list(field.values)}
    if field.type == "date":
        return {"type": "string", "format": "date"}
    if field.type == "url":
        return {"type": "string", "pattern": "^https?://"}
    if field.type == "hash":
        return {"type": "string", "pattern": "^[0-9a-f]{64}$"}
    if field.type == "boolean":
        return {"type": "boolean"}
    if field.type in LISTS:
        return {"type": "array", "items": {"type": ["string", "object"]}}
    if field.type in TABLES:
        return {"type": "array", "items": {"type": "object"}}
    if field.type in MAPPINGS:
        return {"type": "object"}
    if field.is_measure:
        number = {"type": ["number", "null"]}
        parts: dict[str, Any] = {name: {} for name in sorted(MEASURE_PARTS)}
        parts |= dict.fromkeys(("value", "ci_low", "ci_high", "ci_level", "n"), number)
        one = {"type": "object", "additionalProperties": False, "properties": parts}
        return {"anyOf": [one, {"type": "array", "items": one}]}
    return {"type": "string"}
