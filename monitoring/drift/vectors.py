"""One view of many numbers per case (embeddings, class scores): checked rows in an order of their own, by patient."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from assurance.evidence.errors import InvalidInput
from assurance.evidence.finding import Finding, Method, State
from monitoring.drift.comparison import VERSION
from monitoring.drift.distribution import joint_digest

Matrix = NDArray[np.float64]
COMPONENTS = 64
FEWEST_PATIENTS = 10


@dataclass(frozen=True, eq=False)
class Vectors:
    """``rows`` (n, d), sorted by content; ``patients`` (n,) numbers from 0 on; ``named`` when patients were given."""

    rows: Matrix
    patients: NDArray[np.intp]
    missing: int
    named: bool

    @property
    def n(self) -> int:
        return len(self.rows)

    @property
    def width(self) -> int:
        return int(self.rows.shape[1])

    @property
    def n_patients(self) -> int:
        return int(self.patients.max()) + 1 if self.n else 0

    def one_per_patient(self, *, seed: int) -> NDArray[np.intp]:
        """Places of one case of each patient, drawn by ``seed``, for tests that need independent cases."""
        order = np.random.default_rng(seed).permutation(self.n)
        return order[np.unique(self.patients[order], return_index=True)[1]]

    @cached_property
    def digest(self) -> str:
        content = hashlib.sha256(f"{self.rows.shape}".encode())
        content.update(np.ascontiguousarray(self.rows, dtype="<f8").tobytes())
        content.update(self.patients.astype("<i8").tobytes())
        return content.hexdigest()


def vectors(values: ArrayLike, *, name: str, patients: ArrayLike | None = None) -> Vectors:
    """Check ``values`` (n, d). Rows with NaN or infinity count as missing; order carries no meaning and is removed.

    Raises
    ------
    InvalidInput
        ``not_numeric``, ``not_a_matrix``, ``length_mismatch`` (patients).
    """
    try:
        matrix = np.array(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InvalidInput("not_numeric", f"{name} holds values that are not numbers: give numbers only") from error
    if matrix.size == 0 and matrix.ndim < 2:
        matrix = matrix.reshape(0, 0)
    if matrix.ndim != 2:
        raise InvalidInput("not_a_matrix", f"{name} has shape {matrix.shape}: give (cases, width)")
    good = np.isfinite(matrix).all(axis=1) if matrix.shape[1] else np.zeros(len(matrix), dtype=bool)
    if patients is None:
        codes: NDArray[Any] = np.arange(len(matrix))
    else:
        codes = np.asarray(patients)
        if codes.shape != (len(matrix),):
            raise InvalidInput("length_mismatch", f"{name} has {len(matrix)} cases and {codes.size} patients")
    kept, codes = matrix[good], codes[good]
    if kept.size:
        order = np.lexsort(kept[:, : min(3, kept.shape[1])].T)
        kept, codes = kept[order], codes[order]
    _, first, inverse = np.unique(codes, return_index=True, return_inverse=True)
    rank = np.empty(first.size, dtype=np.intp)
    rank[np.argsort(first)] = np.arange(first.size)  # numbered in order of appearance, whatever they were called
    return Vectors(kept, rank[inverse], int((~good).sum()), patients is not None)


def pair(
    reference: ArrayLike, current: ArrayLike, *, key: str, reference_patients: ArrayLike | None,
    current_patients: ArrayLike | None, seed: int, minimum: int,
) -> tuple[Vectors, Vectors] | Finding:  # fmt: skip
    """Both sides, or the Finding that says why nothing can be compared (too few patients, no spread).

    Raises
    ------
    InvalidInput
        As ``vectors``; ``width_mismatch`` when the sides differ in width.
    """
    first = vectors(reference, name="reference", patients=reference_patients)
    second = vectors(current, name="current", patients=current_patients)
    if first.n and second.n and first.width != second.width:
        raise InvalidInput(
            "width_mismatch",
            f"reference is {first.width} wide and current {second.width}: give the same model's vectors",
        )
    few = min(first.n_patients, second.n_patients)
    if few < FEWEST_PATIENTS:
        reason = (
            f"reference has {first.n_patients} and current {second.n_patients} independent cases: both need "
            f"{FEWEST_PATIENTS} or more"
        )
    elif not first.rows.std(axis=0).any():
        reason = "every reference vector is the same: a constant has no spread to compare with"
    else:
        return first, second
    return Finding(
        key, None, "1", State.INSUFFICIENT, second.n, Method(key, "vigil", VERSION, {}, seed),
        joint_digest(first.digest, second.digest), n_reference=first.n, reason=reason, minimum_n=minimum,
    )  # fmt: skip


@dataclass(frozen=True, eq=False)
class Whitening:
    """Principal axes of the reference, scaled to unit variance: (x − centre) @ axes."""

    centre: Matrix
    axes: Matrix

    def __call__(self, rows: Matrix) -> Matrix:
        whitened: Matrix = (rows - self.centre) @ self.axes
        return whitened


def whitening(reference: Matrix, *, components: int = COMPONENTS) -> Whitening:
    """Fitted on the reference alone; axes without spread are left out, and never more than a tenth of the cases."""
    centre = reference.mean(axis=0)
    centred = reference - centre
    if len(centred) >= centred.shape[1]:
        spread, axes = np.linalg.eigh(centred.T @ centred / max(1, len(centred) - 1))
        spread, axes = spread[::-1], axes[:, ::-1]
    else:
        _, scale, right = np.linalg.svd(centred, full_matrices=False)
        spread, axes = np.square(scale) / max(1, len(centred) - 1), right.T
    most = max(2, min(components, len(reference) // 10))
    kept = min(most, int((spread > 1e-10 * spread[0]).sum()))
    return Whitening(centre, axes[:, :kept] / np.sqrt(spread[:kept]))


def shuffled_groups(first: Vectors, second: Vectors, *, draws: int, seed: int) -> NDArray[np.bool_]:
    """(draws, n + m) masks of the current side when whole patients are dealt anew; a patient of both sides is one."""
    rng = np.random.default_rng(seed)
    blocks = np.concatenate((first.patients, first.n_patients + second.patients))
    total = first.n_patients + second.n_patients
    mine = np.zeros((draws, total), dtype=bool)
    mine[:, first.n_patients :] = True
    dealt = rng.permuted(mine, axis=1)
    groups: NDArray[np.bool_] = dealt[:, blocks]
    return groups
