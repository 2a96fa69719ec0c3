"""Concordance index: many statistics of one window in one number, with the share of each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from assurance.evidence.errors import InvalidInput, NotComputable
from assurance.evidence.finding import Finding, Method, State
from monitoring.drift.comparison import VERSION
from monitoring.drift.distribution import Distribution, joint_digest
from monitoring.drift.sample_paths import distances_without_drift

CLIP = 10.0


@dataclass(frozen=True, slots=True)
class Statistic:
    """One statistic of the window: its value, what windows of this size of the reference give, and its domain."""

    value: float
    mean: float
    sd: float
    domain: str


def concordance(statistics: Mapping[str, Statistic], *, m: int, seed: int | None = None) -> Finding:
    """MMC = −Σw_k·z_k, z_k = clip((value − mean)/sd, ±10): below 0 when the window is less like the reference.

    Domains (tags, image, embedding, output) weigh alike, and so do statistics within a domain. ``details["shares"]``
    gives each term's share of the index. There is no threshold: chart it, and read the shares when it falls.

    Raises
    ------
    InvalidInput
        ``no_statistics``.
    NotComputable
        ``no_spread`` when no statistic varies between windows of the reference.

    References
    ----------
    Soin et al. (2022), CheXstray, arXiv:2202.02833. Merkow et al. (2024), MMC+, arXiv:2410.13174.
    """
    if not statistics:
        raise InvalidInput("no_statistics", "statistics is empty: give one or more")
    usable = {name: one for name, one in statistics.items() if one.sd > 0}
    if not usable:
        raise NotComputable("no_spread", "no statistic varies between windows of the reference")
    domains = sorted({one.domain for one in usable.values()})
    sizes = {domain: sum(one.domain == domain for one in usable.values()) for domain in domains}
    terms: dict[str, dict[str, Any]] = {}
    for name, one in usable.items():
        z = float(np.clip((one.value - one.mean) / one.sd, -CLIP, CLIP))
        terms[name] = {"z": z, "weight": 1 / (len(domains) * sizes[one.domain]), "domain": one.domain}
    index = -sum(term["weight"] * term["z"] for term in terms.values())
    whole = sum(abs(term["weight"] * term["z"]) for term in terms.values()) or 1.0
    shares = {name: abs(term["weight"] * term["z"]) / whole for name, term in terms.items()}
    content = joint_digest(
        *(f"{name} {one.value!r} {one.mean!r} {one.sd!r}" for name, one in sorted(statistics.items()))
    )
    return Finding(
        quantity="concordance", value=index, unit="sd", state=State.OK, n_cases=m,
        method=Method("concordance", "vigil", VERSION, {"clip": CLIP, "domains": domains}, seed), input_digest=content,
        details={"terms": terms, "shares": shares, "left_out": sorted(set(statistics) - set(usable))},
    )  # fmt: skip


def reference_spread(reference: Distribution, *, m: int, seed: int) -> tuple[float, float]:
    """Mean and sd of W1/σ when a window of m cases comes from the same source as the reference.

    Drawn as its null law is, so both sizes count. Windows have the watched window's own size: taking more would
    understate the noise.
    """
    draws = distances_without_drift(reference, reference.n, m, seed=seed) / (reference.sd or 1.0)
    return float(draws.mean()), float(draws.std())
