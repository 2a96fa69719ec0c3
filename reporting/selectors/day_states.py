"""The day states of a dossier's period, and the sums of numeric signals that they hold."""

from __future__ import annotations

from collections.abc import Iterator

from assurance.models import Deployment
from monitoring.drift.state import state_from_bytes
from monitoring.models import DayState
from reporting.dossier.control_charts import DaySum
from reporting.dossier.recompute import total_of
from reporting.models import Dossier


def day_states(dossier: Dossier, deployment: Deployment) -> Iterator[DayState]:
    """In the order of day, site and signal, a thousand in memory at a time."""
    rows = DayState.objects.filter(
        deployment=deployment,
        version=dossier.version,
        current=True,
        day__gte=dossier.start.date(),
        day__lt=dossier.end.date(),
    )
    return rows.order_by("day", "site", "signal").iterator(chunk_size=1000)


def day_sums(dossier: Dossier, deployment: Deployment) -> list[DaySum]:
    found = []
    for row in day_states(dossier, deployment):
        summed = total_of(state_from_bytes(bytes(row.content)))
        if summed is not None and summed[0]:
            found.append(DaySum(row.day, row.site, row.signal, *summed))
    return found
