"""The door of the label-free estimators: a labelled reference and the scores of a window without labels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from assurance.evidence.checks import binary_vector, same_length, share_vector
from assurance.evidence.errors import InvalidInput, NotComputable
from assurance.evidence.finding import Finding, Interval, State
from assurance.metrics.measured import array_digest, interval_around, method_record
from assurance.metrics.patients import patient_codes

Vector = NDArray[np.float64]
QUANTITIES = ("accuracy", "sensitivity", "specificity", "ppv", "npv")
MINIMUM_REFERENCE = 50
MINIMUM_CURRENT = 100
WATCH_FALL = 0.05


@dataclass(frozen=True)
class Windows:
    """Reference with labels, current window without; ``*_codes`` name the patients."""

    labels: NDArray[np.bool_]
    reference: Vector
    current: Vector
    reference_codes: NDArray[np.intp]
    current_codes: NDArray[np.intp]
    threshold: float
    digest: str
    n_patients: int | None

    def resampled(self, rng: np.random.Generator) -> tuple[Vector, Vector]:
        """Case weights of reference and current window, patients drawn with replacement in each."""
        weights = []
        for codes in (self.reference_codes, self.current_codes):
            size = int(codes.max()) + 1
            weights.append(np.bincount(rng.integers(0, size, size), minlength=size)[codes].astype(np.float64))
        return weights[0], weights[1]


def windows(
    reference_labels: ArrayLike,
    reference_scores: ArrayLike,
    current_scores: ArrayLike,
    *,
    threshold: float,
    reference_patients: ArrayLike | None = None,
    current_patients: ArrayLike | None = None,
) -> Windows:
    """Check what every label-free estimator needs.

    Raises
    ------
    InvalidInput
        Labels not 0/1, scores outside 0..1, lengths differ, threshold outside 0..1 (exclusive).
    NotComputable
        ``reference_too_small`` (fewer than 50 labelled cases), ``one_class`` (reference holds one class).
    """
    labels = binary_vector(reference_labels, name="reference_labels")
    reference = share_vector(reference_scores, name="reference_scores")
    current = share_vector(current_scores, name="current_scores")
    same_length(reference_labels=labels, reference_scores=reference)
    if not 0 < threshold < 1:
        raise InvalidInput("bad_threshold", f"threshold is {threshold}: give a probability between 0 and 1")
    if labels.size < MINIMUM_REFERENCE:
        raise NotComputable(
            "reference_too_small", f"the reference holds {labels.size} cases: {MINIMUM_REFERENCE} are needed"
        )
    if labels.all() or not labels.any():
        raise NotComputable("one_class", "the labelled reference holds one class only: both are needed")
    current_codes = patient_codes(current_patients, n_cases=current.size)
    return Windows(
        labels=labels,
        reference=reference,
        current=current,
        reference_codes=patient_codes(reference_patients, n_cases=labels.size),
        current_codes=current_codes,
        threshold=float(threshold),
        digest=array_digest(labels=labels, reference=reference, current=current, patients=current_patients),
        n_patients=None if current_patients is None else int(current_codes.max()) + 1,
    )


def realised(labels: NDArray[np.bool_], scores: Vector, threshold: float) -> dict[str, float | None]:
    """What the reference really showed: the five shares, ``None`` where a denominator is empty."""
    called = scores >= threshold
    return shares(
        float((called & labels).sum()),
        float((called & ~labels).sum()),
        float((~called & labels).sum()),
        float((~called & ~labels).sum()),
    )


def shares(tp: float, fp: float, fn: float, tn: float) -> dict[str, float | None]:
    """Accuracy, sensitivity, specificity, PPV and NPV from (expected) counts; ``None`` where a denominator is 0."""

    def share(part: float, whole: float) -> float | None:
        return part / whole if whole > 0 else None

    return {
        "accuracy": share(tp + tn, tp + fp + fn + tn),
        "sensitivity": share(tp, tp + fn),
        "specificity": share(tn, tn + fp),
        "ppv": share(tp, tp + fp),
        "npv": share(tn, tn + fn),
    }


def bootstrap_span(draws: list[float | None], value: float, *, level: float, name: str) -> Interval | None:
    """Percentile interval over the draws that have a value; ``None`` when fewer than half have."""
    held = np.array([draw for draw in draws if draw is not None and np.isfinite(draw)])
    if held.size * 2 < len(draws) or held.size < 2:
        return None
    low, high = np.quantile(held, [(1 - level) / 2, (1 + level) / 2])
    return interval_around(value, low, high, level=level, method=name)


def estimate_finding(
    quantity: str,
    value: float | None,
    *,
    key: str,
    function: str,
    made: Windows,
    span: Interval | None,
    reference_value: float | None,
    reason: str = "",
    seed: int | None = None,
    details: dict[str, Any] | None = None,
    **parameters: Any,
) -> Finding:
    """An estimate without labels. It can raise ``watch`` (a fall of 0.05 that the interval supports), never ``act``."""
    state = State.OK
    if value is None:
        state = State.INSUFFICIENT
    elif made.current.size < MINIMUM_CURRENT:
        state, reason = State.INSUFFICIENT, f"{made.current.size} cases: {MINIMUM_CURRENT} are needed"
    elif reference_value is not None and value <= reference_value - WATCH_FALL and span and span.high < reference_value:
        state, reason = State.WATCH, f"estimated to have fallen from {reference_value:.3f} on the labelled reference"
    return Finding(
        quantity=f"estimated_{quantity}",
        value=value,
        unit="1",
        state=state,
        reason=reason,
        n_cases=made.current.size,
        n_patients=made.n_patients,
        n_reference=made.labels.size,
        interval=span if value is not None else None,
        minimum_n=MINIMUM_CURRENT,
        method=method_record(key, function, seed=seed, threshold=made.threshold, **parameters),
        input_digest=made.digest,
        details={
            "badge": "estimated, unlabelled",
            "clears_alarm": False,
            "assumes": "no concept shift: the label depends on the score as it did on the reference",
            "reference_value": reference_value,
            **(details or {}),
        },
    )
