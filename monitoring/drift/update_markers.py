"""Steps in the scanner's software version: markers that explain a drift and open a provisional reference."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

PROVISIONAL_DAYS = 14
MOST = 0.5


@dataclass(frozen=True, slots=True)
class Marker:
    """From ``day`` on most cases carry ``after`` where they carried ``before``."""

    site: str
    signal: str
    day: date
    before: str
    after: str

    @property
    def provisional_until(self) -> date:
        """First day after the two weeks whose cases are the provisional reference."""
        return self.day + timedelta(days=PROVISIONAL_DAYS)

    def as_dict(self) -> dict[str, Any]:
        return {
            "site": self.site, "signal": self.signal, "day": self.day.isoformat(), "from": self.before,
            "to": self.after, "provisional_until": self.provisional_until.isoformat(),
        }  # fmt: skip


def update_markers(
    days: Mapping[date, Mapping[str, int]], *, site: str, signal: str, smallest: int = 5
) -> list[Marker]:
    """Steps of the leading level along ``days`` (counts by level), oldest first.

    A step needs a level that leads its day with more than half of ``smallest`` or more cases and still leads on the
    next such day, so that one study from a visiting machine opens nothing. A single last day counts only with ten
    cases."""
    leaders = []
    for day in sorted(days):
        counts = days[day]
        total = sum(counts.values())
        if total >= smallest:
            level = max(counts, key=lambda name: (counts[name], name))
            if counts[level] > MOST * total:
                leaders.append((day, level, total))
    found = []
    present: str | None = None
    for place, (day, level, total) in enumerate(leaders):
        if present is None:
            present = level
        elif level != present:
            following = leaders[place + 1][1] if place + 1 < len(leaders) else None
            if following == level or (following is None and total >= 2 * smallest):
                found.append(Marker(site, signal, day, present, level))
                present = level
    return found
