"""Fairness: how far a metric differs between subgroups, and how low it is in the worst one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from assurance.evidence.checks import binary_vector, finite_vector, same_length
from assurance.evidence.errors import InvalidInput, NotComputable
from assurance.evidence.finding import Finding, NullLaw, State
from assurance.metrics.measured import array_digest, checked_level, interval_around, method_record
from assurance.metrics.patients import bootstrap_weights, patient_codes
from assurance.metrics.roc_auc import weighted_area

Vector = NDArray[np.float64]
NULL_DRAWS = 9999
WATCH_GAP, ACT_GAP = 0.05, 0.10


@dataclass(frozen=True)
class _Groups:
    """Cases sorted into the groups that have enough events, with what each metric needs."""

    names: list[str]
    left_out: list[str]
    values: Callable[[Vector], Vector]  # case weights -> one value per group (and per rate)
    codes: NDArray[np.intp]
    n_cases: int
    digest: str


def subgroup_gap(labels: ArrayLike, scores: ArrayLike, groups: ArrayLike, **options: Any) -> Finding:
    """Largest minus smallest value of a metric over the subgroups, 0..1.

    Parameters
    ----------
    labels, scores : arrays of shape (n,)
        0/1 and model scores.
    groups : array of shape (n,)
        Level of the factor for each case, as text ("F", "M", "unknown").
    metric : {"auroc", "sensitivity", "specificity"}
        Compared between the groups; ``auroc`` by default.
    threshold : float
        Of the two-by-two table; 0.5 by default.
    patients : array of shape (n,), optional
        The bootstrap draws whole patients.
    minimum_events : int
        Positives (sensitivity), negatives (specificity) or both (AUROC) that a group needs to be compared; 20 by
        default. Smaller groups are left out and named in ``details``.

    Returns
    -------
    Finding
        ``interval`` is the percentile bootstrap; ``null`` is the law of the gap if all groups were equal, from a normal
        law with the bootstrap covariance, since a largest difference is never negative and so always above 0 by chance.
        ``watch``: gap ≥ 0.05 and p ≤ 0.01. ``act``: gap ≥ 0.10 and p ≤ 0.001. ``insufficient`` with one group.

    References
    ----------
    Hardt, Price & Srebro (2016), NeurIPS. Seyyed-Kalantari et al. (2021), Nature Medicine 27:2176.
    """
    metric = options.pop("metric", "auroc")
    if metric not in ("auroc", "sensitivity", "specificity"):
        raise InvalidInput("unknown_metric", f"metric {metric!r}: choose one of auroc, sensitivity, specificity")
    return _gap_finding(f"{metric}_gap", (metric,), "subgroup_gap", labels, scores, groups, **options)


def equal_opportunity(labels: ArrayLike, scores: ArrayLike, groups: ArrayLike, **options: Any) -> Finding:
    """Largest difference of sensitivity between subgroups (ΔTPR). Options as :func:`subgroup_gap`.

    References
    ----------
    Hardt, Price & Srebro (2016), NeurIPS.
    """
    return _gap_finding("equal_opportunity", ("sensitivity",), "equal_opportunity", labels, scores, groups, **options)


def equalised_odds(labels: ArrayLike, scores: ArrayLike, groups: ArrayLike, **options: Any) -> Finding:
    """The larger of ΔTPR and ΔFPR between subgroups. Options as :func:`subgroup_gap`.

    References
    ----------
    Hardt, Price & Srebro (2016), NeurIPS.
    """
    metrics = ("sensitivity", "specificity")
    return _gap_finding("equalised_odds", metrics, "equalised_odds", labels, scores, groups, **options)


def worst_group(
    labels: ArrayLike,
    scores: ArrayLike,
    groups: ArrayLike,
    *,
    metric: str = "auroc",
    threshold: float = 0.5,
    patients: ArrayLike | None = None,
    level: float = 0.95,
    replicates: int = 1000,
    seed: int = 0,
    minimum_events: int = 20,
    limit: float | None = None,
) -> Finding:
    """Smallest value of ``metric`` over the subgroups; its interval is the bootstrap of the minimum over patients.

    The minimum of noisy values lies below the true minimum by chance, which the interval's upper end allows for.
    ``limit`` is a declared minimum that every group must reach.

    References
    ----------
    Sagawa et al. (2020), ICLR (worst-group performance).
    """
    made = _grouped(labels, scores, groups, (metric,), threshold, patients, minimum_events)
    if not made.names:
        raise NotComputable("too_few", f"no subgroup has {minimum_events} events: join groups or lengthen the window")
    values = made.values(np.ones(made.n_cases))
    draws = _replicates(made, replicates, seed)
    lowest = draws.min(axis=1)
    low, high = np.quantile(lowest, [(1 - checked_level(level)) / 2, (1 + level) / 2])
    worst = int(values.argmin())
    value = float(values[worst])
    bounds = interval_around(value, low, high, level=level, method="patient_bootstrap_of_minimum")
    state, reason = State.OK, ""
    if limit is not None and value < limit:
        state = State.ACT if bounds.high < limit else State.WATCH
        reason = f"{made.names[worst]} lies below the declared limit {limit:g}"
    return Finding(
        quantity=f"worst_group_{metric}",
        value=value,
        unit="1",
        state=state,
        reason=reason,
        n_cases=made.n_cases,
        n_patients=None if patients is None else int(made.codes.max()) + 1,
        interval=bounds,
        minimum_n=minimum_events,
        method=method_record(
            "worst_group", "assurance.metrics.subgroups:worst_group", seed=seed, metric=metric, threshold=threshold,
            level=level, replicates=replicates, limit=limit,
        ),
        input_digest=made.digest,
        details={
            "group": made.names[worst],
            "groups": dict(zip(made.names, values.tolist(), strict=True)),
            "too_small": made.left_out,
        },
    )  # fmt: skip


def shrunken_shares(hits: ArrayLike, totals: ArrayLike) -> NDArray[np.float64]:
    """Shares of several groups pulled towards their common mean, the more the fewer cases a group has.

    Beta-binomial with moment estimates of mean and spread; with no spread beyond chance all groups get the mean. Used
    to rank groups, not to report them.

    References
    ----------
    Casella (1985), American Statistician 39:83 (empirical Bayes). Kleinman (1973), JASA 68:46 (moments).
    """
    successes, n = finite_vector(hits, name="hits"), finite_vector(totals, name="totals")
    same_length(hits=successes, totals=n)
    if (n <= 0).any() or (successes < 0).any() or (successes > n).any():
        raise InvalidInput(
            "bad_counts", "a group has hits outside 0..totals or no case: give 0 ≤ hits ≤ totals, totals > 0"
        )
    mean = successes.sum() / n.sum()
    if n.size < 2 or mean in (0.0, 1.0):
        return np.full(n.size, mean)
    shares = successes / n
    between = float(n @ (shares - mean) ** 2)
    scale = mean * (1 - mean)
    weight = n.sum() - (n @ n) / n.sum()
    correlation = (between / scale - (n.size - 1)) / (weight - (n.size - 1)) if weight > n.size - 1 else 0.0
    correlation = min(max(correlation, 0.0), 0.999)
    prior = np.inf if correlation == 0 else 1 / correlation - 1
    pull = 1.0 if np.isinf(prior) else prior / (prior + n)
    return np.asarray(pull * mean + (1 - pull) * shares)


def _gap_finding(
    quantity: str,
    metrics: tuple[str, ...],
    function: str,
    labels: ArrayLike,
    scores: ArrayLike,
    groups: ArrayLike,
    *,
    threshold: float = 0.5,
    patients: ArrayLike | None = None,
    level: float = 0.95,
    replicates: int = 1000,
    seed: int = 0,
    minimum_events: int = 20,
) -> Finding:
    made = _grouped(labels, scores, groups, metrics, threshold, patients, minimum_events)
    method = method_record(
        quantity, f"assurance.metrics.subgroups:{function}", seed=seed, metrics=list(metrics), threshold=threshold,
        level=checked_level(level), replicates=replicates, minimum_events=minimum_events,
    )  # fmt: skip
    shared: dict[str, Any] = {
        "quantity": quantity,
        "unit": "1",
        "n_cases": made.n_cases,
        "n_patients": None if patients is None else int(made.codes.max()) + 1,
        "method": method,
        "input_digest": made.digest,
        "minimum_n": minimum_events,
    }
    if len(made.names) < 2:
        reason = (
            f"fewer than two subgroups have {minimum_events} events: too small are {', '.join(made.left_out) or 'none'}"
        )
        details = {"too_small": made.left_out}
        return Finding(value=None, state=State.INSUFFICIENT, reason=reason, details=details, **shared)
    values, draws = made.values(np.ones(made.n_cases)), _replicates(made, replicates, seed)
    gap = float(_range(values[None], len(metrics))[0])
    low, high = np.quantile(_range(draws, len(metrics)), [(1 - level) / 2, (1 + level) / 2])
    null = _null_law(np.cov(draws, rowvar=False), gap, len(metrics), seed)
    state = State.OK
    p_value = null.p_value if null.p_value is not None else 1.0
    if gap >= WATCH_GAP and p_value <= 0.01:
        state = State.ACT if gap >= ACT_GAP and p_value <= 0.001 else State.WATCH
    per_metric = values.reshape(len(metrics), -1)
    return Finding(
        value=gap,
        state=state,
        interval=interval_around(gap, low, high, level=level, method="patient_bootstrap"),
        null=null,
        details={
            "groups": {
                metric: dict(zip(made.names, row.tolist(), strict=True))
                for metric, row in zip(metrics, per_metric, strict=True)
            },
            "too_small": made.left_out,
        },
        **shared,
    )


def _grouped(
    labels: ArrayLike,
    scores: ArrayLike,
    groups: ArrayLike,
    metrics: tuple[str, ...],
    threshold: float,
    patients: ArrayLike | None,
    minimum_events: int,
) -> _Groups:
    truth = binary_vector(labels, name="labels")
    values = finite_vector(scores, name="scores")
    levels = np.asarray(groups).astype(str)
    same_length(labels=truth, scores=values, groups=levels)
    if unknown := set(metrics) - {"auroc", "sensitivity", "specificity"}:
        raise InvalidInput("unknown_metric", f"metric {min(unknown)!r}: choose one of auroc, sensitivity, specificity")
    codes = patient_codes(patients, n_cases=truth.size)
    kept: list[str] = []
    left_out: list[str] = []
    for name in np.unique(levels).tolist():
        here = levels == name
        positives, negatives = int((here & truth).sum()), int((here & ~truth).sum())
        events = {"auroc": min(positives, negatives), "sensitivity": positives, "specificity": negatives}
        (kept if min(events[metric] for metric in metrics) >= minimum_events else left_out).append(name)
    parts: list[Callable[[Vector], float]] = []
    for metric in metrics:
        parts += [_statistic(metric, np.flatnonzero(levels == name), truth, values, threshold) for name in kept]

    def group_values(weights: Vector) -> Vector:
        return np.array([part(weights) for part in parts])

    digest = array_digest(labels=truth, scores=values, groups=levels, patients=patients)
    return _Groups(kept, left_out, group_values, codes, truth.size, digest)


def _statistic(
    metric: str, members: NDArray[np.intp], truth: NDArray[np.bool_], scores: Vector, threshold: float
) -> Callable[[Vector], float]:
    if metric == "auroc":
        members = members[np.argsort(scores[members], kind="stable")]
        ordered, positive = scores[members], truth[members].astype(float)
        starts = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]]))
        return lambda weights: weighted_area(weights[members], positive, starts)
    wanted = metric == "sensitivity"
    members = members[truth[members] == wanted]
    right = ((scores[members] >= threshold) == wanted).astype(float)

    def share(weights: Vector) -> float:
        drawn = weights[members]
        total = drawn.sum()
        return float(drawn @ right / total) if total else float("nan")

    return share


def _replicates(made: _Groups, replicates: int, seed: int) -> Vector:
    rng = np.random.default_rng(seed)
    draws = np.array(
        [made.values(weights) for weights in bootstrap_weights(made.codes, replicates=replicates, rng=rng)]
    )
    draws = draws[np.isfinite(draws).all(axis=1)]
    if len(draws) * 2 < replicates:
        raise NotComputable("too_few", "in most bootstrap draws a subgroup lost a class: it has too few patients")
    return draws


def _range(values: Vector, n_metrics: int) -> Vector:
    per_metric = values.reshape(len(values), n_metrics, -1)
    return np.asarray(np.ptp(per_metric, axis=2).max(axis=1))


def _null_law(covariance: Vector, gap: float, n_metrics: int, seed: int) -> NullLaw:
    rng = np.random.default_rng([seed, 1])
    covariance = np.atleast_2d(covariance)
    chance = rng.multivariate_normal(np.zeros(len(covariance)), covariance, size=NULL_DRAWS, method="eigh")
    ranges = _range(chance, n_metrics)
    quantiles = {f"{q}": float(np.quantile(ranges, q)) for q in (0.95, 0.99)}
    p_value = (1 + int((ranges >= gap).sum())) / (1 + NULL_DRAWS)
    return NullLaw("range of equal groups, normal with bootstrap covariance", quantiles, p_value)
