"""What every section gets besides its own part: card fields, documents and Findings of its kinds, and the gaps
left over."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from reporting.dossier.contents import AnyBlock, Column, Facts, Figure, Gap, Heading, Picture, Results, Table
from reporting.dossier.sources import Absent, SectionPlan, Sources, gap, results


def filled(plan: SectionPlan, sources: Sources) -> list[AnyBlock]:
    """The blocks of ``plan``. A source that is missing, and a section that fails, become gaps: never a crash."""
    blocks = list(_own(plan, sources))
    blocks += _card(plan, sources)
    blocks += _documents(plan, sources)
    cited = {key for block in blocks if isinstance(block, Results | Figure | Picture) for key in block.evidence}
    left = [item for item in sources.findings(*plan.kinds) if item.id not in cited]
    if left and plan.id != "01-summary":  # which cites what other sections hold
        blocks.append(Heading(text="Further findings"))
        blocks += results("Findings of this section's kinds", left)
    blocks += _missing_kinds(plan, sources, blocks)
    return blocks


def _own(plan: SectionPlan, sources: Sources) -> Iterator[AnyBlock]:
    try:
        yield from plan.fill(sources)
    except Absent as absent:
        yield gap(absent.subject, absent.reason, absent.owner)
    except (KeyError, TypeError, ValueError, IndexError, AttributeError, ZeroDivisionError) as error:
        reason = f"A record has a shape that this section cannot print ({type(error).__name__}: {error})."
        yield gap(plan.title, reason, "the operator of the platform")


def _card(plan: SectionPlan, sources: Sources) -> Iterator[AnyBlock]:
    fields = [f for f in sources.card or [] if set(f["kinds"]) & set(plan.kinds)]
    told = [[f["label"], card_value(f)] for f in fields if f["state"] != "not_available"]
    if told:
        yield Heading(text="From the model card", level=3)
        yield Facts(rows=told)
    for f in fields:
        if f["state"] == "not_available":
            yield gap(f["label"], f"Not available: {f['reason']}", "the developer")


def card_value(field: dict[str, Any]) -> str:
    if field["state"] == "not_applicable":
        return f"Not applicable: {field['reason']}"
    value = field["value"]
    if isinstance(value, list):
        return "\n".join(_flat(item) for item in value)
    return _flat(value)


def _flat(value: Any) -> str:
    if isinstance(value, dict):
        return "; ".join(f"{name.replace('_', ' ')}: {_flat(item)}" for name, item in value.items())
    if isinstance(value, list):
        return ", ".join(_flat(item) for item in value)
    return (
        {True: "yes", False: "no", None: "—"}.get(value, str(value)) if isinstance(value, bool | None) else str(value)
    )


def _documents(plan: SectionPlan, sources: Sources) -> Iterator[AnyBlock]:
    rows = [
        [d["title"], sources.kind_title(d["kind"]), d.get("date", "—"), d.get("sha256", "")[:16] or "—"]
        for d in sources.documents
        if d["kind"] in plan.kinds
    ]
    if rows:
        columns = [
            Column("Record", 2.4),
            Column("Evidence kind", 1.6),
            Column("Date", 0.8),
            Column("SHA-256", 1.1, mono=True),
        ]
        yield Table(title="Records filed under this section's kinds", columns=columns, rows=rows)


def _missing_kinds(plan: SectionPlan, sources: Sources, blocks: list[AnyBlock]) -> Iterator[Gap]:
    """A gap for each evidence kind of the section that nothing here proves."""
    if plan.id in ("00-cover", "22-gaps", "23-matrix"):
        return
    proven = (
        {item.kind for item in sources.evidence} | {d["kind"] for d in sources.documents} | _proven_by_records(sources)
    )
    proven |= {kind for f in sources.card or [] if f["state"] == "provided" for kind in f["kinds"]}
    already = {block.evidence_kind for block in blocks if isinstance(block, Gap)}
    missing = [kind for kind in plan.kinds if kind not in proven and kind not in already]
    for kind in missing:
        reason = "Nothing on record for this version and period."
        yield gap(sources.kind_title(kind), reason, plan.owner, kind)


def _proven_by_records(sources: Sources) -> set[str]:
    found = {"audit_trail", "access_control", "technical_documentation"} if sources.trail else set()
    for name, kinds in (
        ("plan", {"monitoring.plan"}),
        ("windows", {"monitoring.results"}),
        ("alarms", {"monitoring.alerts"}),
        ("intake", {"logs.system"}),
        ("submission", {"sandbox.application"}),
        ("explanations", {"explainability.maps", "explainability.method"}),
        ("references", {"dataset.provenance"}),
        ("signatures", {"signature"}),
        ("lineage", {"change_control.version_history"}),
        ("incidents", {"incident.log"}),
    ):
        if getattr(sources, name):
            found |= kinds
    submission = sources.submission or {}
    for name, kind in (("plan", "sandbox.plan"), ("decisions", "sandbox.decision"), ("activities", "sandbox.activity")):
        if submission.get(name):
            found.add(kind)
    return found
