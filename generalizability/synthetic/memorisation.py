"""Does the generator give back its training images? Nearest neighbours against real different patients."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from assurance.evidence.errors import InvalidInput, NotComputable
from assurance.evidence.finding import Finding, State
from assurance.metrics.measured import array_digest, method_record
from assurance.metrics.patients import patient_codes
from assurance.metrics.proportions import wilson
from generalizability.synthetic.embedding_tables import embedding_pair, nearest

Vector = NDArray[np.float64]
MINIMUM_IMAGES = 100
LARGEST_UPPER_BOUND = 0.01


def memorisation(
    training: ArrayLike,
    synthetic: ArrayLike,
    held_out: ArrayLike,
    *,
    training_patients: ArrayLike | None = None,
    held_out_patients: ArrayLike | None = None,
    false_positives: float = 0.001,
    confirmed: Sequence[int] = (),
) -> Finding:
    """Share of generated images that lie nearer to a training image than real images of other patients do.

    Parameters
    ----------
    training, synthetic : arrays of shape (n, d) and (m, d)
        Embeddings of an encoder made to find copies.
    held_out : array of shape (h, d)
        Real images that were not trained on; their nearest training image of another patient gives the threshold.
    training_patients, held_out_patients : arrays, optional
        Who they are, so that two images of one patient are not taken for a copy; without them all differ.
    false_positives : float
        Share of held-out images that may lie below the threshold; 0.001. With fewer than 1/share held-out images the
        threshold is their smallest distance, which ``details`` say.
    confirmed : sequence of int
        Places in ``synthetic`` that a person or a re-identification network confirmed as copies.

    Returns
    -------
    Finding
        Share flagged with Wilson's interval. ``act`` when a copy is confirmed or, with at least one image flagged, the
        upper bound exceeds 1 %; ``watch`` when any image is flagged; ``insufficient`` below 100 images.
        ``details["flagged"]`` list the nearest pairs (at most 20).

    References
    ----------
    Dar et al. (2024), arXiv:2402.01054. Carlini et al. (2023), USENIX Security (extraction from diffusion models).
    """
    known, made = embedding_pair(training, synthetic)
    known, others = embedding_pair(known, held_out)
    if not 0 < false_positives < 0.5:
        raise InvalidInput("bad_share", f"false_positives is {false_positives}: give a share between 0 and 0.5")
    if bad := [place for place in confirmed if not 0 <= place < len(made)]:
        raise InvalidInput("bad_place", f"confirmed holds {bad[0]}: give places from 0 to {len(made) - 1}")
    real = _other_patient_distances(known, others, training_patients, held_out_patients)
    allowed = math.floor(false_positives * real.size)
    threshold = float(np.sort(real)[allowed])
    distances, places = nearest(made, known)
    flagged = np.flatnonzero(distances[:, 0] < threshold)
    span = wilson(flagged.size, len(made))
    state, reason = State.OK, ""
    if confirmed:
        state, reason = State.ACT, f"{len(confirmed)} generated images are confirmed copies of training images"
    elif flagged.size and span.high > LARGEST_UPPER_BOUND:
        state, reason = State.ACT, f"up to {span.high:.1%} of the generated images may be copies, 1 % is the limit"
    elif len(made) < MINIMUM_IMAGES:
        state, reason = State.INSUFFICIENT, f"{len(made)} generated images: {MINIMUM_IMAGES} are needed"
    elif flagged.size:
        state, reason = State.WATCH, f"{flagged.size} generated images lie very near to a training image"
    elif span.high > LARGEST_UPPER_BOUND:
        reason = f"none flagged among {len(made)}: this excludes no share below {span.high:.1%}"
        state = State.INSUFFICIENT
    order = flagged[np.argsort(distances[flagged, 0])][:20]
    return Finding(
        quantity="memorised_share",
        value=flagged.size / len(made),
        unit="1",
        state=state,
        reason=reason,
        n_cases=len(made),
        n_reference=len(known),
        interval=span,
        minimum_n=MINIMUM_IMAGES,
        method=method_record(
            "memorised_share", "generalizability.synthetic.memorisation:memorisation", false_positives=false_positives
        ),
        input_digest=array_digest(training=known, synthetic=made, held_out=others),
        details={
            "threshold": threshold,
            "n_held_out": int(real.size),
            "threshold_resolved": real.size * false_positives >= 1,
            "n_flagged": int(flagged.size),
            "n_confirmed": len(confirmed),
            "flagged": [
                {"synthetic": int(row), "training": int(places[row, 0]), "distance": float(distances[row, 0])}
                for row in order
            ],
            "criterion": "compliance",
        },
    )


def _other_patient_distances(
    known: Vector, others: Vector, known_patients: ArrayLike | None, other_patients: ArrayLike | None
) -> Vector:
    """Distance of each held-out image to the nearest training image of another patient."""
    if known_patients is None or other_patients is None:
        return nearest(others, known)[0][:, 0]
    names = np.concatenate([np.asarray(known_patients).astype(str), np.asarray(other_patients).astype(str)])
    codes = patient_codes(names, n_cases=len(known) + len(others))
    known_codes, other_codes = codes[: len(known)], codes[len(known) :]
    shared = np.flatnonzero(np.isin(other_codes, known_codes))
    result = nearest(others, known)[0][:, 0]
    for row in shared:  # few: a split by patient leaves none
        elsewhere = known[known_codes != other_codes[row]]
        if not len(elsewhere):
            raise NotComputable("one_patient", "training and held-out images are of one patient: no pair differs")
        result[row] = nearest(others[row : row + 1], elsewhere)[0][0, 0]
    return result
