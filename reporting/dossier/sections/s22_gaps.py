"""Every gap of the dossier in one table. Printed by the platform: authors cannot leave rows out."""

from collections.abc import Iterator

from reporting.dossier.contents import AnyBlock, Column, Section, Table, Text
from reporting.dossier.sources import SectionPlan, Sources


def fill(sources: Sources) -> Iterator[AnyBlock]:
    yield Text(
        text="What is missing, why, and who could supply it. The table is computed from all other sections "
        "when the dossier is frozen."
    )


def gap_table(sections: list[Section]) -> Table:
    rows = [[section.number, g.subject, g.reason, g.owner] for section in sections for g in section.gaps]
    columns = [Column("Section", 0.6), Column("Missing", 1.8), Column("Reason", 2.6), Column("To be supplied by", 1.4)]
    return Table(title=f"{len(rows)} open gaps", columns=columns, rows=rows)


SECTION = SectionPlan(
    id="22-gaps",
    title="Limitations and open gaps",
    origin="gap list computed from all sections",
    kinds=("model_card.limitations", "model_card.disclosures", "model_card.ethics"),
    owner="the developer",
    fill=fill,
)
