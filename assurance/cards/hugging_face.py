"""The Hugging Face model card: YAML metadata between two lines of dashes, then Markdown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import yaml

from assurance.cards.exchange import (
    CardFacts,
    Read,
    Written,
    answers_from,
    as_text,
    full_measure,
    measures,
    refuse_large,
)
from assurance.cards.fields import CardSchema
from assurance.evidence.errors import InvalidInput

PIPELINES = {
    "classification": "image-classification", "segmentation": "image-segmentation",
    "registration": "image-to-image", "localization": "object-detection",
    "generation": "unconditional-image-generation",
}  # fmt: skip
IN_METADATA = {"license": "identity.licence", "tags": "identity.keywords"}
MEASURED = "performance.internal"


def write_hugging_face(answers: Mapping[str, Any], schema: CardSchema, facts: CardFacts) -> Written:
    """The whole card: every answered field has its heading, so nothing is left out."""
    metadata: dict[str, Any] = {"license": facts.licence or "other", "pipeline_tag": PIPELINES.get(facts.task, "other")}
    metadata["tags"] = ["medical", facts.modality, *_strings(answers.get("identity.keywords"))]
    results = _model_index(answers, facts)
    if results:
        metadata["model-index"] = results
    parts = ["---", yaml.safe_dump(metadata, allow_unicode=True, sort_keys=False).strip(), "---", "",
             f"# {facts.model} {facts.version}", ""]  # fmt: skip
    for group in schema.groups:
        fields = [field for field in group.fields if field.id in answers]
        if fields:
            parts += [f"## {group.title}", ""]
        for field in fields:
            parts += [f"### {field.title}", "", as_text(field, answers[field.id], facts), ""]
    return Written("\n".join(parts).encode(), "text/markdown; charset=utf-8", "README.md", ())


def _strings(answer: Mapping[str, Any] | None) -> list[str]:
    value = (answer or {}).get("value")
    return [str(word) for word in value] if isinstance(value, list) else []


def _model_index(answers: Mapping[str, Any], facts: CardFacts) -> list[dict[str, Any]]:
    rows = [full_measure(row, facts) for row in measures(answers.get(MEASURED, {}).get("value"))]
    results = [
        {"task": {"type": PIPELINES.get(facts.task, "other")},
         "dataset": {"name": str(row.get("dataset", "not named")), "type": str(row.get("dataset", "not named"))},
         "metrics": [{"type": str(row.get("metric", "value")), "value": row["value"]}]}
        for row in rows if row.get("value") is not None
    ]  # fmt: skip
    return [{"name": facts.model, "results": results}] if results else []


def read_hugging_face(content: bytes, schema: CardSchema) -> Read:
    """Answers of a card with our headings or with those that people use; what is not recognised is left over.

    Raises
    ------
    InvalidInput
        ``too_large``, ``not_text``, ``not_yaml``.
    """
    refuse_large(content)
    try:
        text = content.decode("utf-8").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        raise InvalidInput("not_text", "the file is not UTF-8 text") from error
    metadata, body = _split(text)
    texts, left = _by_heading(body, schema)
    read = answers_from(texts, schema)
    answers = dict(read.answers)
    for key, value in metadata.items():
        problem = _from_metadata(key, value, answers)
        if problem:
            left.append(problem)
    return Read(answers, (*read.left_over, *left))


def _split(text: str) -> tuple[dict[str, Any], str]:
    if not text.startswith("---\n"):
        return {}, text
    head, mark, body = text[4:].partition("\n---")
    if not mark:
        raise InvalidInput("not_yaml", "the metadata of the card have no closing line of dashes")
    try:
        metadata = yaml.safe_load(head)
    except yaml.YAMLError as error:
        raise InvalidInput("not_yaml", f"the metadata of the card are not YAML: {str(error)[:120]}") from error
    if not isinstance(metadata, dict):
        raise InvalidInput("not_yaml", "the metadata of the card are not name: value lines")
    return {str(key): value for key, value in metadata.items()}, body


HEADINGS = {  # headings of the annotated card of Hugging Face that name one of our fields
    "direct use": "use.intended_use", "uses": "use.intended_use", "intended uses & limitations": "use.intended_use",
    "out-of-scope use": "use.out_of_scope", "bias, risks, and limitations": "risk.limitations",
    "recommendations": "risk.recommendations", "training data": "training_data.datasets",
    "testing data": "eval_data.datasets", "metrics": "performance.metrics", "citation": "identity.citation",
    "model description": "identity.summary", "training procedure": "model.training_method",
    "how to get started with the model": "use.how_to_use", "model card contact": "identity.contact",
    "model card authors": "signoff.authors",
}  # fmt: skip


def _by_heading(body: str, schema: CardSchema) -> tuple[dict[str, str], list[str]]:
    """Texts by field. Ours stand under a group, since a title alone may be that of two fields."""
    ours = {(group.title, field.title): field.id for group in schema.groups for field in group.fields}
    texts: dict[str, str] = {}
    left: list[str] = []
    group, key = "", ""
    lines: list[str] = []

    def close() -> None:
        words = "\n".join(lines).strip()
        if key in schema_ids and words:
            texts[key] = f"{texts[key]}\n\n{words}" if key in texts else words
        elif words and key:
            left.append(f"{key}: {words[:120]!r} has no place in our card")

    schema_ids = {field.id for field in schema}
    for line in body.splitlines():
        marks, _, title = line.partition(" ")
        if marks not in ("#", "##", "###", "####") or not title:
            lines.append(line)
            continue
        close()
        lines = []
        title = title.strip()
        if marks == "##":
            group = title
        key = ours.get((group, title)) or HEADINGS.get(title.lower()) or title
        if marks == "#" or (marks == "##" and any(title == one.title for one in schema.groups)):
            key = ""
    close()
    return texts, left


def _from_metadata(key: str, value: Any, answers: dict[str, dict[str, Any]]) -> str:
    """Take one line of the metadata into ``answers`` where the text did not say it; else say that it has no place."""
    plain = {"status": "answered", "reason": "", "finding": None}
    if key == "license":
        answers.setdefault("identity.licence", plain | {"value": str(value)})
    elif key == "tags" and isinstance(value, list):
        answers.setdefault("identity.keywords", plain | {"value": [str(word) for word in value]})
    elif key == "model-index":
        rows = _rows_of_index(value)
        if MEASURED not in answers and rows:
            answers[MEASURED] = plain | {"value": rows}
    elif key != "pipeline_tag":
        return f"{key}: {str(value)[:120]!r} has no place in our card"
    return ""


def _rows_of_index(value: Any) -> list[dict[str, Any]]:
    rows = []
    for model in value if isinstance(value, list) else []:
        for result in model.get("results", []) if isinstance(model, dict) else []:
            for metric in result.get("metrics", []):
                number = metric.get("value")
                if isinstance(number, int | float) and not isinstance(number, bool):
                    dataset = (result.get("dataset") or {}).get("name", "")
                    rows.append({"metric": str(metric.get("type", "")), "value": number, "dataset": str(dataset)})
    return rows
