"""Incidents of a period with their legal clocks, as plain values."""

from __future__ import annotations

from typing import Any

from reporting.models import Dossier
from vigilance.catalogue import event_kinds
from vigilance.models import Incident, ReportingClock
from vigilance.selectors import incidents_for


def incident_facts(dossier: Dossier) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    titles = event_kinds()
    for deployment in dossier.deployments():
        found += [_facts(one, titles) for one in incidents_for(deployment, start=dossier.start, end=dossier.end)]
    return sorted(found, key=lambda row: row["aware_at"])


def _facts(one: Incident, titles: dict[str, str]) -> dict[str, Any]:
    kind = titles.get(one.event_kind, one.event_kind.replace("-", " "))
    return {
        "title": str(one),
        "aware_at": one.aware_at.isoformat(),
        "status": one.get_status_display(),
        "cause": kind,
        "duties": [_clock(clock) for clock in one.clocks.all()],
        "facts": [
            ["Kind", kind],
            ["What happened", one.description],
            ["From alarm", str(one.alarm_id or "none")],
            ["Closed because", one.closing_reason or "still open"],
        ],
    }


def _clock(clock: ReportingClock) -> str:
    name = f"{clock.terms.get('ref', clock.duty)} to {clock.terms.get('recipient', 'the authority')}"
    due = f"due {clock.due_at:%Y-%m-%d %H:%M} UTC" if clock.due_at else "no date set"
    if clock.waived_at is not None:
        return f"{name}: does not apply ({clock.waived_reason})"
    if clock.reported_at is None:
        return f"{name}: {due}, not reported" + (", overdue" if clock.overdue else "")
    met = "met" if clock.due_at is None or clock.reported_at <= clock.due_at else f"late ({clock.late_reason})"
    return f"{name}: {due}, reported {clock.reported_at:%Y-%m-%d %H:%M} UTC, {met}"
