"""Who may override the device, and whether users understand it."""

from collections.abc import Iterator

from reporting.dossier.contents import AnyBlock, Text
from reporting.dossier.sources import SectionPlan, Sources


def fill(sources: Sources) -> Iterator[AnyBlock]:
    yield Text(text="Verification of the text of instructions is not a usability test; the two are kept apart below.")


SECTION = SectionPlan(
    id="12-human",
    title="Human oversight, usability, team performance, labelling",
    origin="oversight record, usability file, reader studies, labelling store",
    kinds=("human_oversight", "usability.evaluation", "performance.human_ai_team", "training.materials", "labeling"),
    owner="the developer and the hospital",
    fill=fill,
)
