"""Incidents with their clocks, trends, actions; or the statement that there were none, with the exposure behind it."""

from collections.abc import Iterator

from reporting.dossier import numbers
from reporting.dossier.contents import AnyBlock, Column, Facts, Heading, Table, Text
from reporting.dossier.sources import Absent, SectionPlan, Sources


def fill(sources: Sources) -> Iterator[AnyBlock]:
    if sources.incidents is None:
        reason, owner = sources.absent.get("incidents", ("The incident register was not read.", "the hospital"))
        raise Absent("Incidents", reason, owner)
    exposure = next(
        (value for name, value in (sources.intake or {"facts": []})["facts"] if name.startswith("Cases")),
        "an unknown number of cases",
    )
    if not sources.incidents:
        yield Text(
            text=f"No incident was recorded in the period, over {exposure}. This statement counts as made when "
            "this dossier is signed."
        )
        return
    n = len(sources.incidents)
    yield Text(text=f"{n} incident{'s' if n > 1 else ''} over {exposure}.")
    columns = [
        Column("Incident", 1.8),
        Column("Aware since", 1.2),
        Column("State", 1),
        Column("Cause", 1.3),
        Column("Reports due and made", 3),
    ]
    yield Table(
        title="Incidents of the period",
        columns=columns,
        rows=[
            [
                i["title"],
                numbers.moment(i["aware_at"]),
                i["status"],
                i["cause"],
                "\n".join(i["duties"]) or "no duty found",
            ]
            for i in sources.incidents
        ],
    )
    for incident in sources.incidents:
        if incident.get("facts"):
            yield Heading(text=incident["title"], level=3, open_to="regulator")
            yield Facts(rows=incident["facts"], open_to="regulator")


SECTION = SectionPlan(
    id="19-vigilance",
    title="Incidents, trends, field actions, corrective actions, periodic reports",
    origin="incident register, deadline engine, corrective action register",
    kinds=(
        "incident.log",
        "incident.report",
        "trend.report",
        "fsca.record",
        "complaint.log",
        "capa.log",
        "periodic_report",
    ),
    owner="the hospital and the developer",
    fill=fill,
)
