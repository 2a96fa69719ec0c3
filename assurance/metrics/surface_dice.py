"""Normalised surface distance: the share of both surfaces that lies within a tolerance of the other."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from itertools import product

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import ndimage

from assurance.evidence.errors import InvalidInput
from assurance.evidence.finding import Finding
from assurance.metrics.masks import Mask, checked_spacing, mask_finding, mask_pair
from assurance.metrics.measured import method_record
from assurance.metrics.surface_distance import surface_distances


def nsd(
    reference: ArrayLike,
    prediction: ArrayLike,
    *,
    spacing_mm: Sequence[float],
    tolerance_mm: float,
    subvoxels: bool = True,
) -> Finding:
    """Normalised surface distance (surface Dice) at ``tolerance_mm``, 0..1.

    Parameters
    ----------
    reference, prediction : array of 0/1 of shape (H, W) or (D, H, W)
        One structure.
    spacing_mm : sequence of float
        Voxel size along each axis of the array.
    tolerance_mm : float
        0 or more; the disagreement between readers is the usual choice.
    subvoxels : bool
        True weighs each surface element by its length (2-D) or area (3-D) between voxel centres; False counts border
        voxels. The two differ much when the voxel is not small against the tolerance, so the flag is stored.

    Notes
    -----
    Both masks empty = 1 and marked in ``details["empty"]``; one empty = 0.

    References
    ----------
    Nikolov et al. (2021), JMIR 23:e26151.
    """
    truth, found = mask_pair(reference, prediction)
    spacing = checked_spacing(spacing_mm, ndim=truth.ndim)
    if not (np.isfinite(tolerance_mm) and tolerance_mm >= 0):
        raise InvalidInput("bad_tolerance", f"tolerance_mm is {tolerance_mm}: give a distance in mm, 0 or more")
    if truth.any() and found.any():
        value = _agreement(truth, found, spacing, tolerance_mm, subvoxels)
    else:
        value = 1.0 if not truth.any() and not found.any() else 0.0
    method = method_record(
        "nsd",
        "assurance.metrics.surface_dice:nsd",
        spacing_mm=list(spacing),
        tolerance_mm=float(tolerance_mm),
        subvoxels=subvoxels,
    )
    return mask_finding("nsd", value, unit="1", reference=truth, prediction=found, method=method)


def _agreement(truth: Mask, found: Mask, spacing: tuple[float, ...], tolerance_mm: float, subvoxels: bool) -> float:
    if not subvoxels:
        to_found, to_truth = surface_distances(truth, found, spacing)
        close = np.count_nonzero(to_found <= tolerance_mm) + np.count_nonzero(to_truth <= tolerance_mm)
        return close / (to_found.size + to_truth.size)
    box = ndimage.find_objects((truth | found).astype(np.uint8))[0]
    sizes = element_sizes(spacing)
    truth_codes, found_codes = _neighbour_codes(truth[box]), _neighbour_codes(found[box])
    full = sizes.size - 1
    truth_surface = (truth_codes != 0) & (truth_codes != full)
    found_surface = (found_codes != 0) & (found_codes != full)
    to_found = ndimage.distance_transform_edt(~found_surface, sampling=spacing)[truth_surface]
    to_truth = ndimage.distance_transform_edt(~truth_surface, sampling=spacing)[found_surface]
    truth_sizes, found_sizes = sizes[truth_codes[truth_surface]], sizes[found_codes[found_surface]]
    close = truth_sizes[to_found <= tolerance_mm].sum() + found_sizes[to_truth <= tolerance_mm].sum()
    return float(close / (truth_sizes.sum() + found_sizes.sum()))


def _neighbour_codes(mask: Mask) -> NDArray[np.intp]:
    """For each block of 2 voxels per axis, which of its corners are set, as one number (corner bits in C order)."""
    padded = np.pad(mask, 1).astype(np.intp)
    codes = np.zeros([size - 1 for size in padded.shape], dtype=np.intp)
    for bit, corner in enumerate(product((0, 1), repeat=mask.ndim)):
        window = tuple(slice(start, start + size) for start, size in zip(corner, codes.shape, strict=True))
        codes += padded[window] << bit
    return codes


@lru_cache(maxsize=64)
def element_sizes(spacing: tuple[float, ...]) -> NDArray[np.float64]:
    """Length (mm, 2-D) or area (mm², 3-D) of the border inside a block, for each pattern of set corners.

    The border passes half-way between a set corner and one that is not set. In 3-D it is the closed polygon that these
    half-way points form over the faces of the block; where a face has two set corners across, they are kept apart.
    """
    corners = list(product((0, 1), repeat=len(spacing)))
    sizes = np.zeros(2 ** len(corners))
    for code in range(1, sizes.size - 1):
        inside = {corner for bit, corner in enumerate(corners) if code >> bit & 1}
        if len(spacing) == 2:
            segments = _face_segments(inside, [(0, 0), (0, 1), (1, 1), (1, 0)])
            sizes[code] = sum(np.linalg.norm((np.array(a) - np.array(b)) * spacing) for a, b in segments)
        else:
            sizes[code] = sum(_polygon_area(np.array(loop) * spacing) for loop in _loops(inside))
    sizes.setflags(write=False)
    return sizes


Point = tuple[float, ...]


def _face_segments(inside: set[tuple[int, ...]], ring: Sequence[tuple[int, ...]]) -> list[tuple[Point, Point]]:
    """The border lines in one square, given its corners in ring order: one around each run of set corners."""
    held = [corner in inside for corner in ring]
    if all(held) or not any(held):
        return []

    def middle(first: int) -> Point:
        a, b = ring[first % 4], ring[(first + 1) % 4]
        return tuple((x + y) / 2 for x, y in zip(a, b, strict=True))

    entries = [index for index in range(4) if not held[index - 1] and held[index]]
    segments = []
    for entry in entries:
        leave = entry
        while held[(leave + 1) % 4]:
            leave += 1
        segments.append((middle(entry - 1), middle(leave)))
    return segments


def _loops(inside: set[tuple[int, ...]]) -> list[list[Point]]:
    """Join the lines on the six faces of a cube to closed polygons."""
    ends: dict[Point, list[Point]] = {}
    for axis, side in product(range(3), (0, 1)):
        ring = []
        for first, second in ((0, 0), (0, 1), (1, 1), (1, 0)):
            corner = [first, second]
            corner.insert(axis, side)
            ring.append(tuple(corner))
        for a, b in _face_segments(inside, ring):
            ends.setdefault(a, []).append(b)
            ends.setdefault(b, []).append(a)
    loops = []
    unseen = set(ends)
    while unseen:
        here = start = min(unseen)
        loop, before = [], None
        while True:
            loop.append(here)
            unseen.discard(here)
            onward = [point for point in ends[here] if point != before] or [before or start]
            before, here = here, onward[0]
            if here == start:
                break
        loops.append(loop)
    return loops


def _polygon_area(points: NDArray[np.float64]) -> float:
    """Area of a closed polygon in space as triangles about its centre."""
    spokes = points - points.mean(axis=0)
    return float(np.linalg.norm(np.cross(spokes, np.roll(spokes, -1, axis=0)), axis=1).sum() / 2)
