"""What charts draw: values and states by window, out of one covering index; contents are read for few rows only."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, NamedTuple

from django.db import connection

from assurance.models import Deployment

SECONDS = "extract(epoch FROM {})::bigint"  # a timestamp costs ten times as much to read as a number
CURRENT = "superseded_by_id IS NULL AND window_start IS NOT NULL"


class Step(NamedTuple):
    """One window of one stream. ``chance`` is the 99 % quantile of what chance alone gives at these n and m."""

    start: datetime
    end: datetime
    value: float | None
    state: str
    n_cases: int
    low: float | None = None
    high: float | None = None
    chance: float | None = None


class Stream(NamedTuple):
    """One quantity of one signal in one stratum over time, oldest window first."""

    deployment: Any
    family: str
    quantity: str
    signal: str
    stratum: str
    unit: str
    steps: Sequence[Step]

    @property
    def last(self) -> Step:
        return self.steps[-1]

    @property
    def key(self) -> tuple[str, str, str]:
        return (self.quantity, self.signal, self.stratum)


def moved_since(steps: Sequence[Step]) -> Step | None:
    """The first window of the unbroken run of ``watch`` or ``act`` that lasts until now."""
    first = None
    for step in reversed(steps):
        if step.state not in ("watch", "act"):
            break
        first = step
    return first


@lru_cache(maxsize=4096)
def moment(seconds: int) -> datetime:
    """The same few hundred window edges stand in thousands of rows, so each is made once."""
    return datetime.fromtimestamp(seconds, tz=UTC)


def newest_windows(deployments: Iterable[Deployment]) -> dict[Any, datetime]:
    """The end of each deployment's newest window, by one probe of the index for each."""
    keys = [deployment.pk for deployment in deployments]
    rows = _rows(
        "SELECT d.id, (SELECT max(window_end) FROM assurance_findingrecord f "
        "WHERE f.deployment_id = d.id AND window_end IS NOT NULL) FROM unnest(%s::uuid[]) AS d (id)",
        [keys],
    )
    return {key: end for key, end in rows if end is not None}


def newest_rows(newest: dict[Any, datetime], quantities: Sequence[str]) -> list[tuple[Any, ...]]:
    """(deployment, family, quantity, signal, stratum, value, state) of each deployment's newest window."""
    return _rows(
        "SELECT f.deployment_id, f.family, f.quantity, f.signal, f.stratum, f.value, f.state "
        "FROM unnest(%s::uuid[], %s::timestamptz[]) AS d (id, ends) "
        "JOIN assurance_findingrecord f ON f.deployment_id = d.id AND f.window_end = d.ends "
        "WHERE f.superseded_by_id IS NULL AND f.window_start IS NOT NULL AND f.quantity = ANY(%s)",
        [list(newest), list(newest.values()), list(quantities)],
    )


def streams_named(
    keys: Sequence[tuple[Any, str, str, str]], *, windows: int
) -> dict[tuple[Any, str, str, str], Stream]:
    """Streams by (deployment, quantity, signal, stratum), each cut to its newest ``windows``; one statement."""
    if not keys:
        return {}
    columns = [list(column) for column in zip(*keys, strict=True)]
    rows = _rows(
        "SELECT k.place, f.* FROM unnest(%s::uuid[], %s::text[], %s::text[], %s::text[]) WITH ORDINALITY "
        "AS k (deployment, quantity, signal, stratum, place) CROSS JOIN LATERAL ("
        f"  SELECT max(family), array_agg({SECONDS.format('window_start')} ORDER BY window_start), "
        f"    array_agg({SECONDS.format('window_end')} ORDER BY window_start), array_agg(value ORDER BY window_start), "
        "    array_agg(state ORDER BY window_start), array_agg(n_cases ORDER BY window_start) "
        "  FROM (SELECT family, window_start, window_end, value, state, n_cases FROM assurance_findingrecord "
        "    WHERE deployment_id = k.deployment AND quantity = k.quantity AND signal = k.signal "
        f"      AND stratum = k.stratum AND {CURRENT} ORDER BY window_start DESC LIMIT %s) AS newest) AS f",
        [*columns, windows],
    )
    streams = {}
    for place, family, starts, ends, values, states, sizes in rows:
        if starts is None:
            continue
        deployment, quantity, signal, stratum = keys[place - 1]
        steps = [
            Step(moment(start), moment(end), value, state, n_cases)
            for start, end, value, state, n_cases in zip(starts, ends, values, states, sizes, strict=True)
        ]
        unit = "cases" if quantity == "volume" else ""
        streams[keys[place - 1]] = Stream(deployment, family, quantity, signal, stratum, unit, steps)
    return streams


