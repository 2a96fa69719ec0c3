"""Registrations as numbers: how far and how plausibly a transform moves the patient."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from assurance.evidence.errors import InvalidInput
from monitoring.intake.dicom.reading import Reading

MOST_POINTS = 2**27
_SLAB = 16


def read_registration(dataset: Dataset, reading: Reading) -> None:
    """Fill ``translation_mm`` and ``rotation_deg`` of rigid parts; ``displacement_mm`` and the folding of dense ones.

    Raises
    ------
    InvalidInput
        ``no_transform`` when the object holds neither a matrix nor a grid; what :func:`displacement_values` refuses.
    """
    parts = list(dataset.get("RegistrationSequence") or []) + list(dataset.get("DeformableRegistrationSequence") or [])
    found = False
    for part in parts:
        for holder in part.get("MatrixRegistrationSequence") or []:
            for one in holder.get("MatrixSequence") or []:
                found |= _rigid(one, reading)
        for name in ("PreDeformationMatrixRegistrationSequence", "PostDeformationMatrixRegistrationSequence"):
            for one in part.get(name) or []:
                found |= _rigid(one, reading)
        for grid in part.get("DeformableRegistrationGridSequence") or []:
            reading.values.update(_grid(grid))
            found = True
    if not found:
        raise InvalidInput("no_transform", "the registration object holds neither a matrix nor a deformation grid")


def _rigid(item: Dataset, reading: Reading) -> bool:
    numbers = item.get("FrameOfReferenceTransformationMatrix")
    if not numbers:
        return False
    if len(numbers) != 16:
        reading.odd("bad_matrix", "FrameOfReferenceTransformationMatrix", f"{len(numbers)} numbers, not 16")
        return False
    matrix = np.array(numbers, dtype=np.float64).reshape(4, 4)
    translation, angle = rigid_values(matrix)
    before = reading.values.get("translation_mm", -1.0)
    if translation >= before:  # the fixed image's own identity stands beside the moving one's matrix
        reading.values["translation_mm"] = translation
    reading.values["rotation_deg"] = max(angle, reading.values.get("rotation_deg", 0.0))
    scale = float(np.linalg.det(matrix[:3, :3]))
    if scale <= 0:
        reading.odd("mirrored", "FrameOfReferenceTransformationMatrix", f"determinant {scale:.3g}: the matrix mirrors")
    elif abs(scale - 1) > 0.01:
        reading.values["volume_scale"] = scale
    return True


def rigid_values(matrix: NDArray[np.float64]) -> tuple[float, float]:
    """Length of the translation in mm and angle of the rotation in degrees of a 4×4 matrix.

    The rotation is the nearest one to the upper 3×3 part (its polar factor), so that scaling does not count as turning.
    """
    left, _, right = np.linalg.svd(matrix[:3, :3])
    turn = left @ right
    cosine = np.clip((np.trace(turn) - 1) / 2, -1.0, 1.0)
    return float(np.linalg.norm(matrix[:3, 3])), float(np.degrees(np.arccos(cosine)))


def _grid(item: Dataset) -> dict[str, float]:
    shape = [int(n) for n in item.get("GridDimensions") or []]
    spacing = [float(n) for n in item.get("GridResolution") or []]
    if len(shape) != 3 or len(spacing) != 3 or min(shape) < 1 or min(spacing) <= 0:
        raise InvalidInput("bad_grid", f"grid of {shape} points with {spacing} mm: give three of each, above 0")
    if np.prod(shape) > MOST_POINTS:
        raise InvalidInput("too_large", f"the grid has {np.prod(shape)} points: at most {MOST_POINTS}")
    content = item.get("VectorGridData") or b""
    if len(content) != 12 * int(np.prod(shape)):
        raise InvalidInput("bad_grid", f"{len(content)} bytes of vectors where the grid of {shape} points needs "
                           f"{12 * int(np.prod(shape))}")  # fmt: skip
    axes = np.array(item.get("ImageOrientationPatient") or [1, 0, 0, 0, 1, 0], dtype=np.float64)
    directions = np.stack([axes[:3], axes[3:], np.cross(axes[:3], axes[3:])])
    field = np.frombuffer(content, dtype="<f4").reshape(shape[2], shape[1], shape[0], 3)  # x runs fastest
    return displacement_values(field, spacing_mm=(spacing[2], spacing[1], spacing[0]), directions=directions[::-1])


def displacement_values(
    field: NDArray[np.float32], *, spacing_mm: tuple[float, float, float], directions: NDArray[np.float64] | None = None
) -> dict[str, float]:
    """Displacement in mm (mean, P95, largest), ``folding_share`` and ``sdlogj`` of a dense field.

    Parameters
    ----------
    field : array of shape (D, H, W, 3)
        Displacement vectors in mm in patient axes.
    spacing_mm : three numbers
        Distance of grid points along the array's first three axes.
    directions : array of shape (3, 3)
        Unit vector of each array axis in patient axes; default: axes (z, y, x) of an axial grid.

    Returns
    -------
    dict
        ``folding_share`` is the share of interior points whose raw Jacobian determinant is 0 or below; ``sdlogj`` the
        standard deviation of ln det J over the others. Central differences, in physical units.

    Raises
    ------
    InvalidInput
        ``not_finite`` when a vector is NaN or infinite; ``too_small`` below 3 points along an axis.
    """
    if min(field.shape[:3]) < 3:
        raise InvalidInput("too_small", f"grid of {field.shape[:3]} points: a Jacobian needs 3 along each axis")
    if not np.isfinite(field).all():
        raise InvalidInput("not_finite", "the deformation grid holds NaN or infinite vectors")
    axes = np.eye(3)[::-1] if directions is None else directions
    lengths = np.sqrt(np.square(field, dtype=np.float32).sum(axis=3))
    folds, points, logs, squares = 0, 0, 0.0, 0.0
    for first in range(1, field.shape[0] - 1, _SLAB):
        slab = field[first - 1 : min(first + _SLAB, field.shape[0] - 1) + 1].astype(np.float64)
        determinant = _determinants(slab, spacing_mm, axes)
        good = determinant[determinant > 0]
        folds += int(determinant.size - good.size)
        points += determinant.size
        logarithm = np.log(good)
        logs += float(logarithm.sum())
        squares += float(np.square(logarithm).sum())
    n = points - folds
    spread = float(np.sqrt(max(0.0, squares / n - (logs / n) ** 2))) if n else 0.0
    return {
        "displacement_mm": float(lengths.mean(dtype=np.float64)),
        "displacement_p95_mm": float(np.quantile(lengths, 0.95)),
        "displacement_max_mm": float(lengths.max()), "folding_share": folds / points, "sdlogj": spread,
    }  # fmt: skip


def _determinants(
    slab: NDArray[np.float64], spacing: tuple[float, float, float], axes: NDArray[np.float64]
) -> NDArray[np.float64]:
    """det(I + du/dx) at the slab's interior points; the slab brings one plane more on each side."""
    inner = (slice(1, -1),) * 3
    jacobian = np.broadcast_to(np.eye(3), (*(n - 2 for n in slab.shape[:3]), 3, 3)).copy()
    for axis, step in enumerate(spacing):
        ahead, behind = list(inner), list(inner)
        ahead[axis], behind[axis] = slice(2, None), slice(None, -2)
        slope = (slab[tuple(ahead)] - slab[tuple(behind)]) / (2 * step)  # along this grid axis, per mm
        jacobian += slope[..., :, None] * axes[axis][None, None, None, None, :]
    return np.linalg.det(jacobian)
