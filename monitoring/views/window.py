"""One window of one signal: reference against current, what moved with it, and the cases to look at."""

from __future__ import annotations

import csv
from datetime import UTC, datetime
from typing import Any

import numpy as np
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render

from assurance.charts.small import histogram_pair
from assurance.models import Deployment, FindingRecord
from assurance.selectors.deployments import may_see_cases, visible_deployments
from monitoring.drift.categories import CategoryState, aligned
from monitoring.drift.distribution import distribution
from monitoring.drift.state import state_from_bytes
from monitoring.models import DayState, ReferenceState
from monitoring.selectors import charts
from monitoring.selectors.maturity import QUANTITY as LABELLED
from monitoring.selectors.maturity import maturity
from monitoring.words import capital, name_of, place_name, signal_name

BINS, MOST_LEVELS, MOST_DRIVERS = 24, 12, 6


@login_required
def window(request: HttpRequest, slug: str) -> HttpResponse:
    """``?signal=&stratum=&end=`` (seconds): asked for by the charts, and a page that can be linked."""
    subject = get_object_or_404(visible_deployments(request.user), slug=slug)
    signal, stratum = request.GET.get("signal", ""), request.GET.get("stratum", "")
    end = _moment(request.GET.get("end", ""))
    rows = FindingRecord.objects.filter(
        deployment=subject, window_end=end, stratum=stratum, superseded_by=None, window_start__isnull=False
    ).select_related("version__model") if end else FindingRecord.objects.none()  # fmt: skip
    here = list(rows.filter(signal=signal).order_by("quantity"))
    context: dict[str, Any] = {
        "deployment": subject, "signal": signal, "title": capital(signal_name(signal)) or "All cases",
        "place": place_name(stratum), "stratum": stratum, "end": end, "rows": here,
        "start": max((row.window_start for row in here if row.window_start), default=None),
        "drivers": _drivers(rows, signal),
        "cases_visible": may_see_cases(request.user, subject),
        "ranked": _ranked(subject, end) if end and not stratum else [],
        "index": _index(subject, end) if end and not stratum else None,
        "has_exemplars": signal and (not stratum or (stratum.startswith("site=") and ";" not in stratum)),
        "told": next((told for row in here if (told := (row.content.get("details") or {}).get("words"))), ""),
    }  # fmt: skip
    if here:
        context["picture"] = _picture(subject, signal, stratum, here[0])
        context["comparisons"] = [(name_of(row.quantity), row) for row in here]
    template = "monitoring/_window.html" if request.htmx else "monitoring/window.html"
    return render(request, template, context, status=200 if here else 404)


@login_required
def chart_csv(request: HttpRequest, slug: str) -> HttpResponse:
    """Every window of one stream as CSV, with the evidence id of each value."""
    subject = get_object_or_404(visible_deployments(request.user), slug=slug)
    signal, quantity, stratum = (request.GET.get(name, "") for name in ("signal", "quantity", "stratum"))
    name = "-".join(part.replace("=", "-").replace(";", "-") for part in (slug, signal, quantity, stratum) if part)
    answer = HttpResponse(content_type="text/csv; charset=utf-8")
    answer["Content-Disposition"] = f'attachment; filename="{name}.csv"'
    writer = csv.writer(answer)
    writer.writerow(["window_start", "window_end", "signal", "quantity", "stratum", "value", "unit", "low", "high",
                     "chance_99", "n_cases", "state", "reason", "evidence_id"])  # fmt: skip
    if quantity == LABELLED:
        _write_maturity(writer, subject, stratum)
        return answer
    rows = FindingRecord.objects.filter(
        deployment=subject, signal=signal, quantity=quantity, stratum=stratum, superseded_by=None,
        window_start__isnull=False,
    ).order_by("window_start")  # fmt: skip
    for row in rows:
        interval, null = row.content.get("interval") or {}, row.content.get("null") or {}
        writer.writerow([
            row.window_start and row.window_start.isoformat(), row.window_end and row.window_end.isoformat(), signal,
            quantity, stratum, row.value, row.content.get("unit"), interval.get("low"), interval.get("high"),
            (null.get("quantiles") or {}).get("0.99"), row.n_cases, row.state, row.content.get("reason"),
            row.evidence_id,
        ])  # fmt: skip
    return answer


