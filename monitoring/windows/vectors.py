"""Drift of what one number per case cannot say: embeddings, and the scores of several classes together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from assurance.evidence.errors import InvalidInput
from assurance.evidence.finding import Finding, Method, State
from monitoring.drift.catalogue import DETECTORS
from monitoring.drift.distribution import joint_digest
from monitoring.drift.embedding import EmbeddingState
from monitoring.drift.moments import MomentState
from monitoring.drift.vectors import FEWEST_PATIENTS
from monitoring.plan import Plan
from monitoring.windows.cases import Cases

EMBEDDING, SCORES = "embedding", "class scores"
OF_STATES = {"rff_mmd": 0, "frechet": 1}  # which of a block's two states the method reads
Block = tuple[EmbeddingState, MomentState]
MOST_CASES = 20_000  # of each side, thinned evenly: enough for any effect worth acting on


def vector_findings(
    reference: Cases, current: Cases, *, plan: Plan, blocks: tuple[Sequence[Block], Sequence[Block]] = ((), ()),
) -> Iterator[tuple[str, str, Finding]]:  # fmt: skip
    """(family, signal, Finding) for embeddings and class scores that both sides carry.

    ``blocks`` are the states of both sides' embeddings by day. What states can tell is told by them, whole, when both
    sides have ten days; for fewer days, and for the other methods, the cases themselves are compared.
    """
    enough = min(len(side) for side in blocks) >= FEWEST_PATIENTS
    if current.embeddings is not None:
        for key in plan.embedding:
            if enough and key in OF_STATES:
                sides = [[block[OF_STATES[key]] for block in side] for side in blocks]
                found: Finding = DETECTORS.load(key)(*sides, seed=plan.seed, permutations=plan.permutations)
                yield "input", EMBEDDING, found
                continue
            yield "input", EMBEDDING, _compared(key, reference, current, reference.embeddings, current.embeddings, plan)
    names = [name for name in sorted(current.values) if name.startswith("score_") and name in reference.values]
    if len(names) > 1:
        before, after = (np.column_stack([side.values[name] for name in names]) for side in (reference, current))
        for key in plan.scores:
            finding = _compared(key, reference, current, before, after, plan)
            yield "output", SCORES, replace(finding, details={**finding.details, "class_names": names})


def _compared(
    key: str, reference: Cases, current: Cases, before: NDArray[np.float64] | None, after: NDArray[np.float64],
    plan: Plan,
) -> Finding:  # fmt: skip
    if before is None:
        return _refused(key, current.n, "the reference set has no embeddings: freeze one that has them")
    first, second = _thinned(reference.n), _thinned(current.n)
    who = [None if side.patients is None else side.patients[places]
           for side, places in ((reference, first), (current, second))]  # fmt: skip
    more = {"permutations": plan.permutations} if key in ("rff_mmd", "c2st", "frechet") else {}
    try:
        finding: Finding = DETECTORS.load(key)(
            before[first], after[second], reference_patients=who[0], current_patients=who[1], seed=plan.seed, **more
        )
    except InvalidInput as refusal:
        if refusal.code != "width_mismatch":
            raise
        return _refused(key, current.n, refusal.message)  # another model's vectors: an outcome of this window
    return finding


def _thinned(n: int) -> NDArray[np.intp]:
    return np.arange(n) if n <= MOST_CASES else np.linspace(0, n - 1, MOST_CASES).astype(np.intp)


def _refused(key: str, n: int, reason: str) -> Finding:
    return Finding(key, None, "1", State.INSUFFICIENT, n, Method(key, "vigil", "1", {}), joint_digest(key, reason),
                   n_reference=0, reason=reason)  # fmt: skip
