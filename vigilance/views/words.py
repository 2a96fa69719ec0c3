"""How clocks are said: how long is left, and who has to report what to whom."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from django.utils import timezone

from vigilance import catalogue
from vigilance.deadlines.duties import Duty
from vigilance.models import ReportingClock

SHORT = {"mhra": "MHRA", "fda": "FDA"}


@dataclass(frozen=True)
class ClockRow:
    """A clock with what a page says of it. ``state`` is one of the four states of the product."""

    clock: ReportingClock
    state: str
    remaining: str
    who: str
    recipients: str
    framework: str
    mine: bool


def clock_row(clock: ReportingClock, *, organisation_ids: set[int], now: datetime | None = None) -> ClockRow:
    holders = clock.organisations().get("developer" if clock.holder == "developer" else "owner", set())
    return ClockRow(
        clock=clock, state=clock_state(clock, now=now), remaining=remaining(clock, now=now),
        who=clock.terms["actor"].replace("_", " "),
        recipients=", ".join(SHORT.get(one, one.replace("_", " ")) for one in clock.terms["recipient"]),
        framework=catalogue.FRAMEWORK_NAMES.get(clock.terms["framework"], clock.terms["framework"]),
        mine=bool(holders & organisation_ids),
    )  # fmt: skip


def binds(duty: Duty, *, on: date) -> bool:
    """True when the duty is law on that day; else it is shown as advice and starts no clock."""
    return duty.live and (duty.applies_from is None or duty.applies_from <= on)


def clock_state(clock: ReportingClock, *, now: datetime | None = None) -> str:
    """``act`` when overdue or due within a day, ``watch`` within a quarter of its time, ``ok`` before and after."""
    now = now or timezone.now()
    if not clock.running:
        return "ok"
    if clock.due_at is None:
        return "insufficient"
    left = clock.due_at - now
    if left <= timedelta(days=1):
        return "act"
    whole = clock.due_at - clock.incident.aware_at
    return "watch" if left <= whole / 4 or clock.terms["immediate"] else "ok"


def remaining(clock: ReportingClock, *, now: datetime | None = None) -> str:
    now = now or timezone.now()
    if clock.waived_at:
        return "not reportable"
    if clock.reported_at:
        late = clock.due_at is not None and clock.reported_at > clock.due_at
        return f"sent {span(clock.reported_at - clock.due_at)} late" if late and clock.due_at else "sent in time"
    if clock.due_at is None:
        return "no number of days in the text: set a date"
    if clock.due_at < now:
        return f"overdue by {span(now - clock.due_at)}"
    return f"{span(clock.due_at - now)} left"


def span(length: timedelta) -> str:
    """``3 d 4 h``, ``5 h 10 min``, ``12 min``: two units at most, cut and not rounded, so that nothing looks longer."""
    minutes = int(length.total_seconds() // 60)
    days, hours, minutes = minutes // 1440, minutes // 60 % 24, minutes % 60
    if days:
        return f"{days} d {hours} h"
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"
