"""Pooling of one value per site: fixed effect, random effects, heterogeneity and what to expect of a new site."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import optimize, special

from assurance.evidence.checks import finite_vector, same_length
from assurance.evidence.errors import InvalidInput, NotComputable
from assurance.metrics.measured import checked_level

Vector = NDArray[np.float64]


@dataclass(frozen=True)
class Pooled:
    """Random-effects summary of k sites, on the scale of the values that went in.

    ``standard_error`` is the one that ``interval`` uses. ``prediction`` is where the true value of a further site is
    expected; ``None`` for two sites. ``i2`` is the share of variation beyond chance, 0..1.
    """

    mean: float
    standard_error: float
    interval: tuple[float, float]
    prediction: tuple[float, float] | None
    tau2: float
    i2: float
    q: float
    q_p_value: float
    weights: tuple[float, ...]
    n_sites: int
    tau2_method: str
    interval_method: str
    level: float

    @property
    def tau(self) -> float:
        """Standard deviation of the true values between sites."""
        return math.sqrt(self.tau2)


def random_effects(
    values: ArrayLike,
    variances: ArrayLike,
    *,
    tau2_method: str = "reml",
    interval_method: str = "modified_hartung_knapp",
    level: float = 0.95,
) -> Pooled:
    """Pool one estimate per site.

    Parameters
    ----------
    values, variances : arrays of shape (k,), k ≥ 2
        Estimates on a scale where they are nearly normal (logit of AUROC or of a share) and their sampling variances.
    tau2_method : {"reml", "dl"}
        Restricted maximum likelihood, or DerSimonian–Laird.
    interval_method : {"modified_hartung_knapp", "hartung_knapp", "wald"}
        The modified form never lets the interval fall below the Wald one.

    Notes
    -----
    The prediction interval is μ ± t_{k−2}·√(τ² + se²), with the plain random-effects standard error of μ.

    Raises
    ------
    InvalidInput
        A variance is not positive, an unknown method, lengths differ.
    NotComputable
        Fewer than two sites (``one_site``).

    References
    ----------
    DerSimonian & Laird (1986), Controlled Clinical Trials 7:177. Viechtbauer (2005), J Educ Behav Stat 30:261 (REML).
    Hartung & Knapp (2001), Statistics in Medicine 20:3875. Röver, Knapp & Friede (2015), BMC Med Res Methodol 15:99.
    Higgins, Thompson & Spiegelhalter (2009), JRSS A 172:137 (prediction interval).
    """
    y, v = finite_vector(values, name="values"), finite_vector(variances, name="variances")
    same_length(values=y, variances=v)
    if (v <= 0).any():
        raise InvalidInput(
            "bad_variance", f"variances[{int(np.argmax(v <= 0))}] is not above 0: give sampling variances"
        )
    k = y.size
    if k < 2:
        raise NotComputable("one_site", "one site has no spread between sites: two or more are needed")
    fixed = 1 / v
    fixed_mean = float(fixed @ y / fixed.sum())
    q = float(fixed @ (y - fixed_mean) ** 2)
    if tau2_method not in ("reml", "dl"):
        raise InvalidInput("unknown_method", f"tau2_method {tau2_method!r}: choose reml or dl")
    tau2 = _reml(y, v) if tau2_method == "reml" else _dersimonian_laird(fixed, q)
    weights = 1 / (v + tau2)
    mean = float(weights @ y / weights.sum())
    plain_error = math.sqrt(1 / weights.sum())
    error, t = _spread(interval_method, y, weights, mean, plain_error, level)
    prediction = None
    if k > 2:
        reach = float(special.stdtrit(k - 2, (1 + level) / 2)) * math.sqrt(tau2 + plain_error**2)
        prediction = (mean - reach, mean + reach)
    return Pooled(
        mean=mean,
        standard_error=error,
        interval=(mean - t * error, mean + t * error),
        prediction=prediction,
        tau2=tau2,
        i2=max(0.0, (q - (k - 1)) / q) if q > 0 else 0.0,
        q=q,
        q_p_value=float(special.gammaincc((k - 1) / 2, q / 2)),
        weights=tuple((weights / weights.sum()).tolist()),
        n_sites=k,
        tau2_method=tau2_method,
        interval_method=interval_method,
        level=level,
    )


def leave_one_out(values: ArrayLike, variances: ArrayLike, **options: str | float) -> list[Pooled]:
    """The pooled result without each site in turn, in the order of the sites; three sites or more."""
    y, v = finite_vector(values, name="values"), finite_vector(variances, name="variances")
    same_length(values=y, variances=v)
    if y.size < 3:
        raise NotComputable("too_few_sites", f"{y.size} sites: leaving one out needs three or more")
    return [random_effects(np.delete(y, i), np.delete(v, i), **options) for i in range(y.size)]  # type: ignore[arg-type]


def _dersimonian_laird(weights: Vector, q: float) -> float:
    scale = weights.sum() - float(weights @ weights) / weights.sum()
    return max(0.0, (q - (weights.size - 1)) / float(scale))


def _reml(y: Vector, v: Vector) -> float:
    def cost(tau2: float) -> float:
        weights = 1 / (v + tau2)
        mean = float(weights @ y / weights.sum())
        return float(-np.log(weights).sum() + np.log(weights.sum()) + weights @ (y - mean) ** 2)

    top = max(10 * float(y.var()), 10 * float(v.max()), 1e-12)
    grid = np.concatenate([[0.0], np.geomspace(top * 1e-8, top, 60)])
    best = int(np.argmin([cost(point) for point in grid]))
    low, high = grid[max(best - 1, 0)], grid[min(best + 1, grid.size - 1)]
    found = optimize.minimize_scalar(cost, bounds=(low, high), method="bounded", options={"xatol": 1e-12 * top + 1e-15})
    return float(found.x) if found.fun < cost(0.0) else 0.0


def _spread(
    method: str, y: Vector, weights: Vector, mean: float, plain_error: float, level: float
) -> tuple[float, float]:
    upper = (1 + checked_level(level)) / 2
    if method == "wald":
        return plain_error, float(special.ndtri(upper))
    if method not in ("hartung_knapp", "modified_hartung_knapp"):
        raise InvalidInput(
            "unknown_method", f"interval_method {method!r}: choose modified_hartung_knapp, hartung_knapp or wald"
        )
    factor = float(weights @ (y - mean) ** 2) / (y.size - 1)
    if method == "modified_hartung_knapp":
        factor = max(1.0, factor)
    return plain_error * math.sqrt(factor), float(special.stdtrit(y.size - 1, upper))
