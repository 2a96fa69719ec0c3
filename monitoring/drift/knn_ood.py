"""Share of cases without near neighbours in the reference: finds what lies between or beyond its clusters."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from assurance.evidence.errors import InvalidInput
from assurance.evidence.finding import Finding
from monitoring.drift import thresholds
from monitoring.drift.outlying_share import Distance, outlying_share
from monitoring.drift.vectors import Matrix, pair

NEIGHBOURS = 10
MOST_ROWS = 50_000
CHUNK = 500


def knn_ood(
    reference: ArrayLike, current: ArrayLike, *, reference_patients: ArrayLike | None = None,
    current_patients: ArrayLike | None = None, alpha_watch: float = thresholds.ALPHA_WATCH,
    alpha_act: float = thresholds.ALPHA_ACT, seed: int = 0, neighbours: int = NEIGHBOURS,
) -> Finding:  # fmt: skip
    """Share of current cases beyond the reference's 99th percentile of the distance to the k-th nearest reference case.

    ``reference`` (n, d) and ``current`` (m, d) are embeddings; coordinates are standardised by the reference. At most
    50,000 reference rows are searched, drawn by ``seed``. Source: Ramaswamy, Rastogi & Shim (2000), SIGMOD; Sun et al.
    (2022), ICML.
    """
    if neighbours < 1:
        raise InvalidInput("bad_neighbours", f"neighbours {neighbours}: give 1 or more")
    pairs = pair(reference, current, key="knn_ood", reference_patients=reference_patients,
                 current_patients=current_patients, seed=seed, minimum=thresholds.OUTLYING.act_n)  # fmt: skip
    if isinstance(pairs, Finding):
        return pairs

    def fit(rows: Matrix) -> Distance:
        return kth_distance(rows, neighbours=neighbours, seed=seed)

    return outlying_share("knn_ood", *pairs, fit=fit, alpha_watch=alpha_watch, alpha_act=alpha_act, seed=seed,
                          parameters={"neighbours": neighbours})  # fmt: skip


def kth_distance(rows: Matrix, *, neighbours: int, seed: int) -> Distance:
    """Distance of cases to their ``neighbours``-th nearest of ``rows``, in standard deviations per coordinate."""
    if len(rows) > MOST_ROWS:
        rows = rows[np.sort(np.random.default_rng(seed).choice(len(rows), MOST_ROWS, replace=False))]
    centre, spread = rows.mean(axis=0), rows.std(axis=0)
    spread = np.where(spread > 0, spread, 1.0)
    known = (rows - centre) / spread
    squares = np.square(known).sum(axis=1)
    place = min(neighbours, len(known)) - 1

    def distance(cases: Matrix) -> NDArray[np.float64]:
        found = np.empty(len(cases))
        for start in range(0, len(cases), CHUNK):
            part = (cases[start : start + CHUNK] - centre) / spread
            gaps = squares[None, :] - 2 * part @ known.T + np.square(part).sum(axis=1)[:, None]
            nearest = np.partition(gaps, place, axis=1)[:, place]
            found[start : start + CHUNK] = np.sqrt(np.maximum(0.0, nearest))
        return found

    return distance
