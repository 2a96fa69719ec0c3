"""When a report is due: day counting as the law counts, in the time zone of the duty holder."""

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

import holidays

from assurance.evidence.errors import InvalidInput, NotComputable
from vigilance.deadlines.duties import Duty

COUNTRY = {"cfr-803": "US", "uk-pms": "GB"}  # whose holidays a framework's working days leave out
SUBDIVISION = {"GB": "ENG"}
ROLLS_OVER = {"eu-mdr", "eu-ai-act"}  # Regulation 1182/71 moves an end on a free day to the next working day


@dataclass(frozen=True, slots=True)
class Due:
    """``at`` is what the clock shows; ``moved_to`` is the later day that the law would also accept, as a note."""

    at: datetime
    moved_to: date | None


def due(duty: Duty, *, aware: datetime, zone: str) -> Due:
    """The end of the due day, in ``zone``, for a duty whose clock started at ``aware``.

    The day of awareness is day 0. Calendar days are never moved (the error is on the safe side); where the law would
    move the end to the next working day, that day stands in ``moved_to``.

    Raises
    ------
    InvalidInput
        ``no_time_zone`` when ``aware`` carries none.
    NotComputable
        ``no_number`` when the text of the law names no number of days or hours.
    """
    if aware.tzinfo is None:
        raise InvalidInput("no_time_zone", f"aware {aware.isoformat()} has no time zone: give one")
    if duty.hours is not None:
        return Due(at=aware + timedelta(hours=duty.hours), moved_to=None)
    if duty.days is None:
        raise NotComputable("no_number", f"{duty.ref} names no number of days: a person sets the date")
    start = aware.astimezone(ZoneInfo(zone)).date()
    country = COUNTRY.get(duty.framework, "")
    last = add_working_days(start, duty.days, country=country) if duty.working_days else start + timedelta(duty.days)
    moved = _next_working_day(last) if duty.framework in ROLLS_OVER and not duty.working_days else last
    return Due(at=datetime.combine(last, time.max, ZoneInfo(zone)), moved_to=moved if moved != last else None)


def add_working_days(start: date, count: int, *, country: str) -> date:
    """``count`` working days after ``start``; weekends and the public holidays of ``country`` do not count."""
    day = start
    while count:
        day += timedelta(1)
        if is_working_day(day, country=country):
            count -= 1
    return day


def is_working_day(day: date, *, country: str) -> bool:
    return day.weekday() < 5 and day not in _holidays(country, day.year)


def _next_working_day(day: date) -> date:
    """Without the holidays of a Member State: those that all of them share are few, so 25 December and 1 January."""
    while day.weekday() >= 5 or (day.month, day.day) in ((12, 25), (1, 1)):
        day += timedelta(1)
    return day


@lru_cache(maxsize=64)
def _holidays(country: str, year: int) -> frozenset[date]:
    if not country:
        return frozenset()
    return frozenset(holidays.country_holidays(country, subdiv=SUBDIVISION.get(country), years=year))
