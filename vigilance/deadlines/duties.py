"""Reporting duties as data: which report is due to whom after which kind of event."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any


@dataclass(frozen=True, slots=True)
class Duty:
    """One reporting duty. ``days`` is None where the text has no number; ``hours`` where it counts hours."""

    id: str
    framework: str
    event_kind: str
    actor: str
    recipient: tuple[str, ...]
    trigger: str
    clock_starts: str
    immediate: bool
    days: int | None
    hours: int | None
    working_days: bool
    ref: str
    status: str
    verified: bool
    applies_from: date | None
    condition: str
    notes: str

    @property
    def live(self) -> bool:
        """Only law in force may drive a live clock; drafts and proposals are shown as advice."""
        return self.status == "in_force"


def read_duties(content: Mapping[str, Any]) -> dict[str, Duty]:
    """Turn the ``event_deadlines`` of the catalogue into :class:`Duty` by id."""
    return {entry["id"]: _duty(entry) for entry in content["event_deadlines"]}


def _duty(entry: Mapping[str, Any]) -> Duty:
    applies_from = entry.get("applies_from")
    return Duty(
        id=entry["id"],
        framework=entry["framework"],
        event_kind=entry["event_kind"],
        actor=entry["actor"],
        recipient=tuple(entry["recipient"]),
        trigger=entry["trigger"],
        clock_starts=entry["clock_starts"],
        immediate=bool(entry.get("immediate")),
        days=entry.get("deadline_days"),
        hours=entry.get("deadline_hours"),
        working_days=entry.get("day_kind") == "working",
        ref=entry["ref"],
        status=entry["status"],
        verified=bool(entry.get("verified")),
        applies_from=date.fromisoformat(str(applies_from)) if applies_from else None,
        condition=entry.get("condition") or "any_device",
        notes=entry.get("notes") or "",
    )


def duties_for(
    duties: Iterable[Duty], *, event_kind: str, frameworks: Iterable[str], actors: Iterable[str], on: date,
    conditions: Iterable[str] | None = None,
) -> list[Duty]:  # fmt: skip
    """Duties of these actors under these frameworks that an event of ``event_kind`` starts on the day ``on``.

    Duties that apply only from a later day are left out; drafts stay in, marked by :attr:`Duty.live`. ``conditions``
    names what holds for the system (:attr:`Duty.condition`); None leaves no duty out for its condition.
    """
    wanted, who = set(frameworks), set(actors)
    holds = None if conditions is None else {"any_device", *conditions}
    return [
        duty
        for duty in duties
        if duty.event_kind == event_kind
        and duty.framework in wanted
        and duty.actor in who
        and (duty.applies_from is None or duty.applies_from <= on)
        and (holds is None or duty.condition in holds)
    ]
