"""Disjoint spans of days. Overlapping windows would be nearly the same number twice (methods, sequential alarms)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from assurance.evidence.finding import Window


@dataclass(frozen=True, slots=True)
class Span:
    """``start`` is the first day, ``end`` the first day after it, both in UTC."""

    start: date
    end: date

    @property
    def window(self) -> Window:
        return Window(*(datetime.combine(day, time(), tzinfo=UTC) for day in (self.start, self.end)))


def spans(*, anchor: date, days: int, last: date, today: date) -> list[Span]:
    """Complete windows from ``anchor`` until the one that holds ``last``, the newest day with a case."""
    found = []
    start = anchor
    while start <= last and start + timedelta(days=days) <= today:
        found.append(Span(start, start + timedelta(days=days)))
        start += timedelta(days=days)
    return found
