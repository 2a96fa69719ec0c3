"""The door of the mask metrics: two masks of one grid, and the spacing that turns voxels into millimetres."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from assurance.evidence.errors import InvalidInput
from assurance.evidence.finding import Finding, Interval, Method, State
from assurance.metrics.measured import array_digest

Mask = NDArray[np.bool_]


def mask_pair(reference: ArrayLike, prediction: ArrayLike) -> tuple[Mask, Mask]:
    """Return both masks as booleans of equal shape (H, W) or (D, H, W).

    Raises
    ------
    InvalidInput
        ``not_a_mask`` (values other than 0/1), ``bad_dimensions`` (not 2-D or 3-D, or empty), ``shape_mismatch``.
    """
    masks = []
    for name, values in (("reference", reference), ("prediction", prediction)):
        mask = np.asarray(values)
        if mask.dtype != bool:
            if mask.dtype.kind not in "iuf" or not np.isin(mask, (0, 1)).all():
                raise InvalidInput(
                    "not_a_mask", f"{name} holds values other than 0 and 1: give one structure at a time"
                )
            mask = mask == 1
        if mask.ndim not in (2, 3) or mask.size == 0:
            raise InvalidInput("bad_dimensions", f"{name} has shape {mask.shape}: give (H, W) or (D, H, W)")
        masks.append(mask)
    if masks[0].shape != masks[1].shape:
        raise InvalidInput(
            "shape_mismatch", f"reference {masks[0].shape} and prediction {masks[1].shape} differ: give one grid"
        )
    return masks[0], masks[1]


def checked_spacing(spacing_mm: Sequence[float], *, ndim: int) -> tuple[float, ...]:
    """Return one positive size in mm per axis, in the order of the axes (``bad_spacing`` otherwise)."""
    spacing = tuple(float(size) for size in spacing_mm)
    if len(spacing) != ndim or not all(np.isfinite(size) and size > 0 for size in spacing):
        raise InvalidInput("bad_spacing", f"spacing_mm is {spacing}: give {ndim} positive sizes in mm, one per axis")
    return spacing


def diagonal_mm(shape: tuple[int, ...], spacing: tuple[float, ...]) -> float:
    """Length of the image's diagonal: the distance given to a structure that one side misses altogether."""
    return float(np.linalg.norm([size * step for size, step in zip(shape, spacing, strict=True)]))


def emptiness(reference: Mask, prediction: Mask) -> str:
    """ "none", "both", "reference" or "prediction": which of the masks is empty."""
    empty = (not reference.any(), not prediction.any())
    return {(False, False): "none", (True, True): "both", (True, False): "reference", (False, True): "prediction"}[
        empty
    ]


def mask_finding(
    quantity: str,
    value: float | None,
    *,
    unit: str,
    reference: Mask,
    prediction: Mask,
    method: Method,
    interval: Interval | None = None,
    reason: str = "",
    **details: object,
) -> Finding:
    """One case's Finding; ``details`` say which mask was empty, so that such cases can be counted apart."""
    return Finding(
        quantity=quantity,
        value=value,
        unit=unit,
        state=State.OK if value is not None else State.INSUFFICIENT,
        reason=reason,
        n_cases=1,
        interval=interval,
        method=method,
        input_digest=array_digest(reference=reference, prediction=prediction),
        details={"empty": emptiness(reference, prediction), **details},
    )
