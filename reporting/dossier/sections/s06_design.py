"""What was decided before the data: limits, windows and methods of the frozen monitoring plan."""

from collections.abc import Iterator

from reporting.dossier import numbers
from reporting.dossier.contents import AnyBlock, Facts, Text
from reporting.dossier.sources import SectionPlan, Sources


def fill(sources: Sources) -> Iterator[AnyBlock]:
    plan = sources.need("plan", "Protocol fixed before the data")
    yield Text(
        text=(
            f"Revision {plan['revision']} of the plan was frozen on {numbers.moment(plan['frozen_at'])}; its "
            "hash names it. "
            "A quantity or a group that the plan does not name is exploratory, and so marked where it is printed."
        )
    )
    yield Facts(
        title="Plan in force", rows=[["SHA-256", plan["sha256"]], *[[name, value] for name, value in plan["facts"]]]
    )


SECTION = SectionPlan(
    id="06-design",
    title="Evaluation design fixed before the test data were opened",
    origin="frozen plan with its hash",
    kinds=("study.protocol", "study.sample_size", "study.registration", "study.conduct", "performance.comparator"),
    owner="the developer",
    fill=fill,
)
