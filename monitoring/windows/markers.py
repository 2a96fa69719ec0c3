"""Software updates of the scanners of a deployment, from the day states of the tag that carries the version."""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import date

from assurance.models import Deployment
from monitoring.drift.categories import CategoryState
from monitoring.drift.state import state_from_bytes
from monitoring.drift.update_markers import Marker, update_markers
from monitoring.models import DayState
from monitoring.windows.cases import FACTORS


def markers_of(deployment: Deployment) -> list[Marker]:
    """All updates seen so far, oldest first, by site."""
    rows = DayState.objects.filter(
        deployment=deployment, version=deployment.version, current=True, signal__in=FACTORS["software"]
    ).values_list("site", "signal", "day", "content")
    days: dict[tuple[str, str], dict[date, Counter[str]]] = defaultdict(lambda: defaultdict(Counter))
    for site, signal, day, content in rows:
        state = state_from_bytes(bytes(content))
        if isinstance(state, CategoryState):
            days[site, signal][day].update(state.counts)
    found = [
        marker for (site, signal), counts in days.items() for marker in update_markers(counts, site=site, signal=signal)
    ]
    return sorted(found, key=lambda one: (one.day, one.site))
