"""Boxes and points per case: overlap of boxes, distance of centres, target registration error."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from assurance.evidence.errors import InvalidInput
from assurance.evidence.finding import Finding, State
from assurance.metrics.masks import checked_spacing
from assurance.metrics.measured import array_digest, method_record


def box_iou(reference: ArrayLike, prediction: ArrayLike) -> Finding:
    """Intersection over union of two boxes, 0..1.

    Each box is (low_0 … low_k, high_0 … high_k) with high > low on every axis, both in one unit; 2-D or 3-D.

    References
    ----------
    Everingham et al. (2010), IJCV 88:303.
    """
    truth, found = _box(reference, "reference"), _box(prediction, "prediction")
    _same_axes(truth, found)
    sides = np.clip(np.minimum(truth[1], found[1]) - np.maximum(truth[0], found[0]), 0, None)
    shared = float(sides.prod())
    union = float((truth[1] - truth[0]).prod() + (found[1] - found[0]).prod()) - shared
    return _finding("box_iou", shared / union, "1", truth, found)


def centre_error(reference: ArrayLike, prediction: ArrayLike, *, spacing_mm: Sequence[float]) -> Finding:
    """Distance in mm between the centres of two boxes given in voxels, ``spacing_mm`` per axis.

    References
    ----------
    Maier-Hein & Reinke et al. (2024), Nature Methods 21:195 (centre distance).
    """
    truth, found = _box(reference, "reference"), _box(prediction, "prediction")
    _same_axes(truth, found)
    spacing = checked_spacing(spacing_mm, ndim=truth.shape[1])
    value = float(np.linalg.norm((truth.mean(axis=0) - found.mean(axis=0)) * spacing))
    return _finding("centre_error", value, "mm", truth, found, spacing_mm=list(spacing))


def tre(reference: ArrayLike, prediction: ArrayLike, *, spacing_mm: Sequence[float]) -> Finding:
    """Target registration error in mm: mean distance between landmarks and where the registration puts them.

    ``reference`` and ``prediction`` of shape (n_landmarks, 2 or 3), in voxels. ``details`` hold the largest and the
    90th percentile.

    References
    ----------
    Fitzpatrick & West (2001), IEEE TMI 20:917.
    """
    truth, found = (np.asarray(values, dtype=float) for values in (reference, prediction))
    if truth.ndim != 2 or truth.shape != found.shape or truth.shape[1] not in (2, 3) or not truth.size:
        raise InvalidInput(
            "bad_landmarks", f"landmarks have shapes {truth.shape} and {found.shape}: give (n, 2) or (n, 3) in both"
        )
    if not (np.isfinite(truth).all() and np.isfinite(found).all()):
        raise InvalidInput("not_finite", "a landmark coordinate is not finite: give finite voxel positions")
    spacing = checked_spacing(spacing_mm, ndim=truth.shape[1])
    distances = np.linalg.norm((truth - found) * spacing, axis=1)
    finding = _finding("tre", float(distances.mean()), "mm", truth, found, spacing_mm=list(spacing))
    details = {"max": float(distances.max()), "p90": float(np.quantile(distances, 0.9)), "n_landmarks": len(distances)}
    return finding.placed(details=details)


def _box(values: ArrayLike, name: str) -> NDArray[np.float64]:
    box = np.asarray(values, dtype=float)
    if box.shape not in ((4,), (6,)) or not np.isfinite(box).all():
        raise InvalidInput(
            "bad_box", f"{name} has shape {box.shape}: give 4 (2-D) or 6 (3-D) finite numbers, lows first"
        )
    corners = box.reshape(2, -1)
    if not (corners[1] > corners[0]).all():
        raise InvalidInput("bad_box", f"{name} is {box.tolist()}: every high end must lie above its low end")
    return corners


def _same_axes(truth: NDArray[np.float64], found: NDArray[np.float64]) -> None:
    if truth.shape != found.shape:
        raise InvalidInput("shape_mismatch", f"boxes of {truth.shape[1]} and {found.shape[1]} axes: give one kind")


def _finding(
    key: str, value: float, unit: str, truth: NDArray[np.float64], found: NDArray[np.float64], **parameters: Any
) -> Finding:
    return Finding(
        quantity=key,
        value=value,
        unit=unit,
        state=State.OK,
        n_cases=1,
        method=method_record(key, f"assurance.metrics.localisation:{key}", **parameters),
        input_digest=array_digest(reference=truth, prediction=found),
    )
