"""A plan over stored history: which alarms it would have raised, when, and how many of them were false."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

from assurance.evidence.errors import NotComputable
from assurance.evidence.finding import Finding, State
from assurance.models import Deployment
from assurance.services.findings import stratum_key
from monitoring.plan import Plan
from monitoring.services.references import reference_of
from monitoring.services.windows import findings_of_span, plan_spans, reference_data
from monitoring.windows.markers import markers_of

YEAR = 365.25


def replay(
    deployment: Deployment, plan: Plan, *, change: date | None = None, until: date | None = None,
    progress: Callable[[int, int, str], None] = lambda done, of, step: None,
) -> dict[str, Any]:  # fmt: skip
    """Alarms, delays and the false-alarm rate of ``plan`` over the cases stored for the deployment's version.

    An alarm is one lasting condition (family, signal, stratum, quantity), as live alarms are: consecutive windows
    belong to it, and a window without it ends it. With ``change`` alarms that begin in windows ending on or before that
    day are false, and ``delay_days`` counts from it to the end of the first window that alarms afterwards. Without it
    every alarm stands for itself and no rate of false ones can be given. Nothing is stored.

    Raises
    ------
    NotComputable
        ``no_reference`` when no reference set is frozen for the version.
    """
    row = reference_of(deployment)
    if row is None:
        raise NotComputable("no_reference", f"{deployment} has no reference set for {deployment.version}: freeze one")
    found = plan_spans(deployment, plan, today=date.max if until is None else until + timedelta(days=1))
    reference, markers = reference_data(deployment, row, plan), markers_of(deployment) if plan.context else []
    alarms: list[dict[str, Any]] = []
    open_now: dict[tuple[str, ...], dict[str, Any]] = {}
    for done, span in enumerate(found):
        progress(done, len(found), f"{span.start} to {span.end}")
        if not span.disjoint:
            continue
        calling = {
            _condition(family, one): one
            for family, one in findings_of_span(deployment, plan, reference, markers, span)
            if one.state is State.ACT and one.quantity in plan.alarm_on
        }
        for condition in [condition for condition in open_now if condition not in calling]:
            del open_now[condition]
        for condition, one in sorted(calling.items()):
            if condition in open_now:
                open_now[condition]["windows"] += 1
                continue
            open_now[condition] = _alarm(condition, one, span.start, span.end)
            alarms.append(open_now[condition])
    days = (found[-1].end - found[0].start).days if found else 0
    return {
        "deployment": deployment.slug, "version": str(deployment.version), "reference": reference.name,
        "windows": len(found), "days": days, "change": change.isoformat() if change else None, "alarms": alarms,
        **_rates(alarms, found, change),
    }  # fmt: skip


def _condition(family: str, one: Finding) -> tuple[str, ...]:
    return (family, one.signal, stratum_key(one.stratum), one.quantity)


def _alarm(condition: tuple[str, ...], one: Finding, start: date, end: date) -> dict[str, Any]:
    family, signal, stratum, quantity = condition
    return {
        "family": family, "signal": signal, "stratum": stratum, "quantity": quantity, "value": one.value,
        "p_value": one.null.p_value if one.null else None, "effect": one.effect, "n_cases": one.n_cases,
        "window_start": start.isoformat(), "window_end": end.isoformat(), "windows": 1,
        "words": one.details.get("words", ""),
    }  # fmt: skip


def _rates(alarms: list[dict[str, Any]], spans: list[Any], change: date | None) -> dict[str, Any]:
    if change is None or not spans:
        return {"false_alarms": None, "false_alarms_per_year": None, "delay_days": None}
    quiet = [span for span in spans if span.end <= change]
    days = sum((span.end - span.start).days for span in quiet if span.disjoint)
    false = sum(date.fromisoformat(alarm["window_end"]) <= change for alarm in alarms)
    after = [date.fromisoformat(alarm["window_end"]) for alarm in alarms]
    seen = [end for end in after if end > change]
    return {
        "false_alarms": false, "false_alarms_per_year": false * YEAR / days if days else None,
        "delay_days": (min(seen) - change).days if seen else None,
    }  # fmt: skip
