"""The schema of a model card, read from data: groups, fields, who asks for each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from assurance.evidence.errors import InvalidInput

STATUSES = ("answered", "not_available", "not_applicable")
LOCAL_FIELDS = ("performance.local", "fairness.local")  # what only the deploying hospital can answer


@dataclass(frozen=True, slots=True)
class Field:
    """One question. ``required`` is "yes", "conditional" (with ``condition`` in words) or "no"."""

    id: str
    group: str
    title: str
    type: str
    many: bool
    required: str
    condition: str
    description: str
    evidence: tuple[str, ...]
    sources: tuple[str, ...]
    values: tuple[str, ...]
    rule_allows_not_available: bool

    @property
    def local(self) -> bool:
        return self.id in LOCAL_FIELDS

    @property
    def is_measure(self) -> bool:
        return self.type == "measure"


@dataclass(frozen=True, slots=True)
class Group:
    id: str
    title: str
    description: str
    fields: tuple[Field, ...]


@dataclass(frozen=True, slots=True)
class CardSchema:
    version: str
    groups: tuple[Group, ...]

    def __iter__(self) -> Iterator[Field]:
        return (field for group in self.groups for field in group.fields)

    def field(self, key: str) -> Field:
        """The field ``key``; ``InvalidInput`` (``unknown_field``) where there is none."""
        for field in self:
            if field.id == key:
                return field
        raise InvalidInput(
            "unknown_field", f"field {key!r} is not in the card: give one of its {len(list(self))} fields"
        )

    def group(self, key: str) -> Group:
        for group in self.groups:
            if group.id == key:
                return group
        raise InvalidInput(
            "unknown_group", f"section {key!r} is not in the card: {', '.join(group.id for group in self.groups)}"
        )


def read_schema(content: Mapping[str, Any]) -> CardSchema:
    """Turn ``model_card_fields.yaml`` into a :class:`CardSchema`."""
    groups = []
    for group in content["groups"]:
        fields = tuple(_field(entry, group["id"]) for entry in group["fields"])
        groups.append(Group(group["id"], group["title"], group["description"], fields))
    return CardSchema(version=str(content["version"]), groups=tuple(groups))


def _field(entry: Mapping[str, Any], group: str) -> Field:
    required = {True: "yes", False: "no"}.get(entry["required"], "conditional")
    return Field(
        id=entry["id"], group=group, title=entry["title"], type=entry["type"], many=bool(entry["many"]),
        required=required, condition=entry.get("condition", ""), description=entry["description"],
        evidence=tuple(entry["evidence"]), sources=tuple(entry["sources"]), values=tuple(entry.get("values", ())),
        rule_allows_not_available=bool(entry.get("rule_allows_not_available")),
    )  # fmt: skip
