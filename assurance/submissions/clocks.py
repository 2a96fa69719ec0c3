"""Process clocks of a programme: when a decision is due, with the time that answers took left out as its rules say."""

from __future__ import annotations

import calendar
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from assurance.evidence.errors import InvalidInput

ANSWER_RULES = ("run", "pause", "restart")
UNITS = ("calendar_days", "months", "calendar_days_before")


@dataclass(frozen=True, slots=True)
class Terms:
    """How long a clock runs and what a request for information does to it.

    ``answer`` is "run" (it goes on), "pause" (time with the participant does not count, up to ``most_pause_days`` in
    all) or "restart" (it starts again at zero with the complete answer).
    """

    id: str
    what: str
    length: int
    unit: str
    answer: str = "run"
    most_pause_days: int | None = None
    status: str = "in_force"
    ref: str = ""

    def __post_init__(self) -> None:
        if self.unit not in UNITS:
            raise InvalidInput("unknown_unit", f"unit {self.unit!r} of {self.id}: give one of {', '.join(UNITS)}")
        if self.answer not in ANSWER_RULES:
            raise InvalidInput("unknown_rule", f"answer {self.answer!r} of {self.id}: give {', '.join(ANSWER_RULES)}")


@dataclass(frozen=True, slots=True)
class Pause:
    """Time with the participant; ``end`` is None while the answer is still to come."""

    start: datetime
    end: datetime | None


def add_months(day: date, months: int) -> date:
    """The same day ``months`` later, or the last of that month where it has no such day (31 January + 1 = 28 or 29)."""
    index = day.year * 12 + day.month - 1 + months
    year, month = divmod(index, 12)
    return date(year, month + 1, min(day.day, calendar.monthrange(year, month + 1)[1]))


def due_at(terms: Terms, *, started: datetime, pauses: Sequence[Pause] = (), now: datetime) -> datetime | None:
    """When the clock runs out, or None while it stands still waiting for a restart.

    An open pause counts until ``now``, so that a standing clock moves its due moment along, never beyond
    ``most_pause_days`` in all: a request that is opened again and again gains nothing after that.

    Raises
    ------
    InvalidInput
        ``no_time_zone`` when a moment carries none, ``pause_order`` when a pause ends before it starts.
    """
    for moment in (started, now, *(p.start for p in pauses), *(p.end for p in pauses if p.end)):
        if moment.tzinfo is None:
            raise InvalidInput("no_time_zone", f"{moment.isoformat()} has no time zone: give one")
    for pause in pauses:
        if pause.end and pause.end < pause.start:
            raise InvalidInput("pause_order", f"a pause ends at {pause.end.isoformat()}, before it starts")
    if terms.answer == "restart" and pauses:
        last = pauses[-1]
        return _end(terms, last.end) if last.end else None
    due = _end(terms, started)
    if terms.answer == "pause":
        due += paused_time(terms, pauses=pauses, now=now)
    return due


def paused_time(terms: Terms, *, pauses: Sequence[Pause], now: datetime) -> timedelta:
    """Time with the participant that does not count, at most ``most_pause_days``."""
    total = sum((max(timedelta(), (pause.end or now) - pause.start) for pause in pauses), timedelta())
    return total if terms.most_pause_days is None else min(total, timedelta(days=terms.most_pause_days))


def _end(terms: Terms, start: datetime) -> datetime:
    if terms.unit == "months":
        return datetime.combine(add_months(start.date(), terms.length), start.timetz())
    days = -terms.length if terms.unit == "calendar_days_before" else terms.length
    return start + timedelta(days=days)
