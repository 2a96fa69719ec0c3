"""Every chart of the dossier: one line each."""

from typing import Any

from assurance.evidence.catalogue import Catalogue, Entry
from reporting.dossier.charts.picture import Picture

_ROOM = "reporting.dossier.charts"

CHARTS = Catalogue(
    "chart",
    timeline=Entry("A statistic over windows with its limits", f"{_ROOM}.timeline:timeline"),
    forest=Entry("Values by site with pooled value", f"{_ROOM}.forest:forest"),
    subgroup_gaps=Entry("Values by subgroup", f"{_ROOM}.gaps:subgroup_gaps"),
    reliability=Entry("Reliability diagram", f"{_ROOM}.curves:reliability"),
    roc=Entry("ROC curve", f"{_ROOM}.curves:roc"),
    severity=Entry("Value over severities of a shift", f"{_ROOM}.curves:severity"),
    path=Entry("Path of a sequential statistic", f"{_ROOM}.curves:path"),
)


def draw(chart: str, data: dict[str, Any], *, width: float) -> Picture:
    picture: Picture = CHARTS.load(chart)(data, width=width)
    return picture
