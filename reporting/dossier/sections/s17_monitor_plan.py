"""The plan that drives the monitoring jobs: the same object, so plan and practice cannot part."""

from collections.abc import Iterator

from reporting.dossier import numbers
from reporting.dossier.contents import AnyBlock, Column, Facts, Heading, Table, Text
from reporting.dossier.sources import SectionPlan, Sources


def fill(sources: Sources) -> Iterator[AnyBlock]:
    plan = sources.need("plan", "Post-market monitoring plan")
    yield Text(
        text=f"Revision {plan['revision']}, frozen {numbers.moment(plan['frozen_at'])}. The monitoring jobs "
        "read this very record."
    )
    yield Facts(rows=[["SHA-256", plan["sha256"]], *[[name, value] for name, value in plan["facts"]]])
    yield Heading(text="Indicators")
    columns = [
        Column("Indicator", 1.3),
        Column("Signals", 1.1),
        Column("Watch", 0.8, right=True),
        Column("Act", 0.8, right=True),
        Column("Least cases", 0.9, right=True),
        Column("Calls a person", 0.9),
        Column("Frequency", 1.1),
    ]
    yield Table(
        title="Indicators with their limits",
        columns=columns,
        rows=plan["indicators"],
        note="A drift statistic reaches watch or act only when chance alone is excluded as well: p ≤ 0.01 for "
        "watch, p ≤ 0.001 for act.",
    )


SECTION = SectionPlan(
    id="17-monitor-plan",
    title="Post-market monitoring plan",
    origin="monitoring plan object, the one that drives the drift jobs",
    kinds=("monitoring.plan", "clinical.pmcf"),
    owner="the hospital and the developer",
    fill=fill,
)
