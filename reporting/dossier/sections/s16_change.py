"""Planned and made changes, each with its reason."""

from collections.abc import Iterator

from reporting.dossier import numbers
from reporting.dossier.contents import AnyBlock, Column, Table, Text
from reporting.dossier.sources import SectionPlan, Sources


def fill(sources: Sources) -> Iterator[AnyBlock]:
    if sources.changes:
        columns = [Column("Time", 1.2), Column("Change", 1.4), Column("Reason", 3)]
        yield Table(
            title="Changes of the period",
            columns=columns,
            rows=[[numbers.moment(c["at"]), c["word"], c["reason"]] for c in sources.changes],
        )
    else:
        yield Text(text="No change of version, plan or reference set was recorded in the period.")


SECTION = SectionPlan(
    id="16-change",
    title="Change control and predetermined change plan",
    origin="change register, version history, audit trail",
    kinds=("change_control.pccp", "change_control.impact", "change_control.version_history", "model_card.maintenance"),
    owner="the developer",
    fill=fill,
)
