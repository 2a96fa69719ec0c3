"""Label shift: how frequent the finding is in a window without labels, and what PPV and NPV become."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from assurance.evidence.errors import InvalidInput, NotComputable
from assurance.evidence.finding import Finding, Interval, State
from assurance.metrics.measured import checked_level
from monitoring.estimation.calibration_map import calibration_map
from monitoring.estimation.labelled_reference import (
    MINIMUM_CURRENT,
    Windows,
    bootstrap_span,
    estimate_finding,
    realised,
    windows,
)

Vector = NDArray[np.float64]
LARGEST_CONDITION = 50.0
LARGEST_DISAGREEMENT = 0.05
ROUNDS, PRECISION = 2000, 1e-10


def label_shift(
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
    """Prevalence in the current window by EM on calibrated posteriors, with PPV and NPV at that prevalence.

    Assumes that p(score | label) is as on the reference. BBSE is the cross-check: the result is refused (a Finding with
    the reason, no value) when the confusion matrix is nearly singular (condition above 50), a BBSE weight is negative,
    or the two prevalences differ by more than 0.05.

    Returns
    -------
    list of Finding
        ``estimated_prevalence`` (with BBSE's value in ``details``), ``estimated_ppv`` and ``estimated_npv``. Arguments
        as in ``cbpe``.

    References
    ----------
    Saerens, Latinne & Decaestecker (2002), Neural Computation 14:21. Lipton, Wang & Smola (2018), ICML (BBSE).
    """
    made = windows(
        reference_labels, reference_scores, current_scores, threshold=threshold,
        reference_patients=reference_patients, current_patients=current_patients,
    )  # fmt: skip
    checked_level(level)
    values = _estimates(made, np.ones(made.labels.size), np.ones(made.current.size), calibration)
    refusal = _refusal(made, values)
    rng = np.random.default_rng(seed)
    draws = [_estimates(made, *made.resampled(rng), calibration) for _ in range(replicates)]
    before = float(made.labels.mean())
    on_reference = {**realised(made.labels, made.reference, made.threshold), "prevalence": before}
    findings = []
    for quantity in ("prevalence", "ppv", "npv"):
        value = None if refusal else values[quantity]
        span = None
        if value is not None:
            span = bootstrap_span([draw[quantity] for draw in draws], value, level=level, name="patient_bootstrap")
        finding = estimate_finding(
            quantity,
            value,
            key="label_shift",
            function="monitoring.estimation.label_shift:label_shift",
            made=made,
            span=span,
            reference_value=on_reference[quantity],
            reason=refusal if value is None else "",
            seed=seed,
            details={
                "assumes": "label shift only: scores of each class are distributed as on the reference",
                "prevalence_em": values["prevalence"],
                "prevalence_bbse": values["bbse"],
                "condition": values["condition"],
                "prevalence_reference": before,
            },
            level=level,
            replicates=replicates,
            calibration=calibration,
        )
        findings.append(_prevalence_state(finding, before) if quantity == "prevalence" else finding)
    return findings


def em_prior(posteriors: ArrayLike, source_prior: ArrayLike) -> NDArray[np.float64]:
    """Class shares of a window from its posteriors under the source prior, by expectation–maximisation.

    Parameters
    ----------
    posteriors : array of shape (m, k)
        p(class | case) as calibrated on the source; rows sum to 1.
    source_prior : array of shape (k,)
        Class shares of the source, all above 0.

    References
    ----------
    Saerens, Latinne & Decaestecker (2002), Neural Computation 14:21.
    """
    table, prior = np.asarray(posteriors, dtype=float), np.asarray(source_prior, dtype=float)
    if table.ndim != 2 or prior.shape != table.shape[1:] or not len(table) or not np.allclose(table.sum(axis=1), 1):
        raise InvalidInput("bad_posteriors", f"posteriors have shape {table.shape}: give (m, k) rows that sum to 1")
    if (prior <= 0).any():
        raise InvalidInput("bad_prior", "source_prior holds a class with share 0: every class must occur on the source")
    return _em(table, prior, np.full(len(table), 1 / len(table)))


def bbse_weights(confusion: ArrayLike, predicted_shares: ArrayLike) -> NDArray[np.float64]:
    """w = C⁻¹μ: how many times more frequent each class is now.

    ``confusion`` of shape (k, k) holds the joint shares (predicted, true) of the source, ``predicted_shares`` of shape
    (k,) those of the predicted classes now. Raises NotComputable ``singular`` when the condition exceeds 50.

    References
    ----------
    Lipton, Wang & Smola (2018), ICML.
    """
    joint, now = np.asarray(confusion, dtype=float), np.asarray(predicted_shares, dtype=float)
    if joint.ndim != 2 or joint.shape[0] != joint.shape[1] or now.shape != joint.shape[:1]:
        raise InvalidInput("bad_confusion", f"confusion {joint.shape} and shares {now.shape}: give (k, k) and (k,)")
    condition = float(np.linalg.cond(joint))
    if condition > LARGEST_CONDITION:
        raise NotComputable(
            "singular", f"the confusion matrix has condition {condition:.0f}: at most 50 can be inverted"
        )
    return np.asarray(np.linalg.solve(joint, now))


def adjusted_posteriors(posteriors: ArrayLike, weights: ArrayLike) -> NDArray[np.float64]:
    """Posteriors under another prior, ∝ w_y·p(y|x); shape (m, k), rows sum to 1."""
    table = np.asarray(posteriors, dtype=float) * np.asarray(weights, dtype=float)
    return np.asarray(table / table.sum(axis=1, keepdims=True))


def _em(posteriors: Vector, source_prior: Vector, mass: Vector) -> Vector:
    prior = source_prior.copy()
    for _ in range(ROUNDS):
        table = posteriors * (prior / source_prior)
        table /= table.sum(axis=1, keepdims=True)
        updated = mass @ table
        if np.abs(updated - prior).max() < PRECISION:
            return updated
        prior = updated
    return prior


def _estimates(made: Windows, reference_weights: Vector, current_weights: Vector, kind: str) -> dict[str, Any]:
    to_probability, _ = calibration_map(made.labels, made.reference, kind=kind, weights=reference_weights)
    mass = reference_weights / reference_weights.sum()
    source = float(mass @ made.labels)
    if not 0 < source < 1:
        return dict.fromkeys(("prevalence", "ppv", "npv", "bbse", "condition"))
    p = np.clip(to_probability(made.current), 0, 1)
    # equal scores share one posterior, so EM runs over distinct values only
    points, member = np.unique(p, return_inverse=True)
    weight = np.bincount(member, current_weights) / current_weights.sum()
    prevalence = float(_em(np.column_stack([points, 1 - points]), np.array([source, 1 - source]), weight)[0])
    called = made.reference >= made.threshold
    joint = np.array(
        [[mass[row & column].sum() for column in (made.labels, ~made.labels)] for row in (called, ~called)]
    )
    condition = float(np.linalg.cond(joint))
    now = float(current_weights[made.current >= made.threshold].sum() / current_weights.sum())
    bbse = float(np.linalg.solve(joint, [now, 1 - now])[0] * source) if condition < 1e12 else None
    sensitivity, specificity = joint[0, 0] / source, joint[1, 1] / (1 - source)
    rightly, wrongly = sensitivity * prevalence, (1 - specificity) * (1 - prevalence)
    spared, missed = specificity * (1 - prevalence), (1 - sensitivity) * prevalence
    return {
        "prevalence": prevalence,
        "ppv": float(rightly / (rightly + wrongly)) if rightly + wrongly > 0 else None,
        "npv": float(spared / (spared + missed)) if spared + missed > 0 else None,
        "bbse": bbse,
        "condition": condition if np.isfinite(condition) else None,
    }


def _refusal(made: Windows, values: dict[str, Any]) -> str:
    condition, bbse, em = values["condition"], values["bbse"], values["prevalence"]
    if condition is None or condition > LARGEST_CONDITION or bbse is None:
        return "the calls hardly depend on the label on the reference: the confusion matrix cannot be inverted"
    if bbse < 0 or bbse > 1:
        return f"BBSE gives the prevalence {bbse:.3f}: more than the frequency of the finding has changed"
    if abs(bbse - em) > LARGEST_DISAGREEMENT:
        return (
            f"EM gives the prevalence {em:.3f} and BBSE {bbse:.3f}: more than the frequency of the finding has changed"
        )
    return ""


def _prevalence_state(finding: Finding, before: float) -> Finding:
    """Prevalence may move either way: ``watch`` when its interval excludes the reference by 0.05 or more."""
    if finding.value is None or finding.n_cases < MINIMUM_CURRENT:
        return finding
    span = finding.interval or Interval(finding.value, finding.value, 0.95, "none")
    moved = abs(finding.value - before) >= LARGEST_DISAGREEMENT and not span.low <= before <= span.high
    reason = f"the finding's frequency is estimated to have moved from {before:.3f}" if moved else ""
    return finding.placed(state=State.WATCH if moved else State.OK, reason=reason)


def prevalence_adjusted(sensitivity: float, specificity: float, prevalence: float) -> tuple[float, float]:
    """PPV and NPV at ``prevalence`` for given sensitivity and specificity (Bayes)."""
    for name, share in (("sensitivity", sensitivity), ("specificity", specificity), ("prevalence", prevalence)):
        if not 0 <= share <= 1:
            raise InvalidInput("out_of_range", f"{name} is {share}: give a share in 0..1")
    called = sensitivity * prevalence + (1 - specificity) * (1 - prevalence)
    spared = specificity * (1 - prevalence) + (1 - sensitivity) * prevalence
    if called == 0 or spared == 0:
        raise NotComputable(
            "no_denominator", "nobody or everybody would be called: a predictive value has no denominator"
        )
    return sensitivity * prevalence / called, specificity * (1 - prevalence) / spared
