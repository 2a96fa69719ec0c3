"""Counts by level. Missing has its own count; a level that the reference never saw stays visible by its name."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from assurance.evidence.errors import InvalidInput
from monitoring.drift.state import reader

MISSING = "__missing__"
MOST_LEVELS = 1000  # more is a free-text or identifier column, which has no business here


@dataclass(frozen=True, slots=True)
class CategoryState:
    kind: ClassVar[str] = "categories"
    counts: Mapping[str, int] = field(default_factory=dict)
    missing: int = 0

    @classmethod
    def from_values(cls, values: Iterable[Any]) -> CategoryState:
        """Count levels; None, NaN and empty text are missing. Numbers are spelt as text ("1" for 1 and 1.0).

        Raises
        ------
        InvalidInput
            ``too_many_levels`` when more than 1,000 levels are seen.
        """
        counts: Counter[str] = Counter(_level(value) for value in values)
        missing = counts.pop("", 0)
        if len(counts) > MOST_LEVELS:
            raise InvalidInput(
                "too_many_levels", f"{len(counts)} levels: at most {MOST_LEVELS} (is this an identifier or a number?)"
            )
        return cls(dict(sorted(counts.items())), missing)

    @property
    def n(self) -> int:
        return sum(self.counts.values())

    def merge(self, other: CategoryState) -> CategoryState:
        if not isinstance(other, CategoryState):
            raise InvalidInput("states_differ", f"cannot merge CategoryState with {type(other).__name__}")
        counts = Counter(self.counts)
        counts.update(other.counts)
        return CategoryState(dict(sorted(counts.items())), self.missing + other.missing)

    def fields(self) -> dict[str, Any]:
        return {"counts": dict(sorted(self.counts.items())), "missing": self.missing}


def _level(value: Any) -> str:
    if value is None or value != value:  # NaN is the one value that differs from itself
        return ""
    if isinstance(value, float | np.floating) and float(value).is_integer():
        return str(int(value))
    return str(value).strip()


def aligned(reference: CategoryState, current: CategoryState) -> tuple[list[str], NDArray[np.int64], NDArray[np.int64]]:
    """Levels of both in one order (reference's first) and their counts; missing is a level when any case misses."""
    levels = list(reference.counts) + [level for level in current.counts if level not in reference.counts]
    first = [reference.counts.get(level, 0) for level in levels]
    second = [current.counts.get(level, 0) for level in levels]
    if reference.missing or current.missing:
        levels.append(MISSING)
        first.append(reference.missing)
        second.append(current.missing)
    return levels, np.array(first, dtype=np.int64), np.array(second, dtype=np.int64)


@reader("categories")
def _read(fields: dict[str, Any]) -> CategoryState:
    return CategoryState(fields["counts"], fields["missing"])
