"""Explanations as pages and dossiers read them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db.models import QuerySet

from assurance.models import Deployment, FindingRecord
from explainability.models import Explanation


def explanations_for(
    deployment: Deployment, start: datetime | None = None, end: datetime | None = None
) -> QuerySet[Explanation]:
    """All explanations finished within [``start``, ``end``), newest first, refused ones with their reason included."""
    rows = Explanation.objects.filter(deployment=deployment).select_related("version__model", "map_file", "overlay")
    if start is not None:
        rows = rows.filter(finished_at__gte=start)
    if end is not None:
        rows = rows.filter(finished_at__lt=end)
    return rows


@dataclass(frozen=True, slots=True)
class UsableExplanation:
    """A map that may stand in a dossier, with the Finding that says how far its method is judged."""

    explanation: Explanation
    card: FindingRecord | None

    @property
    def card_state(self) -> str:
        return self.card.state if self.card else "insufficient"


def usable_explanations(
    deployment: Deployment, start: datetime | None = None, end: datetime | None = None
) -> list[UsableExplanation]:
    """The gate: maps that are done and whose method has not failed its report card for that version.

    A card below its number of cases is ``insufficient``; its maps pass, and whoever prints them prints that state.
    """
    cards = {
        (record.version_id, record.signal): record
        for record in FindingRecord.objects.filter(
            deployment=deployment, family=FindingRecord.Family.EXPLANATION, quantity="report_card", superseded_by=None
        )
    }
    rows = explanations_for(deployment, start, end).filter(status=Explanation.Status.DONE)
    found = [UsableExplanation(row, cards.get((row.version_id, row.method))) for row in rows]
    return [item for item in found if item.card_state != "act" and not item.explanation.barred_reason]


def case_explanations(deployment: Deployment, case: str) -> QuerySet[Explanation]:
    return explanations_for(deployment).filter(case=case).order_by("method", "created_at")


def method_cards(deployment: Deployment) -> list[FindingRecord]:
    """Current cards of all methods and versions of the deployment, with their checks, in the catalogue's order."""
    rows = FindingRecord.objects.filter(
        deployment=deployment, family=FindingRecord.Family.EXPLANATION, superseded_by=None
    )
    return list(rows.select_related("version__model").order_by("version", "signal", "pk"))
