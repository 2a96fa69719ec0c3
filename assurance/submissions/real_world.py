"""The life of one test in the real world, as a table of steps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from assurance.evidence.errors import InvalidInput


@dataclass(frozen=True, slots=True)
class StepOfTest:
    """One permitted step; ``needs`` names what must be given with it, ``ref`` the requirement that asks for it."""

    id: str
    sources: tuple[str, ...]
    target: str
    by: tuple[str, ...]
    sign: tuple[str, ...]
    needs: str
    reason_mandatory: bool
    title: str
    ref: str

    @property
    def meaning(self) -> str:
        return " and ".join(self.sign)


def read_test_steps(rows: Sequence[Mapping[str, Any]]) -> dict[str, StepOfTest]:
    return {row["id"]: _step(row) for row in rows}


def _step(row: Mapping[str, Any]) -> StepOfTest:
    return StepOfTest(
        id=row["id"], sources=tuple(row["from"]), target=row["to"], by=tuple(row["by"]), sign=tuple(row["sign"]),
        needs=row.get("needs", ""), reason_mandatory=row.get("reason") == "mandatory", title=row["title"],
        ref=row["ref"],
    )  # fmt: skip


def step_named(steps: Mapping[str, StepOfTest], key: str) -> StepOfTest:
    if key not in steps:
        raise InvalidInput("unknown_step", f"step {key!r} is not known: choose from {', '.join(steps)}")
    return steps[key]
