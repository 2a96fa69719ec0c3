"""Gaps between groups, by which definition, and how sure."""

from collections.abc import Iterator

from reporting.dossier.contents import AnyBlock, Text
from reporting.dossier.sources import SectionPlan, Sources, results


def fill(sources: Sources) -> Iterator[AnyBlock]:
    items = sources.findings("fairness.assessment")
    if items:
        yield Text(
            text=(
                "Definitions: AUROC gap is the range of AUROC over groups; equal opportunity the range of "
                "sensitivity; equalised odds "
                "the larger of the ranges of sensitivity and specificity; worst group the AUROC of the group "
                "with the lowest value, "
                "corrected for having been chosen. Each gap is judged against what chance gives for groups of "
                "this size."
            )
        )
        yield from results("Gaps between groups", items)


SECTION = SectionPlan(
    id="10-fairness",
    title="Fairness",
    origin="evaluation by group, fairness assessment record",
    kinds=("fairness.assessment", "model_card.ethics", "impact_assessment"),
    owner="the developer",
    fill=fill,
)
