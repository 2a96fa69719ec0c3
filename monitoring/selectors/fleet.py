"""What the first page reads: a dozen statements whatever the number of deployments, weeks and predictions."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db.models import Max, QuerySet

from assurance.evidence.finding import State
from assurance.models import Deployment, Job
from monitoring.drift import thresholds
from monitoring.models import Alarm, PredictionBatch
from monitoring.selectors.charts import (
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
        for one in self.streams:
            if one.family == "performance" and self.volume is not None and not one.stratum:
                last = one.last
                inside = [v for v in self.volume.steps if last.start < v.end <= last.end]
                if inside:
                    return last.n_cases, int(sum(v.value or 0 for v in inside))
        return None

    @property
    def expected(self) -> float | None:
        """Median cases of the twelve windows before the newest one."""
        before = sorted(v.value for v in (self.volume.steps[-13:-1] if self.volume else ()) if v.value is not None)
        return before[len(before) // 2] if before else None


def overviews(deployments: Sequence[Deployment]) -> list[Overview]:
    """Every deployment, worst first: its state, the streams that moved most, volume, alarms and freshness."""
    newest = newest_windows(deployments)
    by_deployment: dict[Any, list[tuple[Any, ...]]] = defaultdict(list)
    for row in newest_rows(newest, WATCHED):
        by_deployment[row[0]].append(row)
    chosen = {key: _chosen(rows) for key, rows in by_deployment.items()}
    named = streams_named([(row[0], *row[2:5]) for rows in chosen.values() for row in rows], windows=WINDOWS)
    alarms, received = open_alarm_counts(deployments), last_deliveries(deployments)
    found = []
    for deployment in deployments:
        one = Overview(deployment, newest.get(deployment.pk))
        rows = by_deployment.get(deployment.pk, [])
        one.state = max((State(row[6]) for row in rows if row[2] != "volume"), key=lambda s: s.rank, default=one.state)
        for _, _, quantity, signal, stratum, *_ in chosen.get(deployment.pk, []):
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
        limit = LIMITS.get(row[2])
        return State(row[6]).rank, (row[5] or 0.0) / (limit.act if limit else 1.0)

    drift = sorted((r for r in rows if r[1] not in ("performance",) and r[2] != "volume"), key=strength, reverse=True)
    picked: dict[str, tuple[Any, ...]] = {}
    for row in drift:
        picked.setdefault(row[3], row)
    outputs = [row for row in picked.values() if row[1] == "output"][:1]
    first = list(picked.values())[:SHOWN]
    first += [row for row in outputs if row not in first]
    performance = [row for row in rows if row[1] == "performance" and not row[4] and not row[3]][:1]
    volume = [row for row in rows if row[2] == "volume" and not row[4]][:1]
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
