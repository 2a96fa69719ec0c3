"""Classifier two-sample test: can a simple classifier tell the current cases from the reference?"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import linalg, special, stats

from assurance.evidence.finding import Finding, Interval
from assurance.metrics.roc_auc import clustered_variance, structural_components
from monitoring.drift import thresholds
from monitoring.drift.vector_finding import drawn_law, vector_finding
from monitoring.drift.vectors import COMPONENTS, Matrix, Vectors, pair, whitening

FOLDS = 5
RIDGE = 1.0
PERMUTATIONS = 999
WIDEST = 8.0  # whitened coordinates are cut here: one wild case must not decide the classifier


def c2st(
    reference: ArrayLike, current: ArrayLike, *, reference_patients: ArrayLike | None = None,
    current_patients: ArrayLike | None = None, alpha_watch: float = thresholds.ALPHA_WATCH,
    alpha_act: float = thresholds.ALPHA_ACT, seed: int = 0, permutations: int = PERMUTATIONS,
    components: int = COMPONENTS,
) -> Finding:  # fmt: skip
    """Out-of-fold AUROC of a logistic classifier on whitened principal components, 5 folds of whole patients.

    Parameters
    ----------
    reference, current : arrays of shape (n, d) and (m, d)
        Embeddings of cases. Axes (64, fewer for narrow or small samples) are fitted on both sides together: axes that
        know which side is which would favour the division that is there over those that are dealt.
    reference_patients, current_patients : arrays of shape (n,) and (m,), optional
        Who each case belongs to: folds and permutations move whole patients, and the interval follows them.

    Returns
    -------
    Finding
        0.5 = no difference. Interval: DeLong, Obuchowski's variance with several cases per patient. Evidence: labels
        dealt anew within the folds ``permutations`` times to a least-squares discriminant on the same folds, which is a
        linear classifier like the logistic one and can be refitted a thousand times. The verdict follows the interval's
        lower end: above 0.55 watch, above 0.65 act.

    References
    ----------
    Lopez-Paz & Oquab (2017), ICLR. DeLong, DeLong & Clarke-Pearson (1988), Biometrics 44:837.
    """
    pairs = pair(reference, current, key="c2st", reference_patients=reference_patients,
                 current_patients=current_patients, seed=seed, minimum=thresholds.CLASSIFIER.act_n)  # fmt: skip
    if isinstance(pairs, Finding):
        return pairs
    first, second = pairs
    design, here, folds = _design(first, second, components, seed)
    scores = _logistic_out_of_fold(design, here, folds)
    interval = _interval(here, scores, first, second)
    area = _areas(scores[:, None], here[:, None])[0]
    statistic = _discriminant_areas(design, here[None, :], folds)[0]
    drawn = _discriminant_areas(design, _dealt_within_folds(first, second, folds, permutations, seed), folds)
    null = drawn_law(drawn, float(statistic), f"{permutations} deals of patients")
    # folds turn a classifier of nothing slightly upside down, which is no effect
    effect = math.sqrt(2) * float(special.ndtri(min(max(area, 0.5), 1 - 1e-9)))
    return vector_finding(
        "c2st", float(area), first, second, null=null, row=thresholds.CLASSIFIER, effect=effect,
        judged_effect=interval.low, alpha_watch=alpha_watch, alpha_act=alpha_act, seed=seed, interval=interval,
        parameters={"components": design.shape[1], "folds": FOLDS, "ridge": RIDGE, "permutations": permutations},
        details={"discriminant_auroc": float(statistic)},
    )  # fmt: skip


def domain_scores(
    reference: ArrayLike, current: ArrayLike, *, seed: int = 0, components: int = COMPONENTS
) -> NDArray[np.float64]:
    """Out-of-fold log odds of each current case, in the order given: the largest are the least like the reference.

    Both sides must be free of missing values.
    """
    before, after = np.asarray(reference, dtype=np.float64), np.asarray(current, dtype=np.float64)
    axes = whitening(before, components=components)
    design = np.clip(axes(np.concatenate((before, after))), -WIDEST, WIDEST)
    here = np.arange(len(design)) >= len(before)
    folds = np.random.default_rng(seed).permutation(len(design)) % FOLDS
    return _logistic_out_of_fold(design, here, folds)[len(before) :]


def _design(
    first: Vectors, second: Vectors, components: int, seed: int
) -> tuple[Matrix, NDArray[np.bool_], NDArray[np.intp]]:
    together = np.concatenate((first.rows, second.rows))
    design = np.clip(whitening(together, components=components)(together), -WIDEST, WIDEST)
    here = np.arange(len(design)) >= first.n
    rng = np.random.default_rng(seed)
    fold_of = np.concatenate([rng.permutation(side.n_patients) % FOLDS for side in (first, second)])
    owners = np.concatenate((first.patients, first.n_patients + second.patients))
    return design, here, fold_of[owners]


def _dealt_within_folds(
    first: Vectors, second: Vectors, folds: NDArray[np.intp], draws: int, seed: int
) -> NDArray[np.bool_]:
    """(draws, n + m) masks: patients dealt anew, each fold keeping its number of the current side.

    The folds divide both sides evenly. Dealing across them would not, and a fold with more current cases than its
    training part expects scores them too low: the law would lie below 0.5 and small windows alarm far too often.
    """
    rng = np.random.default_rng(seed)
    owners = np.concatenate((first.patients, first.n_patients + second.patients))
    total = first.n_patients + second.n_patients
    fold_of = np.empty(total, dtype=np.intp)
    fold_of[owners] = folds
    mine = np.broadcast_to(np.arange(total) >= first.n_patients, (draws, total)).copy()
    for fold in range(FOLDS):
        here = np.flatnonzero(fold_of == fold)
        mine[:, here] = rng.permuted(mine[:, here], axis=1)
    dealt: NDArray[np.bool_] = mine[:, owners]
    return dealt


def _logistic_out_of_fold(design: Matrix, here: NDArray[np.bool_], folds: NDArray[np.intp]) -> NDArray[np.float64]:
    scores = np.empty(len(design))
    table = np.column_stack((np.ones(len(design)), design))
    for fold in range(FOLDS):
        out = folds == fold
        scores[out] = table[out] @ _logistic(table[~out], here[~out])
    return scores


def _logistic(table: Matrix, here: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Ridge logistic regression by Newton's method; the intercept is not shrunk."""
    shrink = np.full(table.shape[1], RIDGE)
    shrink[0] = 1e-8
    line = np.zeros(table.shape[1])
    for _ in range(30):
        fitted = special.expit(table @ line)
        slope = table.T @ (fitted - here) + shrink * line
        curve = (table * (fitted * (1 - fitted))[:, None]).T @ table + np.diag(shrink)
        step = linalg.solve(curve, slope, assume_a="pos")
        line -= step
        if np.abs(step).max() < 1e-7:
            break
    return line


