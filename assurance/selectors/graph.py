"""The evidence graph of one submission: from Findings and documents up to requirements and signatures."""

from assurance import regulation
from assurance.models import Submission
from assurance.requirements.coverage import Evidence
from assurance.requirements.graph import Graph, Node
from assurance.selectors.evidence import pieces_of, signatures_on
from records.canonical import content_hash

SIGNED = {"t02": "snapshot", "t04": "snapshot", "t06": "snapshot", "t09": "snapshot", "t17": "plan"}
NOT_IN_SNAPSHOT = ("sandbox.plan", "sandbox.decision", "sandbox.activity", "sandbox.exit", "signature", "audit_trail")


def graph_of(submission: Submission, *, pieces: list[Evidence] | None = None) -> Graph:
    """Requirement ← evidence kind ← evidence; snapshot ← evidence; signature ← what it is bound to."""
    pieces = pieces_of(submission) if pieces is None else pieces
    catalogue = regulation.catalogue()
    nodes: dict[str, Node] = {}
    rests: dict[str, list[str]] = {}

    def add(key: str, kind: str, title: str, sha256: str, on: list[str]) -> None:
        nodes[key] = Node(key, kind, title, sha256)
        rests[key] = on

    below_kind: dict[str, list[str]] = {kind: [] for kind in catalogue.kinds}
    for piece in pieces:
        add(piece.id, "evidence", piece.title, piece.sha256, [])
        below_kind[piece.kind].append(piece.id)
    for kind, entry in catalogue.kinds.items():
        add(f"kind:{kind}", "kind", entry.title, content_hash(kind), below_kind[kind])
    for framework in catalogue.frameworks.values():
        for requirement in framework.requirements:
            own = content_hash([requirement.id, list(requirement.evidence)])
            on = [f"kind:{kind}" for kind in requirement.evidence]
            add(f"requirement:{requirement.id}", "requirement", requirement.title, own, on)
    if submission.snapshot:
        held = {part["id"] for part in submission.snapshot["evidence"]}
        on = [piece.id for piece in pieces if piece.id in held]
        add("snapshot", "snapshot", "Frozen file", submission.snapshot_sha256, on)
    plan = next((piece for piece in pieces if piece.kind == "sandbox.plan"), None)
    if plan is not None:
        add("plan", "plan", plan.title, plan.sha256, [plan.id])
    _add_approvals(submission, nodes, rests)
    return Graph(nodes=nodes, rests_on={key: tuple(dict.fromkeys(on)) for key, on in rests.items()})


def _add_approvals(submission: Submission, nodes: dict[str, Node], rests: dict[str, list[str]]) -> None:
    """Signatures rest on the snapshot or the plan; decisions on the assessment before them, and it on the snapshot."""
    signatures = {signature.pk: signature for signature in signatures_on(submission)}
    by_step = {change.signature_id: change.transition for change in submission.changes.exclude(signature_id=None)}
    assessed = {one.signature_id: one for one in submission.assessments.exclude(signature_id=None)}
    base = ["snapshot"] if "snapshot" in nodes else []
    for key, signature in signatures.items():
        step = by_step.get(key, "")
        on = base
        if signature.subject_kind == "assurance.sandboxplan" or SIGNED.get(step) == "plan":
            on = ["plan"] if "plan" in nodes else []
        elif step in ("t14", "t15"):
            on = [*base, *(f"signature:{one}" for one in assessed if one in signatures and one < key)]
        title = f"{signature.printed_name}: {signature.meaning}" + (f" ({step})" if step else "")
        nodes[f"signature:{key}"] = Node(f"signature:{key}", "signature", title, content_hash(signature.statement()))
        rests[f"signature:{key}"] = on
