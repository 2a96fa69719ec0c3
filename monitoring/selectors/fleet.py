"""What the first page and the deployment page read: few statements whatever the number of predictions."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from typing import Any

from django.db.models import QuerySet

from assurance.models import Deployment
from assurance.selectors.findings import FindingSeries, series
from monitoring.models import Alarm

OVERVIEW = ("w1_sd", "chi_square", "auroc", "dice", "volume")


def overview_series(deployments: Iterable[Deployment]) -> dict[Any, list[FindingSeries]]:
    """The primary statistics of each deployment over time, by deployment key."""
    found: dict[Any, list[FindingSeries]] = defaultdict(list)
    for deployment in deployments:
        found[deployment.pk] = series(deployment, quantities=OVERVIEW)
    return found


def open_alarms(deployments: Iterable[Deployment]) -> "QuerySet[Alarm]":
    return (
        Alarm.objects.filter(deployment__in=[deployment.pk for deployment in deployments])
        .exclude(status=Alarm.Status.CLOSED)
        .select_related("deployment", "finding")
    )


def open_alarm_counts(deployments: Iterable[Deployment]) -> dict[Any, int]:
    return Counter(open_alarms(deployments).values_list("deployment_id", flat=True))


def alarms_of(deployment: Deployment) -> list[Alarm]:
    """Open alarms, those of performance first, then the longest lasting."""
    rank = {"performance": 0, "output": 1, "input": 2}
    return sorted(open_alarms([deployment]), key=lambda alarm: (rank.get(alarm.family, 3), -alarm.windows))
