"""One deployment: all streams on one time axis, by site, with limits, states and alarms."""

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils.safestring import SafeString

from assurance.charts.points import Limits, Marker, Point, Series
from assurance.charts.small import state_strip
from assurance.charts.timeline import timeline
from assurance.models import Deployment
from assurance.selectors import findings as selectors
from assurance.selectors.deployments import may_see_cases, visible_deployments
from assurance.selectors.findings import FindingSeries, WindowValue
from monitoring.selectors.fleet import alarms_of
from monitoring.views.words import name_of, signal_name, summary

FAMILIES = {
    "performance": "Realised performance",
    "output": "Model output",
    "input": "Input and acquisition",
    "explanation": "Explanations",
    "generalizability": "Generalizability",
}
CHART_LIMITS = {  # the effect rows of the thresholds; the same numbers stand in each Finding's parameters
    "w1_sd": Limits(watch=0.2, act=0.5),
    "psi": Limits(watch=0.038, act=0.238),
    "ks": Limits(watch=0.080, act=0.197),
    "js": Limits(watch=0.083, act=0.204),
}
STARTS_AT_ZERO = {"w1_sd", "psi", "ks", "js", "chi_square", "volume"}


@dataclass(frozen=True)
class Panel:
    title: str
    subtitle: str
    state: str
    chart: SafeString
    last: WindowValue


@login_required
def deployment(request: HttpRequest, slug: str) -> HttpResponse:
    """Charts of one stratum and one drift statistic for each signal; performance and volume are always shown."""
    subject = get_object_or_404(visible_deployments(request.user), slug=slug)
    strata = [one for one in selectors.strata_of(subject) if not one or one.startswith("site=")]
    stratum = request.GET.get("stratum", "")
    if stratum not in strata:
        stratum = strata[0] if strata and "" not in strata else ""
    quantity = request.GET.get("quantity", "w1_sd")
    wanted = selectors.series(subject, stratum=stratum)
    quantities = sorted({one.quantity for one in wanted if one.quantity in CHART_LIMITS})
    shown = [one for one in wanted if one.quantity not in CHART_LIMITS or one.quantity == quantity]
    alarms = alarms_of(subject)
    context = {
        "deployment": subject, "strata": strata, "stratum": stratum, "quantity": quantity,
        "quantities": [(key, name_of(key)) for key in quantities], "groups": _groups(shown, _markers(alarms)),
        "strip": _strip(subject, stratum), "sentences": summary(wanted, most=5), "alarms": alarms,
        "cases_visible": may_see_cases(request.user, subject), "sites": subject.sites.all(),
    }  # fmt: skip
    return render(request, "monitoring/deployment.html", context)


def _groups(shown: list[FindingSeries], markers: tuple[Marker, ...]) -> list[tuple[str, list[Panel]]]:
    if not shown:
        return []
    start = min(one.values[0].start for one in shown) - timedelta(days=1)
    end = max(one.last.end for one in shown) + timedelta(days=1)
    panels: dict[str, list[Panel]] = defaultdict(list)
    for one in shown:
        panels[one.family].append(_panel(one, start, end, markers))
    return [(title, panels[family]) for family, title in FAMILIES.items() if panels.get(family)]


def _panel(one: FindingSeries, start: datetime, end: datetime, markers: tuple[Marker, ...]) -> Panel:
    limits = CHART_LIMITS.get(one.quantity, Limits())
    null = tuple((value.start, value.null_99) for value in one.values if value.null_99 is not None)
    points = [_point(value) for value in one.values]
    chart = timeline(
        Series(f"{name_of(one.quantity)} of {signal_name(one.signal) or 'all cases'}", points), start=start, end=end,
        limits=Limits(limits.watch, limits.act, null), markers=markers, unit=one.last.unit or "",
        zero=one.quantity in STARTS_AT_ZERO,
    )  # fmt: skip
    title = signal_name(one.signal).capitalize() if one.signal else name_of(one.quantity)
    return Panel(title, name_of(one.quantity), one.last.state, chart, one.last)


def panel_of(one: FindingSeries) -> Panel:
    """One series by itself, on its own time axis."""
    start = one.values[0].start - timedelta(days=1)
    return _panel(one, start, one.last.end + timedelta(days=1), ())


def _point(value: WindowValue) -> Point:
    shown = "no value" if value.value is None else f"{value.value:.4g}"
    spread = "" if value.low is None or value.high is None else f" [{value.low:.3g}, {value.high:.3g}]"
    why = f": {value.reason}" if value.reason else ""
    tip = f"{value.start:%d %b %Y} to {value.end:%d %b %Y}: {shown}{spread}, n = {value.n_cases}, {value.state}{why}"
    href = reverse("assurance:finding", args=[value.digest[:16]])
    return Point(value.start, value.value, value.state, tip, value.low, value.high, href)


def _markers(alarms: list) -> tuple[Marker, ...]:  # type: ignore[type-arg]
    return tuple(Marker(alarm.window_start, "alarm") for alarm in alarms[:1])


def _strip(subject: Deployment, stratum: str) -> SafeString | str:
    rows = selectors.worst_by_window(subject, stratum=stratum)
    if not rows:
        return ""
    starts = sorted({row[2] for row in rows})[-60:]
    cells: dict[tuple[str, str], dict[datetime, tuple[str, datetime]]] = defaultdict(dict)
    for family, signal, start, end, state in rows:
        cells[family, signal][start] = (state, end)
    lines = []
    for (family, signal), states in cells.items():
        name = signal_name(signal) or family
        line = []
        for start in starts:
            state, end = states.get(start, ("insufficient", start))
            told = f"{name}, {start:%d %b %Y}: {state}" if start in states else f"{name}, {start:%d %b %Y}: no window"
            line.append((state, told, ""))
        lines.append((name, line))
    return state_strip(lines)
