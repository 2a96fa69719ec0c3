"""Which cases define normal, where they come from, and what is known of their truth."""

from collections.abc import Iterator

from reporting.dossier import numbers
from reporting.dossier.contents import AnyBlock, Column, Facts, Heading, Table, Text
from reporting.dossier.sources import SectionPlan, Sources, results


def fill(sources: Sources) -> Iterator[AnyBlock]:
    if sources.references:
        yield Heading(text="Reference sets")
        yield Text(
            text="Every drift statistic compares a window with the reference set in force; a set is frozen and "
            "named by its SHA-256."
        )
        columns = [
            Column("Name", 1.3),
            Column("Cases", 0.7, right=True),
            Column("Frozen", 1.2),
            Column("In force", 0.8),
            Column("Description", 2.6),
            Column("SHA-256", 1.2, mono=True),
        ]
        yield Table(
            title="Frozen reference sets",
            columns=columns,
            rows=[
                [
                    r["name"],
                    f"{r['n_cases']:,}",
                    numbers.moment(r["frozen_at"]),
                    "no" if r["replaced_at"] else "yes",
                    r["description"],
                    r["sha256"][:16],
                ]
                for r in sources.references
            ],
        )
    if sources.intake:
        yield Heading(text="Cases of this period")
        yield Facts(rows=[[name, value] for name, value in sources.intake["facts"]])
    yield from results(
        "Synthetic data: quality and privacy", sources.findings("synthetic_data.quality", "synthetic_data.privacy")
    )


SECTION = SectionPlan(
    id="05-data",
    title="Data: provenance, character, reference standard, independence",
    origin="reference sets with hashes, intake records, dataset sheets, synthetic-data evaluation",
    kinds=(
        "dataset.provenance",
        "dataset.characterization",
        "dataset.representativeness",
        "dataset.selection",
        "dataset.preprocessing",
        "dataset.partitioning",
        "dataset.reference_standard",
        "dataset.governance",
        "synthetic_data.quality",
        "synthetic_data.privacy",
    ),
    owner="the developer",
    fill=fill,
)
