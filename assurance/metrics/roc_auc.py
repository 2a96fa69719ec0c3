"""Area under the ROC curve: the chance that a case with the finding scores higher than one without."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import optimize, special, stats

from assurance.evidence.checks import binary_vector, finite_vector, same_length
from assurance.evidence.errors import InvalidInput, NotComputable
from assurance.evidence.finding import Finding, Interval
from assurance.metrics.measured import array_digest, checked_level, interval_around, judged, method_record
from assurance.metrics.patients import bootstrap_quantiles, clustered, patient_codes

BOOTSTRAP_CASES = 50_000  # above this the closed form for clusters differs from the bootstrap by less than its noise


def auroc(
    labels: ArrayLike,
    scores: ArrayLike,
    *,
    patients: ArrayLike | None = None,
    interval: str = "auto",
    level: float = 0.95,
    replicates: int = 2000,
    seed: int = 0,
    minimum_events: int = 20,
    limit: float | None = None,
) -> Finding:
    """AUROC with its interval; ties count half.

    Parameters
    ----------
    labels : array of shape (n,)
        0 or 1 for each case.
    scores : array of shape (n,)
        Model scores on any scale, larger = more likely 1.
    patients : array of shape (n,), optional
        Who each case belongs to. With several cases of one patient the interval follows patients.
    interval : {"auto", "delong", "delong_logit", "bootstrap", "obuchowski", "newcombe"}
        ``auto``: DeLong; on the logit scale when AUROC > 0.9 (or < 0.1) or a class has fewer than 30 cases; with
        several cases per patient the bootstrap over patients (Obuchowski's variance above 50,000 cases); at AUROC 0 or
        1, where DeLong's variance vanishes, Newcombe's score interval.
    minimum_events : int
        Cases needed in each class; below it the state is ``insufficient`` and the value is still given.
    limit : float, optional
        Declared minimum.

    Returns
    -------
    Finding
        Unit "1", 0..1, 0.5 = no discrimination.

    Raises
    ------
    InvalidInput
        Labels not 0/1, scores not finite, lengths differ, unknown ``interval``.
    NotComputable
        Only one class is present (``one_class``).

    References
    ----------
    DeLong, DeLong & Clarke-Pearson (1988), Biometrics 44:837. Sun & Xu (2014), IEEE SPL 21:1389 (midranks).
    Obuchowski (1997), Biometrics 53:567. Newcombe (2006), Statistics in Medicine 25:559 (method 5).
    """
    truth = binary_vector(labels, name="labels")
    values = finite_vector(scores, name="scores")
    same_length(labels=truth, scores=values)
    codes = patient_codes(patients, n_cases=truth.size)
    area, of_positives, of_negatives = structural_components(truth, values)
    n_positive, n_negative = of_positives.size, of_negatives.size
    smallest = min(n_positive, n_negative)
    chosen = _chosen(interval, area, smallest, clustered(codes), truth.size)
    bounds: Interval | None = None
    if chosen == "newcombe":
        bounds = _newcombe(area, n_positive, n_negative, level)
    elif chosen == "bootstrap":
        bounds = _bootstrap(truth, values, codes, area, level, replicates, seed)
    elif smallest > 1:
        if chosen == "obuchowski":
            variance = clustered_variance(truth, of_positives, of_negatives, area, codes)
        else:
            variance = delong_variance(of_positives, of_negatives)
        logit = chosen == "delong_logit" or (chosen == "obuchowski" and (area > 0.9 or smallest < 30))
        bounds = _normal(area, variance, level, chosen, logit=logit and 0 < area < 1)
    too_few = ""
    if smallest < minimum_events:
        too_few = f"{n_positive} cases with and {n_negative} without the finding: {minimum_events} of each are needed"
    state, reason = judged(area, bounds, limit=limit, higher_is_better=True, too_few=too_few)
    return Finding(
        quantity="auroc",
        value=area,
        unit="1",
        state=state,
        reason=reason,
        n_cases=truth.size,
        n_patients=None if patients is None else int(codes.max()) + 1,
        interval=bounds,
        minimum_n=2 * minimum_events,
        method=method_record(
            "auroc",
            "assurance.metrics.roc_auc:auroc",
            seed=seed if chosen == "bootstrap" else None,
            interval=chosen,
            level=level,
            limit=limit,
            minimum_events=minimum_events,
            **({"replicates": replicates} if chosen == "bootstrap" else {}),
        ),
        input_digest=array_digest(labels=truth, scores=values, patients=patients),
        details={"n_positive": n_positive, "n_negative": n_negative},
    )


def structural_components(
    truth: NDArray[np.bool_], scores: NDArray[np.float64]
) -> tuple[float, NDArray[np.float64], NDArray[np.float64]]:
    """AUROC, and for each positive (then each negative) the share of the other class that it is ranked rightly against.

    O(n log n) by midranks. Raises NotComputable ``one_class``.
    """
    positives, negatives = scores[truth], scores[~truth]
    if not positives.size or not negatives.size:
        held = "with" if positives.size else "without"
        raise NotComputable("one_class", f"all {truth.size} cases are {held} the finding: a ranking needs both classes")
    ranks = stats.rankdata(scores)
    of_positives = (ranks[truth] - stats.rankdata(positives)) / negatives.size
    of_negatives = 1 - (ranks[~truth] - stats.rankdata(negatives)) / positives.size
    return float(of_positives.mean()), of_positives, of_negatives


def delong_variance(of_positives: NDArray[np.float64], of_negatives: NDArray[np.float64]) -> float:
    """Variance of AUROC from its structural components; each class needs two cases or more."""
    return float(of_positives.var(ddof=1) / of_positives.size + of_negatives.var(ddof=1) / of_negatives.size)


def clustered_variance(
    truth: NDArray[np.bool_],
    of_positives: NDArray[np.float64],
    of_negatives: NDArray[np.float64],
    area: float,
    codes: NDArray[np.intp],
) -> float:
    """Obuchowski's variance of AUROC when a patient gives several cases, of one or of both classes."""
    n_patients = int(codes.max()) + 1
    positive_codes, negative_codes = codes[truth], codes[~truth]
    positive = np.bincount(positive_codes, of_positives - area, minlength=n_patients).astype(float)
    negative = np.bincount(negative_codes, of_negatives - area, minlength=n_patients).astype(float)

    def spread(sums: NDArray[np.float64], members: NDArray[np.intp]) -> float:
        groups = np.unique(members).size
        return groups / (groups - 1) * float(sums @ sums) if groups > 1 else float("nan")

    n_positive, n_negative = of_positives.size, of_negatives.size
    shared = n_patients / (n_patients - 1) * float(positive @ negative) if n_patients > 1 else float("nan")
    variance = (
        spread(positive, positive_codes) / n_positive**2
        + spread(negative, negative_codes) / n_negative**2
        + 2 * shared / (n_positive * n_negative)
    )
    return max(variance, 0.0)


def paired_auroc_difference(
    labels: ArrayLike, first_scores: ArrayLike, second_scores: ArrayLike, *, level: float = 0.95
) -> tuple[float, Interval, float]:
    """AUROC(first) − AUROC(second) on the same cases, DeLong interval and two-sided p-value.

    Two scores that rank alike give difference 0 and p = 1.
    """
    truth = binary_vector(labels, name="labels")
    first = finite_vector(first_scores, name="first_scores")
    second = finite_vector(second_scores, name="second_scores")
    same_length(labels=truth, first_scores=first, second_scores=second)
    area_first, positives_first, negatives_first = structural_components(truth, first)
    area_second, positives_second, negatives_second = structural_components(truth, second)
    if min(positives_first.size, negatives_first.size) < 2:
        raise NotComputable("too_few", "a variance needs two cases or more in each class")
    difference = area_first - area_second
    variance = delong_variance(positives_first - positives_second, negatives_first - negatives_second)
    bounds = _normal(difference, variance, checked_level(level), "delong", logit=False, whole_line=True)
    if variance == 0:
        return difference, bounds, 1.0 if difference == 0 else 0.0
    return difference, bounds, float(2 * special.ndtr(-abs(difference) / math.sqrt(variance)))


def auroc_from_histograms(positive_counts: ArrayLike, negative_counts: ArrayLike) -> tuple[float, float]:
    """AUROC from two class histograms over the same ordered bins, and the largest error that binning can cause.

    Cases of one bin count as ties. The bound is ½ Σ p⁺_b p⁻_b. Histograms may be merged by adding before the call.
    """
    positive = finite_vector(positive_counts, name="positive_counts")
    negative = finite_vector(negative_counts, name="negative_counts")
    same_length(positive_counts=positive, negative_counts=negative)
    if positive.sum() <= 0 or negative.sum() <= 0:
        raise NotComputable("one_class", "a histogram is empty: a ranking needs both classes")
    positive, negative = positive / positive.sum(), negative / negative.sum()
    below = np.concatenate([[0.0], np.cumsum(negative)[:-1]])
    return float(positive @ (below + negative / 2)), float(positive @ negative / 2)


def _chosen(interval: str, area: float, smallest: int, several_per_patient: bool, n_cases: int) -> str:
    known = ("auto", "delong", "delong_logit", "bootstrap", "obuchowski", "newcombe")
    if interval not in known:
        raise InvalidInput("unknown_interval", f"interval {interval!r} is not known: choose one of {', '.join(known)}")
    if interval != "auto":
        return interval
    if area in (0.0, 1.0) or smallest < 2:
        return "newcombe"
    if several_per_patient:
        return "bootstrap" if n_cases <= BOOTSTRAP_CASES else "obuchowski"
    return "delong_logit" if area > 0.9 or area < 0.1 or smallest < 30 else "delong"


def _normal(
    area: float, variance: float, level: float, name: str, *, logit: bool, whole_line: bool = False
) -> Interval:
    reach = float(special.ndtri((1 + checked_level(level)) / 2)) * math.sqrt(variance)
    if logit:
        centre, reach = float(special.logit(area)), reach / (area * (1 - area))
        low, high = float(special.expit(centre - reach)), float(special.expit(centre + reach))
        return interval_around(area, low, high, level=level, method=name)
    floor, ceiling = (-1.0, 1.0) if whole_line else (0.0, 1.0)
    return interval_around(area, max(floor, area - reach), min(ceiling, area + reach), level=level, method=name)


def _newcombe(area: float, n_positive: int, n_negative: int, level: float) -> Interval:
    z = float(special.ndtri((1 + checked_level(level)) / 2))
    mean_size = (n_positive + n_negative) / 2 - 1

    def excess(theta: float) -> float:
        spread = theta * (1 - theta) / (n_positive * n_negative)
        spread *= 1 + mean_size * (1 - theta) / (2 - theta) + mean_size * theta / (1 + theta)
        return (area - theta) ** 2 - z * z * spread

    low = 0.0 if area == 0 else float(optimize.brentq(excess, 0.0, area - 1e-15 if area == 1 else area))
    high = 1.0 if area == 1 else float(optimize.brentq(excess, area + 1e-15 if area == 0 else area, 1.0))
    return interval_around(area, low, high, level=level, method="newcombe")


def _bootstrap(
    truth: NDArray[np.bool_],
    scores: NDArray[np.float64],
    codes: NDArray[np.intp],
    area: float,
    level: float,
    replicates: int,
    seed: int,
) -> Interval | None:
    order = np.argsort(scores, kind="stable")
    ordered = scores[order]
    starts = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]]))
    positive = truth[order].astype(float)

    def weighted(weights: NDArray[np.float64]) -> float:
        return weighted_area(weights, positive, starts)

    low, high, _ = bootstrap_quantiles(
        weighted, codes[order], level=checked_level(level), replicates=replicates, rng=np.random.default_rng(seed)
    )
    return interval_around(area, low, high, level=level, method="patient_bootstrap") if math.isfinite(low) else None


def weighted_area(weights: NDArray[np.float64], positive: NDArray[np.float64], starts: NDArray[Any]) -> float:
    """AUROC of weighted cases sorted by score; ``starts``: first place of each distinct score. NaN with one class."""
    with_finding = np.add.reduceat(weights * positive, starts)
    without = np.add.reduceat(weights * (1 - positive), starts)
    total = with_finding.sum() * without.sum()
    if total == 0:
        return float("nan")
    below = np.cumsum(without) - without
    return float(with_finding @ (below + without / 2) / total)