def streams_of(
    deployment: Deployment, *, stratum: str, quantities: Sequence[str] | None = None,
    signals: Sequence[str] | None = None, start: datetime | None = None, end: datetime | None = None,
) -> list[Stream]:  # fmt: skip
    """Streams of one stratum with intervals and chance quantiles, in order of family, signal and quantity."""
    conditions, values = ["deployment_id = %s", "stratum = %s", CURRENT], [deployment.pk, stratum]
    for column, wanted in (("quantity", quantities), ("signal", signals)):
        if wanted is not None:
            conditions.append(f"{column} = ANY(%s)")
            values.append(list(wanted))
    if start is not None:
        conditions.append("window_end > %s")
        values.append(start)
    if end is not None:
        conditions.append("window_end <= %s")
        values.append(end)
    order = "ORDER BY window_end"
    rows = _rows(
        # one row for each stream; one look at each content, since jsonb is unpacked anew for every arrow
        f"SELECT family, signal, quantity, max(unit), array_agg({SECONDS.format('window_start')} {order}), "
        f"array_agg({SECONDS.format('window_end')} {order}), array_agg(value {order}), array_agg(state {order}), "
        f"array_agg(n_cases {order}), array_agg(low {order}), array_agg(high {order}), array_agg(chance {order}) "
        "FROM (SELECT family, signal, quantity, window_start, window_end, value, state, n_cases, c.unit, "
        "  (c.interval->>'low')::float8 AS low, (c.interval->>'high')::float8 AS high, "
        "  (c.\"null\"->'quantiles'->>'0.99')::float8 AS chance "
        '  FROM assurance_findingrecord, jsonb_to_record(content) AS c (unit text, interval jsonb, "null" jsonb) '
        f"  WHERE {' AND '.join(conditions)}) AS f GROUP BY family, signal, quantity ORDER BY family, signal, quantity",
        values,
    )
    return [
        Stream(
            deployment.pk, family, quantity, signal, stratum, "" if unit in (None, "1") else unit,
            [
                Step(moment(first), moment(last), *rest)
                for first, last, *rest in zip(starts, ends, *columns, strict=True)
            ],
        )
        for family, signal, quantity, unit, starts, ends, *columns in rows
    ]  # fmt: skip


class Cell(NamedTuple):
    family: str
    signal: str
    end: datetime
    state: str


RANKS = "CASE state WHEN 'act' THEN 3 WHEN 'watch' THEN 2 WHEN 'insufficient' THEN 1 ELSE 0 END"
STATES = ("ok", "insufficient", "watch", "act")


def worst_cells(
    deployment: Deployment, *, stratum: str, quantities: Sequence[str], start: datetime | None, end: datetime | None
) -> list[Cell]:  # fmt: skip
    """The worst state of each signal in each window over these quantities, for the strip."""
    rows = _rows(
        f"SELECT family, signal, {SECONDS.format('window_end')}, max({RANKS}) FROM assurance_findingrecord "
        f"WHERE deployment_id = %s AND stratum = %s AND quantity = ANY(%s) AND {CURRENT} "
        "AND window_end > coalesce(%s, '-infinity'::timestamptz) "
        "AND window_end <= coalesce(%s, 'infinity'::timestamptz) "
        "GROUP BY family, signal, window_end ORDER BY family, signal, window_end",
        [deployment.pk, stratum, list(quantities), start, end],
    )
    return [Cell(family, signal, moment(at), STATES[rank]) for family, signal, at, rank in rows]


