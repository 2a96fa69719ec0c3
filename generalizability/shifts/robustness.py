"""How performance falls with the severity of a simulated acquisition shift."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special, stats

from assurance.evidence.checks import binary_vector, finite_vector, same_length
from assurance.evidence.errors import InvalidInput, NotComputable
from assurance.evidence.finding import Finding, Interval, State
from assurance.metrics.measured import array_digest, checked_level, interval_around, judged, method_record
from assurance.metrics.patients import bootstrap_ratios, patient_codes

Vector = NDArray[np.float64]
SEVERITIES = (1, 2, 3, 4, 5)


def severity_slope(values: Sequence[float], *, level: float = 0.95) -> tuple[float, float, float]:
    """Theil–Sen slope of a value over severity 0 (clean), 1, 2 …, with its interval: slope, low, high.

    References
    ----------
    Theil (1950); Sen (1968), JASA 63:1379.
    """
    series = finite_vector(values, name="values", at_least=3)
    slope, _, low, high = stats.theilslopes(series, np.arange(series.size), alpha=checked_level(level))
    return float(slope), float(low), float(high)


def breakdown_severity(
    by_severity: Mapping[int, Finding], *, limit: float, higher_is_better: bool = True
) -> int | None:
    """First severity at which the interval's bad end lies beyond the declared ``limit``; ``None`` if none does."""
    for severity in sorted(by_severity):
        finding = by_severity[severity]
        if finding.interval is None:
            raise NotComputable("no_interval", f"severity {severity} has no interval: a breakdown cannot be judged")
        if (finding.interval.low < limit) if higher_is_better else (finding.interval.high > limit):
            return severity
    return None


def balanced_error(errors: ArrayLike, base_errors: ArrayLike) -> float:
    """BE = mean over severities of the error ÷ that of a stated base model; below 1 = more robust than the base.

    References
    ----------
    Hendrycks & Dietterich (2019), ICLR. Di Salvo et al. (2024), MedMNIST-C, arXiv:2406.17536.
    """
    own, base = finite_vector(errors, name="errors"), finite_vector(base_errors, name="base_errors")
    same_length(errors=own, base_errors=base)
    if base.mean() == 0:
        raise NotComputable("base_without_error", "the base model makes no error: there is nothing to compare with")
    return float(own.mean() / base.mean())


def relative_balanced_error(errors: ArrayLike, clean: float, base_errors: ArrayLike, base_clean: float) -> float:
    """rBE = (mean error − clean error) ÷ the same of the base model: what the shift adds, compared.

    References
    ----------
    Hendrycks & Dietterich (2019), ICLR.
    """
    own, base = finite_vector(errors, name="errors"), finite_vector(base_errors, name="base_errors")
    same_length(errors=own, base_errors=base)
    added = float(base.mean()) - base_clean
    if added <= 0:
        raise NotComputable(
            "base_unmoved", "the shift adds no error to the base model: there is nothing to compare with"
        )
    return (float(own.mean()) - clean) / added


def mcnemar(clean_right: ArrayLike, shifted_right: ArrayLike) -> tuple[int, int, float]:
    """The same cases clean and shifted: how many went wrong, how many became right, and the exact two-sided p-value.

    References
    ----------
    McNemar (1947), Psychometrika 12:153 (exact binomial form).
    """
    before, after = binary_vector(clean_right, name="clean_right"), binary_vector(shifted_right, name="shifted_right")
    same_length(clean_right=before, shifted_right=after)
    lost, won = int((before & ~after).sum()), int((~before & after).sum())
    if lost + won == 0:
        return lost, won, 1.0
    return lost, won, min(1.0, 2 * float(special.bdtr(min(lost, won), lost + won, 0.5)))


def paired_change(
    clean: ArrayLike,
    shifted: ArrayLike,
    *,
    kind: str,
    severity: int,
    patients: ArrayLike | None = None,
    level: float = 0.95,
    replicates: int = 2000,
    seed: int = 0,
    minimum_cases: int = 50,
    tolerance: float | None = None,
) -> Finding:
    """Mean change of a per-case value (1 = right, Dice, score) from the clean image to the shifted one.

    Parameters
    ----------
    clean, shifted : arrays of shape (n,)
        The value of the same cases.
    kind, severity
        Which simulator, for the record.
    patients : array of shape (n,), optional
        The bootstrap draws whole patients, each with its pair.
    tolerance : float, optional
        Largest loss that is declared acceptable, above 0: ``watch`` beyond it, ``act`` when the whole interval is.

    References
    ----------
    Efron & Tibshirani (1993), An Introduction to the Bootstrap (paired design).
    """
    before, after = finite_vector(clean, name="clean"), finite_vector(shifted, name="shifted")
    same_length(clean=before, shifted=after)
    if severity not in SEVERITIES:
        raise InvalidInput("bad_severity", f"severity is {severity}: give a whole number from 1 to 5")
    change = after - before
    codes = patient_codes(patients, n_cases=change.size)
    draws = bootstrap_ratios(
        change, np.ones(change.size), codes, replicates=replicates, rng=np.random.default_rng(seed)
    )
    low, high = np.quantile(draws, [(1 - checked_level(level)) / 2, (1 + level) / 2])
    value = float(change.mean())
    drawn = "paired_patient_bootstrap" if patients is not None else "paired_case_bootstrap"
    span: Interval = interval_around(value, low, high, level=level, method=drawn)
    too_few = f"{change.size} pairs: {minimum_cases} are needed" if change.size < minimum_cases else ""
    limit = None if tolerance is None else -abs(tolerance)
    state, reason = judged(value, span, limit=limit, higher_is_better=True, too_few=too_few)
    return Finding(
        quantity="change_under_shift",
        value=value,
        unit="1",
        state=state,
        reason=reason,
        n_cases=change.size,
        n_patients=None if patients is None else int(codes.max()) + 1,
        interval=span,
        minimum_n=minimum_cases,
        stratum={"shift": kind, "severity": str(severity)},
        method=method_record(
            "change_under_shift", "generalizability.shifts.robustness:paired_change", seed=seed, level=level,
            replicates=replicates, tolerance=tolerance,
        ),
        input_digest=array_digest(clean=before, shifted=after, patients=patients),
        details={"clean_mean": float(before.mean()), "shifted_mean": float(after.mean())},
    )  # fmt: skip


def worst_cell(findings: Sequence[Finding]) -> Finding:
    """The shift × subgroup cell with the largest loss among those with enough cases.

    Raises NotComputable when none has.
    """
    usable = [finding for finding in findings if finding.value is not None and finding.state is not State.INSUFFICIENT]
    if not usable:
        raise NotComputable("too_few", "no cell has enough cases: join subgroups or add cases")
    return min(usable, key=lambda finding: float(finding))
