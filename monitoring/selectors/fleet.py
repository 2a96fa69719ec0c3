"""What the first page reads: a dozen statements whatever the number of deployments, weeks and predictions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import takewhile
from typing import Any

from django.db.models import Max, QuerySet

from assurance.evidence.finding import State
from assurance.models import Deployment, Job
from monitoring.drift import thresholds
from monitoring.models import Alarm, PredictionBatch
from monitoring.selectors.charts import (
    RANKS,
    Stream,
    contents_at,
    moved_since,
    newest_rows,
    newest_windows,
    streams_named,
)

WATCHED = (
    "w1_sd", "chi_square", "rff_mmd", "c2st", "bbsd", "auroc", "dice", "sensitivity", "specificity", "volume",
)  # fmt: skip
LIMITS = {
    "w1_sd": thresholds.W1_SD, "chi_square": thresholds.CRAMER_V, "psi": thresholds.PSI, "ks": thresholds.KS,
    "js": thresholds.JS, "cramer_von_mises": thresholds.CRAMER_VON_MISES, "energy": thresholds.ENERGY,
    "anderson_darling": thresholds.ANDERSON_DARLING, "hellinger": thresholds.HELLINGER,
    "total_variation": thresholds.TOTAL_VARIATION, "g_test": thresholds.CRAMER_V, "c2st": thresholds.CLASSIFIER,
}  # fmt: skip
ACTS = {quantity: limits.act for quantity, limits in LIMITS.items()}
SHOWN, WINDOWS = 3, 104


@dataclass
class Overview:
    """One deployment as the fleet page shows it."""

    deployment: Deployment
    newest: datetime | None = None
    state: State = State.INSUFFICIENT
    streams: list[Stream] = field(default_factory=list)
    contents: dict[Any, dict[str, Any]] = field(default_factory=dict)
    volume: Stream | None = None
    alarms: int = 0
    received_at: datetime | None = None

    @property
    def labelled(self) -> tuple[int, int] | None:
        """Cases with truth and all cases of the newest performance window, from the findings themselves."""
        known = next((one for one in self.streams if one.family == "performance" and not one.stratum), None)
        if known is None or self.volume is None:
            return None
        last = known.last
        since = takewhile(lambda step: step.end > last.start, reversed(self.volume.steps))
        inside = [step for step in since if step.end <= last.end]
        return (last.n_cases, int(sum(step.value or 0 for step in inside))) if inside else None

    @property
    def expected(self) -> float | None:
        """Median cases of the twelve windows before the newest one; None with fewer than three."""
        before = sorted(v.value for v in (self.volume.steps[-13:-1] if self.volume else ()) if v.value is not None)
        return before[len(before) // 2] if len(before) >= 3 else None


def overviews(deployments: Sequence[Deployment]) -> list[Overview]:
    """Every deployment, worst first: its state, the streams that moved most, volume, alarms and freshness."""
    newest = newest_windows(deployments)
    by_deployment = newest_rows(newest, WATCHED)
    chosen = {key: _chosen(rows) for key, rows in by_deployment.items()}
    named = streams_named([(key, *row[1:4]) for key, rows in chosen.items() for row in rows], windows=WINDOWS)
    alarms, received = open_alarm_counts(deployments), last_deliveries(deployments)
    found = []
    for deployment in deployments:
        one = Overview(deployment, newest.get(deployment.pk))
        rows = by_deployment.get(deployment.pk, [])
        states = {row[5] for row in rows if row[1] != "volume"}
        one.state = max(map(State, states), key=lambda state: state.rank, default=one.state)
        for _, quantity, signal, stratum, *_ in chosen.get(deployment.pk, []):
            stream = named[deployment.pk, quantity, signal, stratum]
            if quantity == "volume":
                one.volume = stream
            else:
                one.streams.append(stream)
        one.alarms, one.received_at = alarms.get(deployment.pk, 0), received.get(deployment.pk)
        found.append(one)
    told = [(one, s) for one in found for s in one.streams if s.family == "performance" or moved_since(s.steps)]
    contents = contents_at([(one.deployment.pk, *s.key, s.last.start) for one, s in told])
    for one, s in told:
        place = (one.deployment.pk, *s.key)
        if place in contents:
            one.contents[place] = contents[place]
    found.sort(key=lambda one: (-one.state.rank, -one.alarms, one.deployment.name))
    return found


def _chosen(rows: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """The streams worth a line: those that moved most, one for each signal, then performance and volume."""

    def strength(row: tuple[Any, ...]) -> tuple[int, float]:
        return RANKS[row[5]], row[4] / ACTS.get(row[1], 1.0)

    known = [row for row in rows if row[0] != "performance" and row[1] != "volume" and row[4] is not None]
    drift = sorted(known, key=strength, reverse=True)
    picked: dict[str, tuple[Any, ...]] = {}
    for row in drift:
        picked.setdefault(row[2], row)
    outputs = [row for row in picked.values() if row[0] == "output"][:1]
    first = list(picked.values())[:SHOWN]
    first += [row for row in outputs if row not in first]
    performance = [row for row in rows if row[0] == "performance" and not row[3] and not row[2]][:1]
    volume = [row for row in rows if row[1] == "volume" and not row[3]][:1]
    return first + performance + volume


def last_deliveries(deployments: Iterable[Deployment]) -> dict[Any, datetime]:
    rows = (
        PredictionBatch.objects.filter(deployment__in=[d.pk for d in deployments])
        .order_by()
        .values_list("deployment")
        .annotate(at=Max("received_at"))
    )
    return dict(rows)


def open_jobs(deployments: Iterable[Deployment]) -> QuerySet[Job]:
    """Work that is queued or running for these deployments."""
    keys = [str(deployment.pk) for deployment in deployments]
    return Job.objects.filter(
        status__in=(Job.Status.QUEUED, Job.Status.RUNNING), arguments__deployment_id__in=keys
    ).order_by("-queued_at")


def open_alarms(deployments: Iterable[Deployment]) -> QuerySet[Alarm]:
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
