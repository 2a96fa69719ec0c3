"""Do the sites agree? Random effects over any estimate per site, influence of each and a funnel."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from assurance.evidence.checks import count_vector, finite_vector, same_length
from assurance.evidence.errors import InvalidInput, NotComputable
from assurance.evidence.finding import Finding, NullLaw, State
from assurance.metrics.measured import array_digest, checked_level, interval_around, method_record
from assurance.metrics.pooling import Pooled, leave_one_out, random_effects
from assurance.metrics.site_pooling import FEW_SITES

SCALES = ("identity", "logit")


def site_heterogeneity(
    values: ArrayLike,
    standard_errors: ArrayLike,
    *,
    sites: list[str],
    n_cases: ArrayLike,
    quantity: str,
    scale: str = "logit",
    level: float = 0.95,
    limit: float | None = None,
) -> Finding:
    """Pool one value per site and say what a further site can expect.

    Parameters
    ----------
    values, standard_errors : arrays of shape (k,)
        Estimate per site and its standard error, both on the plain scale (AUROC 0.85 ± 0.02).
    sites : list of str
        Their names.
    n_cases : array of shape (k,)
        Cases behind each.
    quantity : str
        What is pooled ("auroc"); the Finding is called ``pooled_<quantity>``.
    scale : {"logit", "identity"}
        On which values are pooled; ``logit`` for shares and AUROC, by the delta method.
    limit : float, optional
        Declared minimum: ``watch`` when the prediction interval reaches below it, ``act`` when the pooled interval lies
        wholly below.

    Returns
    -------
    Finding
        ``details``: prediction interval, τ, I², Cochran's Q with its p-value (also in ``null``), weights, the pooled
        value without each site and the change. Fewer than five sites: ``insufficient``, value kept.

    References
    ----------
    Röver, Knapp & Friede (2015), BMC Med Res Methodol 15:99. Higgins et al. (2009), JRSS A 172:137.
    van Klaveren et al. (2024), arXiv:2406.08628 (spread of AUROC over validations).
    """
    plain, errors = finite_vector(values, name="values"), finite_vector(standard_errors, name="standard_errors")
    counts = count_vector(n_cases, name="n_cases")
    same_length(values=plain, standard_errors=errors, n_cases=counts, sites=np.asarray(sites))
    if (errors <= 0).any():
        raise InvalidInput(
            "bad_error", f"standard_errors[{int(np.argmax(errors <= 0))}] is not above 0: give the spread"
        )
    moved, spread = _to_scale(plain, errors, scale)
    pooled = random_effects(moved, spread**2, level=checked_level(level))
    value, (low, high) = _back(pooled.mean, scale), (_back(edge, scale) for edge in pooled.interval)
    prediction = None if pooled.prediction is None else [_back(edge, scale) for edge in pooled.prediction]
    span = interval_around(value, low, high, level=level, method="modified_hartung_knapp")
    state, reason = State.OK, ""
    if len(sites) < FEW_SITES:
        state, reason = (
            State.INSUFFICIENT,
            f"{len(sites)} sites: the spread between sites is hardly known below {FEW_SITES}",
        )
    elif limit is not None and span.high < limit:
        state, reason = State.ACT, f"the pooled interval lies below the declared limit {limit:g}"
    elif limit is not None and prediction is not None and prediction[0] < limit:
        state, reason = State.WATCH, f"a further site may fall below the declared limit {limit:g}"
    return Finding(
        quantity=f"pooled_{quantity}",
        value=value,
        unit="1",
        state=state,
        reason=reason,
        n_cases=int(counts.sum()),
        interval=span,
        null=NullLaw("chi-squared of Cochran's Q", _q_quantiles(pooled), pooled.q_p_value),
        minimum_n=FEW_SITES,
        method=method_record(
            "site_heterogeneity", "generalizability.sites.heterogeneity:site_heterogeneity", scale=scale, level=level,
            limit=limit, tau2="reml", interval="modified_hartung_knapp",
        ),
        input_digest=array_digest(values=plain, standard_errors=errors, sites=sites),
        details={
            "prediction_interval": prediction,
            "tau": pooled.tau,
            "i2": pooled.i2,
            "q": pooled.q,
            "sites": dict(zip(sites, plain.tolist(), strict=True)),
            "weights": dict(zip(sites, pooled.weights, strict=True)),
            "without": _influence(moved, spread, sites, scale, value),
        },
    )  # fmt: skip


def funnel_limits(target: float, n: ArrayLike, *, level: float = 0.95) -> tuple[np.ndarray, np.ndarray]:
    """Limits for a share at each size ``n`` when a site's true share is ``target``: lower and upper, shape (k,).

    Small sites belong on this funnel, not in a league table. Interpolated exact binomial limits.

    References
    ----------
    Spiegelhalter (2005), Statistics in Medicine 24:1185.
    """
    sizes = count_vector(n, name="n")
    if not 0 < target < 1 or (sizes < 1).any():
        raise InvalidInput(
            "out_of_range", f"target is {target}, smallest n {sizes.min():g}: give 0..1 exclusive and n ≥ 1"
        )
    tail = (1 - checked_level(level)) / 2
    edges = []
    for share in (tail, 1 - tail):
        rows = []
        for size in sizes:
            counts = np.arange(size + 1)
            total = special.bdtr(counts, size, target)
            place = int(np.searchsorted(total, share))
            before = total[place - 1] if place else 0.0
            part = (total[place] - share) / (total[place] - before)
            rows.append(min(max((place - part) / size, 0.0), 1.0))
        edges.append(np.array(rows))
    return edges[0], edges[1]


def _to_scale(values: np.ndarray, errors: np.ndarray, scale: str) -> tuple[np.ndarray, np.ndarray]:
    if scale not in SCALES:
        raise InvalidInput("unknown_scale", f"scale {scale!r} is not known: choose one of {', '.join(SCALES)}")
    if scale == "identity":
        return values, errors
    if ((values <= 0) | (values >= 1)).any():
        raise InvalidInput(
            "out_of_range", "a site's value is 0 or 1 or beyond, which has no logit: draw it in or leave it out"
        )
    return special.logit(values), errors / (values * (1 - values))


def _back(value: float, scale: str) -> float:
    return float(special.expit(value)) if scale == "logit" else float(value)


def _q_quantiles(pooled: Pooled) -> dict[str, float]:
    return {str(share): float(special.chdtri(pooled.n_sites - 1, 1 - share)) for share in (0.95, 0.99)}


def _influence(
    moved: np.ndarray, spread: np.ndarray, sites: list[str], scale: str, value: float
) -> dict[str, dict[str, Any]] | None:
    """What the pooled value becomes without each site; ``None`` for two sites."""
    try:
        rows = leave_one_out(moved, spread**2)
    except NotComputable:
        return None
    return {
        site: {"value": _back(row.mean, scale), "change": _back(row.mean, scale) - value, "tau": row.tau}
        for site, row in zip(sites, rows, strict=True)
    }
