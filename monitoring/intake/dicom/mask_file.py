"""A segmentation object's masks as a NIfTI file: numbers in space, without the header that names a patient."""

from __future__ import annotations

import gzip
from collections.abc import Mapping

import nibabel
import numpy as np
from numpy.typing import NDArray

MEDIA_TYPE = "application/x-nifti+gzip"
MOST_VOXELS = 2**28
Planes = Mapping[float, NDArray[np.uint8]]  # packed bits of one segment by position along the normal


def mask_file(
    segments: Mapping[int, Planes], *, shape: tuple[int, int], spacing_mm: tuple[float, float, float],
    axes: NDArray[np.float64], origin_mm: NDArray[np.float64],
) -> bytes | None:  # fmt: skip
    """gzip NIfTI of (x, y, z) with each segment's number, or (x, y, z, segment) of 0 and 1 where segments overlap.

    Parameters
    ----------
    segments : packed bits of each slice (rows, columns), by segment number and position along the normal in mm.
    shape : rows and columns of a slice.
    spacing_mm : between rows, between columns, between slices.
    axes : (3, 3) direction of a row, of a column and the normal, in DICOM's patient space (left, posterior, superior).
    origin_mm : (3,) centre of the first voxel, in the same space.

    Returns
    -------
    bytes or None
        None beyond 2^28 voxels, or without any slice. Equal masks give equal bytes.
    """
    places = sorted({position for planes in segments.values() for position in planes})
    voxels = shape[0] * shape[1] * len(places)
    if not places or voxels > MOST_VOXELS:
        return None
    labels = np.zeros((len(places), *shape), dtype=np.uint8 if max(segments) < 256 else np.uint16)
    overlap = False
    for number, planes in segments.items():
        for position, packed in planes.items():
            here = _plane(packed, shape)
            at = labels[places.index(position)]
            overlap |= bool((at[here] != 0).any())
            at[here] = number
    if overlap:
        if voxels * len(segments) > MOST_VOXELS:
            return None
        labels = np.zeros((len(segments), len(places), *shape), dtype=np.uint8)
        for place, number in enumerate(sorted(segments)):
            for position, packed in segments[number].items():
                labels[place, places.index(position)] = _plane(packed, shape)
    affine = np.eye(4)
    between_rows, between_columns, between_slices = spacing_mm
    affine[:3, :3] = axes.T * (between_columns, between_rows, between_slices)
    affine[:3, 3] = origin_mm
    affine[:2] *= -1  # DICOM points left and posterior, NIfTI right and anterior
    image = nibabel.Nifti1Image(np.ascontiguousarray(labels.T), affine)
    image.header.set_xyzt_units("mm")
    return gzip.compress(image.to_bytes(), compresslevel=4, mtime=0)


def _plane(packed: NDArray[np.uint8], shape: tuple[int, int]) -> NDArray[np.bool_]:
    return np.unpackbits(packed)[: shape[0] * shape[1]].reshape(shape).astype(bool)
