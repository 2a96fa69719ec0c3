"""How to check this dossier without trusting who made it."""

from collections.abc import Iterator

from reporting.dossier.contents import AnyBlock, Column, Facts, Heading, Table, Text
from reporting.dossier.sources import SectionPlan, Sources


def fill(sources: Sources) -> Iterator[AnyBlock]:
    i = sources.identity
    yield Text(
        text=(
            "The bundle of this dossier is a zip with this PDF, its machine-readable twin, every cited file "
            "and verify.py, one file "
            "that needs nothing but Python 3. It checks the manifest, the audit chain with its signed "
            "checkpoints, and computes the "
            "numbers again from the summaries that the bundle carries."
        )
    )
    yield Facts(
        title="To check",
        rows=[
            ["The bundle, anywhere", f"unzip {i.number}.zip && python3 verify.py ."],
            ["With PDF signatures", f"vigil dossier verify {i.number}.zip --trust instance-ca.pem"],
            ["The footer of every page", "is the SHA-256 of the attached file dossier.json"],
            ["An evidence id", "is the start of the SHA-256 of its finding's canonical JSON, in findings.json"],
        ],
    )
    if sources.trail:
        t = sources.trail
        yield Facts(
            title="Audit trail when this was frozen",
            rows=[
                ["Events about these records", f"{t['events']:,}"],
                ["Links in the chain", f"{t['position']:,}"],
                ["Hash of the last link", t["sha256"]],
                ["Signing key (SHA-256)", t["key_id"]],
            ],
        )
    if sources.files:
        yield Heading(text="Evidence files")
        columns = [Column("File", 2), Column("SHA-256", 3.2, mono=True)]
        yield Table(
            title="Files of the bundle that existed when this was frozen",
            columns=columns,
            rows=[[p, s] for p, s in sorted(sources.files.items())],
        )
    yield Heading(text="Methods cited")
    columns = [
        Column("Method", 1.4),
        Column("Implementation", 2.4),
        Column("Version", 0.7),
        Column("Findings", 0.8, right=True),
    ]
    yield Table(title="Every method behind a number of this dossier", columns=columns, rows=_methods(sources))
    yield Facts(title="Software", rows=[[name, version] for name, version in sorted(i.software.items())])


def _methods(sources: Sources) -> list[list[str]]:
    count: dict[tuple[str, str, str], int] = {}
    for item in sources.evidence:
        m = item.finding["method"]
        key = (m["key"], m["implementation"], str(m["version"]))
        count[key] = count.get(key, 0) + 1
    return [[*key, f"{n:,}"] for key, n in sorted(count.items())]


SECTION = SectionPlan(
    id="24-records",
    title="Records, integrity and how to check this dossier",
    origin="manifest, signature service, audit trail",
    kinds=("audit_trail", "signature", "access_control", "record_retention", "system_validation", "governance.roles"),
    owner="the operator of the platform",
    fill=fill,
)