def strata_of(deployment: Deployment) -> list[str]:
    """Every stratum that has windows, by hopping through the index from one to the next."""
    rows = _rows(
        f"WITH RECURSIVE hop (stratum) AS ((SELECT stratum FROM assurance_findingrecord WHERE deployment_id = %s "
        f"AND {CURRENT} ORDER BY stratum LIMIT 1) UNION ALL SELECT (SELECT f.stratum FROM assurance_findingrecord f "
        f"WHERE f.deployment_id = %s AND f.stratum > hop.stratum AND {CURRENT} ORDER BY f.stratum LIMIT 1) FROM hop "
        "WHERE hop.stratum IS NOT NULL) SELECT stratum FROM hop WHERE stratum IS NOT NULL",
        [deployment.pk, deployment.pk],
    )
    return [stratum for (stratum,) in rows]


def quantities_of(deployment: Deployment, *, stratum: str, newest: datetime) -> list[str]:
    """The quantities of the newest window of a stratum."""
    rows = _rows(
        "SELECT DISTINCT quantity FROM assurance_findingrecord WHERE deployment_id = %s AND window_end = %s "
        "AND stratum = %s AND superseded_by_id IS NULL ORDER BY quantity",
        [deployment.pk, newest, stratum],
    )
    return [quantity for (quantity,) in rows]


def contents_at(keys: Sequence[tuple[Any, str, str, str, datetime]]) -> dict[tuple[Any, str, str, str], dict[str, Any]]:
    """Contents of the Findings at (deployment, quantity, signal, stratum, window start), for a few sentences."""
    if not keys:
        return {}
    columns = [list(column) for column in zip(*keys, strict=True)]
    rows = _rows(
        "SELECT f.deployment_id, f.quantity, f.signal, f.stratum, f.content FROM unnest(%s::uuid[], %s::text[], "
        "%s::text[], %s::text[], %s::timestamptz[]) AS k (deployment, quantity, signal, stratum, start) "
        "JOIN assurance_findingrecord f ON f.deployment_id = k.deployment AND f.quantity = k.quantity "
        f"AND f.signal = k.signal AND f.stratum = k.stratum AND f.window_start = k.start AND {CURRENT}",
        columns,
    )
    return {tuple(row[:4]): json.loads(row[4]) if isinstance(row[4], str) else row[4] for row in rows}


def software_changes(deployment: Deployment, *, site: str = "") -> list[tuple[datetime, str]]:
    """(day, "B3 to B4 at south") for each update of a scanner's software that the windows found."""
    rows = _rows(
        "SELECT content->'details' FROM assurance_findingrecord WHERE deployment_id = %s "
        f"AND quantity = 'software_update' AND (%s = '' OR stratum = %s) AND {CURRENT} ORDER BY window_start",
        [deployment.pk, site, f"site={site}"],
    )
    found = []
    for (content,) in rows:
        one = json.loads(content) if isinstance(content, str) else content
        day = datetime.fromisoformat(one["day"]).replace(tzinfo=UTC)
        found.append((day, f"{one['from']} to {one['to']}" + ("" if site else f" at {one['site']}")))
    return found


def told_beside(deployment: Deployment, *, end: datetime, quantities: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Contents of the findings of the whole window that ends at ``end`` which explain rather than measure."""
    rows = _rows(
        "SELECT quantity, content FROM assurance_findingrecord WHERE deployment_id = %s AND window_end = %s "
        f"AND quantity = ANY(%s) AND stratum = '' AND {CURRENT}",
        [deployment.pk, end, list(quantities)],
    )
    return {quantity: json.loads(text) if isinstance(text, str) else text for quantity, text in rows}


def reference_values(deployment: Deployment) -> dict[str, tuple[float, float | None, float | None]]:
    """Performance on the reference set by quantity: value, low, high."""
    rows = _rows(
        "SELECT quantity, value, (content->'interval'->>'low')::float8, (content->'interval'->>'high')::float8 "
        "FROM assurance_findingrecord WHERE deployment_id = %s AND version_id = %s AND window_start IS NULL "
        "AND superseded_by_id IS NULL AND family = 'performance' AND stratum = 'set=reference' AND signal = '' "
        "AND value IS NOT NULL",
        [deployment.pk, deployment.version_id],
    )
    return {quantity: (value, low, high) for quantity, value, low, high in rows}


def _rows(query: str, values: list[Any]) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(query, values)
        return cursor.fetchall()
