"""Does training with generated images help on real ones? Non-inferiority of two models on the same real test cases."""

from __future__ import annotations

from numpy.typing import ArrayLike

from assurance.evidence.checks import binary_vector, finite_vector
from assurance.evidence.errors import InvalidInput
from assurance.evidence.finding import Finding, NullLaw, State
from assurance.metrics.measured import array_digest, method_record
from assurance.metrics.roc_auc import paired_auroc_difference


def utility(
    labels: ArrayLike,
    synthetic_scores: ArrayLike,
    real_scores: ArrayLike,
    *,
    margin: float = 0.02,
    level: float = 0.95,
    minimum_events: int = 20,
) -> Finding:
    """AUROC with generated training data minus AUROC with real ones, on the same real test cases.

    Parameters
    ----------
    labels : array of shape (n,)
        0/1 of real cases that neither model was trained on.
    synthetic_scores, real_scores : arrays of shape (n,)
        Of the model trained on (or with) generated images, and of the model trained on real ones.
    margin : float
        Largest loss still called non-inferior, above 0.

    Returns
    -------
    Finding
        ``details["verdict"]``: "better" (interval above 0), "non-inferior" (above −margin), "inferior" (below −margin)
        or "undecided". State: ``ok`` for the first two, ``act`` for inferior, ``watch`` for undecided.

    References
    ----------
    DeLong et al. (1988), Biometrics 44:837. Esteban, Hyland & Rätsch (2017), arXiv:1706.02633.
    """
    if not 0 < margin < 0.5:
        raise InvalidInput("bad_margin", f"margin is {margin}: give a difference of AUROC between 0 and 0.5")
    truth = binary_vector(labels, name="labels")
    made, real = (
        finite_vector(synthetic_scores, name="synthetic_scores"),
        finite_vector(real_scores, name="real_scores"),
    )
    difference, span, p_value = paired_auroc_difference(truth, made, real, level=level)
    if span.low > 0:
        verdict, state = "better", State.OK
    elif span.low > -margin:
        verdict, state = "non-inferior", State.OK
    elif span.high < -margin:
        verdict, state = "inferior", State.ACT
    else:
        verdict, state = "undecided", State.WATCH
    events = int(min(truth.sum(), (~truth).sum()))
    reason = f"{verdict} at the margin {margin:g}"
    if events < minimum_events:
        state, reason = State.INSUFFICIENT, f"{events} cases in the smaller class: {minimum_events} are needed"
    return Finding(
        quantity="synthetic_utility",
        value=difference,
        unit="1",
        state=state,
        reason=reason,
        n_cases=truth.size,
        interval=span,
        null=NullLaw("normal, DeLong", {}, p_value),
        minimum_n=2 * minimum_events,
        method=method_record(
            "synthetic_utility", "generalizability.synthetic.utility:utility", margin=margin, level=level
        ),
        input_digest=array_digest(labels=truth, synthetic=made, real=real),
        details={"verdict": verdict, "criterion": "comprehension"},
    )
