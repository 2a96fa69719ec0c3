"""Which cases to send for reading, with known chances, and what their answers say about the whole window."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from assurance.evidence.checks import finite_vector, same_length
from assurance.evidence.errors import InvalidInput, NotComputable
from assurance.evidence.finding import Finding, State
from assurance.metrics.measured import array_digest, checked_level, interval_around, method_record

Vector = NDArray[np.float64]
UNIFORM_SHARE = 0.5
LEAST_OF_UNIFORM = 0.2
MINIMUM_ANSWERS = 50


def audit_probabilities(
    loss_sd: ArrayLike, *, budget: float, groups: ArrayLike | None = None, group_floor: float = 0.0
) -> Vector:
    """Chance of each case to be read: half of the budget at random, half in proportion to the uncertain loss.

    Parameters
    ----------
    loss_sd : array of shape (N,)
        Standard deviation of the predicted loss, 0 or more: √(p(1−p)) for an error.
    budget : float
        Expected number of readings, above 0 and up to N.
    groups : array of shape (N,), optional
        Site or subgroup of each case; each gets at least ``group_floor`` expected readings (or all its cases).

    Returns
    -------
    array of shape (N,)
        π in 0..1, at least 0.2 of the uniform chance, with sum ``budget`` (more only where floors demand it). Store π
        with the case: the estimate needs it.

    References
    ----------
    Särndal, Swensson & Wretman (1992), Model Assisted Survey Sampling. Kossen et al. (2021), ICML (active testing).
    """
    spread = finite_vector(loss_sd, name="loss_sd")
    if (spread < 0).any():
        raise InvalidInput("negative_spread", f"loss_sd[{int(np.argmax(spread < 0))}] is below 0: give 0 or more")
    n = spread.size
    if not 0 < budget <= n:
        raise InvalidInput("bad_budget", f"budget is {budget}: give a number above 0 and up to the {n} cases")
    uniform = budget / n
    shape = spread / spread.sum() if spread.sum() > 0 else np.full(n, 1 / n)
    wanted = UNIFORM_SHARE * uniform + (1 - UNIFORM_SHARE) * budget * shape
    chances = _filled(np.maximum(wanted, LEAST_OF_UNIFORM * uniform), budget)
    if groups is not None and group_floor > 0:
        names = np.asarray(groups).astype(str)
        same_length(loss_sd=spread, groups=names)
        for name in np.unique(names):
            here = names == name
            floor = min(group_floor, float(here.sum()))
            if chances[here].sum() < floor:
                chances[here] = _filled(chances[here], floor)
    return chances


def audit_estimate(
    outcomes: ArrayLike,
    probabilities: ArrayLike,
    read: ArrayLike,
    predictions: ArrayLike | None = None,
    *,
    level: float = 0.95,
) -> Finding:
    """Mean outcome of the whole window from audited cases, weighted by their known chances.

    Parameters
    ----------
    outcomes : array of shape (N,)
        Y where read; any finite number elsewhere (not used).
    probabilities : array of shape (N,)
        π of each case, above 0.
    read : array of shape (N,)
        True where the case was drawn and read.
    predictions : array of shape (N,), optional
        f, what the outcome is expected to be. With it: mean f + Σ(Y−f)/π ÷ N (AIPW); without: Hájek's ratio.

    References
    ----------
    Hájek (1971), in Foundations of Statistical Inference. Robins, Rotnitzky & Zhao (1994), JASA 89:846 (AIPW).
    """
    y, chances = finite_vector(outcomes, name="outcomes"), finite_vector(probabilities, name="probabilities")
    drawn = np.asarray(read, dtype=bool)
    same_length(outcomes=y, probabilities=chances, read=drawn)
    if (chances <= 0).any() or (chances > 1).any():
        raise InvalidInput(
            "bad_probability", "a chance lies outside 0..1 or is 0: a case that cannot be drawn biases all"
        )
    n, n_read = y.size, int(drawn.sum())
    if n_read < 2:
        raise NotComputable("too_few", f"{n_read} cases were read: two or more are needed")
    weight = drawn / chances
    if predictions is None:
        value = float(weight @ y / weight.sum())
        influence = weight * (y - value) * n / weight.sum()
        name = "hajek"
    else:
        f = finite_vector(predictions, name="predictions")
        same_length(outcomes=y, predictions=f)
        parts = f + weight * (np.where(drawn, y, f) - f)
        value, name = float(parts.mean()), "aipw"
        influence = parts - value
    reach = float(special.ndtri((1 + checked_level(level)) / 2)) * float(np.sqrt((influence @ influence) / n / (n - 1)))
    few = n_read < MINIMUM_ANSWERS
    return Finding(
        quantity="audited_mean",
        value=value,
        unit="1",
        state=State.INSUFFICIENT if few else State.OK,
        reason=f"{n_read} cases were read: {MINIMUM_ANSWERS} are needed" if few else "",
        n_cases=n,
        interval=interval_around(value, value - reach, value + reach, level=level, method=name),
        minimum_n=MINIMUM_ANSWERS,
        method=method_record(
            "audit_estimate", "monitoring.estimation.audit_sample:audit_estimate", estimator=name, level=level
        ),
        input_digest=array_digest(outcomes=np.where(drawn, y, 0.0), probabilities=chances, read=drawn),
        details={"n_read": n_read, "effective_sample_size": float(weight.sum() ** 2 / (weight @ weight))},
    )


def _filled(chances: Vector, budget: float) -> Vector:
    """Scale to the sum ``budget`` with no chance above 1; what a full case cannot take goes to the others."""
    result = np.minimum(chances, 1.0)
    for _ in range(100):
        free = result < 1
        missing = budget - result.sum()
        if abs(missing) < 1e-9 * max(1.0, budget) or not free.any() or result[free].sum() == 0:
            break
        factor = 1 + missing / result[free].sum()
        result = np.where(free, np.minimum(1.0, result * max(factor, 0.0)), result)
    return result
