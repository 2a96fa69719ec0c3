"""Time line of the sandbox: what was asked, answered, changed and decided."""

from collections.abc import Iterator

from reporting.dossier import numbers
from reporting.dossier.contents import AnyBlock, Column, Table
from reporting.dossier.sources import Absent, SectionPlan, Sources


def fill(sources: Sources) -> Iterator[AnyBlock]:
    submission = sources.need("submission", "Sandbox activities")
    if not submission.get("activities"):
        raise Absent("Sandbox activities", "No activity was recorded.", "the applicant")
    columns = [Column("Time", 1.2), Column("Activity", 2), Column("By", 1.2), Column("What", 3)]
    yield Table(
        title="Time line",
        columns=columns,
        rows=[[numbers.moment(a["at"]), a["title"], a["by"], a["text"]] for a in submission["activities"]],
    )


SECTION = SectionPlan(
    id="21-sandbox",
    title="Sandbox activities and exit material",
    origin="submission workspace",
    kinds=("sandbox.activity", "sandbox.exit", "sandbox.decision"),
    owner="the applicant and the authority",
    fill=fill,
)