def _write_maturity(writer: Any, subject: Deployment, stratum: str) -> None:
    """Counted from other findings, so it has no evidence id of its own."""
    known = maturity(charts.streams_of(subject, stratum=stratum))
    for step in known.steps if known else ():
        writer.writerow([
            step.start.isoformat(), step.end.isoformat(), "", LABELLED, stratum, step.value, "%", "", "", "",
            step.n_cases, step.state, "cases with truth among all cases of the window", "",
        ])  # fmt: skip


def _moment(text: str) -> datetime | None:
    try:
        return datetime.fromtimestamp(int(text), tz=UTC)
    except (ValueError, OverflowError, OSError):
        return None


def _drivers(rows: Any, signal: str) -> list[tuple[str, FindingRecord]]:
    """The other signals of the same window that moved most, by the primary statistics."""
    found = [row for row in rows.filter(quantity__in=("w1_sd", "chi_square")).exclude(signal=signal) if row.value]
    found.sort(key=lambda row: ({"act": 0, "watch": 1}.get(row.state, 2), -(row.value or 0.0)))
    return [(capital(signal_name(row.signal)), row) for row in found[:MOST_DRIVERS]]


def _ranked(subject: Deployment, end: datetime) -> list[tuple[str, float]]:
    """Features by their share in telling this window from the reference, where the plan asked for it."""
    told = charts.told_beside(subject, end=end, quantities=["drivers"]).get("drivers") or {}
    listed = (told.get("details") or {}).get("drivers") or []
    return [(capital(signal_name(one["feature"])), one["share"]) for one in listed[:MOST_DRIVERS]]


def _index(subject: Deployment, end: datetime) -> dict[str, Any] | None:
    """The concordance index of the window and the terms that make most of it; None where the plan asked for none."""
    told = charts.told_beside(subject, end=end, quantities=["concordance"]).get("concordance")
    if not told or told.get("value") is None:
        return None
    details = told.get("details") or {}
    terms, shares = details.get("terms") or {}, details.get("shares") or {}
    ranked = sorted(shares, key=lambda name: -shares[name])[:MOST_DRIVERS]
    rows = [(capital(signal_name(name)), terms[name]["domain"], terms[name]["z"], shares[name]) for name in ranked]
    return {"value": told["value"], "terms": rows}


def _picture(subject: Deployment, signal: str, stratum: str, row: FindingRecord) -> Any:
    """Shares of the reference and of the window, from their states; None where either has none."""
    reference = ReferenceState.objects.filter(
        reference__deployment=subject, reference__version=row.version_id, reference__replaced_at=None, signal=signal
    ).first()
    site = stratum.removeprefix("site=") if stratum.startswith("site=") and ";" not in stratum else ""
    if reference is None or (stratum and not site) or row.window_start is None or row.window_end is None:
        return None
    days = DayState.objects.filter(
        deployment=subject, version=row.version_id, signal=signal, current=True, day__gte=row.window_start.date(),
        day__lt=row.window_end.date(), **({"site": site} if site else {}),
    )  # fmt: skip
    merged = None
    for day in days:
        state = state_from_bytes(bytes(day.content))
        merged = state if merged is None else merged.merge(state)
    if merged is None:
        return None
    before = state_from_bytes(bytes(reference.content))
    title = f"{signal_name(signal)}: reference {reference.n} cases, this window {merged.n} cases"
    if isinstance(merged, CategoryState):
        levels, first, second = aligned(before, merged)
        top = sorted(range(len(levels)), key=lambda i: -(first[i] + second[i]))[:MOST_LEVELS]
        labels = ["missing" if levels[i] == "__missing__" else levels[i] for i in top]
        shares = ([first[i] / max(1, first.sum()) for i in top], [second[i] / max(1, second.sum()) for i in top])
        return histogram_pair(shares, labels=labels, title=title)
    old, new = distribution(before, name="reference"), distribution(merged, name="current")
    if not old.n or not new.n:
        return None
    low = min(old.quantiles(np.array([0.005]))[0], new.quantiles(np.array([0.005]))[0])
    high = max(old.quantiles(np.array([0.995]))[0], new.quantiles(np.array([0.995]))[0])
    edges = np.linspace(low, high, BINS + 1)[1:-1] if high > low else np.array([low])
    labels = [f"{edge:.3g}" for edge in np.linspace(low, high, len(edges) + 1)]
    shares = (list(old.counts(edges) / old.n), list(new.counts(edges) / new.n))
    return histogram_pair(shares, labels=labels, title=title)
