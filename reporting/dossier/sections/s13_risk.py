"""Hazards, controls traced to tests, and what remains."""

from collections.abc import Iterator

from reporting.dossier.contents import AnyBlock, Text
from reporting.dossier.sources import SectionPlan, Sources


def fill(sources: Sources) -> Iterator[AnyBlock]:
    yield Text(
        text="Hazards include those of data, bias, over-trust and change. A control without a test that shows "
        "its effect is printed as a gap."
    )


SECTION = SectionPlan(
    id="13-risk",
    title="Risk management and benefit-risk",
    origin="risk file with links to evidence; traceability matrix",
    kinds=("risk_management", "benefit_risk", "standards.list"),
    owner="the developer",
    fill=fill,
)
