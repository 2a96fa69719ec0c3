"""Checks before pictures: what the maps were tested for, and only then the maps, chosen by a stated rule."""

from collections.abc import Iterator

from reporting.dossier.contents import AnyBlock, Column, Heading, Picture, Table, Text
from reporting.dossier.sources import SectionPlan, Sources, results

MOST_PICTURES = 12


def fill(sources: Sources) -> Iterator[AnyBlock]:
    yield from results(
        "Sanity checks of maps: a map that fails one says so here before it is shown",
        sources.findings("explainability.sanity_checks"),
    )
    maps = sources.need("explanations", "Maps and their checks")
    yield Heading(text="Maps")
    yield Text(
        text="Cases were chosen by rule: the most unusual of an alarm's window first, and those that a person "
        "asked for. None was chosen for its looks."
    )
    columns = [
        Column("Case", 1.1, mono=True),
        Column("Method", 1.3),
        Column("Target", 0.8),
        Column("Report card", 2.4),
        Column("State", 1, state=True),
    ]
    yield Table(
        title="Every map of the period",
        columns=columns,
        open_to="regulator",
        rows=[[m["case"][:12], m["method"], m["target"], m["card"], m["state"]] for m in maps],
    )
    for place, m in enumerate([m for m in maps if m.get("file")][:MOST_PICTURES], start=1):
        yield Picture(
            id=f"M-11-{place}",
            title=f"{m['method']} on case {m['case'][:12]}",
            text=m["text"],
            file=m["file"],
            sha256=m["sha256"],
            evidence=m.get("evidence", []),
            width_mm=m.get("width_mm"),
            legend=m.get("legend", ""),
            open_to="regulator",
        )


SECTION = SectionPlan(
    id="11-explain",
    title="Explainability",
    origin="explanation jobs with version, input hash and parameters; sanity checks",
    kinds=(
        "explainability.method",
        "explainability.maps",
        "explainability.sanity_checks",
        "explainability.user_validation",
    ),
    owner="the developer",
    fill=fill,
)
