"""HL7 AI Transparency on FHIR (1.0.0-ballot): an AI device and the document reference that carries its model card."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from typing import Any

from assurance.cards.chai import read_chai, write_chai
from assurance.cards.exchange import CardFacts, Read, Written, refuse_large
from assurance.cards.fields import CardSchema
from assurance.cards.hugging_face import read_hugging_face, write_hugging_face
from assurance.cards.vigil_json import parsed_json, read_vigil, write_vigil
from assurance.evidence.errors import InvalidInput

GUIDE = "http://hl7.org/fhir/uv/aitransparency"
CODES = f"{GUIDE}/CodeSystem/AIinputsCS"
DEVICE_TYPES = f"{GUIDE}/CodeSystem/AIdeviceTypeCS"
READERS = (  # media type of an attachment and how it is read, the fullest first
    ("application/json", read_vigil), ("application/xml", read_chai), ("text/markdown", read_hugging_face),
)  # fmt: skip


def write_fhir(answers: Mapping[str, Any], schema: CardSchema, facts: CardFacts) -> Written:
    """A Bundle of a Device (profile AI-Device) and a DocumentReference (AI-ModelCard) with the card three times over:
    Markdown, CHAI XML 0.1 (the version the guide's examples carry) and our own JSON, which holds everything."""
    system, value = "urn:vigil:model-version", facts.weights_sha256
    markdown = write_hugging_face(answers, schema, facts).content
    chai = write_chai(answers, schema, facts, version="v0.1").content
    ours = write_vigil(answers, schema, facts).content
    document = {
        "resourceType": "DocumentReference", "id": "model-card",
        "meta": {"profile": [f"{GUIDE}/StructureDefinition/AI-ModelCard"]},
        "identifier": [{"system": system, "value": f"{value}#card"}], "status": "current",
        "type": _coded("AIModelCard", "AI Model-Card"),
        "category": [_coded("AIModelCardMarkdownFormat", "Markdown Format"),
                     _coded("AImodelCardCHAIformat", "CHAI Format")],
        "content": [_attached("text/markdown", markdown), _attached("application/xml", chai),
                    _attached("application/json", ours)],
    }  # fmt: skip
    device = {
        "resourceType": "Device", "id": "ai-device", "meta": {"profile": [f"{GUIDE}/StructureDefinition/AI-Device"]},
        "extension": [{"url": f"{GUIDE}/StructureDefinition/aitransparency.modelCardDescription",
                       "valueReference": {"reference": "DocumentReference/model-card"}}],
        "identifier": [{"system": system, "value": value}], "manufacturer": facts.developer,
        "deviceName": [{"name": facts.model, "type": "model-name"}], "version": [{"value": facts.version}],
        "type": {"coding": [{"system": DEVICE_TYPES, "code": "Artificial-Intelligence"}]},
    }  # fmt: skip
    bundle = {"resourceType": "Bundle", "type": "collection",
              "entry": [{"fullUrl": "urn:vigil:ai-device", "resource": device},
                        {"fullUrl": "urn:vigil:model-card", "resource": document}]}  # fmt: skip
    text = json.dumps(bundle, indent=1, ensure_ascii=False)
    return Written(text.encode() + b"\n", "application/fhir+json", "model-card.fhir.json", ())


def _coded(code: str, display: str) -> dict[str, Any]:
    return {"coding": [{"system": CODES, "code": code, "display": display}]}


def _attached(media_type: str, content: bytes) -> dict[str, Any]:
    return {"attachment": {"contentType": media_type, "data": base64.b64encode(content).decode()}}


def read_fhir(content: bytes, schema: CardSchema) -> Read:
    """Answers from the fullest attachment of a DocumentReference, alone or in a Bundle. Links are never followed.

    Raises
    ------
    InvalidInput
        ``too_large``, ``not_json``, ``not_fhir``, ``no_card`` (no attachment that can be read).
    """
    refuse_large(content)
    body = parsed_json(content)
    documents = [one for one in _resources(body) if one.get("resourceType") == "DocumentReference"]
    if not documents:
        raise InvalidInput("not_fhir", "the file holds no DocumentReference: give one, or a Bundle with one")
    found = {}
    for part in documents[0].get("content") or []:
        attachment = part.get("attachment") if isinstance(part, dict) else None
        if isinstance(attachment, dict) and attachment.get("data"):
            found[str(attachment.get("contentType", "")).split(";")[0]] = attachment["data"]
    for media_type, read in READERS:
        if media_type in found:
            result = read(_bytes(found[media_type]), schema)
            unread = [f"attachment {kind} repeats the card and was not read" for kind in found
                      if kind not in {name for name, _ in READERS}]  # fmt: skip
            return Read(result.answers, (*result.left_over, *unread))
    raise InvalidInput("no_card", "the DocumentReference has no attached card in JSON, CHAI XML or Markdown")


def _resources(body: Any) -> list[dict[str, Any]]:
    if not isinstance(body, dict):
        return []
    if body.get("resourceType") != "Bundle":
        return [body]
    entries = body.get("entry") or []
    return [e["resource"] for e in entries if isinstance(e, dict) and isinstance(e.get("resource"), dict)]


def _bytes(data: Any) -> bytes:
    try:
        return base64.b64decode(str(data), validate=True)
    except (binascii.Error, ValueError) as error:
        raise InvalidInput("not_base64", "the attachment of the DocumentReference is not base64") from error
