"""The ``metadata.json`` of a MONAI bundle: a small card that the bundle's tools read."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from assurance.cards.exchange import (
    CardFacts,
    Read,
    Written,
    answered,
    answers_from,
    as_text,
    full_measure,
    measures,
    refuse_large,
)
from assurance.cards.fields import CardSchema
from assurance.cards.vigil_json import parsed_json
from assurance.evidence.errors import InvalidInput

TEXTS = {  # key of the metadata and our field
    "name": "identity.name", "version": "identity.version", "description": "identity.summary",
    "authors": "signoff.authors", "license": "identity.licence", "intended_use": "use.intended_use",
    "data_source": "training_data.datasets", "references": "identity.citation", "task": "io.output_kind",
}  # fmt: skip
MEASURED = "performance.internal"
SCHEMA = "https://github.com/Project-MONAI/MONAI-extra-test-data/releases/download/0.8.1/meta_schema_20240725.json"
NOT_IN_A_CARD = (
    "changelog", "monai_version", "pytorch_version", "numpy_version", "required_packages_version", "copyright",
    "network_data_format",
)  # fmt: skip


def write_monai(answers: Mapping[str, Any], schema: CardSchema, facts: CardFacts) -> Written:
    """What the card knows of a bundle's metadata. Keys that only the bundle's maker knows are not invented."""
    content: dict[str, Any] = {"schema": SCHEMA}
    for key, ours in TEXTS.items():
        answer = answers.get(ours)
        if answer and answer["status"] == "answered":
            content[key] = as_text(schema.field(ours), answer, facts)
    content.setdefault("name", facts.model)
    content.setdefault("version", facts.version)
    content.setdefault("task", facts.task)
    content["data_type"] = facts.modality
    rows = [full_measure(row, facts) for row in measures(answers.get(MEASURED, {}).get("value"))]
    metrics = {str(row.get("metric", "value")): row["value"] for row in rows if row.get("value") is not None}
    if metrics:
        content["eval_metrics"] = metrics
    used = {*TEXTS.values(), MEASURED}
    left = [key for key in answered(answers) if key not in used or answers[key]["status"] != "answered"]
    text = json.dumps(content, indent=4, ensure_ascii=False)
    return Written(text.encode() + b"\n", "application/json", "metadata.json", tuple(left))


def read_monai(content: bytes, schema: CardSchema) -> Read:
    """Answers of a bundle's metadata; every key without a field of ours is left over.

    Raises
    ------
    InvalidInput
        ``too_large``, ``not_json``, ``not_monai``.
    """
    refuse_large(content)
    body = parsed_json(content)
    if not isinstance(body, dict) or not (
        {"monai_version", "network_data_format", "eval_metrics", "schema"} & set(body)
    ):
        raise InvalidInput("not_monai", "the file has none of the keys of a MONAI metadata.json")
    texts = {
        ours: str(body[key]) for key, ours in TEXTS.items() if isinstance(body.get(key), str) and body[key].strip()
    }
    if isinstance(body.get("references"), list):
        texts["identity.citation"] = "\n".join(f"- {line}" for line in body["references"])
    read = answers_from(texts, schema)
    answers, left = dict(read.answers), list(read.left_over)
    metrics = body.get("eval_metrics")
    if isinstance(metrics, dict):
        rows = [{"metric": str(name), "value": number} for name, number in metrics.items()
                if isinstance(number, int | float) and not isinstance(number, bool)]  # fmt: skip
        if rows:
            answers[MEASURED] = {"status": "answered", "value": rows, "reason": "", "finding": None}
    for key, value in body.items():
        if key not in TEXTS and key not in ("schema", "eval_metrics"):
            left.append(f"{key}: {str(value)[:120]!r} has no place in our card")
    return Read(answers, tuple(left))
