"""What changed since a submission was signed, what rests on it, and whose approval must be given again."""

from dataclasses import dataclass
from datetime import datetime

from assurance import regulation
from assurance.models import Submission
from assurance.requirements.catalogue import Requirement
from assurance.requirements.coverage import Evidence
from assurance.requirements.graph import Node
from assurance.selectors.evidence import pieces_of
from assurance.selectors.graph import NOT_IN_SNAPSHOT, graph_of
from assurance.selectors.registry import newer_base
from assurance.services.snapshots import catalogue_sha256


@dataclass(frozen=True, slots=True)
class Change:
    """``kind`` is changed, gone, added or elsewhere (lineage, catalogue); ``breaks`` says whether signatures lapse."""

    what: str
    kind: str
    reason: str
    requirements: tuple[Requirement, ...]
    evidence: Evidence | None = None
    node: str = ""

    @property
    def breaks(self) -> bool:
        return self.kind in ("changed", "gone", "elsewhere")


@dataclass(frozen=True, slots=True)
class Renewal:
    """An approval that no longer covers what it was given for."""

    signature: Node
    because: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ChangeReport:
    signed_at: datetime | None
    changes: tuple[Change, ...]
    renewals: tuple[Renewal, ...]
    stale_requirements: tuple[Requirement, ...]


def changes_since_signed(submission: Submission) -> ChangeReport:
    """Compare the frozen snapshot with what stands today. Nothing signed yet: an empty report."""
    first = submission.changes.filter(transition__in=("t02", "t04", "t06")).order_by("-pk").first()
    if not submission.snapshot or first is None:
        return ChangeReport(None, (), (), ())
    pieces = pieces_of(submission)
    changes = [*_of_evidence(submission, pieces), *_elsewhere(submission, pieces)]
    graph = graph_of(submission, pieces=pieces)
    reasons: dict[str, list[str]] = {}
    nodes: dict[str, Node] = {}
    for change in changes:
        if not change.breaks:
            continue
        for node in graph.above([change.node]):
            if node.kind == "signature":
                reasons.setdefault(node.id, []).append(change.what)
                nodes[node.id] = node
    renewals = tuple(Renewal(nodes[key], tuple(dict.fromkeys(reasons[key]))) for key in sorted(nodes))
    stale = {r.id: r for change in changes if change.breaks for r in change.requirements}
    return ChangeReport(first.at, tuple(changes), renewals, tuple(stale[key] for key in sorted(stale)))


def _of_evidence(submission: Submission, pieces: list[Evidence]) -> list[Change]:
    served = regulation.catalogue().served_by
    today = {piece.id: piece for piece in pieces}
    held = {part["id"]: part for part in submission.snapshot["evidence"]}
    changes = []
    for key, part in held.items():
        piece = today.get(key)
        if piece is None:
            reason, kind = "it is no longer on file", "gone"
        elif piece.sha256 != part["sha256"] or piece.standing != part["standing"]:
            reason, kind = piece.reason or f"it was {part['standing']} and is {piece.standing}", "changed"
        else:
            continue
        changes.append(
            Change(f"{part['title']} ({part['kind']})", kind, reason, tuple(served(part["kind"])), piece,
                   node=key if piece else "snapshot")
        )  # fmt: skip
    for key, piece in today.items():
        if key not in held and piece.kind not in NOT_IN_SNAPSHOT and not key.startswith("registry-"):
            changes.append(Change(f"{piece.title} ({piece.kind})", "added", "filed after the signature",
                                  tuple(served(piece.kind)), piece, node=key))  # fmt: skip
    return changes


def _elsewhere(submission: Submission, pieces: list[Evidence]) -> list[Change]:
    changes = []
    newer = newer_base(submission.version)
    served = regulation.catalogue().served_by
    if newer is not None and newer.created_at > (submission.submitted_at or submission.state_since):
        changes.append(
            Change(f"Base model of {submission.version}", "elsewhere", f"{newer} was registered after the signature",
                   tuple(served("supply_chain")), node="snapshot")
        )  # fmt: skip
    signed_plan = submission.snapshot.get("plan")
    plan = next((piece for piece in pieces if piece.kind == "sandbox.plan"), None)
    if signed_plan and plan and plan.sha256 != signed_plan["sha256"]:
        changes.append(
            Change("Sandbox plan", "added", f"{plan.title} took the place of revision {signed_plan['revision']}",
                   tuple(served("sandbox.plan")), plan, node=plan.id)
        )  # fmt: skip
    if submission.snapshot["catalogue_sha256"] != catalogue_sha256():
        changes.append(
            Change("Catalogue of requirements", "elsewhere", "the catalogue of this instance changed", (),
                   node="snapshot")
        )  # fmt: skip
    return changes
