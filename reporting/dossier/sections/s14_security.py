"""Threats, tests, legal basis and separation of patient data."""

from collections.abc import Iterator

from reporting.dossier.contents import AnyBlock, Text
from reporting.dossier.sources import SectionPlan, Sources


def fill(sources: Sources) -> Iterator[AnyBlock]:
    yield Text(
        text="Patient and case names never reach this platform: rows carry keyed pseudonyms, and row security "
        "of the database limits them to the hospital's own people. No patient-level value is printed here."
    )


SECTION = SectionPlan(
    id="14-security",
    title="Cybersecurity, privacy, data protection",
    origin="security file, privacy file, access log",
    kinds=("cybersecurity", "privacy.protection", "access_control", "ethics.approval"),
    owner="the developer and the hospital",
    fill=fill,
)
