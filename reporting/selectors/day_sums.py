"""Sums of the numeric signals of a deployment by day and site, from its day states."""

from __future__ import annotations

from assurance.models import Deployment
from monitoring.drift.state import state_from_bytes
from monitoring.models import DayState
from reporting.dossier.control_charts import DaySum
from reporting.dossier.recompute import total_of
from reporting.models import Dossier


def day_sums(dossier: Dossier, deployment: Deployment) -> list[DaySum]:
    rows = DayState.objects.filter(
        deployment=deployment,
        version=dossier.version,
        current=True,
        day__gte=dossier.start.date(),
        day__lt=dossier.end.date(),
    )
    found = []
    for row in rows.order_by("day", "site", "signal").iterator(chunk_size=1000):
        summed = total_of(state_from_bytes(bytes(row.content)))
        if summed is not None and summed[0]:
            found.append(DaySum(row.day, row.site, row.signal, *summed))
    return found
