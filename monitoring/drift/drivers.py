"""Which features tell the current window from the reference, and which cases move a statistic most."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import linalg, special

from assurance.evidence.checks import finite_vector
from assurance.evidence.errors import InvalidInput, NotComputable
from monitoring.drift.distribution import Distribution, distribution

RIDGE = 1.0
MOST_LEVELS = 20
EXEMPLARS = 20


@dataclass(frozen=True, slots=True)
class Driver:
    """``contribution`` in log odds of being current; ``share`` of the sum of absolute contributions."""

    feature: str
    contribution: float
    share: float


def rank_drivers(reference: Mapping[str, ArrayLike], current: Mapping[str, ArrayLike]) -> list[Driver]:
    """Features by how much each of them separates the two windows in a linear domain classifier.

    A ridge logistic regression on standardised numbers and level indicators tells current from reference. The Shapley
    value of feature j for a linear model is β_j(x_j − mean_ref x_j); averaged over the current cases these add up to
    the difference of the mean log odds, so nothing is lost and nothing counted twice. Absent numbers take the
    reference's mean, absent levels are a level.

    Parameters
    ----------
    reference, current : mappings from feature name to arrays of shape (n,) and (m,)
        The features that both hold; text is read as levels (the 20 most frequent), all else as numbers.

    Raises
    ------
    InvalidInput
        ``no_features`` when the two share none; ``length_mismatch``.
    NotComputable
        ``too_few``: fewer than 20 cases on a side.

    References
    ----------
    Lundberg & Lee (2017), NeurIPS (linear models). Lopez-Paz & Oquab (2017), ICLR (classifier test).
    """
    names = [name for name in reference if name in current]
    if not names:
        raise InvalidInput("no_features", "reference and current share no feature: nothing can be ranked")
    sizes = {side: {len(np.asarray(values[name])) for name in names} for side, values in
             (("reference", reference), ("current", current))}  # fmt: skip
    for side, found in sizes.items():
        if len(found) > 1:
            raise InvalidInput("length_mismatch", f"{side} features have {sorted(found)} values: give one per case")
    n, m = sizes["reference"].pop(), sizes["current"].pop()
    if min(n, m) < 20:
        raise NotComputable("too_few", f"{n} reference and {m} current cases: 20 of each are needed")
    columns, owners = [], []
    for name in names:
        for column in _columns(np.asarray(reference[name]), np.asarray(current[name])):
            columns.append(column)
            owners.append(name)
    if not columns:
        raise NotComputable("no_spread", "no feature varies in the reference: nothing can be ranked")
    design = np.column_stack(columns)
    line = _fitted(design, np.arange(n + m) >= n)
    shift = design[n:].mean(axis=0) - design[:n].mean(axis=0)
    totals: dict[str, float] = dict.fromkeys(names, 0.0)
    for owner, part in zip(owners, line * shift, strict=True):
        totals[owner] += float(part)
    whole = sum(abs(part) for part in totals.values()) or 1.0
    ranked = sorted(totals.items(), key=lambda item: -abs(item[1]))
    return [Driver(name, part, abs(part) / whole) for name, part in ranked]


def _columns(before: NDArray[Any], after: NDArray[Any]) -> list[NDArray[np.float64]]:
    together = np.concatenate((before.astype(object), after.astype(object)))
    if any(isinstance(value, str) for value in together):
        labels = np.array(["" if value is None or value != value else str(value) for value in together])
        levels, counts = np.unique(labels, return_counts=True)
        frequent = levels[np.argsort(-counts, kind="stable")][:MOST_LEVELS]
        # the sd of an indicator keeps rare levels from ruling the ridge
        indicators = [(labels == level).astype(float) for level in frequent] if frequent.size > 1 else []
        return [(column - column.mean()) / column.std() for column in indicators if column.std() > 0]
    numbers = np.array([np.nan if value is None else float(value) for value in together])
    numbers[~np.isfinite(numbers)] = np.nan
    first = numbers[: before.size]
    known = first[~np.isnan(first)]
    if known.size < 2:
        return []
    centre, spread = float(known.mean()), float(known.std())
    if spread == 0:  # constant in the reference: any other value in the window is all the change there is
        spread = float(np.nanstd(numbers)) or 1.0
    scaled = np.clip(np.nan_to_num((numbers - centre) / spread, nan=0.0), -8, 8)
    return [scaled] if scaled.any() else []


def _fitted(design: NDArray[np.float64], here: NDArray[np.bool_]) -> NDArray[np.float64]:
    table = np.column_stack((np.ones(len(design)), design))
    shrink = np.r_[1e-8, np.full(design.shape[1], RIDGE)]
    line = np.zeros(table.shape[1])
    for _ in range(50):
        fitted = special.expit(table @ line)
        slope = table.T @ (fitted - here) + shrink * line
        curve = (table * (fitted * (1 - fitted))[:, None]).T @ table + np.diag(shrink)
        step = linalg.solve(curve, slope, assume_a="pos")
        line -= step
        if np.abs(step).max() < 1e-8:
            break
    return line[1:]


def exemplars(reference: Any, current: ArrayLike, *, most: int = EXEMPLARS) -> NDArray[np.intp]:
    """Places of the current cases that move W1 most, strongest first.

    The influence of a case at x on ∫|F − G| is −∫sign(F − G)(1{t ≥ x} − G(t))dt: positive where the case pulls the
    current distribution away from the reference. Cases that pull it back are not returned.
    """
    before = distribution(reference, name="reference")
    values = finite_vector(current, name="current")
    influence = w1_influence(before, values)
    order = np.argsort(-influence, kind="stable")[:most]
    return order[influence[order] > 0]


def w1_influence(before: Distribution, values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Derivative of W1 when the weight of each current case grows, shape (m,); the mean over the cases is 0."""
    after = distribution(values, name="current")
    points = np.union1d(before.positions, after.positions)
    widths = np.diff(points)
    f, g = before.cdf(points[:-1]), after.cdf(points[:-1])
    signs = np.sign(f - g)
    tail = np.concatenate((np.cumsum((signs * widths)[::-1])[::-1], [0.0]))  # ∫ from each point to the end
    constant = float((signs * widths) @ g)
    influence: NDArray[np.float64] = constant - tail[np.searchsorted(points, values)]
    return influence
