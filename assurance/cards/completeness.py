"""How complete a card is for each framework, counted from its fields; nobody types a percentage."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from assurance.cards.fields import CardSchema, Field


@dataclass(frozen=True, slots=True)
class Completeness:
    """``met`` fields are answered, or say with a reason why not where that is allowed; ``open`` ones are not."""

    framework: str
    asked: int
    answered: int
    reasoned: int
    open: tuple[Field, ...]

    @property
    def met(self) -> int:
        return self.answered + self.reasoned

    @property
    def percent(self) -> int:
        return round(100 * self.met / self.asked) if self.asked else 100


def completeness(
    answers: Mapping[str, Mapping[str, Any]], schema: CardSchema, *, framework: str, requirement_ids: set[str] | None
) -> Completeness:
    """Count the fields that ``framework`` asks for. ``requirement_ids`` are its requirements; None takes every field.

    A field counts when one of its sources is among ``requirement_ids`` and it is not merely optional in every source:
    optional fields are counted only when a framework names them.
    """
    asked = [
        field
        for field in schema
        if (field.required != "no" if requirement_ids is None else requirement_ids & set(field.sources))
    ]
    answered = [field for field in asked if answers.get(field.id, {}).get("status") == "answered"]
    reasoned = [
        field for field in asked if answers.get(field.id, {}).get("status") in ("not_available", "not_applicable")
    ]
    done = {field.id for field in (*answered, *reasoned)}
    return Completeness(
        framework=framework, asked=len(asked), answered=len(answered), reasoned=len(reasoned),
        open=tuple(field for field in asked if field.id not in done),
    )  # fmt: skip
