"""One deployment: all streams on one time axis, by stratum and span, with limits, states, markers and alarms."""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils.safestring import SafeString

from assurance.charts.panel import Axis, Decor, day_start, panel, panel_data
from assurance.charts.strip import strip, strip_data
from assurance.models import Deployment
from assurance.selectors.deployments import may_see_cases, visible_deployments
from monitoring.drift.catalogue import DETECTORS
from monitoring.models import Alarm
from monitoring.selectors import charts
from monitoring.selectors.charts import Step, Stream, moved_since
from monitoring.selectors.fleet import LIMITS, alarms_of, open_jobs
from monitoring.selectors.maturity import QUANTITY as LABELLED
from monitoring.selectors.maturity import maturity
from monitoring.selectors.saved_views import saved_views
from monitoring.services.plans import plan_of
from monitoring.words import BADGES, SHORT_WORDS, capital, name_of, number, place_name, signal_name, story

GROUPS = (
    ("volume", "Cases"), ("performance", "Realised performance"),
    ("estimated", "Estimated performance, without labels"),
    ("output", "Model output"), ("acquisition", "Acquisition"), ("input", "Input and patients"),
    ("embedding", "Embedding"), ("explanation", "Explanations"), ("generalizability", "Generalizability"),
)  # fmt: skip
ACQUISITION = (
    "manufacturer", "software", "station", "kernel", "kvp", "exposure", "slice_thickness", "pixel_spacing", "grid",
    "magnetic_field", "echo_time", "repetition_time", "coil", "compression", "view", "photometric", "scanner",
)  # fmt: skip
STATISTICS = tuple(key for key, entry in DETECTORS.items() if "numeric" in entry.facts["signals"])
ONE_OF_LEVELS = {key for key, entry in DETECTORS.items() if "categorical" in entry.facts["signals"]} - set(STATISTICS)
EXPLAINS = ("software_update", "shift_kind", "drivers", "stratum")  # findings that explain others: not drawn
TOGETHER = {"input": "Inputs together", "output": "Outputs together"}  # findings over all signals of a family
SPANS = ((91, "3 months"), (182, "6 months"), (365, "1 year"), (730, "2 years"))


@dataclass(frozen=True)
class Panel:
    key: str
    title: str
    subtitle: str
    method: str
    state: str
    chart: SafeString
    last: Step
    unit: str
    quantity: str
    signal: str

    @property
    def rest(self) -> str:
        """The newest window in a line, and why it has no verdict where it has none."""
        unit = f" {self.unit}" if self.unit else ""
        told = f"Last window: {number(self.last.value)}{unit}, n = {self.last.n_cases}"
        return f"{told}: too few cases for a verdict" if self.state == "insufficient" else told


@dataclass(frozen=True)
class Choice:
    """What the address asks for, and the streams that answer it."""

    newest: datetime | None
    strata: list[str]
    stratum: str
    statistic: str
    held: list[str]
    begin: datetime | None
    end: datetime | None
    streams: list[Stream]


def _choice(request: HttpRequest, subject: Deployment) -> Choice:
    newest = charts.newest_windows([subject]).get(subject.pk)
    strata = charts.strata_of(subject)
    stratum = _stratum(request.GET.get("stratum"), strata)
    statistic = request.GET.get("statistic", "w1_sd")
    begin, end = day_start(request.GET.get("from", "")), day_start(request.GET.get("to", ""))
    if newest is not None and begin is None:
        begin = newest - timedelta(days=730)
    held = charts.quantities_of(subject, stratum=stratum, newest=newest) if newest else []
    if statistic not in held or statistic not in STATISTICS:
        statistic = "w1_sd"
    hidden = (set(STATISTICS) - {statistic}) | (ONE_OF_LEVELS - {"chi_square", statistic}) | set(EXPLAINS)
    wanted = [quantity for quantity in held if quantity not in hidden]
    streams = charts.streams_of(subject, stratum=stratum, quantities=wanted, start=begin, end=end) if newest else []
    return Choice(newest, strata, stratum, statistic, held, begin, end, streams)


