"""Would the performance seen at one site hold for the patients of another? Standardisation to the target's mix."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from assurance.evidence.checks import finite_vector, same_length
from assurance.evidence.errors import InvalidInput, NotComputable
from assurance.evidence.finding import Finding, State
from assurance.metrics.measured import array_digest, checked_level, interval_around, method_record
from assurance.metrics.patients import bootstrap_weights, patient_codes
from assurance.metrics.roc_auc import structural_components

Vector = NDArray[np.float64]
SMALLEST_EFFECTIVE = 100.0


def standardised_mean(
    outcomes: ArrayLike,
    strata: ArrayLike,
    target_strata: ArrayLike,
    *,
    patients: ArrayLike | None = None,
    level: float = 0.95,
    replicates: int = 1000,
    seed: int = 0,
    minimum_per_stratum: int = 5,
) -> Finding:
    """Mean outcome of a site's cases, weighted to the strata (age × sex × view …) of a target population.

    Parameters
    ----------
    outcomes : array of shape (n,)
        1 = right call, squared error, Dice … of each case of the source.
    strata : array of shape (n,)
        Stratum of each source case, as text.
    target_strata : array of shape (m,)
        Strata of the target's cases (labels are not needed there).

    Returns
    -------
    Finding
        ``details``: plain mean, effective sample size, share of the target that the source does not cover. The value
        speaks for the covered part only; ``insufficient`` when more than 10 % is not covered or the weighted source is
        worth fewer than 100 cases. Holds if, within a stratum, outcomes do not differ between the sites.

    References
    ----------
    Stuart et al. (2011), JRSS A 174:369. Debray et al. (2015), J Clin Epidemiol 68:279 (case mix and transportability).
    """
    y = finite_vector(outcomes, name="outcomes")
    source, target = np.asarray(strata).astype(str), np.asarray(target_strata).astype(str)
    same_length(outcomes=y, strata=source)
    if not target.size:
        raise InvalidInput("too_few", "target_strata holds no case: give the strata of the target population")
    names, member = np.unique(source, return_inverse=True)
    sizes = np.bincount(member)
    wanted = np.array([(target == name).mean() for name in names])
    covered = sizes >= minimum_per_stratum
    uncovered = 1 - float(wanted[covered].sum())
    wanted = np.where(covered, wanted, 0.0)
    if wanted.sum() == 0:
        raise NotComputable(
            "no_overlap", "no stratum of the target has enough cases in the source: nothing carries over"
        )
    weights = (wanted / wanted.sum() / sizes)[member]
    size = float(weights.sum() ** 2 / (weights @ weights))
    value = float(weights @ y / weights.sum())
    codes = patient_codes(patients, n_cases=y.size)
    draws = []
    for drawn in bootstrap_weights(codes, replicates=replicates, rng=np.random.default_rng(seed)):
        counts = np.bincount(member, drawn)
        sums = np.bincount(member, drawn * y)
        here = (counts > 0) & (wanted > 0)
        draws.append(float(wanted[here] @ (sums[here] / counts[here]) / wanted[here].sum()))
    low, high = np.quantile(draws, [(1 - checked_level(level)) / 2, (1 + level) / 2])
    reason = ""
    if uncovered > 0.1:
        reason = f"{uncovered:.0%} of the target's patients have no like in the source"
    elif size < SMALLEST_EFFECTIVE:
        reason = f"the weighted source is worth {size:.0f} cases: {SMALLEST_EFFECTIVE:.0f} are needed"
    return Finding(
        quantity="transported_mean",
        value=value,
        unit="1",
        state=State.INSUFFICIENT if reason else State.OK,
        reason=reason,
        n_cases=y.size,
        n_patients=None if patients is None else int(codes.max()) + 1,
        n_reference=int(target.size),
        interval=interval_around(value, low, high, level=level, method="patient_bootstrap"),
        minimum_n=int(SMALLEST_EFFECTIVE),
        method=method_record(
            "transported_mean", "generalizability.sites.transport:standardised_mean", seed=seed, level=level,
            replicates=replicates, minimum_per_stratum=minimum_per_stratum,
        ),
        input_digest=array_digest(outcomes=y, strata=source, target_strata=target, patients=patients),
        details={
            "plain_mean": float(y.mean()),
            "effective_sample_size": size,
            "uncovered_share": uncovered,
            "strata": dict(zip(names.tolist(), wanted.tolist(), strict=True)),
        },
    )  # fmt: skip


def joined_strata(columns: Sequence[ArrayLike]) -> NDArray[np.str_]:
    """One stratum name per case from several factors: "F | 45-64 | PA"."""
    tables: list[NDArray[Any]] = [np.asarray(column).astype(str) for column in columns]
    if not tables or len({table.shape for table in tables}) != 1 or tables[0].ndim != 1:
        raise InvalidInput("length_mismatch", "the factors differ in length: give one value per case in each")
    return np.array([" | ".join(row) for row in zip(*(table.tolist() for table in tables), strict=True)], dtype=str)


def membership_auroc(source_features: ArrayLike, target_features: ArrayLike, *, folds: int = 5, seed: int = 0) -> float:
    """How well a linear model tells source from target patients, out of fold: 0.5 = the same case mix.

    Features of shape (n, d) and (m, d), finite. A high value with unchanged performance is transportability; with
    changed performance it is a difference in case mix, not yet a failure of reproducibility.

    References
    ----------
    Debray et al. (2015), J Clin Epidemiol 68:279 (membership model).
    """
    source, target = (np.asarray(table, dtype=float) for table in (source_features, target_features))
    if source.ndim != 2 or target.ndim != 2 or source.shape[1] != target.shape[1]:
        raise InvalidInput("width_mismatch", f"features have shapes {source.shape} and {target.shape}: give one width")
    if not (np.isfinite(source).all() and np.isfinite(target).all()):
        raise InvalidInput("not_finite", "a feature is not finite: give finite numbers")
    if min(len(source), len(target)) < 2 * folds:
        raise NotComputable("too_few", f"{len(source)} and {len(target)} cases: {2 * folds} of each are needed")
    table = np.vstack([source, target])
    scale = table.std(axis=0)
    table = (table - table.mean(axis=0)) / np.where(scale > 0, scale, 1)
    here = np.r_[np.zeros(len(source)), np.ones(len(target))]
    rng = np.random.default_rng(seed)
    fold = np.concatenate([rng.permutation(np.arange(len(part)) % folds) for part in (source, target)])
    scores = np.empty(len(table))
    for one in range(folds):
        train = fold != one
        scores[~train] = table[~train] @ _discriminant(table[train], here[train])
    return structural_components(here == 1, scores)[0]


def _discriminant(table: Vector, here: Vector) -> Vector:
    """Fisher's linear direction with a little ridge."""
    first, second = table[here == 0], table[here == 1]
    spread = np.cov(first, rowvar=False) + np.cov(second, rowvar=False)
    spread = np.atleast_2d(spread)
    spread = spread + 1e-6 * (np.trace(spread) / len(spread) + 1e-12) * np.eye(len(spread))
    return np.asarray(np.linalg.solve(spread, second.mean(axis=0) - first.mean(axis=0)))
