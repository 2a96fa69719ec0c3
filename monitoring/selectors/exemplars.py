"""The cases of a window that move a statistic most: where to look first. For the hospital's own people only."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assurance.models import Deployment
from monitoring.drift.c2st import domain_scores
from monitoring.drift.categories import CategoryState
from monitoring.drift.distribution import distribution
from monitoring.drift.drivers import EXEMPLARS, exemplars, w1_influence
from monitoring.drift.state import state_from_bytes
from monitoring.models import ReferenceState
from monitoring.windows.calendar import Span
from monitoring.windows.cases import Cases, cases_of
from monitoring.windows.vectors import EMBEDDING

MOST_VECTORS = 4000  # of each side: the classifier needs no more to rank cases


@dataclass(frozen=True, slots=True)
class Exemplar:
    """``value`` as a reader knows it; ``pull`` is what the list is ordered by."""

    case: str
    site: str
    value: Any
    pull: float


@dataclass(frozen=True, slots=True)
class Exemplars:
    """``how`` says what the order means; ``cases`` is empty where no case pulls away from the reference."""

    how: str
    cases: list[Exemplar]
    n: int


def exemplars_of(deployment: Deployment, *, signal: str, site: str, start: date, end: date) -> Exemplars | None:
    """The 20 cases of the window that move the signal's statistic most; None for a signal without reference."""
    embedded = signal == EMBEDDING
    current = cases_of(deployment, Span(start, end), embeddings=embedded)
    if site:
        current = current.some(current.site == site)
    if embedded:
        return _of_embeddings(deployment, current)
    row = ReferenceState.objects.filter(
        reference__deployment=deployment, reference__version=deployment.version_id, reference__replaced_at=None,
        signal=signal,
    ).first()  # fmt: skip
    if row is None or signal not in current.values:
        return None
    reference, values = state_from_bytes(bytes(row.content)), current.values[signal]
    if isinstance(reference, CategoryState):
        return _of_levels(current, values, reference)
    known = np.flatnonzero(np.isfinite(values))
    found = exemplars(reference, values[known]) if known.size else np.empty(0, dtype=np.intp)
    before = distribution(reference, name=signal)
    pull = w1_influence(before, values[known]) / (before.sd or 1.0) if known.size else np.empty(0)
    chosen = [
        Exemplar(str(current.case[known[at]]), str(current.site[known[at]]), float(values[known[at]]), float(pull[at]))
        for at in found
    ]
    return Exemplars("how far each case pulls the distribution from the reference's (influence on W1, in sd)", chosen,
                     int(known.size))  # fmt: skip


def _of_levels(current: Cases, values: NDArray[Any], reference: CategoryState) -> Exemplars:
    """Cases of the levels whose share rose most against the reference, by the level's part of χ²."""
    before = max(1, reference.n)
    labels = np.array(["" if value is None else str(value) for value in values], dtype=object)
    pulls: dict[str, float] = {}
    for level in sorted(set(labels.tolist()) - {""}):
        p = (reference.counts.get(level, 0) + 0.5) / (before + 0.5)
        q = float((labels == level).mean())
        pulls[level] = (q - p) / np.sqrt(p)
    order = sorted((level for level in pulls if pulls[level] > 0), key=lambda level: -pulls[level])
    chosen: list[Exemplar] = []
    for level in order:
        for at in np.flatnonzero(labels == level)[: EXEMPLARS - len(chosen)]:
            chosen.append(Exemplar(str(current.case[at]), str(current.site[at]), level, float(pulls[level])))
    return Exemplars("cases of the levels that became more frequent, the level that adds most to χ² first", chosen,
                     int((labels != "").sum()))  # fmt: skip


def _of_embeddings(deployment: Deployment, current: Cases) -> Exemplars | None:
    """Cases that the classifier of the two-sample test finds least like the reference."""
    reference = cases_of(deployment, None)
    if reference.embeddings is None or current.embeddings is None:
        return None
    if reference.embeddings.shape[1] != current.embeddings.shape[1]:
        return None
    before, after = (_complete(side) for side in (reference, current))
    if min(before.n, after.n) < 20 or before.embeddings is None or after.embeddings is None:
        return Exemplars("too few cases with embeddings to rank: 20 are needed on each side", [], after.n)
    scores = domain_scores(before.embeddings, after.embeddings)
    order = np.argsort(-scores, kind="stable")[:EXEMPLARS]
    chosen = [
        Exemplar(str(after.case[at]), str(after.site[at]), float(scores[at]), float(scores[at]))
        for at in order if scores[at] > 0
    ]  # fmt: skip
    return Exemplars("cases least like the reference (log odds of the classifier two-sample test)", chosen, after.n)


def _complete(side: Cases) -> Cases:
    if side.embeddings is None:
        return side
    complete: NDArray[np.bool_] = np.asarray(np.isfinite(side.embeddings).all(axis=1))
    kept = side.some(complete)
    if kept.n <= MOST_VECTORS:
        return kept
    places = np.zeros(kept.n, dtype=bool)
    places[np.linspace(0, kept.n - 1, MOST_VECTORS).astype(np.intp)] = True
    return kept.some(places)
