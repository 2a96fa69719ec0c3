"""One table for each framework in scope: requirement, state, evidence, and whether the catalogue entry was verified."""

from collections.abc import Iterator

from reporting.dossier.contents import AnyBlock, Column, Heading, Table, Text
from reporting.dossier.sources import SectionPlan, Sources


def fill(sources: Sources) -> Iterator[AnyBlock]:
    frameworks = sources.need("coverage", "Conformity matrices")
    yield Text(
        text=(
            "The state is proposed by the platform from the evidence present; a person decides and signs. "
            "Texts that are drafts are "
            "named so. An entry marked “unverified” was not checked against the cited text and must not be "
            "relied on unread."
        )
    )
    for framework in frameworks:
        yield Heading(text=framework["title"])
        if framework.get("note"):
            yield Text(text=framework["note"], small=True)
        columns = [
            Column("Requirement", 1.3),
            Column("In short", 3),
            Column("State", 0.9),
            Column("Evidence", 1.7),
            Column("Entry", 0.8),
        ]
        yield Table(title=framework["told"], columns=columns, rows=framework["rows"])


SECTION = SectionPlan(
    id="23-matrix",
    title="Conformity matrices",
    origin="catalogue version, evidence index, decisions of reviewers",
    kinds=("technical_documentation", "standards.list"),
    owner="the applicant",
    fill=fill,
)
