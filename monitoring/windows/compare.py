"""Drift of one window against the reference, by stratum and signal, with Evidently's verdict beside ours."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from assurance.evidence.errors import InvalidInput, NotComputable
from assurance.evidence.finding import Finding, Method, State
from monitoring.drift.catalogue import DETECTORS
from monitoring.drift.categories import CategoryState
from monitoring.drift.distribution import distribution, joint_digest
from monitoring.drift.state import digest
from monitoring.plan import Plan

PRIMARY = {"numeric": "w1_sd", "categorical": "chi_square"}  # the findings that carry the second opinion
MOST_RAW = 20_000  # enough for a second opinion; a larger window is thinned evenly


def drift_findings(
    reference: Mapping[str, Any], current: Mapping[str, Any], *, plan: Plan, raw: Mapping[str, Any] | None = None,
    raw_reference: Mapping[str, Any] | None = None,
) -> Iterator[tuple[str, Finding]]:  # fmt: skip
    """(signal, Finding) for each signal of ``current`` and each method of the plan that suits it.

    A signal that the reference lacks gives one finding without value. Raw values are only read by the second opinion.
    """
    for signal, state in current.items():
        kind = "categorical" if isinstance(state, CategoryState) else "numeric"
        methods = plan.categorical if kind == "categorical" else plan.numeric
        if signal not in reference:
            yield signal, _no_reference(methods[0] if methods else PRIMARY[kind], signal, state)
            continue
        before, after = reference[signal], state
        if kind == "numeric":  # read once for all methods
            before, after = distribution(before, name=signal), distribution(after, name=signal)
        for key in methods:
            finding = DETECTORS.load(key)(before, after, seed=plan.seed)
            if key == PRIMARY[kind] and raw is not None and raw_reference is not None and finding.value is not None:
                finding = _with_opinion(finding, kind, raw_reference.get(signal), raw.get(signal))
            yield signal, finding


def _no_reference(key: str, signal: str, state: Any) -> Finding:
    return Finding(
        quantity=key, value=None, unit="1", state=State.INSUFFICIENT, n_cases=state.n, n_reference=0,
        method=Method(key, "vigil", "1", {}), input_digest=joint_digest("", digest(state)),
        reason=f"the reference set has no {signal}: freeze one that has it",
    )  # fmt: skip


def _with_opinion(finding: Finding, kind: str, before: Any, after: Any) -> Finding:
    from monitoring.drift import second_opinion  # Evidently takes seconds to load

    try:
        if kind == "numeric":
            opinion = second_opinion.numeric_opinion(_thin(before), _thin(after))
        else:
            opinion = second_opinion.category_opinion(_levels(before), _levels(after))
    except (InvalidInput, NotComputable) as refusal:
        return replace(finding, details={**finding.details, "second_opinion": {"reason": refusal.message}})
    told = {**opinion.as_dict(), "differs_because": second_opinion.disagreement(finding.state.value, opinion)}
    return replace(finding, details={**finding.details, "second_opinion": told})


def _thin(values: Any) -> Any:
    known = np.asarray([] if values is None else values, dtype=np.float64)
    known = known[np.isfinite(known)]
    return known if known.size <= MOST_RAW else known[np.linspace(0, known.size - 1, MOST_RAW).astype(np.int64)]


def _levels(values: Any) -> list[str]:
    return [str(value) for value in (() if values is None else values) if value is not None][:MOST_RAW]
