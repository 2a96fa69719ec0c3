"""Which kind of shift a window shows: the frequency of the finding, the images, both, or not to be told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from assurance.evidence.checks import binary_vector, same_length, share_vector
from assurance.evidence.errors import InvalidInput
from monitoring.drift.bbsd import bbsd
from monitoring.drift.rff_mmd import rff_mmd
from monitoring.drift.vectors import vectors
from monitoring.estimation.calibration_map import calibration_map
from monitoring.estimation.label_shift import em_prior

ALPHA = 0.01  # a test speaks at ALPHA / 2 (two tests)
QUIET = 0.05  # and is called silent only above this: between the two nothing is decided
SMALLEST_CHANGE = 0.03  # of the prevalence, absolute
LARGE_CHANGE = 0.20  # images that look different can move the scores as a smaller change of prevalence would
FEWEST = 50

WORDS = {
    "none": "no shift that these tests can see",
    "prevalence": "the frequency of the finding changed; images of each kind look as before",
    "covariate": "the images changed; the frequency of the finding did not",
    "both": "the images changed and so did the frequency of the finding",
    "unclear": "something changed, but these cases do not tell what",
}
NOTE = "cases without labels cannot show whether the relation of image and truth (concept) changed"


@dataclass(frozen=True, slots=True)
class ShiftKind:
    """``kind`` is none, prevalence, covariate, both or unclear; ``p_values`` before and after the adjustment."""

    kind: str
    words: str
    prevalence_reference: float
    prevalence_current: float
    p_values: dict[str, float]
    reason: str = ""
    note: str = NOTE

    def as_dict(self) -> dict[str, Any]:
        return {
            "kind": self.kind, "words": self.words, "prevalence_reference": self.prevalence_reference,
            "prevalence_current": self.prevalence_current, "p_values": dict(self.p_values), "reason": self.reason,
            "note": self.note,
        }  # fmt: skip


def shift_kind(
    reference_labels: ArrayLike, reference_scores: ArrayLike, reference_features: ArrayLike,
    current_scores: ArrayLike, current_features: ArrayLike, *, seed: int = 0, permutations: int = 399,
    features: int = 256,
) -> ShiftKind:  # fmt: skip
    """Tell prevalence from covariate shift after Roschewitz et al.

    The features (images) are tested by MMD, the scores by KS. Then the prevalence of the window is estimated without
    its labels, the reference resampled to it, and both tests repeated: what falls silent was prevalence, what still
    speaks was not.

    Parameters
    ----------
    reference_labels, reference_scores : arrays of shape (n,)
        Truth 0/1 and model scores in 0..1 of the reference.
    reference_features, current_features : arrays of shape (n, d) and (m, d)
        Embeddings, or other features of the images.
    current_scores : array of shape (m,)

    Raises
    ------
    InvalidInput
        Shapes that do not fit, scores outside 0..1, labels other than 0/1, one class only.

    References
    ----------
    Roschewitz et al. (2025), Automatic dataset shift identification, MICCAI, arXiv:2411.07940. Saerens et al. (2002).
    """
    truth = binary_vector(reference_labels, name="reference_labels")
    scores = share_vector(reference_scores, name="reference_scores")
    now = share_vector(current_scores, name="current_scores")
    same_length(reference_labels=truth, reference_scores=scores)
    before, after = (
        _table(reference_features, "reference_features", scores),
        _table(current_features, "current_features", now),
    )
    if truth.all() or not truth.any():
        raise InvalidInput("one_class", "reference_labels holds one class only: both are needed to estimate prevalence")
    source = float(truth.mean())
    if min(truth.size, now.size) < FEWEST:
        reason = f"{truth.size} reference and {now.size} current cases: {FEWEST} of each are needed"
        return ShiftKind("unclear", WORDS["unclear"], source, source, {}, reason)
    options = {"seed": seed, "permutations": permutations, "features": features}
    first = _tests(before, scores, after, now, options)
    current = _prevalence(truth, scores, now)
    if min(first.values()) > ALPHA / 2:
        return ShiftKind("none", WORDS["none"], source, current, {f"{name}_before": p for name, p in first.items()})
    kept = _resampled(truth, current, np.random.default_rng(seed))
    second = _tests(before[kept], scores[kept], after, now, options)
    p_values = {f"{name}_before": p for name, p in first.items()} | {f"{name}_after": p for name, p in second.items()}
    kind, reason = _decided(first, second, current - source)
    return ShiftKind(kind, WORDS[kind], source, current, p_values, reason)


def _decided(first: dict[str, float], second: dict[str, float], change: float) -> tuple[str, str]:
    speaks = {name: p <= ALPHA / 2 for name, p in second.items()}
    silent = {name: p > QUIET for name, p in second.items()}
    if all(silent.values()):
        if abs(change) >= SMALLEST_CHANGE:
            return "prevalence", ""
        return "unclear", "the tests fell silent although the estimated prevalence hardly moved"
    if speaks["features"]:
        if first["scores"] > QUIET and abs(change) < 2 * SMALLEST_CHANGE:
            return "covariate", ""
        if speaks["scores"] and abs(change) < SMALLEST_CHANGE:
            return "covariate", ""
        if silent["scores"] and abs(change) >= LARGE_CHANGE:
            return "both", ""
        return "unclear", "the images changed; whether the scores follow from them or from another prevalence is open"
    if speaks["scores"]:
        return "unclear", "the scores changed in a way that neither another prevalence nor the images explain"
    return "unclear", "after the adjustment the tests are neither silent nor clear: more cases would tell"


def _tests(
    before: NDArray[np.float64], scores: NDArray[np.float64], after: NDArray[np.float64], now: NDArray[np.float64],
    options: dict[str, Any],
) -> dict[str, float]:  # fmt: skip
    images = rff_mmd(before, after, **options)
    outputs = bbsd(scores[:, None], now[:, None])
    return {
        "features": 1.0 if images.null is None else float(images.null.p_value or 1.0),
        "scores": 1.0 if outputs.null is None else float(outputs.null.p_value or 1.0),
    }


def _prevalence(truth: NDArray[np.bool_], scores: NDArray[np.float64], now: NDArray[np.float64]) -> float:
    """EM on posteriors that are calibrated on the reference."""
    to_probability, _ = calibration_map(truth, scores, kind="auto")
    chance = np.clip(to_probability(now), 1e-6, 1 - 1e-6)
    source = float(truth.mean())
    return float(em_prior(np.column_stack((chance, 1 - chance)), [source, 1 - source])[0])


def _resampled(truth: NDArray[np.bool_], prevalence: float, rng: np.random.Generator) -> NDArray[np.intp]:
    """The largest part of the reference with this prevalence, without repeating a case."""
    prevalence = min(max(prevalence, 0.005), 0.995)
    positive, negative = np.flatnonzero(truth), np.flatnonzero(~truth)
    size = min(positive.size / prevalence, negative.size / (1 - prevalence))
    n_positive = max(1, min(positive.size, round(size * prevalence)))
    n_negative = max(1, min(negative.size, round(size * (1 - prevalence))))
    return np.sort(np.concatenate((rng.permutation(positive)[:n_positive], rng.permutation(negative)[:n_negative])))


def _table(values: ArrayLike, name: str, scores: NDArray[np.float64]) -> NDArray[np.float64]:
    checked = vectors(values, name=name)
    if checked.missing or checked.n != scores.size:
        raise InvalidInput(
            "length_mismatch",
            f"{name} has {checked.n} complete rows and there are {scores.size} scores: give one per case",
        )
    return np.asarray(values, dtype=np.float64)
