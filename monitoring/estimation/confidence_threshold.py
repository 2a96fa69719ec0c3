"""CM-ATC and CM-DoC: the confusion matrix of a window without labels, read from its confidences."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from assurance.evidence.finding import Finding
from assurance.metrics.measured import checked_level
from monitoring.estimation.labelled_reference import (
    QUANTITIES,
    Windows,
    bootstrap_span,
    estimate_finding,
    realised,
    shares,
    windows,
)

Vector = NDArray[np.float64]
Share = Callable[[NDArray[np.bool_], Vector, Vector, Vector, Vector], float]


def cm_atc(
    reference_labels: ArrayLike,
    reference_scores: ArrayLike,
    current_scores: ArrayLike,
    *,
    threshold: float = 0.5,
    reference_patients: ArrayLike | None = None,
    current_patients: ArrayLike | None = None,
    level: float = 0.95,
    replicates: int = 200,
    seed: int = 0,
) -> list[Finding]:
    """Average thresholded confidence, for each predicted class apart.

    Among the reference cases called positive (then negative), t is the confidence below which as many cases lie as were
    called wrongly; the share of current cases at or above t is taken as called rightly. Confidence is the score for
    positive calls and 1 − score for negative ones. Arguments as in ``cbpe``; gives the five shares, no AUROC.

    References
    ----------
    Garg et al. (2022), ICLR, arXiv:2201.04234. Flühmann et al. (2025), arXiv:2507.22776 (confusion-matrix form).
    """
    made = windows(
        reference_labels, reference_scores, current_scores, threshold=threshold,
        reference_patients=reference_patients, current_patients=current_patients,
    )  # fmt: skip
    return _findings("cm_atc", made, _atc_share, level, replicates, seed)


def cm_doc(
    reference_labels: ArrayLike,
    reference_scores: ArrayLike,
    current_scores: ArrayLike,
    *,
    threshold: float = 0.5,
    reference_patients: ArrayLike | None = None,
    current_patients: ArrayLike | None = None,
    level: float = 0.95,
    replicates: int = 200,
    seed: int = 0,
) -> list[Finding]:
    """Difference of confidences, for each predicted class apart.

    Share called rightly = that of the reference − (mean confidence there − mean confidence now), cut to 0..1. Arguments
    as in ``cbpe``; gives the five shares, no AUROC.

    References
    ----------
    Guillory et al. (2021), ICCV, arXiv:2107.03315. Flühmann et al. (2025), arXiv:2507.22776 (confusion-matrix form).
    """
    made = windows(
        reference_labels, reference_scores, current_scores, threshold=threshold,
        reference_patients=reference_patients, current_patients=current_patients,
    )  # fmt: skip
    return _findings("cm_doc", made, _doc_share, level, replicates, seed)


def _atc_share(right: NDArray[np.bool_], before: Vector, weight: Vector, now: Vector, now_weight: Vector) -> float:
    order = np.argsort(before, kind="stable")
    below = np.cumsum(weight[order])
    wrong = float(weight[~right].sum())
    # the first case that has at least the wrong share below it; past the last case nobody is right
    place = int(np.searchsorted(below, wrong * (1 + 1e-12) + 1e-12, side="right"))
    cut = before[order][place] if place < before.size else np.inf
    return float(now_weight[now >= cut].sum() / now_weight.sum())


def _doc_share(right: NDArray[np.bool_], before: Vector, weight: Vector, now: Vector, now_weight: Vector) -> float:
    accuracy = float(weight[right].sum() / weight.sum())
    fall = float(weight @ before / weight.sum() - now_weight @ now / now_weight.sum())
    return min(1.0, max(0.0, accuracy - fall))


def _findings(key: str, made: Windows, share_right: Share, level: float, replicates: int, seed: int) -> list[Finding]:
    checked_level(level)
    called_before, called_now = made.reference >= made.threshold, made.current >= made.threshold

    def estimates(reference_weights: Vector, current_weights: Vector) -> dict[str, float | None]:
        counts = []
        for positive in (True, False):
            then, now = called_before == positive, called_now == positive
            confidence_then = made.reference[then] if positive else 1 - made.reference[then]
            confidence_now = made.current[now] if positive else 1 - made.current[now]
            weight_then, weight_now = reference_weights[then], current_weights[now]
            total = float(weight_now.sum())
            if total == 0:
                counts.append((0.0, 0.0))
            elif weight_then.sum() == 0:
                return dict.fromkeys(QUANTITIES)
            else:
                right = made.labels[then] == positive
                share = share_right(right, confidence_then, weight_then, confidence_now, weight_now)
                counts.append((share * total, (1 - share) * total))
        (tp, fp), (tn, fn) = counts
        return shares(tp, fp, fn, tn)

    values = estimates(np.ones(made.labels.size), np.ones(made.current.size))
    rng = np.random.default_rng(seed)
    draws = [estimates(*made.resampled(rng)) for _ in range(replicates)]
    on_reference = realised(made.labels, made.reference, made.threshold)
    return [
        estimate_finding(
            quantity,
            values[quantity],
            key=key,
            function=f"monitoring.estimation.confidence_threshold:{key}",
            made=made,
            span=None
            if (value := values[quantity]) is None
            else bootstrap_span([draw[quantity] for draw in draws], value, level=level, name="patient_bootstrap"),
            reference_value=on_reference[quantity],
            reason="" if values[quantity] is not None else f"no case is expected in the denominator of {quantity}",
            seed=seed,
            level=level,
            replicates=replicates,
        )
        for quantity in QUANTITIES
    ]