@login_required
def deployment(request: HttpRequest, slug: str) -> HttpResponse:
    """``?stratum=``, ``?statistic=``, ``?from=`` and ``?to=`` choose what is drawn; all panels share the time axis."""
    subject = get_object_or_404(visible_deployments(request.user).prefetch_related("sites"), slug=slug)
    chosen = _choice(request, subject)
    newest, stratum, statistic, streams = chosen.newest, chosen.stratum, chosen.statistic, chosen.streams
    alarms = alarms_of(subject)
    axis = _axis(streams)
    known = maturity(streams)
    drawn = [*streams, known] if known else streams
    groups, data = _groups(subject, drawn, axis, alarms) if axis else ([], {})
    rows, ends = _strip_rows(one for one in streams if one.quantity != "volume")  # a count of cases is no judgement
    told = [one for one in streams if one.family == "performance" or moved_since(one.steps)]
    contents = charts.contents_at([(subject.pk, *one.key, one.last.start) for one in told])
    context = {
        "deployment": subject, "strata": _by_factor(chosen.strata), "stratum": stratum, "statistic": statistic,
        "statistics": [(key, name_of(key)) for key in STATISTICS if key in chosen.held], "groups": groups, "axis": axis,
        "begin": chosen.begin, "end": chosen.end, "spans": _spans(newest), "strip": strip(rows, ends) if rows else "",
        "chart_data": {"axis": axis and [int(axis.start.timestamp()), int(axis.end.timestamp())], "panels": data,
                       "strip": strip_data(rows, ends), "stratum": stratum},
        "sentences": story(streams, contents, most=4) + _kind_of_shift(subject, newest),
        "anything": bool(streams), "alarms": alarms,
        "cases_visible": may_see_cases(request.user, subject), "newest": newest, "jobs": open_jobs([subject])[:5],
        "views": saved_views(request.user, deployment=subject),
        "place": place_name(stratum),
    }  # fmt: skip
    return render(request, "monitoring/deployment.html", context)


@login_required
def strip_csv(request: HttpRequest, slug: str) -> HttpResponse:
    """The strip of the same filters: the state of each signal in each window."""
    subject = get_object_or_404(visible_deployments(request.user), slug=slug)
    chosen = _choice(request, subject)
    rows, ends = _strip_rows(one for one in chosen.streams if one.quantity != "volume")
    answer = HttpResponse(content_type="text/csv; charset=utf-8")
    answer["Content-Disposition"] = f'attachment; filename="{slug}-signals-by-window.csv"'
    writer = csv.writer(answer)
    writer.writerow(["family", "signal", "stratum", *(end.date().isoformat() for end in ends)])
    for key, _, states in rows:
        family, _, signal = key.partition(":")
        writer.writerow([family, signal, chosen.stratum, *(states.get(end, "") for end in ends)])
    return answer


def _kind_of_shift(subject: Deployment, newest: datetime | None) -> list[str]:
    """What kind of shift the newest window shows, in the method's own words; empty where nothing was asked."""
    told = charts.told_beside(subject, end=newest, quantities=["shift_kind"]) if newest else {}
    reason = (told.get("shift_kind") or {}).get("reason", "").rstrip(".")
    return [capital(reason)] if reason else []


def _stratum(asked: str | None, strata: Sequence[str]) -> str:
    if asked is not None and asked in strata:
        return asked
    return "" if "" in strata or not strata else strata[0]


def _by_factor(strata: Sequence[str]) -> list[tuple[str, list[tuple[str, str]]]]:
    """Strata for a select box: all cases first, then by factor (site, scanner, sex, age, protocol)."""
    groups: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for stratum in strata:
        factors = [part.split("=", 1)[0].removeprefix("meta_") for part in stratum.split(";") if "=" in part]
        groups[" and ".join(factors)].append((stratum, place_name(stratum) or "all cases"))
    return sorted(groups.items(), key=lambda group: (group[0] != "", group[0] != "site", group[0]))


def _axis(streams: Sequence[Stream]) -> Axis | None:
    if not streams:
        return None
    first = min(one.steps[0].end for one in streams)
    last = max(one.last.end for one in streams)
    edge = max(timedelta(days=2), (last - first) / 60)
    return Axis(first - edge, last + edge)


def _spans(newest: datetime | None) -> list[tuple[str, str]]:
    if newest is None:
        return []
    return [((newest - timedelta(days=days)).date().isoformat(), title) for days, title in SPANS]


def group_of(stream: Stream) -> str:
    if stream.quantity == "volume":
        return "volume"
    if stream.quantity.startswith(tuple(BADGES)):
        return "estimated"
    if stream.signal.startswith("emb"):
        return "embedding"
    bare = stream.signal.removeprefix("meta_").removeprefix("q_")
    if stream.family == "input" and bare.startswith(ACQUISITION):
        return "acquisition"
    return stream.family


