"""Who the dossier is about, its number and its marks; the status banner stands on page one."""

from collections.abc import Iterator

from reporting.dossier import numbers
from reporting.dossier.contents import AnyBlock, Column, Facts, Table, Text
from reporting.dossier.sources import SectionPlan, Sources


def fill(sources: Sources) -> Iterator[AnyBlock]:
    i = sources.identity
    rows = [
        ["Dossier", i.number],
        ["Purpose", i.purpose],
        ["Audience", i.audience],
        ["Supersedes", i.supersedes or "nothing"],
        ["Device and version", f"{i.model} {i.version}"],
        ["SHA-256 of the weights", i.weights_sha256],
        ["Developer", i.developer],
        ["Deployment", i.deployment or "none"],
        ["Hospital", i.organisation or "none"],
        ["Programme", i.programme or "none"],
        ["Submission", i.submission or "none"],
        ["State of the submission", i.submission_state or "none"],
        ["Period", f"{numbers.day(i.start)} to {numbers.day(i.end)}, end not included"],
        ["Frozen", numbers.moment(i.frozen_at)],
        ["Built by", i.built_by],
        ["Instance", i.instance],
    ]
    yield Facts(title="Identity", rows=rows)
    yield Text(
        text="For regulatory learning. This dossier is not an approval, a certificate or a clearance, and gives no "
        "presumption of conformity. A part that is open to fewer readers than the whole is left out of the "
        "versions for the others, with a mark in its place."
    )
    if sources.signatures:
        columns = [
            Column("Name", 1.3),
            Column("Role", 1.2),
            Column("Meaning", 1.6),
            Column("Time", 1.2),
            Column("Signed content", 1.2, mono=True),
        ]
        yield Table(
            title="Electronic signatures on the records cited here",
            open_to="regulator",
            columns=columns,
            rows=[
                [s["name"], s["role"], s["meaning"], numbers.moment(s["at"]), s["content_sha256"][:16]]
                for s in sources.signatures
            ],
        )


SECTION = SectionPlan(
    id="00-cover",
    title="Cover, status banner and signatures",
    origin="submission snapshot, signature records, programme profile",
    kinds=("model_card.identity", "model_card.regulatory_status", "signature", "governance.roles"),
    owner="the developer",
    fill=fill,
)
