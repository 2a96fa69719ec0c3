"""Findings as pages and dossiers read them: few statements, no predictions touched."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Case, IntegerField, Max, Min, QuerySet, Value, When
from django.db.models.fields.json import KT

from assurance.evidence.finding import State
from assurance.models import Deployment, FindingRecord

RANK = Case(
    *(When(state=state.value, then=Value(state.rank)) for state in State), default=Value(0), output_field=IntegerField()
)
STATE_OF_RANK = {state.rank: state.value for state in State}


def current() -> "QuerySet[FindingRecord]":
    return FindingRecord.objects.filter(superseded_by=None)


@dataclass(frozen=True, slots=True)
class WindowValue:
    """One window of one series, with what a chart and its tip need."""

    id: int
    digest: str
    start: datetime
    end: datetime
    value: float | None
    state: str
    n_cases: int
    unit: str
    reason: str
    low: float | None
    high: float | None
    null_99: float | None


@dataclass(frozen=True, slots=True)
class FindingSeries:
    family: str
    quantity: str
    signal: str
    stratum: str
    values: tuple[WindowValue, ...]

    @property
    def last(self) -> WindowValue:
        return self.values[-1]


def series(
    deployment: Deployment, *, stratum: str | None = None, quantities: Iterable[str] | None = None,
    families: Iterable[str] | None = None, signals: Iterable[str] | None = None, start: datetime | None = None,
    end: datetime | None = None,
) -> list[FindingSeries]:  # fmt: skip
    """Series of windowed findings of ``deployment``, in order of family, signal and quantity, by one statement."""
    rows = current().filter(deployment=deployment, window_start__isnull=False)
    if stratum is not None:
        rows = rows.filter(stratum=stratum)
    if quantities is not None:
        rows = rows.filter(quantity__in=list(quantities))
    if families is not None:
        rows = rows.filter(family__in=list(families))
    if signals is not None:
        rows = rows.filter(signal__in=list(signals))
    if start is not None:
        rows = rows.filter(window_end__gt=start)
    if end is not None:
        rows = rows.filter(window_start__lt=end)
    grouped: dict[tuple[str, str, str, str], list[WindowValue]] = defaultdict(list)
    columns = rows.annotate(
        unit=KT("content__unit"), reason=KT("content__reason"), low=KT("content__interval__low"),
        high=KT("content__interval__high"), null_99=KT("content__null__quantiles__0.99"),
    ).order_by("family", "signal", "quantity", "stratum", "window_start")  # fmt: skip
    for row in columns.values_list(
        "family", "quantity", "signal", "stratum", "id", "digest", "window_start", "window_end", "value", "state",
        "n_cases", "unit", "reason", "low", "high", "null_99",
    ):  # fmt: skip
        *head, low, high, null_99 = row[4:]
        numbers = (float(text) if text is not None else None for text in (low, high, null_99))
        grouped[row[0], row[1], row[2], row[3]].append(WindowValue(*head, *numbers))
    return [FindingSeries(*key, tuple(values)) for key, values in grouped.items()]


def worst_by_window(deployment: Deployment, *, stratum: str) -> list[tuple[str, str, datetime, datetime, str]]:
    """(family, signal, window start, window end, worst state) for the strip of states."""
    rows = (
        current()
        .filter(deployment=deployment, stratum=stratum, window_start__isnull=False)
        .values("family", "signal", "window_start")
        .annotate(rank=Max(RANK), end=Max("window_end"))
        .order_by("family", "signal", "window_start")
    )
    return [(r["family"], r["signal"], r["window_start"], r["end"], STATE_OF_RANK[r["rank"]]) for r in rows]


def latest_states(deployments: Iterable[Deployment]) -> dict[Any, dict[str, Any]]:
    """For each deployment: the worst state in its newest window and that window's end, by two statements."""
    keys = [deployment.pk for deployment in deployments]
    windowed = current().filter(deployment__in=keys, window_end__isnull=False)
    newest = {
        row["deployment"]: row
        for row in windowed.values("deployment").annotate(end=Max("window_end"), first=Min("window_start"))
    }
    worst: dict[Any, dict[str, Any]] = {}
    rows = (
        windowed.filter(window_end__in={row["end"] for row in newest.values()})
        .values("deployment", "window_end")
        .annotate(rank=Max(RANK))
    )
    for row in rows:
        if row["window_end"] == newest[row["deployment"]]["end"]:
            worst[row["deployment"]] = {
                "state": STATE_OF_RANK[row["rank"]], "end": row["window_end"],
                "first": newest[row["deployment"]]["first"],
            }  # fmt: skip
    return worst


def strata_of(deployment: Deployment) -> list[str]:
    rows = current().filter(deployment=deployment).values_list("stratum", flat=True).distinct()
    return sorted(rows)
