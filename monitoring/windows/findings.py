"""All findings of one window of a deployment: merged states first, then what only the cases themselves can tell."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa

from assurance.evidence.finding import Finding, Method, State
from assurance.models import Deployment
from monitoring.drift.shift_kind import ShiftKind
from monitoring.drift.update_markers import Marker
from monitoring.models import ReferenceSet
from monitoring.plan import Plan
from monitoring.windows import explain
from monitoring.windows.calendar import Span
from monitoring.windows.cases import Cases
from monitoring.windows.compare import drift_findings
from monitoring.windows.family_control import controlled
from monitoring.windows.inputs import WindowInput
from monitoring.windows.provisional import provisional_findings
from monitoring.windows.strata import stratum_findings
from monitoring.windows.vectors import EMBEDDING, Block, vector_findings

Placed = tuple[str, Finding]  # family, Finding


@dataclass(frozen=True, eq=False)
class Reference:
    """The reference set in force: its states, its cases (None when the plan needs none) and their labels."""

    row: ReferenceSet
    states: Mapping[str, Any]
    cases: Cases | None
    labels: pa.Table
    blocks: Sequence[Block] = ()  # states of its embeddings by day; none where it has no embeddings

    @property
    def name(self) -> str:
        return f"{self.row.name} {self.row.sha256[:12]}"


def window_findings(
    deployment: Deployment, span: Span, window: WindowInput, *, plan: Plan, reference: Reference, cases: Cases | None,
    counts: Mapping[str, tuple[int, int | None]], markers: list[Marker],
    blocks: Mapping[str, Sequence[Block]],
) -> list[Placed]:  # fmt: skip
    """(family, Finding) of the whole, of each site and of the plan's strata, without performance.

    ``cases`` are the window's rows; without them only what states tell is computed. ``blocks`` are the states of the
    window's embeddings, a block for each day and site, by stratum.
    """
    families = dict(deployment.signals.values_list("name", "family"))
    place: dict[str, Any] = {"window": span.window, "model_version": str(deployment.version)}
    found: list[Placed] = []
    for stratum in sorted({stratum for stratum, _ in window.states}):
        level = {"site": stratum.removeprefix("site=")} if stratum else {}
        current = {signal: state for (where, signal), state in window.states.items() if where == stratum}
        here = None if cases is None else cases.some(cases.site == level["site"]) if level else cases
        number, patients = counts.get(stratum, (0, None))
        placed = {"stratum": level, "reference": reference.name, "n_patients": patients, **place}
        compared = [
            replace(one, signal=signal, **placed)
            for signal, one in drift_findings(
                reference.states, current, plan=plan, raw=here.values if here and plan.second_opinion else None,
                raw_reference=reference.cases.values if reference.cases and plan.second_opinion else None,
            )
        ]  # fmt: skip
        compared = controlled(compared, plan=plan)
        vectors: list[Placed] = []
        if here is not None and reference.cases is not None:
            vectors = [
                (family, replace(one, signal=signal, **(placed | {"n_patients": one.n_patients or patients})))
                for family, signal, one in vector_findings(
                    reference.cases, here, plan=plan, blocks=(reference.blocks, blocks.get(stratum, ()))
                )
            ]
        own = [(families.get(one.signal, "output"), one) for one in compared] + vectors
        if here is not None and reference.cases is not None:
            own = _explained(own, here, reference, markers=markers, plan=plan, whole=not stratum, placed=placed)
        found += own
        found.append(("input", volume(number, patients, window.digest, level, place)))
    if cases is not None and reference.cases is not None:
        found += _strata(reference, cases, families, plan, place)
    found += [("input", update_finding(one, window, place)) for one in markers if span.start <= one.day < span.end]
    found += [
        ("input" if one.signal == EMBEDDING else families.get(one.signal, "output"), one)
        for one in provisional_findings(deployment, span, markers=markers, reference=reference.row, plan=plan)
    ]
    return found


def _explained(
    found: list[Placed], here: Cases, reference: Reference, *, markers: list[Marker], plan: Plan, whole: bool,
    placed: dict[str, Any],
) -> list[Placed]:  # fmt: skip
    """Words and context for each; for the whole window also kind of shift, drivers and concordance."""
    if reference.cases is None or not plan.context:
        return found
    moved = any(one.state in explain.MOVED for _, one in found)
    shift: ShiftKind | None = None
    extra: list[Placed] = []
    if whole:
        answer = explain.shift_finding(reference.cases, here, reference.labels, plan=plan) if moved else None
        if answer is not None:
            finding, shift = answer
            extra.append(("input", replace(finding, **placed)))
        drivers = explain.drivers_finding(reference.cases, here) if moved else None
        index = explain.concordance_finding(reference.states, [(one.signal, one) for _, one in found], plan=plan)
        extra += [("input", replace(one, **placed)) for one in (drivers, index) if one is not None]
    result = [
        (family, explain.with_context(one, one.signal, reference=reference.cases, current=here, markers=markers,
                                      shift=shift, plan=plan))
        for family, one in found
    ]  # fmt: skip
    return result + extra


def _strata(
    reference: Reference, cases: Cases, families: Mapping[str, str], plan: Plan, place: dict[str, Any]
) -> list[Placed]:
    if reference.cases is None:
        return []
    groups: dict[tuple[str, ...], list[Finding]] = defaultdict(list)
    for signal, level, patients, one in stratum_findings(reference.cases, cases, plan=plan):
        placed = replace(
            one, signal=signal, stratum=level, reference=reference.name, n_patients=patients or None, **place
        )
        groups[tuple(f"{k}={v}" for k, v in level.items())].append(placed)
    return [
        (families.get(one.signal, "output") if one.signal else "input", one)
        for findings in groups.values()
        for one in controlled(findings, plan=plan)
    ]


def volume(cases: int, patients: int | None, digest: str, stratum: dict[str, str], place: dict[str, Any]) -> Finding:
    return Finding(
        quantity="volume", value=float(cases), unit="cases", state=State.OK, n_cases=cases, n_patients=patients,
        method=Method("volume", "vigil", "1", {}), input_digest=digest, stratum=stratum, **place,
    )  # fmt: skip


def update_finding(marker: Marker, window: WindowInput, place: dict[str, Any]) -> Finding:
    """A scanner update as a Finding of its window, so that charts and dossiers can mark the day."""
    states = [state for (_, signal), state in window.states.items() if signal == marker.signal]
    n = int(np.max([state.n for state in states])) if states else 0
    return Finding(
        quantity="software_update", value=None, unit="1", state=State.WATCH, n_cases=n, signal=marker.signal,
        method=Method("software_update", "vigil", "1", {}), input_digest=window.digest, stratum={"site": marker.site},
        reason=f"software changed from {marker.before} to {marker.after} on {marker.day}: cases of the two weeks that "
        "follow are a provisional reference", details=marker.as_dict(), **place,
    )  # fmt: skip
