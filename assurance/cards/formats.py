"""Which formats a card goes out and comes in by, and which of them a file is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from assurance.cards.chai import read_chai, write_chai
from assurance.cards.exchange import CardFacts, Read, Written, refuse_large
from assurance.cards.fhir import read_fhir, write_fhir
from assurance.cards.fields import CardSchema
from assurance.cards.hugging_face import read_hugging_face, write_hugging_face
from assurance.cards.monai_bundle import read_monai, write_monai
from assurance.cards.vigil_json import FORMAT, parsed_json, read_vigil, write_vigil
from assurance.evidence.errors import InvalidInput

WRITERS: Mapping[str, Callable[[Mapping[str, Any], CardSchema, CardFacts], Written]] = {
    "json": write_vigil,
    "chai-v01": partial(write_chai, version="v0.1"),
    "chai-v02": partial(write_chai, version="v0.2"),
    "fhir": write_fhir,
    "hugging-face": write_hugging_face,
    "monai": write_monai,
}


def write_card(form: str, answers: Mapping[str, Any], schema: CardSchema, facts: CardFacts) -> Written:
    if form not in WRITERS:
        raise InvalidInput("unknown_format", f"format {form!r}: choose from {', '.join(WRITERS)}")
    return WRITERS[form](answers, schema, facts)


def read_card(content: bytes, schema: CardSchema) -> tuple[str, Read]:
    """Tell the format of ``content`` from the content itself and read it.

    Raises
    ------
    InvalidInput
        ``empty``, ``too_large``, or what the format's own reader refuses.
    """
    refuse_large(content)
    start = content.lstrip(b"\xef\xbb\xbf \t\r\n")[:1]
    if not start:
        raise InvalidInput("empty", "the file is empty: give a card")
    if start == b"<":
        return "chai", read_chai(content, schema)
    if start not in (b"{", b"["):
        return "hugging-face", read_hugging_face(content, schema)
    body = parsed_json(content)
    if isinstance(body, dict) and body.get("format") == FORMAT:
        return "json", read_vigil(content, schema)
    if isinstance(body, dict) and "resourceType" in body:
        return "fhir", read_fhir(content, schema)
    return "monai", read_monai(content, schema)
