"""What changed between two dossiers: identity, states, findings by their place, gaps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from assurance.services.artefacts import read_artefact
from reporting.dossier import numbers
from reporting.dossier.contents import Contents, Evidence, Identity, thaw
from reporting.models import Dossier

Place = tuple[str, ...]


def contents_of(dossier: Dossier) -> Contents | None:
    return thaw(read_artefact(dossier.contents)) if dossier.contents else None


@dataclass(frozen=True, slots=True)
class Pair:
    """One place with its finding in both; ``change`` is new, gone, value, state or same."""

    name: str
    where: str
    before: Evidence | None
    after: Evidence | None
    change: str


def _name(item: Evidence) -> tuple[str, str]:
    f = item.finding
    name = numbers.words(f["quantity"]) + (f" of {numbers.words(f['signal'])}" if f["signal"] else "")
    return name, f"{numbers.stratum(f['stratum'])}, {numbers.window(numbers.span(f))}"


def _place(item: Evidence) -> Place:
    f = item.finding
    window = numbers.span(f) or {}
    return (
        item.family,
        f["quantity"],
        f["signal"],
        str(sorted(f["stratum"].items())),
        window.get("start", ""),
        window.get("end", ""),
    )


def pairs(before: dict[str, Evidence], after: dict[str, Evidence]) -> list[Pair]:
    """Every place of either, changed ones first."""
    left = {_place(item): item for item in before.values()}
    right = {_place(item): item for item in after.values()}
    rank = {"state": 0, "value": 1, "new": 2, "gone": 3, "same": 4}
    found = []
    for place in sorted({*left, *right}):
        a, b = left.get(place), right.get(place)
        item = b or a
        assert item is not None  # noqa: S101
        found.append(Pair(*_name(item), a, b, _change(a, b)))
    return sorted(found, key=lambda pair: rank[pair.change])


def _change(a: Evidence | None, b: Evidence | None) -> str:
    if a is None or b is None:
        return "new" if a is None else "gone"
    if a.finding["state"] != b.finding["state"]:
        return "state"
    return "same" if a.finding["value"] == b.finding["value"] else "value"


@dataclass(frozen=True)
class Comparison:
    facts: list[tuple[str, str, str]]
    findings: list[Pair]
    gaps_closed: list[tuple[str, str]]
    gaps_opened: list[tuple[str, str]]
    sections: list[tuple[str, str, str]]

    @property
    def counts(self) -> dict[str, int]:
        found: dict[str, int] = {}
        for pair in self.findings:
            found[pair.change] = found.get(pair.change, 0) + 1
        return found


def compare(before: Contents, after: Contents) -> Comparison:
    a, b = before.identity, after.identity
    names = (
        "title",
        "purpose",
        "audience",
        "model",
        "version",
        "weights_sha256",
        "start",
        "end",
        "frozen_at",
        "built_by",
        "submission_state",
    )
    moments = ("start", "end", "frozen_at")

    def told(identity: Identity, name: str) -> str:
        value = str(getattr(identity, name))
        return numbers.moment(value) if name in moments else value

    facts = [(name.replace("_", " "), told(a, name), told(b, name)) for name in names]
    facts += [
        (f"findings in state {state}", str(before.banner.states.get(state, 0)), str(n))
        for state, n in after.banner.states.items()
    ]
    facts += [("gaps", str(before.banner.n_gaps), str(after.banner.n_gaps))]
    left = {(s.number, g.subject) for s, g in before.gaps()}
    right = {(s.number, g.subject) for s, g in after.gaps()}
    states = {s.id: s.state for s in before.sections}
    found = [(f"{s.number} {s.title}", states.get(s.id, "none"), s.state) for s in after.sections]
    sections = [row for row in found if row[1] != row[2]]
    return Comparison(
        facts, pairs(before.evidence, after.evidence), sorted(left - right), sorted(right - left), sections
    )


def compare_with_evidence(dossier: Dossier, evidence: tuple[Evidence, ...]) -> dict[str, Any] | None:
    """The difference in counts, for the summary of the dossier that supersedes ``dossier``."""
    before = contents_of(dossier)
    if before is None:
        return None
    found = pairs(before.evidence, {item.id: item for item in evidence})
    count = {
        change: sum(pair.change == change for pair in found) for change in ("state", "value", "new", "gone", "same")
    }
    return {
        "Supersedes": f"{dossier.number}, frozen {numbers.moment(before.identity.frozen_at)}",
        "Findings with another state": count["state"],
        "Findings with another value": count["value"],
        "New findings": count["new"],
        "Findings no longer in the period": count["gone"],
        "Unchanged findings": count["same"],
        "Gaps then": before.banner.n_gaps,
    }
