"""Clinical evidence by strength, and what follow-up still owes."""

from collections.abc import Iterator

from reporting.dossier.contents import AnyBlock, Text
from reporting.dossier.sources import SectionPlan, Sources


def fill(sources: Sources) -> Iterator[AnyBlock]:
    yield Text(
        text="Performance of an algorithm is not clinical benefit. What follows is the clinical evidence that "
        "was filed; gaps are handed to follow-up."
    )


SECTION = SectionPlan(
    id="20-clinical",
    title="Clinical evaluation and follow-up",
    origin="clinical evaluation, follow-up plan and report",
    kinds=("clinical_evaluation", "clinical.pmcf", "benefit_risk", "patient_involvement"),
    owner="the developer",
    fill=fill,
)
