"""AUROC over sites: pooled on the logit scale, with the interval in which a further site is expected."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from assurance.evidence.checks import binary_vector, finite_vector, same_length
from assurance.evidence.finding import Finding, State
from assurance.metrics.measured import array_digest, interval_around, method_record
from assurance.metrics.patients import clustered, patient_codes
from assurance.metrics.pooling import Pooled, random_effects
from assurance.metrics.roc_auc import clustered_variance, delong_variance, structural_components

FEW_SITES = 5  # below this an estimate of the spread between sites is worth little


def site_logit_aurocs(
    labels: ArrayLike,
    scores: ArrayLike,
    sites: ArrayLike,
    *,
    patients: ArrayLike | None = None,
    minimum_events: int = 10,
) -> tuple[dict[str, tuple[float, float, int]], dict[str, str]]:
    """Per site: logit of AUROC, its variance and n_cases; and the sites left out with the reason.

    An AUROC of exactly 0 or 1 is drawn in by half a pair, as for a share, since its logit is infinite; its variance is
    then the one of Hanley & McNeil at the value drawn in.
    """
    truth, values = binary_vector(labels, name="labels"), finite_vector(scores, name="scores")
    names = np.asarray(sites).astype(str)
    same_length(labels=truth, scores=values, sites=names)
    codes = patient_codes(patients, n_cases=truth.size)
    found: dict[str, tuple[float, float, int]] = {}
    left_out: dict[str, str] = {}
    for site in np.unique(names).tolist():
        here = names == site
        n_positive = int(truth[here].sum())
        n_negative = int(here.sum()) - n_positive
        if min(n_positive, n_negative) < minimum_events:
            left_out[site] = f"{n_positive} cases with and {n_negative} without the finding, {minimum_events} needed"
            continue
        area, variance = _area(truth[here], values[here], np.unique(codes[here], return_inverse=True)[1])
        found[site] = float(special.logit(area)), variance / (area * (1 - area)) ** 2, int(here.sum())
    return found, left_out


def pooled_auroc(
    labels: ArrayLike,
    scores: ArrayLike,
    sites: ArrayLike,
    *,
    patients: ArrayLike | None = None,
    level: float = 0.95,
    minimum_events: int = 10,
) -> Finding:
    """AUROC pooled over sites by random effects (REML, modified Hartung–Knapp on the logit scale).

    ``details["prediction_interval"]`` is the statement about generalisability: where the AUROC of a further site is
    expected. With fewer than five sites the state is ``insufficient``, since the spread between sites is then hardly
    known; with fewer than two usable sites there is no value.

    References
    ----------
    Röver, Knapp & Friede (2015), BMC Med Res Methodol 15:99. Snell et al. (2018), Stat Methods Med Res 27:3505.
    """
    found, left_out = site_logit_aurocs(labels, scores, sites, patients=patients, minimum_events=minimum_events)
    shared: dict[str, Any] = {
        "quantity": "pooled_auroc",
        "unit": "1",
        "n_cases": int(np.asarray(labels).size),
        "n_patients": None if patients is None else int(np.unique(np.asarray(patients).astype(str)).size),
        "minimum_n": FEW_SITES,
        "method": method_record(
            "pooled_auroc", "assurance.metrics.site_pooling:pooled_auroc", level=level, minimum_events=minimum_events,
            tau2="reml", interval="modified_hartung_knapp", scale="logit",
        ),
        "input_digest": array_digest(labels=labels, scores=scores, sites=sites, patients=patients),
    }  # fmt: skip
    if len(found) < 2:
        reason = f"{len(found)} sites have {minimum_events} cases of each class: two or more are needed"
        details = {"left_out": left_out}
        return Finding(value=None, state=State.INSUFFICIENT, reason=reason, details=details, **shared)
    pooled = random_effects([row[0] for row in found.values()], [row[1] for row in found.values()], level=level)
    few = len(found) < FEW_SITES
    value = float(special.expit(pooled.mean))
    low, high = special.expit(pooled.interval)
    return Finding(
        value=value,
        state=State.INSUFFICIENT if few else State.OK,
        reason=f"{len(found)} sites: the spread between sites is hardly known below {FEW_SITES}" if few else "",
        interval=interval_around(value, low, high, level=level, method="modified_hartung_knapp"),
        details=_details(pooled) | {"sites": list(found), "left_out": left_out},
        **shared,
    )


def _details(pooled: Pooled) -> dict[str, Any]:
    prediction = None if pooled.prediction is None else special.expit(pooled.prediction).tolist()
    logit_scale = {name: value for name, value in asdict(pooled).items() if name in ("tau2", "i2", "q", "q_p_value")}
    return {"prediction_interval": prediction, "tau_logit": pooled.tau, **logit_scale, "n_sites": pooled.n_sites}


def _area(truth: NDArray[np.bool_], scores: NDArray[np.float64], codes: NDArray[np.intp]) -> tuple[float, float]:
    area, of_positives, of_negatives = structural_components(truth, scores)
    m, n = of_positives.size, of_negatives.size
    if clustered(codes):
        variance = clustered_variance(truth, of_positives, of_negatives, area, codes)
    else:
        variance = delong_variance(of_positives, of_negatives)
    if 0 < area < 1 and variance > 0:
        return area, variance
    area = min(max(area, 0.5 / (m * n)), 1 - 0.5 / (m * n))
    first, second = area / (2 - area), 2 * area**2 / (1 + area)
    spread = area * (1 - area) + (m - 1) * (first - area**2) + (n - 1) * (second - area**2)
    return area, spread / (m * n)
