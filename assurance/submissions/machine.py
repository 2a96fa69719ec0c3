"""The life of a submission as a table: who may take which step, from where, with what present and which signature."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from assurance.evidence.errors import InvalidInput

NONE = "none"
SYSTEM = "system"


@dataclass(frozen=True, slots=True)
class StateOfSubmission:
    """``accepts`` holds the evidence kinds that may be added; None means every kind, ``asked`` only what was asked."""

    id: str
    title: str
    side: str
    clock: str
    accepts: frozenset[str] | None
    asked: bool


@dataclass(frozen=True, slots=True)
class Transition:
    """One permitted step. ``sign`` holds the meanings that the signature states, ``checks`` the names of the guards."""

    id: str
    sources: tuple[str, ...]
    target: str
    by: tuple[str, ...]
    sign: tuple[str, ...]
    requires: tuple[str, ...]
    checks: tuple[str, ...]
    reason_mandatory: bool
    effect: str

    @property
    def by_system(self) -> bool:
        return self.by == (SYSTEM,)

    @property
    def meaning(self) -> str:
        return " and ".join(self.sign)


@dataclass(frozen=True, slots=True)
class Machine:
    states: Mapping[str, StateOfSubmission]
    transitions: Mapping[str, Transition]
    checks: Mapping[str, str]

    def transition(self, key: str) -> Transition:
        """The step ``key`` ("t06"); ``InvalidInput`` (``unknown_transition``) names those that there are."""
        if key not in self.transitions:
            raise InvalidInput(
                "unknown_transition", f"transition {key!r} is not known: choose from {', '.join(self.transitions)}"
            )
        return self.transitions[key]

    def from_state(self, state: str) -> list[Transition]:
        return [step for step in self.transitions.values() if state in step.sources]


def read_machine(content: Mapping[str, Any]) -> Machine:
    """Turn ``submission_states.yaml`` into a :class:`Machine`.

    Raises
    ------
    InvalidInput
        ``unknown_state`` or ``unknown_check`` when a transition names what the table does not define.
    """
    groups = content["groups"]
    states = {entry["id"]: _state(entry, groups) for entry in content["states"]}
    transitions = {entry["id"]: _transition(entry) for entry in content["transitions"]}
    for step in transitions.values():
        for state in {*step.sources, step.target} - {NONE}:
            if state not in states:
                raise InvalidInput("unknown_state", f"{step.id} names the state {state!r}, which is not defined")
        for check in step.checks:
            if check not in content["checks"]:
                raise InvalidInput("unknown_check", f"{step.id} names the check {check!r}, which is not defined")
    return Machine(states=states, transitions=transitions, checks=content["checks"])


def _state(entry: Mapping[str, Any], groups: Mapping[str, list[str]]) -> StateOfSubmission:
    accepts = entry["accepts"]
    kinds: frozenset[str] | None = frozenset()
    if accepts == "all":
        kinds = None
    elif accepts != "asked":
        kinds = frozenset(kind for name in accepts for kind in groups.get(name, [name]))
    return StateOfSubmission(
        id=entry["id"], title=entry["title"], side=entry["side"], clock=entry["clock"], accepts=kinds,
        asked=accepts == "asked",
    )  # fmt: skip


def _transition(entry: Mapping[str, Any]) -> Transition:
    return Transition(
        id=entry["id"], sources=tuple(entry["from"]), target=entry["to"], by=tuple(entry["by"]),
        sign=tuple(entry["sign"]), requires=tuple(entry["requires"]), checks=tuple(entry.get("checks", ())),
        reason_mandatory=entry.get("reason") == "mandatory", effect=entry.get("effect", ""),
    )  # fmt: skip
