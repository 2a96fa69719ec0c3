"""Maximum mean discrepancy of embeddings by random Fourier features: sees any change of shape, not only of the mean."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from assurance.evidence.errors import InvalidInput
from assurance.evidence.finding import Finding, Method, State
from monitoring.drift import state as states
from monitoring.drift import thresholds
from monitoring.drift.comparison import VERSION
from monitoring.drift.distribution import joint_digest
from monitoring.drift.embedding import FEATURES, EmbeddingState, median_distance, random_features
from monitoring.drift.thresholds import Row
from monitoring.drift.vector_finding import drawn_law
from monitoring.drift.vectors import FEWEST_PATIENTS, Vectors, pair
from monitoring.drift.verdict import verdict

PERMUTATIONS = 999
MOST_BLOCKS = 2000


def rff_mmd(
    reference: Any, current: Any, *, reference_patients: ArrayLike | None = None,
    current_patients: ArrayLike | None = None, alpha_watch: float = thresholds.ALPHA_WATCH,
    alpha_act: float = thresholds.ALPHA_ACT, seed: int = 0, permutations: int = PERMUTATIONS,
    features: int = FEATURES, bandwidth: float | None = None,
) -> Finding:  # fmt: skip
    """√max(0, MMD²), MMD² = ‖φ̄_ref − φ̄_cur‖² with the unbiased diagonal; Gaussian kernel, bandwidth s.

    Parameters
    ----------
    reference, current : arrays of shape (n, d) and (m, d), or sequences of EmbeddingState
        Embeddings of cases, or the states of disjoint blocks (days, patients) that were built alike.
    reference_patients, current_patients : arrays of shape (n,) and (m,), optional
        Who each case belongs to; a patient's cases are dealt together. Ignored for states, whose blocks are dealt.
    permutations : int
        How often the blocks are dealt anew for the null law.
    bandwidth : float, optional
        By default the median pairwise distance of the reference. W is drawn by ``seed`` and stays the same for it.

    Returns
    -------
    Finding
        ``effect`` is the distance of the two means along the witness φ̄_ref − φ̄_cur in its own standard deviations
        (between blocks), so a shift of the mean by d sd gives about d; the verdict follows it and the p-value.

    Raises
    ------
    InvalidInput
        Shapes that do not fit, states of another width, bandwidth or seed.

    References
    ----------
    Gretton et al. (2012), JMLR 13:723. Rahimi & Recht (2007), NeurIPS.
    """
    of_states = _are_states(reference) or _are_states(current)
    if of_states:
        blocks, counts, sides, digest, parameters = _of_states(reference, current)
        missing = sum(part.missing for part in _listed(current))
    else:
        pairs = pair(reference, current, key="rff_mmd", reference_patients=reference_patients,
                     current_patients=current_patients, seed=seed, minimum=thresholds.W1_SD.act_n)  # fmt: skip
        if isinstance(pairs, Finding):
            return pairs
        first, second = pairs
        wide = float(bandwidth or median_distance(first.rows, seed=seed))
        if not wide > 0:
            wide = float(first.rows.std()) or 1.0
        before, after = _dealt(first, seed), _dealt(second, seed)
        first_count = int(before.max()) + 1
        owners, count = np.concatenate((before, first_count + after)), first_count + int(after.max()) + 1
        blocks = np.zeros((count, features))
        rows = np.concatenate((first.rows, second.rows))
        for start in range(0, len(rows), 20_000):
            part = random_features(rows[start : start + 20_000], bandwidth=wide, seed=seed, features=features)
            np.add.at(blocks, owners[start : start + 20_000], part)
        counts = np.bincount(owners, minlength=count).astype(np.float64)
        sides = np.arange(count) >= first_count
        digest = joint_digest(first.digest, second.digest)
        parameters = {"bandwidth": wide, "features": features, "width": first.width}
        missing = second.missing
    n, m = int(counts[~sides].sum()), int(counts[sides].sum())
    units = int((~sides).sum()), int(sides.sum())
    settings = {"alpha_watch": alpha_watch, "alpha_act": alpha_act, "watch": thresholds.W1_SD.watch,
                "act": thresholds.W1_SD.act, "permutations": permutations, **parameters}  # fmt: skip
    method = Method("rff_mmd", "vigil", VERSION, settings, seed)
    if min(units) < FEWEST_PATIENTS:
        reason = f"reference has {units[0]} and current {units[1]} blocks: both need {FEWEST_PATIENTS} or more"
        return Finding("rff_mmd", None, "1", State.INSUFFICIENT, m, method, digest, n_reference=n, reason=reason,
                       minimum_n=thresholds.W1_SD.act_n)  # fmt: skip
    squared = float(_squared(blocks, counts, sides[None, :])[0])
    rng = np.random.default_rng(seed)
    drawn = _squared(blocks, counts, rng.permuted(np.broadcast_to(sides, (permutations, sides.size)), axis=1))
    null = drawn_law(drawn, squared, f"{permutations} deals of {sides.size} blocks")
    spread = _witness_sd(blocks, counts, sides)
    effect = max(0.0, squared) / spread if spread > 0 else 0.0
    sizes = (n, m) if of_states else units  # minimum sizes are said in cases, or in patients where these are known
    row = _row(null.quantiles, spread, sizes)
    state, reason, minimum = verdict(
        effect=effect, p_value=float(null.p_value or 1.0), n=sizes[0], m=sizes[1], row=row, alpha_watch=alpha_watch,
        alpha_act=alpha_act,
    )  # fmt: skip
    shown = {level: math.sqrt(max(0.0, value)) for level, value in null.quantiles.items()}
    return Finding(
        quantity="rff_mmd", value=math.sqrt(max(0.0, squared)), unit="1", state=state, n_cases=m, n_reference=n,
        n_patients=units[1] if current_patients is not None else None, method=method, input_digest=digest,
        null=type(null)(null.law, shown, null.p_value), effect=effect, minimum_n=minimum, reason=reason,
        details={"missing_share": missing / (m + missing), "mmd_squared": squared, "blocks": list(units),
                 "witness_sd": spread},
    )  # fmt: skip


def _squared(blocks: NDArray[np.float64], counts: NDArray[np.float64], sides: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Unbiased MMD² for each row of ``sides`` (R, K); k(x, x) = 1, so a group's diagonal is its count."""
    whole = blocks.sum(axis=0)
    ours = sides.astype(np.float64) @ blocks
    theirs = whole - ours
    m = sides @ counts
    n = counts.sum() - m
    within = (np.square(ours).sum(axis=1) - m) / (m * (m - 1)) + (np.square(theirs).sum(axis=1) - n) / (n * (n - 1))
    squared: NDArray[np.float64] = within - 2 * (ours * theirs).sum(axis=1) / (n * m)
    return squared


