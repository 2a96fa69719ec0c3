"""What the page and the dossier read: pooled sites and severity curves, from stored findings alone."""

from collections import defaultdict
from typing import Any

from assurance.models import Deployment, FindingRecord
from assurance.selectors.findings import current


def generalizability_findings(deployment: Deployment) -> list[FindingRecord]:
    rows = current().filter(deployment=deployment, version=deployment.version, family="generalizability")
    return list(rows.order_by("quantity", "stratum"))


def pooled_of(deployment: Deployment) -> list[FindingRecord]:
    return [row for row in generalizability_findings(deployment) if row.quantity.startswith("pooled_")]


def severity_curves(deployment: Deployment) -> dict[str, list[tuple[int, FindingRecord]]]:
    """By shift kind: (severity, finding) in order of severity."""
    curves: dict[str, list[tuple[int, FindingRecord]]] = defaultdict(list)
    for row in generalizability_findings(deployment):
        place: dict[str, Any] = row.content["stratum"]
        if row.quantity == "change_under_shift":
            curves[place["shift"]].append((int(place["severity"]), row))
    return {kind: sorted(rows, key=lambda pair: pair[0]) for kind, rows in curves.items()}
