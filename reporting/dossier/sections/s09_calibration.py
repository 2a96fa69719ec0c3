"""Do scores mean what they say: reliability diagram, slope, intercept and errors with intervals."""

from collections.abc import Iterator

from reporting.dossier.contents import AnyBlock, Figure, Heading
from reporting.dossier.sources import SectionPlan, Sources, results


def fill(sources: Sources) -> Iterator[AnyBlock]:
    for place, diagram in enumerate(sources.reliability, start=1):
        yield Figure(
            id=f"F-09-{place}",
            chart="reliability",
            title=diagram["title"],
            text=diagram["text"],
            data=diagram["data"],
            evidence=diagram["evidence"],
        )
    items = sources.findings("calibration")
    whole = [i for i in items if not i.finding["stratum"]]
    if whole:
        yield Heading(text="All cases")
        yield from results("Calibration over all labelled cases", whole)
    parts = [i for i in items if i.finding["stratum"]]
    if parts:
        yield Heading(text="By site and subgroup")
        yield from results("Calibration by site and subgroup", parts)


SECTION = SectionPlan(
    id="09-calibration",
    title="Calibration and uncertainty",
    origin="evaluation of labelled cases",
    kinds=("calibration", "uncertainty.estimates"),
    owner="the developer",
    fill=fill,
)
