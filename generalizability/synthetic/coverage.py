"""Precision, recall, density and coverage: are generated images plausible, and is the real variety there?"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.spatial import distance

from assurance.evidence.errors import InvalidInput
from assurance.evidence.finding import Finding, State
from assurance.metrics.measured import array_digest, method_record
from assurance.metrics.proportions import wilson
from generalizability.synthetic.embedding_tables import embedding_pair, nearest

Vector = NDArray[np.float64]
MINIMUM_IMAGES = 50
LEAST_SHARE = 0.9


def manifold_shares(real: Vector, synthetic: Vector, *, neighbours: int) -> dict[str, float]:
    """The four measures; each image's ball reaches to its k-th neighbour of its own kind.

    precision: share of generated images inside some real ball; recall: share of real images inside some generated ball;
    density: mean number of real balls a generated image lies in ÷ k (can exceed 1); coverage: share of real balls that
    hold a generated image.

    References
    ----------
    Kynkäänniemi et al. (2019), NeurIPS. Naeem et al. (2020), ICML, arXiv:2002.09797.
    """
    real_reach = nearest(real, real, neighbours=neighbours, skip_self=True)[0][:, -1]
    made_reach = nearest(synthetic, synthetic, neighbours=neighbours, skip_self=True)[0][:, -1]
    covered = np.zeros(len(real), dtype=bool)
    recalled = np.zeros(len(real), dtype=bool)
    balls = np.zeros(len(synthetic))
    for start in range(0, len(synthetic), 1024):
        apart = distance.cdist(real, synthetic[start : start + 1024])
        inside = apart < real_reach[:, None]
        covered |= inside.any(axis=1)
        balls[start : start + 1024] = inside.sum(axis=0)
        recalled |= (apart < made_reach[None, start : start + 1024]).any(axis=1)
    return {
        "precision": float((balls > 0).mean()),
        "recall": float(recalled.mean()),
        "density": float(balls.mean() / neighbours),
        "coverage": float(covered.mean()),
    }


def coverage(
    real: ArrayLike, synthetic: ArrayLike, *, neighbours: int = 5, seed: int = 0, splits: int = 20
) -> list[Finding]:
    """The four measures of generated images beside those of one real half against the other.

    Parameters
    ----------
    real, synthetic : arrays of shape (n, d) and (m, d)
        Embeddings of one encoder.
    neighbours : int
        k, 5 by default; both kinds need more images than that.

    Returns
    -------
    list of Finding
        ``synthetic_precision``, ``_recall``, ``_density``, ``_coverage``. ``details["real_real"]`` is the mean over
        ``splits`` real halves of the same size, ``details["share_of_real"]`` value ÷ that. ``watch`` for recall and
        coverage when the share is below 0.9. Shares carry Wilson intervals over images.

    References
    ----------
    Naeem et al. (2020), ICML, arXiv:2002.09797.
    """
    truth, made = embedding_pair(real, synthetic, at_least=2 * neighbours + 2)
    if not 1 <= neighbours <= 50:
        raise InvalidInput("bad_neighbours", f"neighbours is {neighbours}: give a whole number from 1 to 50")
    size = min(len(made), len(truth) // 2)
    rng = np.random.default_rng(seed)
    real_real: list[dict[str, float]] = []
    real_made: list[dict[str, float]] = []
    for _ in range(splits):
        order = rng.permutation(len(truth))
        here = truth[order[:size]]
        real_real.append(manifold_shares(here, truth[order[size : 2 * size]], neighbours=neighbours))
        real_made.append(manifold_shares(here, made[rng.permutation(len(made))[:size]], neighbours=neighbours))
    digest = array_digest(real=truth, synthetic=made)
    findings = []
    for quantity in ("precision", "recall", "density", "coverage"):
        value = float(np.mean([row[quantity] for row in real_made]))
        expected = float(np.mean([row[quantity] for row in real_real]))
        share = value / expected if expected > 0 else None
        state, reason = State.OK, ""
        if size < MINIMUM_IMAGES:
            state, reason = State.INSUFFICIENT, f"{size} images a side: {MINIMUM_IMAGES} are needed"
        elif quantity in ("recall", "coverage") and share is not None and share < LEAST_SHARE:
            state, reason = State.WATCH, f"{share:.2f} of what real images reach, {LEAST_SHARE} is expected"
        findings.append(
            Finding(
                quantity=f"synthetic_{quantity}",
                value=value,
                unit="1",
                state=state,
                reason=reason,
                n_cases=len(made),
                n_reference=len(truth),
                interval=wilson(value * size, size) if quantity != "density" else None,
                minimum_n=MINIMUM_IMAGES,
                method=method_record(
                    f"synthetic_{quantity}", "generalizability.synthetic.coverage:coverage", seed=seed,
                    neighbours=neighbours, splits=splits, size=size,
                ),
                input_digest=digest,
                details={
                    "real_real": expected,
                    "share_of_real": share,
                    "criterion": "congruence" if quantity in ("precision", "density") else "coverage",
                },
            )
        )  # fmt: skip
    return findings