def _groups(
    subject: Deployment, streams: Sequence[Stream], axis: Axis, alarms: Sequence[Alarm]
) -> tuple[list[tuple[str, str, list[Panel]]], dict[str, Any]]:
    stratum = streams[0].stratum
    site = stratum.removeprefix("site=") if stratum.startswith("site=") and ";" not in stratum else ""
    changes = [(at, told, "software") for at, told in charts.software_changes(subject, site=site)]
    references = charts.reference_values(subject) if any(one.family == "performance" for one in streams) else {}
    plan = plan_of(subject)
    declared = plan.content.get("limits", {}) if plan else {}
    panels: dict[str, list[Panel]] = defaultdict(list)
    data: dict[str, Any] = {}
    for place, one in enumerate(streams):
        key = f"p{place}"
        opened = [a for a in alarms if (a.signal, a.stratum, a.family) == (one.signal, one.stratum, one.family)]
        decor = decor_of(one, changes, opened[:1], references.get(one.quantity), declared.get(one.quantity))
        panels[group_of(one)].append(_panel(key, one, axis, decor))
        data[key] = panel_data(one.steps, unit=one.unit, decor=decor)
    order = {"act": 0, "watch": 1, "insufficient": 2, "ok": 3}
    for held in panels.values():
        held.sort(key=lambda panel: order[panel.state])
    return [(key, title, panels[key]) for key, title in GROUPS if panels.get(key)], data


def decor_of(
    one: Stream, changes: Sequence[tuple[datetime, str, str]] = (), alarms: Sequence[Alarm] = (),
    reference: tuple[float, float | None, float | None] | None = None, declared: float | None = None,
) -> Decor:  # fmt: skip
    """Limits, the reference's value, software updates, the alarm and since when the stream has moved."""
    limits = LIMITS.get(one.quantity)
    markers = list(changes) + [(alarm.window_start, "alarm", "alarm") for alarm in alarms]
    first = moved_since(one.steps)
    if first is not None and not alarms:
        markers.append((first.start, "moved", "change"))
    return Decor(
        watch=limits.watch if limits else None, act=limits.act if limits else None, limit=declared,
        reference=reference,
        markers=markers, zero=one.quantity in LIMITS or one.quantity in ("volume", LABELLED),
    )  # fmt: skip


def _panel(key: str, one: Stream, axis: Axis, decor: Decor) -> Panel:
    title = capital(signal_name(one.signal)) if one.signal else capital(name_of(one.quantity))
    subtitle = SHORT_WORDS.get(one.quantity, name_of(one.quantity)) if one.signal else ""
    chart = panel(
        one.steps, axis, key=key, title=f"{title}, {name_of(one.quantity)}" if one.signal else title, unit=one.unit,
        decor=decor,
    )  # fmt: skip
    method = one.quantity
    for prefix in BADGES:
        method = method.removeprefix(prefix)
    return Panel(
        key, title, subtitle, method, one.last.state, chart, one.last, one.unit, one.quantity, one.signal
    )  # fmt: skip


def panel_of(subject: Deployment, *, signal: str, quantity: str, stratum: str, alarm: Alarm | None = None) -> Any:
    """One stream by itself, on its own time axis, with its data; None where it has no window."""
    streams = charts.streams_of(subject, stratum=stratum, quantities=[quantity], signals=[signal])
    axis = _axis(streams)
    if axis is None:
        return None
    one = streams[0]
    decor = decor_of(one, alarms=[alarm] if alarm else ())
    return _panel("p0", one, axis, decor), panel_data(one.steps, unit=one.unit, decor=decor), axis


def chart_data(shown: tuple[Panel, dict[str, Any], Axis], stratum: str) -> dict[str, Any]:
    """What ``charts.js`` needs for a page with one panel."""
    one, data, axis = shown
    return {
        "axis": [int(axis.start.timestamp()), int(axis.end.timestamp())], "panels": {one.key: data}, "strip": None,
        "stratum": stratum,
    }  # fmt: skip


def _strip_rows(streams: Iterable[Stream]) -> tuple[list[tuple[str, str, dict[datetime, str]]], list[datetime]]:
    """Rows of the strip, the worst on top, and the window ends from left to right."""
    states = charts.worst_states(streams)
    ends = sorted({end for held in states.values() for end in held})
    weight = {"act": 1000, "watch": 100, "insufficient": 1, "ok": 0}

    def badness(row: tuple[tuple[str, str], dict[datetime, str]]) -> float:
        return -sum(weight.get(row[1].get(end, ""), 0) for end in ends[-8:])

    ordered = sorted(states.items(), key=badness)
    return [
        (f"{family}:{signal}", capital(signal_name(signal)) or TOGETHER.get(family, capital(family)), held)
        for (family, signal), held in ordered
    ], ends  # fmt: skip