def _discriminant_areas(design: Matrix, groups: NDArray[np.bool_], folds: NDArray[np.intp]) -> NDArray[np.float64]:
    """Out-of-fold AUROC of the ridge least-squares discriminant for each dealing of labels (R, n + m)."""
    labels = groups.T.astype(np.float64)
    scores = np.empty_like(labels)
    table = np.column_stack((np.ones(len(design)), design))
    shrink = np.diag([1e-8, *[RIDGE] * design.shape[1]])
    for fold in range(FOLDS):
        out = folds == fold
        inside = table[~out]
        lines = linalg.solve(inside.T @ inside + shrink, inside.T @ labels[~out], assume_a="pos")
        scores[out] = table[out] @ lines
    return _areas(scores, groups.T)


def _areas(scores: NDArray[np.float64], here: NDArray[np.bool_]) -> NDArray[np.float64]:
    """AUROC of each column."""
    ranks = stats.rankdata(scores, axis=0) if scores.shape[1] == 1 else _ranks(scores)
    m = here.sum(axis=0)
    n = len(here) - m
    areas: NDArray[np.float64] = ((ranks * here).sum(axis=0) - m * (m + 1) / 2) / (n * m)
    return areas


def _ranks(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Ranks along each column without care for ties, which continuous scores do not have; much faster."""
    order = scores.argsort(axis=0)
    ranks = np.empty(scores.shape)
    np.put_along_axis(ranks, order, np.arange(1.0, len(scores) + 1)[:, None], axis=0)
    return ranks


def _interval(here: NDArray[np.bool_], scores: NDArray[np.float64], first: Vectors, second: Vectors) -> Interval:
    area, of_current, of_reference = structural_components(here, scores)
    grouped = first.n_patients < first.n or second.n_patients < second.n
    if grouped:
        owners = np.concatenate((first.patients, first.n_patients + second.patients))
        variance = clustered_variance(here, of_current, of_reference, area, owners)
    else:
        variance = float(of_current.var(ddof=1) / of_current.size + of_reference.var(ddof=1) / of_reference.size)
    reach = float(special.ndtri(0.975)) * math.sqrt(variance)
    return Interval(max(0.0, area - reach), min(1.0, area + reach), 0.95, "obuchowski" if grouped else "delong")
