"""Spans of days that a plan asks for. Alarms come from disjoint ones only: overlapping spans say the same twice."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from assurance.evidence.finding import Window


@dataclass(frozen=True, slots=True)
class Span:
    """``start`` is the first day, ``end`` the first day after it, both in UTC.

    ``disjoint`` is False for a rolling window that shares days with the last one that may raise alarms.
    """

    start: date
    end: date
    disjoint: bool = True

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


def calendar_spans(kind: str, *, anchor: date, last: date, today: date) -> list[Span]:
    """Complete days, weeks (from Monday) or months, from the first that begins at or after ``anchor``."""
    start = anchor
    if kind == "week":
        start += timedelta(days=-anchor.weekday() % 7)
    elif kind == "month" and anchor.day > 1:
        start = _next_month(anchor)
    found = []
    while start <= last:
        end = _next_month(start) if kind == "month" else start + timedelta(days=7 if kind == "week" else 1)
        if end > today:
            break
        found.append(Span(start, end))
        start = end
    return found


def rolling_spans(*, anchor: date, days: int, stride: int, last: date, today: date) -> list[Span]:
    """Windows of ``days`` that begin every ``stride`` days; one in so many that none of these overlap is disjoint."""
    found: list[Span] = []
    start, free = anchor, anchor
    while start <= last and start + timedelta(days=days) <= today:
        disjoint = start >= free
        found.append(Span(start, start + timedelta(days=days), disjoint))
        if disjoint:
            free = start + timedelta(days=days)
        start += timedelta(days=stride)
    return found


def case_spans(counts: Mapping[date, int], *, anchor: date, cases: int, today: date) -> list[Span]:
    """Windows that end with the day on which they reach ``cases`` cases; days are never divided."""
    found = []
    start, total = anchor, 0
    for day in sorted(day for day in counts if anchor <= day < today):
        total += counts[day]
        if total >= cases:
            found.append(Span(start, day + timedelta(days=1)))
            start, total = day + timedelta(days=1), 0
    return found


def _next_month(day: date) -> date:
    return date(day.year + day.month // 12, day.month % 12 + 1, 1)
