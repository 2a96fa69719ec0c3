"""A person's fleet over seven days: what stands where, and what opened."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from accounts.models import Person
from assurance.selectors.deployments import visible_deployments
from monitoring.models import Alarm
from monitoring.selectors.fleet import Overview, overviews

DAYS = 7


@dataclass(frozen=True)
class Week:
    """The fleet worst first, and the alarms opened from ``begin`` to the day before ``until``, in UTC days."""

    until: date
    overviews: Sequence[Overview]
    opened: Sequence[Alarm]

    @property
    def begin(self) -> date:
        return self.until - timedelta(days=DAYS)

    @property
    def last(self) -> date:
        return self.until - timedelta(days=1)

    def count(self, state: str) -> int:
        return sum(one.state.value == state for one in self.overviews)


def monday_of(day: date) -> date:
    return day - timedelta(days=day.weekday())


def week_of(person: Person, *, until: date) -> Week:
    """What ``person`` may see of the seven days before ``until``. States speak of the newest complete windows."""
    found = overviews(list(visible_deployments(person)))
    edges = [datetime.combine(day, time(), tzinfo=UTC) for day in (until - timedelta(days=DAYS), until)]
    opened = (
        Alarm.objects.filter(deployment__in=[one.deployment.pk for one in found], opened_at__gte=edges[0])
        .filter(opened_at__lt=edges[1])
        .select_related("deployment", "finding")
        .order_by("opened_at", "pk")
    )
    return Week(until, found, list(opened))
