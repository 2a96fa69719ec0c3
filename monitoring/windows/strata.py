"""Drift within strata of the plan (site × scanner × sex × age × protocol), each against the same stratum before."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from assurance.evidence.finding import Finding, Method, State
from monitoring.drift.distribution import joint_digest
from monitoring.plan import Plan
from monitoring.services.day_states import state_of
from monitoring.windows.cases import Cases, divided
from monitoring.windows.compare import drift_findings

Placed = tuple[str, dict[str, str], int, Finding]  # signal, stratum, patients (or 0), Finding


def stratum_findings(reference: Cases, current: Cases, *, plan: Plan) -> Iterator[Placed]:
    """Findings of the plan's methods in each stratum; too small a stratum gives one Finding that says so.

    A stratum that the reference does not hold in ``minimum_stratum`` cases is compared with nothing, and says so too.
    """
    for factors in plan.strata:
        before = divided(reference, factors)
        for name, mask in divided(current, factors).items():
            level = dict(part.split("=", 1) for part in name.split(";"))
            there = before.get(name, np.zeros(reference.n, dtype=bool))
            sizes = int(there.sum()), int(mask.sum())
            if min(sizes) < plan.minimum_stratum:
                yield "", level, 0, _too_small(name, sizes, plan.minimum_stratum)
                continue
            here = current.some(mask)
            first, second = states_of_cases(reference.some(there)), states_of_cases(here)
            count = 0 if here.patients is None else len(set(here.patients.tolist()))
            for signal, finding in drift_findings(first, second, plan=plan):
                yield signal, level, count, finding


def states_of_cases(cases: Cases) -> Mapping[str, Any]:
    """The state of each signal, built as a day's is."""
    return {name: state_of(cases.kinds[name], values) for name, values in cases.values.items()}


def _too_small(name: str, sizes: tuple[int, int], minimum: int) -> Finding:
    reason = f"{sizes[0]} reference and {sizes[1]} current cases with {name}: {minimum} of each are needed"
    return Finding(
        quantity="stratum", value=None, unit="cases", state=State.INSUFFICIENT, n_cases=sizes[1], n_reference=sizes[0],
        method=Method("stratum", "vigil", "1", {"minimum": minimum}), input_digest=joint_digest(name, *map(str, sizes)),
        reason=reason, minimum_n=minimum,
    )  # fmt: skip
