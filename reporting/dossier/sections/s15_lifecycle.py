"""Procedures, release records, suppliers, and the validation of the software that made this file."""

from collections.abc import Iterator

from reporting.dossier.contents import AnyBlock, Text
from reporting.dossier.sources import SectionPlan, Sources


def fill(sources: Sources) -> Iterator[AnyBlock]:
    yield Text(
        text="The platform that computed these numbers states its own version and the version of every method "
        "beside each value; its test suite compares each method with another implementation or a closed "
        "form."
    )


SECTION = SectionPlan(
    id="15-lifecycle",
    title="Quality system and software lifecycle",
    origin="document store; validation package of the platform",
    kinds=(
        "qms.process",
        "software.lifecycle",
        "system_validation",
        "standards.list",
        "declaration_of_conformity",
        "supply_chain",
    ),
    owner="the developer",
    fill=fill,
)
