"""Home: every deployment as one row, worst first, saying in words what happened."""

from dataclasses import dataclass
from datetime import datetime

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.safestring import SafeString

from assurance.charts.small import sparkline
from assurance.evidence.finding import State
from assurance.models import Deployment
from assurance.selectors.deployments import visible_deployments
from assurance.selectors.findings import FindingSeries
from monitoring.selectors.fleet import open_alarm_counts, overview_series
from monitoring.views.words import signal_name, summary


@dataclass(frozen=True)
class Row:
    deployment: Deployment
    state: str
    sentences: list[str]
    lines: list[tuple[str, SafeString]]
    volume: SafeString
    alarms: int
    newest: datetime | None


@login_required
def fleet(request: HttpRequest) -> HttpResponse:
    deployments = list(visible_deployments(request.user).prefetch_related("sites"))
    series = overview_series(deployments)
    alarms = open_alarm_counts(deployments)
    rows = [_row(deployment, series.get(deployment.pk, []), alarms.get(deployment.pk, 0)) for deployment in deployments]
    rows.sort(key=lambda row: (-State(row.state).rank, -row.alarms, row.deployment.name))
    counts = {state.value: sum(row.state == state.value for row in rows) for state in State}
    context = {"rows": rows, "counts": counts, "open_alarms": sum(row.alarms for row in rows)}
    return render(request, "monitoring/fleet.html", context)


def _row(deployment: Deployment, series: list[FindingSeries], alarms: int) -> Row:
    watched = [one for one in series if one.quantity != "volume"]
    newest = max((one.last.end for one in series), default=None)
    last = [State(one.last.state) for one in watched if one.last.end == newest]
    state = max(last, key=lambda state: state.rank, default=State.INSUFFICIENT)
    ranked = sorted(watched, key=lambda one: -State(one.last.state).rank)[:3]
    volume = next((one for one in series if one.quantity == "volume" and not one.stratum), None)
    return Row(
        deployment=deployment,
        state=state.value,
        sentences=summary(watched, most=2),
        lines=[(_label(one), sparkline([v.value for v in one.values], title=_label(one))) for one in ranked],
        volume=sparkline([v.value for v in volume.values] if volume else [], title="cases by window"),
        alarms=alarms,
        newest=newest,
    )


def _label(series: FindingSeries) -> str:
    where = f", {series.stratum.removeprefix('site=')}" if series.stratum else ""
    return f"{signal_name(series.signal) or series.quantity}{where}"
