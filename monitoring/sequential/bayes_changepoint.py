"""Bayesian online changepoint detection: when did it change? For display; it calls nobody."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from assurance.evidence.errors import InvalidInput
from monitoring.sequential.baseline import standardised
from monitoring.sequential.result import SequentialResult, digest

LONGEST = 2000  # run lengths beyond this are pooled, so that a long series stays affordable


def bayes_changepoint(
    values: ArrayLike, *, target: float = 0.0, sd: float = 1.0, baseline: int = 0, expected_run: float = 250.0,
    kappa: float = 0.1, shape: float = 2.0, scale: float = 1.0,
) -> SequentialResult:  # fmt: skip
    """Posterior chance that the present run began within the last 10 points, with the most likely run length.

    Points of a run are normal with unknown mean and variance (normal–inverse-gamma prior: mean ``target``, strength
    ``kappa``, ``shape``, ``scale`` in standard units); a run ends at each point with chance 1/``expected_run``.
    There is no limit and no alarm: ``change_index`` is where the present run most likely began, None when
    that is the start.

    References
    ----------
    Adams & MacKay (2007), arXiv:0710.3742.
    """
    if not expected_run > 1 or not min(kappa, shape, scale) > 0:
        raise InvalidInput("bad_prior", "expected_run must exceed 1; kappa, shape and scale must exceed 0")
    series, z, target, sd, notes = standardised(values, target=target, sd=sd, baseline=baseline)
    hazard = 1 / expected_run
    log_run = np.zeros(1)
    mean, strength = np.zeros(1), np.full(1, kappa)
    alpha, beta = np.full(1, shape), np.full(1, scale)
    recent, likely = np.empty(z.size), np.empty(z.size)
    for place, value in enumerate(z):
        spread = np.sqrt(beta * (strength + 1) / (alpha * strength))
        fit = _log_t((value - mean) / spread, 2 * alpha) - np.log(spread)
        grown = log_run + fit + np.log1p(-hazard)
        fresh = special.logsumexp(log_run + fit) + np.log(hazard)
        log_run = np.concatenate(([fresh], grown))
        log_run -= special.logsumexp(log_run)
        beta = np.concatenate(([scale], beta + strength * np.square(value - mean) / (2 * (strength + 1))))
        mean = np.concatenate(([0.0], (strength * mean + value) / (strength + 1)))
        strength = np.concatenate(([kappa], strength + 1))
        alpha = np.concatenate(([shape], alpha + 0.5))
        if log_run.size > LONGEST:
            log_run, mean, strength, alpha, beta = (part[:LONGEST] for part in (log_run, mean, strength, alpha, beta))
        recent[place] = np.exp(special.logsumexp(log_run[: min(10, log_run.size)])) if place >= 10 else 0.0
        likely[place] = float(log_run.argmax())
    began = z.size - int(likely[-1])
    return SequentialResult(
        "bayes_changepoint", recent, np.full(z.size, np.inf), None,
        {"expected_run": expected_run, "kappa": kappa, "shape": shape, "scale": scale, "target": target, "sd": sd,
         "baseline": baseline},
        change_index=began if 0 < began < z.size else None, paths={"likely_run_length": likely},
        input_digest=digest(series), notes=("for display only: it has no calibrated false-alarm rate", *notes),
    )  # fmt: skip


def _log_t(x: np.ndarray, df: np.ndarray) -> np.ndarray:  # type: ignore[type-arg]
    """Log density of Student's t; scipy's own is many times slower on short vectors."""
    return np.asarray(
        special.gammaln((df + 1) / 2) - special.gammaln(df / 2) - np.log(df * np.pi) / 2
        - (df + 1) / 2 * np.log1p(np.square(x) / df)
    )  # fmt: skip
