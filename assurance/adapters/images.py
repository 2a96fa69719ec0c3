"""What adapters take as images: a grey plane (a bare array), a volume with its spacing, or a pair of volumes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assurance.evidence.errors import InvalidInput

Array = NDArray[np.float32]
SIDES = {"R": "RL", "L": "RL", "A": "AP", "P": "AP", "S": "SI", "I": "SI"}
LARGEST_VOXELS = 1024**3


@dataclass(frozen=True, slots=True, eq=False)
class Volume:
    """A three-dimensional image in physical units.

    ``array`` (a, b, c), ``spacing_mm`` the distance of neighbours along each array axis, ``axes`` the side of the body
    towards which each array axis runs, one letter each (``RAS`` as nibabel names it; a CT stack z, y, x is ``SPL`` or
    ``IPL``). ``unit`` is that of the values, such as HU.
    """

    array: NDArray[Any]
    spacing_mm: tuple[float, float, float] | None
    axes: str = "RAS"
    unit: str = ""

    def checked(self, *, name: str = "volume") -> Volume:
        """The same volume as finite float32 numbers.

        Raises
        ------
        InvalidInput
            ``bad_shape``, ``not_numeric``, ``not_finite``, ``flat_image``, ``too_large``, ``spacing_missing``,
            ``bad_spacing``, ``bad_axes``.
        """
        array = np.asarray(self.array)
        if not (np.issubdtype(array.dtype, np.number) and not np.issubdtype(array.dtype, np.complexfloating)):
            raise InvalidInput("not_numeric", f"{name} has dtype {array.dtype}: give real numbers")
        if array.ndim != 3 or min(array.shape) < 8:
            raise InvalidInput("bad_shape", f"{name} has shape {array.shape}: give three axes, each 8 voxels or more")
        if array.size > LARGEST_VOXELS:
            raise InvalidInput("too_large", f"{name} has {array.size} voxels: at most {LARGEST_VOXELS}")
        if self.spacing_mm is None:
            raise InvalidInput("spacing_missing", f"{name} has no spacing: give the voxel size in mm along each axis")
        if len(self.spacing_mm) != 3 or not all(np.isfinite(step) and 0.01 <= step <= 50 for step in self.spacing_mm):
            raise InvalidInput(
                "bad_spacing", f"{name} has spacing {self.spacing_mm} mm: give three values of 0.01 to 50"
            )
        if {SIDES.get(side) for side in self.axes} != {"RL", "AP", "SI"} or len(self.axes) != 3:
            raise InvalidInput(
                "bad_axes", f"{name} has axes {self.axes!r}: give one of R/L, A/P and S/I each, as in RAS"
            )
        values: Array = array.astype(np.float32)
        if not np.isfinite(values).all():
            raise InvalidInput("not_finite", f"{name} holds NaN or infinity: every voxel must be a finite number")
        if values.max() == values.min():
            raise InvalidInput("flat_image", f"every voxel of {name} is {values.flat[0]:g}: there is nothing to see")
        return Volume(values, self.spacing_mm, self.axes, self.unit)

    def turned(self, axes: str) -> Volume:
        """The volume with its array axes in the order and direction of ``axes``; no voxel changes its value."""
        order, flips = turn(self.axes, axes)
        array = np.transpose(self.array, order)
        for axis, flip in enumerate(flips):
            if flip:
                array = np.flip(array, axis)
        spacing = None if self.spacing_mm is None else tuple(self.spacing_mm[axis] for axis in order)
        return Volume(array, spacing, axes, self.unit)  # type: ignore[arg-type]


@dataclass(frozen=True, slots=True, eq=False)
class Pair:
    """Two volumes of one frame for registration: ``moving`` is deformed onto ``fixed``."""

    moving: Volume
    fixed: Volume

    def checked(self) -> Pair:
        moving, fixed = self.moving.checked(name="moving"), self.fixed.checked(name="fixed")
        if moving.axes != fixed.axes:
            moving = moving.turned(fixed.axes)
        return Pair(moving, fixed)


def turn(start: str, end: str) -> tuple[tuple[int, ...], tuple[bool, ...]]:
    """For each axis of ``end``: which axis of ``start`` it is, and whether it runs the other way."""
    order = tuple(next(place for place, side in enumerate(start) if SIDES[side] == SIDES[wanted]) for wanted in end)
    return order, tuple(start[place] != wanted for place, wanted in zip(order, end, strict=True))


def read_volume(path: Path, *, unit: str = "") -> Volume:
    """A NIfTI file as it is stored, with spacing and axes of its header.

    Raises
    ------
    InvalidInput
        ``no_image`` or ``not_an_image``, and what :meth:`Volume.checked` refuses.
    """
    import nibabel

    if not path.is_file():
        raise InvalidInput("no_image", f"{path} is not a file: give a NIfTI file (.nii or .nii.gz)")
    try:
        image: Any = nibabel.load(path)  # type: ignore[attr-defined]
        array = np.asarray(image.dataobj, dtype=np.float32)
    except (nibabel.filebasedimages.ImageFileError, OSError, EOFError, ValueError) as error:
        raise InvalidInput("not_an_image", f"{path} cannot be read as NIfTI: {str(error)[:160]}") from error
    spacing = tuple(float(step) for step in image.header.get_zooms()[:3])
    axes = "".join(side or "?" for side in nibabel.aff2axcodes(image.affine))  # type: ignore[attr-defined]
    return Volume(array, spacing, axes, unit).checked(name=path.name)  # type: ignore[arg-type]


def checked_plane(image: Any, *, name: str = "image") -> Array:
    """A finite grey image (H, W) as float32; a colour one (H, W, 3) becomes its mean over channels.

    Raises
    ------
    InvalidInput
        ``bad_shape``, ``not_finite``, ``not_numeric`` or ``flat_image`` (all pixels alike).
    """
    if isinstance(image, Volume | Pair):
        raise InvalidInput(
            "bad_shape", f"{name} is a {type(image).__name__.lower()}: this model takes one plane (H, W)"
        )
    array = np.asarray(image)
    if not (np.issubdtype(array.dtype, np.number) and not np.issubdtype(array.dtype, np.complexfloating)):
        raise InvalidInput("not_numeric", f"{name} has dtype {array.dtype}: give real numbers")
    if array.ndim == 3 and array.shape[2] in (3, 4):
        array = array[..., :3].mean(axis=2)
    if array.ndim != 2 or min(array.shape) < 8:
        raise InvalidInput("bad_shape", f"{name} has shape {array.shape}: give (height, width), each 8 or more")
    plane: Array = array.astype(np.float32)
    if not np.isfinite(plane).all():
        raise InvalidInput("not_finite", f"{name} holds NaN or infinity: every pixel must be a finite number")
    if plane.max() == plane.min():
        raise InvalidInput("flat_image", f"every pixel of {name} is {plane.flat[0]:g}: there is nothing to see")
    return plane


def checked_volume(image: Any, *, name: str = "volume") -> Volume:
    if isinstance(image, Volume):
        return image.checked(name=name)
    if isinstance(image, Pair):
        raise InvalidInput("bad_shape", f"{name} is a pair: this model takes one volume")
    raise InvalidInput(
        "spacing_missing", f"{name} is a bare array of shape {np.shape(image)}: give a Volume with its spacing in mm"
    )


def checked_pair(image: Any) -> Pair:
    if isinstance(image, Pair):
        return image.checked()
    raise InvalidInput("bad_shape", "this model registers two volumes: give a Pair of moving and fixed")
