"""Drift within each level of a factor, with the number of looks taken into account."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from assurance.evidence.errors import InvalidInput
from assurance.evidence.finding import Finding, Method, NullLaw, State
from monitoring.drift.catalogue import DETECTORS
from monitoring.drift.distribution import joint_digest
from monitoring.drift.multiplicity import adjusted

SMALLEST = 30


def subgroup_drift(
    reference: ArrayLike, current: ArrayLike, *, factor: str, reference_levels: Sequence[str],
    current_levels: Sequence[str], detector: str = "w1_sd", correction: str = "holm", smallest: int = SMALLEST,
    seed: int = 0,
) -> list[Finding]:  # fmt: skip
    """One Finding for each level of ``factor`` in the window, against the same level of the reference.

    Parameters
    ----------
    reference, current : arrays of shape (n, ...) and (m, ...)
        One signal; rows of embeddings for detectors that read them.
    reference_levels, current_levels : sequences of n and m levels
    detector : str
        Key of a detector.
    correction : {"holm", "bonferroni", "bh", "by"}
        Applied over the levels; ``by`` for false-discovery rate whatever the dependence.
    smallest : int
        Levels with fewer cases on a side are ``insufficient``, not left out.

    Returns
    -------
    list of Finding
        Largest effect first. ``null.p_value`` is the adjusted one, the crude one stands in ``details``; a state that
        needed the crude p falls back to ``ok``. ``details["share"]`` is the level's share of the window.

    Raises
    ------
    InvalidInput
        Lengths that do not fit, unknown detector or correction.
    """
    before, after = np.asarray(reference), np.asarray(current)
    first, second = np.asarray(reference_levels, dtype=object), np.asarray(current_levels, dtype=object)
    for name, values, levels in (("reference", before, first), ("current", after, second)):
        if len(values) != len(levels):
            raise InvalidInput(
                "length_mismatch", f"{name} has {len(values)} cases and {len(levels)} levels: give one each"
            )
    detect = DETECTORS.load(detector)
    found: list[Finding] = []
    for level in sorted({str(level) for level in second}):
        here, there = second.astype(str) == level, first.astype(str) == level
        share = {"share": float(here.mean()), "reference_share": float(there.mean()) if there.size else 0.0}
        if min(int(here.sum()), int(there.sum())) < smallest:
            reason = (
                f"{int(there.sum())} reference and {int(here.sum())} current cases with {factor} {level}: "
                f"{smallest} of each are needed"
            )
            one = Finding(
                detector, None, "1", State.INSUFFICIENT, int(here.sum()), Method(detector, "vigil", "1", {}, seed),
                joint_digest(factor, level), n_reference=int(there.sum()), reason=reason, minimum_n=smallest,
            )  # fmt: skip
        else:
            one = detect(before[there], after[here], seed=seed)
        found.append(replace(one, stratum={factor: level}, details={**one.details, **share}))
    return sorted(_corrected(found, correction), key=lambda one: -(one.effect or 0.0))


def _corrected(found: list[Finding], correction: str) -> list[Finding]:
    tested = [one for one in found if one.null is not None and one.null.p_value is not None]
    if not tested:
        adjusted([0.5], method=correction)  # an unknown correction is refused even when nothing was tested
        return found
    raised = adjusted([_p(one) for one in tested], method=correction)
    fresh: dict[int, Finding] = {}
    for one, p_value in zip(tested, raised, strict=True):
        law = one.null
        if law is None:
            continue
        fresh[id(one)] = replace(
            one, state=_state(one, float(p_value)), reason=one.reason,
            null=NullLaw(f"{law.law}; {correction} over {len(tested)} levels", law.quantiles, float(p_value)),
            details={**one.details, "p_crude": law.p_value, "correction": correction},
        )  # fmt: skip
    return [fresh.get(id(one), one) for one in found]


def _p(finding: Finding) -> float:
    return 1.0 if finding.null is None or finding.null.p_value is None else finding.null.p_value


def _state(finding: Finding, p_value: float) -> State:
    """The same effect, judged by the adjusted p-value."""
    levels: dict[str, Any] = dict(finding.method.parameters)
    if finding.state is State.ACT and p_value > levels.get("alpha_act", 0.001):
        return State.WATCH if p_value <= levels.get("alpha_watch", 0.01) else State.OK
    if finding.state is State.WATCH and p_value > levels.get("alpha_watch", 0.01):
        return State.OK
    return finding.state
