"""CBPE: performance expected from calibrated probabilities alone, and M-CBPE for covariate shift."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from assurance.evidence.checks import same_length
from assurance.evidence.errors import InvalidInput
from assurance.evidence.finding import Finding
from assurance.metrics.measured import checked_level
from assurance.metrics.roc_auc import structural_components
from monitoring.estimation.calibration_map import calibration_map
from monitoring.estimation.density_ratio import density_ratio
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


def cbpe(
    reference_labels: ArrayLike,
    reference_scores: ArrayLike,
    current_scores: ArrayLike,
    *,
    threshold: float = 0.5,
    calibration: str = "auto",
    reference_patients: ArrayLike | None = None,
    current_patients: ArrayLike | None = None,
    level: float = 0.95,
    replicates: int = 200,
    seed: int = 0,
) -> list[Finding]:
    """Confidence-based performance estimation: accuracy, sensitivity, specificity, PPV, NPV and AUROC without labels.

    Parameters
    ----------
    reference_labels, reference_scores : arrays of shape (n,)
        A labelled window of the same site, n ≥ 50.
    current_scores : array of shape (m,)
        Scores of the window without labels, in 0..1.
    threshold : float
        A case is called positive at this score or more.
    calibration : {"auto", "isotonic", "platt", "none"}
        Fitted on the reference; ``auto`` is isotonic from 200 cases.

    Returns
    -------
    list of Finding
        Quantities ``estimated_<metric>``. With calibrated p: E[TP] = Σ_{called} p, E[FP] = Σ_{called} (1−p), E[FN] =
        Σ_{not called} p; AUROC from all pairs of different cases. Intervals: bootstrap of both windows with the
        calibration refitted. Right under covariate shift, wrong under concept shift, which cannot be seen without
        labels; at best ``watch``, never ``act``.

    References
    ----------
    Białek et al. (2024), arXiv:2401.08348.
    """
    made = windows(
        reference_labels, reference_scores, current_scores, threshold=threshold,
        reference_patients=reference_patients, current_patients=current_patients,
    )  # fmt: skip
    return _findings("cbpe", made, calibration, None, level, replicates, seed, {})


def m_cbpe(
    reference_labels: ArrayLike,
    reference_scores: ArrayLike,
    current_scores: ArrayLike,
    *,
    reference_features: ArrayLike,
    current_features: ArrayLike,
    threshold: float = 0.5,
    calibration: str = "auto",
    reference_patients: ArrayLike | None = None,
    current_patients: ArrayLike | None = None,
    level: float = 0.95,
    replicates: int = 200,
    seed: int = 0,
) -> list[Finding]:
    """CBPE whose calibration is fitted for the current patient mix, by weighing the reference cases.

    ``*_features`` of shape (n, d) and (m, d): embeddings or quality values. The weights are the density ratio of a
    domain classifier, clipped at the 99th percentile. Other arguments as in :func:`cbpe`.

    Raises
    ------
    NotComputable
        ``too_different``: the weighted reference is worth fewer than 100 cases.

    References
    ----------
    Białek et al. (2024), arXiv:2401.08348. Sugiyama, Suzuki & Kanamori (2012), Density Ratio Estimation.
    """
    made = windows(
        reference_labels, reference_scores, current_scores, threshold=threshold,
        reference_patients=reference_patients, current_patients=current_patients,
    )  # fmt: skip
    weights, size = density_ratio(reference_features, current_features)
    if weights.size != made.labels.size or len(np.asarray(current_features)) != made.current.size:
        raise InvalidInput("length_mismatch", "features and scores differ in length: give one row of features per case")
    details = {"effective_sample_size": size}
    return _findings("m_cbpe", made, calibration, weights, level, replicates, seed, details)


def expected_shares(probabilities: Vector, called: NDArray[np.bool_], weights: Vector) -> dict[str, float | None]:
    """The five shares from expected counts, each case counting ``weights`` times."""
    positive, negative = weights * probabilities, weights * (1 - probabilities)
    return shares(
        float(positive[called].sum()),
        float(negative[called].sum()),
        float(positive[~called].sum()),
        float(negative[~called].sum()),
    )


def expected_auroc(probabilities: Vector, scores: Vector, weights: Vector) -> float | None:
    """AUROC when case i is positive with probability p_i: expected ranked pairs over expected pairs.

    A case does not pair with itself. ``None`` where no pair of both classes is expected.
    """
    order = np.argsort(scores, kind="stable")
    ordered = scores[order]
    positive, negative = (weights * probabilities)[order], (weights * (1 - probabilities))[order]
    starts = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]]))
    with_finding, without = np.add.reduceat(positive, starts), np.add.reduceat(negative, starts)
    below = np.cumsum(without) - without
    with np.errstate(divide="ignore", invalid="ignore"):
        own = np.where(weights[order] > 0, positive * negative / weights[order], 0.0).sum()
    pairs = with_finding.sum() * without.sum() - own
    return float((with_finding @ (below + without / 2) - own / 2) / pairs) if pairs > 1e-9 else None


def _findings(
    key: str,
    made: Windows,
    calibration: str,
    ratio: Vector | None,
    level: float,
    replicates: int,
    seed: int,
    details: dict[str, Any],
) -> list[Finding]:
    checked_level(level)
    same_length(reference_labels=made.labels, reference_scores=made.reference)
    called = made.current >= made.threshold
    kinds = [calibration]

    def estimates(reference_weights: Vector, current_weights: Vector) -> dict[str, float | None]:
        mass = reference_weights if ratio is None else reference_weights * ratio
        to_probability, kinds[0] = calibration_map(made.labels, made.reference, kind=calibration, weights=mass)
        p = np.clip(to_probability(made.current), 0, 1)
        found = expected_shares(p, called, current_weights)
        found["auroc"] = expected_auroc(p, made.current, current_weights)
        return found

    values = estimates(np.ones(made.labels.size), np.ones(made.current.size))
    kind = kinds[0]
    rng = np.random.default_rng(seed)
    draws = [estimates(*made.resampled(rng)) for _ in range(replicates)]
    on_reference = realised(made.labels, made.reference, made.threshold)
    on_reference["auroc"] = structural_components(made.labels, made.reference)[0]
    return [
        estimate_finding(
            quantity,
            values[quantity],
            key=key,
            function=f"monitoring.estimation.confidence_based:{key}",
            made=made,
            span=None
            if (value := values[quantity]) is None
            else bootstrap_span([draw[quantity] for draw in draws], value, level=level, name="patient_bootstrap"),
            reference_value=on_reference[quantity],
            reason="" if values[quantity] is not None else f"no case is expected in the denominator of {quantity}",
            seed=seed,
            details=details,
            calibration=kind,
            level=level,
            replicates=replicates,
        )
        for quantity in (*QUANTITIES, "auroc")
    ]
