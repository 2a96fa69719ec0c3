"""Ten minutes: the claims with their figures, what changed since the last dossier, what not to rely on."""

from collections.abc import Iterator

from reporting.dossier import numbers
from reporting.dossier.contents import AnyBlock, Column, Evidence, Facts, Heading, Notice, Table, Text
from reporting.dossier.sources import SectionPlan, Sources, counted

CLAIMS = (
    ("performance.overall", "07"),
    ("drift.performance", "18"),
    ("performance.operating_points", "07"),
    ("generalizability.multi_site", "08"),
    ("calibration", "09"),
    ("fairness.assessment", "10"),
)
MOST = 24


def fill(sources: Sources) -> Iterator[AnyBlock]:
    found = counted(sources.evidence)
    i = sources.identity
    yield Text(
        text=(
            f"{i.model} {i.version} in the period {numbers.day(i.start)} to {numbers.day(i.end)}: "
            f"{len(sources.evidence):,} findings, "
            f"of which {found.get('act', 0)} call for action, {found.get('watch', 0)} are to be watched, "
            f"{found.get('insufficient', 0)} rest on too little data and {found.get('ok', 0)} stay within their limits."
        )
    )
    claims = [(section, item) for kind, section in CLAIMS for item in _whole(sources.findings(kind))][:MOST]
    yield Heading(text="Claims")
    if claims:
        columns = [
            Column("Claim", 2.2),
            Column("Value", 0.9, right=True),
            Column("Interval", 2),
            Column("n", 0.7, right=True),
            Column("Section", 0.7),
            Column("Evidence", 1, mono=True),
            Column("State", 1, state=True),
        ]
        yield Table(
            title="Each claim with its figure, section and evidence. A claim that has no row here is not made.",
            columns=columns,
            rows=[
                [
                    _words(item),
                    numbers.with_unit(item.finding["value"], item.finding["unit"]),
                    numbers.interval(item.finding["interval"]) or "none defined",
                    f"{item.finding['n_cases']:,}",
                    section,
                    item.id,
                    item.finding["state"],
                ]
                for section, item in claims
            ],
        )
    else:
        yield Text(text="No claim of performance is made: no finding about performance lies in this period.")
    yield Heading(text="What changed since the last dossier")
    if sources.previous:
        yield Facts(rows=[[name, str(value)] for name, value in sources.previous.items()])
    else:
        yield Text(text="This is the first dossier of this deployment and audience.")
    weak = [item for item in sources.evidence if item.finding["state"] == "insufficient"]
    if weak:
        yield Notice(
            tone="watch",
            title="What not to rely on",
            text=f"{len(weak):,} findings rest on too few cases. Their values are printed and their state says so.",
        )


def _whole(items: list[Evidence]) -> list[Evidence]:
    """All cases together, and of windows only the newest of each quantity."""
    newest: dict[tuple[str, str], Evidence] = {}
    for item in items:
        f = item.finding
        if set(f["stratum"]) - {"set", "compared"} or "alarm_index" in (f["details"] or {}):
            continue  # a control chart watches, it claims nothing
        key = (f["quantity"], str(sorted(f["stratum"].items())))
        end = (numbers.span(f) or {}).get("end", "")
        if key not in newest or end >= (numbers.span(newest[key].finding) or {}).get("end", ""):
            newest[key] = item
    return list(newest.values())


def _words(item: Evidence) -> str:
    f = item.finding
    where = f" ({numbers.stratum(f['stratum'])})" if f["stratum"] else ""
    return f"{numbers.words(f['quantity'])}{where}, {numbers.window(numbers.span(f))}"


SECTION = SectionPlan(
    id="01-summary",
    title="Summary for a reader with ten minutes",
    origin="findings and model card; difference between two snapshots",
    kinds=(
        "model_card.intended_use",
        "performance.overall",
        "model_card.limitations",
        "change_control.version_history",
    ),
    owner="the developer",
    fill=fill,
)
