"""What charts draw: values and states by window, out of one covering index; contents are read for few rows only."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, ClassVar, NamedTuple, overload

from django.db import connection

from assurance.models import Deployment

SECONDS = "date_part('epoch', {})::bigint"  # a timestamp costs ten times as much to read; extract() is slower
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


class Courses(Sequence[Step]):
    """Steps held as columns, each made when it is asked for: a fleet draws thousands and reads a few."""

    WORDS: ClassVar[dict[str, str]] = {"o": "ok", "w": "watch", "a": "act", "i": "insufficient"}

    def __init__(
        self, starts: list[int], ends: list[int], values: list[float | None], states: str, sizes: list[int]
    ) -> None:
        """Starts and ends of the windows in seconds; states by their first letters."""
        self.starts, self.ends, self.values, self.states, self.sizes = starts, ends, values, states, sizes

    def __len__(self) -> int:
        return len(self.values)

    @overload
    def __getitem__(self, place: int) -> Step: ...
    @overload
    def __getitem__(self, place: slice) -> Courses: ...
    def __getitem__(self, place: int | slice) -> Step | Courses:
        columns = (self.starts, self.ends, self.values, self.states, self.sizes)
        if isinstance(place, slice):
            return Courses(*(column[place] for column in columns))  # type: ignore[arg-type]
        start, end, value, state, n_cases = (column[place] for column in columns)
        return Step(moment(start), moment(end), value, self.WORDS[state], n_cases)  # type: ignore[arg-type,index]


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


def values_of(steps: Sequence[Step]) -> list[float | None]:
    return steps.values if isinstance(steps, Courses) else [step.value for step in steps]


def moved_since(steps: Sequence[Step]) -> Step | None:
    """The first window of the unbroken run of ``watch`` or ``act`` that lasts until now."""
    if isinstance(steps, Courses):
        lasting = len(steps) - len(steps.states.rstrip("wa"))
        return steps[-lasting] if lasting else None
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
    """The end of each deployment's newest window, by one probe of the index for each.

    Windows of explanations follow the maps, not the plan: one that has only begun must not hide what is known.
    """
    keys = [deployment.pk for deployment in deployments]
    rows = _rows(
        "SELECT d.id, (SELECT max(window_end) FROM assurance_findingrecord f "
        "WHERE f.deployment_id = d.id AND window_end IS NOT NULL AND family <> 'explanation') "
        "FROM unnest(%s::uuid[]) AS d (id)",
        [keys],
    )
    return {key: end for key, end in rows if end is not None}


def newest_rows(newest: dict[Any, datetime], quantities: Sequence[str]) -> dict[Any, list[tuple[Any, ...]]]:
    """(family, quantity, signal, stratum, value, state) of each deployment's newest window."""
    rows = _rows(
        "SELECT d.place, f.family, f.quantity, f.signal, f.stratum, f.value, f.state "
        "FROM unnest(%s::uuid[], %s::timestamptz[]) WITH ORDINALITY AS d (id, ends, place) "
        "JOIN assurance_findingrecord f ON f.deployment_id = d.id AND f.window_end = d.ends "
        "WHERE f.superseded_by_id IS NULL AND f.window_start IS NOT NULL AND f.quantity = ANY(%s)",
        [list(newest), list(newest.values()), list(quantities)],
    )
    keys, found = list(newest), defaultdict(list)
    for place, *row in rows:  # a number is read faster than a key, thousands of times
        found[keys[place - 1]].append(tuple(row))
    return found


def streams_named(
    keys: Sequence[tuple[Any, str, str, str]], *, windows: int
) -> dict[tuple[Any, str, str, str], Stream]:
    """Streams by (deployment, quantity, signal, stratum), each cut to its newest ``windows``; one statement."""
    if not keys:
        return {}
    rows = _rows(
        # windows are told once where neighbours have the same; seven digits of a value are enough to draw it
        "SELECT k.place, f.family, CASE WHEN f.windows = lag(f.windows) OVER (PARTITION BY k.d ORDER BY "
        "  k.place) THEN NULL ELSE f.windows::text END, f.values::text, f.states, f.sizes::text "
        "FROM json_to_recordset(%s) AS k (place int, d uuid, q text, s text, t text) "
        # the rows come sorted, newest first, so no column is sorted again
        f"CROSS JOIN LATERAL (SELECT max(family) AS family, array_agg({SECONDS.format('window_start')}) "
        f"    || array_agg({SECONDS.format('window_end')}) AS windows, array_agg(value::float4) AS values, "
        "    string_agg(left(state, 1), '') AS states, array_agg(n_cases) AS sizes "
        "  FROM (SELECT family, window_start, window_end, value, state, n_cases FROM assurance_findingrecord "
        "    WHERE deployment_id = k.d AND quantity = k.q AND signal = k.s AND stratum = k.t "
        f"      AND {CURRENT} ORDER BY window_start DESC LIMIT %s) AS newest) AS f ORDER BY k.place",
        [_named(keys), windows],
    )
    streams = {}
    seen: dict[Any, list[int]] = {}
    for place, family, held, values, states, sizes in rows:
        deployment, quantity, signal, stratum = keys[place]
        if states is None:
            continue
        if held is not None:
            seen[deployment] = _numbers(held)
        edges = seen[deployment]
        steps = Courses(edges[len(states) :], edges[: len(states)], _numbers(values), states[::-1], _numbers(sizes))
        unit = "cases" if quantity == "volume" else ""
        streams[keys[place]] = Stream(deployment, family, quantity, signal, stratum, unit, steps)
    return streams


def _numbers(text: str) -> list[Any]:
    """PostgreSQL's ``{3,NULL,1}``, newest first, as numbers, oldest first: JSON is read faster than arrays."""
    numbers: list[Any] = json.loads(f"[{text[1:-1].replace('NULL', 'null')}]")
    numbers.reverse()
    return numbers


def _named(keys: Sequence[tuple[Any, ...]]) -> str:
    """Keys as one JSON text: one value to hand over instead of an array for each column."""
    names = ("d", "q", "s", "t", "w")
    return json.dumps(
        [{"place": place, **dict(zip(names, map(str, key), strict=False))} for place, key in enumerate(keys)]
    )


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


RANKS = {"ok": 0, "insufficient": 1, "watch": 2, "act": 3}


def worst_states(streams: Iterable[Stream]) -> dict[tuple[str, str], dict[datetime, str]]:
    """The worst state of each (family, signal) by the end of its window, over these streams."""
    worst: dict[tuple[str, str], dict[datetime, str]] = defaultdict(dict)
    for one in streams:
        held = worst[one.family, one.signal]
        for step in one.steps:
            before = held.get(step.end)
            if before is None or RANKS[step.state] > RANKS[before]:
                held[step.end] = step.state
    return worst


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
    rows = _rows(
        "SELECT k.place, f.content FROM json_to_recordset(%s) AS k (place int, d uuid, q text, s text, t text, "
        "w timestamptz) JOIN assurance_findingrecord f ON f.deployment_id = k.d AND f.quantity = k.q "
        f"AND f.signal = k.s AND f.stratum = k.t AND f.window_start = k.w AND {CURRENT}",
        [_named(keys)],
    )
    return {keys[place][:4]: json.loads(text) if isinstance(text, str) else text for place, text in rows}


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
