"""Home: every deployment as one row, worst first, saying in words what happened."""

from dataclasses import dataclass
from datetime import datetime

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from accounts.models import Organisation
from accounts.permissions import memberships
from assurance.charts.small import sparkline
from assurance.evidence.finding import State
from assurance.models import Deployment
from assurance.selectors.deployments import visible_deployments
from monitoring.selectors.charts import Stream, values_of
from monitoring.selectors.fleet import LIMITS, Overview, open_jobs, overviews
from monitoring.selectors.saved_views import saved_views, wants_weekly_summary
from monitoring.words import (
    SHORT_WORDS,
    capital,
    expected_words,
    name_of,
    number,
    percent,
    place_name,
    signal_name,
    story,
)

LINE = '<div><span class="small">{} <span class="soft">{}</span></span>{}<span class="small number">{}</span></div>'


@dataclass(frozen=True)
class Row:
    """What a row shows. Its many small parts are put together here, since a template takes ten times as long."""

    deployment: Deployment
    state: str
    told: SafeString
    lines: SafeString
    volume: SafeString | str
    labels: str
    alarms: int
    newest: datetime | None
    received_at: datetime | None


@login_required
def fleet(request: HttpRequest) -> HttpResponse:
    """``?state=`` and ``?q=`` narrow the rows; the figures above always count the whole fleet.

    A regulator watches no deployment, so the inbox of submissions is its first page.
    """
    if {membership.organisation.kind for membership in memberships(request.user)} == {Organisation.Kind.REGULATOR}:
        return redirect("assurance:submission_list")
    found = overviews(list(visible_deployments(request.user)))
    counts = {state.value: sum(one.state == state for one in found) for state in State}
    state, words = request.GET.get("state", ""), request.GET.get("q", "").strip().lower()
    shown = [one for one in found if not state or one.state.value == state]
    shown = [one for one in shown if words in f"{one.deployment} {one.deployment.version}".lower()]
    context = {
        "rows": [row(one) for one in shown], "all": len(found), "counts": counts, "state": state, "q": words,
        "states": [one.value for one in State], "open_alarms": sum(one.alarms for one in found),
        "jobs": open_jobs([one.deployment for one in found])[:5], "views": saved_views(request.user, deployment=None),
        "weekly": wants_weekly_summary(request.user),
    }  # fmt: skip
    return render(request, "monitoring/fleet.html", context)


@login_required
def work(request: HttpRequest) -> HttpResponse:
    """The running work of the fleet or of one deployment, asked for again and again by its own fragment."""
    deployments = visible_deployments(request.user)
    slug = request.GET.get("deployment", "")
    if slug:
        deployments = deployments.filter(slug=slug)
    return render(request, "monitoring/_work.html", {"jobs": open_jobs(deployments)[:5], "slug": slug})


def row(one: Overview) -> Row:
    sentences = story(one.streams, one.contents)
    return Row(
        deployment=one.deployment, state=one.state.value, labels=_labels(one), alarms=one.alarms, newest=one.newest,
        told=format_html_join("", "<div>{}.</div>", ((text,) for text in sentences)),
        lines=format_html_join("", LINE, (_line(stream) for stream in one.streams)),
        volume=_volume(one) if one.volume else "", received_at=one.received_at,
    )  # fmt: skip


def _line(stream: Stream) -> tuple[str, str, SafeString, str]:
    """Name, statistic, course and newest value of one stream."""
    limit = LIMITS.get(stream.quantity)
    place = place_name(stream.stratum)
    name = capital(signal_name(stream.signal) or name_of(stream.quantity)) + (f", {place}" if place else "")
    last = stream.last
    picture = sparkline(
        values_of(stream.steps), title=f"{name}, {name_of(stream.quantity)}", limit=limit.act if limit else None,
        state=last.state, zero=stream.family != "performance",
    )  # fmt: skip
    statistic = SHORT_WORDS.get(stream.quantity, name_of(stream.quantity)) if stream.signal else ""
    return name, statistic, picture, number(last.value)


def _volume(one: Overview) -> SafeString:
    if one.volume is None:
        return format_html("")
    _, _, picture, value = _line(one.volume)
    expected = expected_words(one.volume, one.expected)
    told = format_html(', <span class="soft">{}</span>', expected) if expected else ""
    return format_html("{}<div>{} cases{}</div>", picture, value, told)


def _labels(one: Overview) -> str:
    """How many cases of the newest performance window have their truth."""
    labelled = one.labelled
    if labelled is None or not labelled[1]:
        return ""
    return f"{labelled[0]} of {labelled[1]} ({percent(labelled[0] / labelled[1])})".replace(" %", "\u00a0%")