def _witness_sd(blocks: NDArray[np.float64], counts: NDArray[np.float64], sides: NDArray[np.bool_]) -> float:
    """Standard deviation of one case along the witness, from the spread between the blocks of each side."""
    witness = blocks[~sides].sum(axis=0) / counts[~sides].sum() - blocks[sides].sum(axis=0) / counts[sides].sum()
    along = blocks @ witness / counts
    squares, freedom = 0.0, 0
    for side in (~sides, sides):
        weights, values = counts[side], along[side]
        centre = float(weights @ values / weights.sum())
        squares += float(weights @ np.square(values - centre))
        freedom += int(side.sum()) - 1
    return math.sqrt(squares / freedom)


def _row(quantiles: dict[str, float] | Any, spread: float, units: tuple[int, int]) -> Row:
    """Minimum sizes at which the rows of the sd scale stand out of this null law, which shrinks as 1/n + 1/m."""
    noise = 1 / units[0] + 1 / units[1]

    def size(level: str, effect: float) -> int:
        return math.ceil(max(2.0, quantiles[level] / (effect * spread * noise))) if spread > 0 else 10**9

    watch, act = thresholds.W1_SD.watch, thresholds.W1_SD.act
    return Row(watch, act, max(size("0.99", watch), size("0.999", act)), size("0.999", act))


def _dealt(side: Vectors, seed: int) -> NDArray[np.intp]:
    """Block of each case: its patient, or one of 2,000 random groups of patients where there are more."""
    if side.n_patients <= MOST_BLOCKS:
        return side.patients
    groups = np.random.default_rng(seed).permutation(side.n_patients) % MOST_BLOCKS
    return groups[side.patients]


def _are_states(side: Any) -> bool:
    return isinstance(side, EmbeddingState) or (
        isinstance(side, Sequence) and len(side) > 0 and isinstance(side[0], EmbeddingState)
    )


def _listed(side: Any) -> list[Any]:
    return [side] if isinstance(side, EmbeddingState) else list(side)


def _of_states(
    reference: Any, current: Any
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_], str, dict[str, Any]]:
    parts = []
    for name, side in (("reference", reference), ("current", current)):
        listed = _listed(side)
        if not listed or not all(isinstance(part, EmbeddingState) for part in listed):
            raise InvalidInput("not_states", f"{name} mixes states with other values: give states on both sides")
        parts.append(sorted((part for part in listed if part.n), key=lambda part: (part.n, part.total[:2].tolist())))
    whole = parts[0] + parts[1]
    one = whole[0] if whole else None
    for part in whole:
        one.merge(part)  # type: ignore[union-attr]  # refuses other widths, bandwidths and seeds
    features = one.total.size if one else FEATURES
    blocks = np.array([part.sums for part in whole]).reshape(len(whole), features)
    counts = np.array([part.n for part in whole], dtype=np.float64)
    sides = np.arange(len(whole)) >= len(parts[0])
    digest = joint_digest(*(joint_digest(*(states.digest(part) for part in group)) for group in parts))
    facts = {"bandwidth": one.bandwidth, "features": features, "width": one.width} if one else {}
    return blocks, counts, sides, digest, facts
