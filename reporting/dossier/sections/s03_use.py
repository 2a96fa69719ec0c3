"""What the device is for, for whom, and where in the work."""

from collections.abc import Iterator

from reporting.dossier.contents import AnyBlock, Column, Table, Text
from reporting.dossier.sources import SectionPlan, Sources


def fill(sources: Sources) -> Iterator[AnyBlock]:
    deployment = sources.deployment
    if deployment is None:
        yield Text(text="This dossier concerns a version before deployment: no site uses it yet.")
        return
    yield Text(
        text=f"In use since {deployment['started_at'][:10]} as “{deployment['name']}”, state {deployment['status']}."
    )
    if deployment.get("note"):
        yield Text(text=deployment["note"])
    columns = [Column("Site", 1.2), Column("Code", 1), Column("Time zone", 1)]
    yield Table(title="Sites", columns=columns, rows=[[s["name"], s["code"], s["time_zone"]] for s in sources.sites])


SECTION = SectionPlan(
    id="03-use",
    title="Intended use, users, population and workflow",
    origin="model card, groups use and workflow; deployment records of each site",
    kinds=(
        "model_card.intended_use",
        "model_card.out_of_scope",
        "model_card.users_environment",
        "model_card.workflow",
        "training.materials",
    ),
    owner="the developer",
    fill=fill,
)
