"""Images on disk for the command line: PNG, JPEG, NumPy, NIfTI and DICOM in; PNG, NumPy and NIfTI out."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pydicom
from numpy.typing import NDArray
from PIL import Image as Picture

from assurance.evidence.errors import InvalidInput

LARGEST_PIXELS = 600_000_000
READABLE = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".npy", ".nii", ".nii.gz", ".dcm")
WRITABLE = (".png", ".npy", ".nii", ".nii.gz")


@dataclass(frozen=True)
class ImageFile:
    """Pixels of shape (H, W) or (D, H, W), the spacing in mm per axis where the file tells it, and where they lie."""

    pixels: NDArray[Any]
    spacing_mm: tuple[float, ...] | None
    affine: NDArray[np.float64] | None = None


def read_image(path: str | Path) -> ImageFile:
    """Read one grey image or volume.

    Raises
    ------
    InvalidInput
        ``no_file``, ``unknown_format``, ``unreadable``, ``not_grey`` (colour or more than three axes), ``too_large``.
    """
    file = Path(path)
    if not file.is_file():
        raise InvalidInput("no_file", f"{path} is not a file: give an image")
    ending = _ending(file, READABLE)
    try:
        image = _READERS[ending](file)
    except InvalidInput:
        raise
    except Exception as error:  # each library has its own families of errors for a broken file
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InvalidInput("unreadable", f"{file.name} cannot be read as {ending[1:]}: {reason}") from error
    if image.pixels.ndim not in (2, 3) or image.pixels.dtype.kind not in "iuf":
        raise InvalidInput("not_grey", f"{file.name} has shape {image.pixels.shape}: give one grey image or volume")
    if image.pixels.size > LARGEST_PIXELS:
        raise InvalidInput("too_large", f"{file.name} holds {image.pixels.size} pixels: at most {LARGEST_PIXELS}")
    return image


def write_image(path: str | Path, pixels: NDArray[Any], *, like: ImageFile) -> None:
    """Write ``pixels`` by the ending of ``path``; PNG takes 2-D images of 8 or 16 bits only."""
    file = Path(path)
    ending = _ending(file, WRITABLE)
    if not file.resolve().parent.is_dir():
        raise InvalidInput("no_folder", f"{file.parent} is not a folder: make it first")
    if ending == ".npy":
        np.save(file, pixels, allow_pickle=False)
    elif ending == ".png":
        if pixels.ndim != 2 or pixels.dtype not in (np.uint8, np.uint16):
            raise InvalidInput(
                "not_for_png", f"{pixels.dtype} of shape {pixels.shape} does not fit a PNG: write .npy or .nii.gz"
            )
        Picture.fromarray(pixels).save(file)
    else:
        affine = like.affine if like.affine is not None else np.diag([*(like.spacing_mm or (1.0,) * pixels.ndim), 1.0])
        volume = np.moveaxis(pixels, 0, -1) if pixels.ndim == 3 else pixels[..., None]
        stored = volume.astype(np.int32) if volume.dtype == np.int64 else volume
        make: Any = nibabel.Nifti1Image
        nibabel.save(make(stored, _square(affine)), file)


def _ending(file: Path, allowed: tuple[str, ...]) -> str:
    name = file.name.lower()
    for ending in sorted(allowed, key=len, reverse=True):
        if name.endswith(ending):
            return ending
    raise InvalidInput("unknown_format", f"{file.name} has another ending: give one of {', '.join(allowed)}")


def _square(affine: NDArray[np.float64]) -> NDArray[np.float64]:
    whole = np.eye(4)
    whole[: affine.shape[0] - 1, : affine.shape[1] - 1] = affine[:-1, :-1]
    whole[: affine.shape[0] - 1, 3] = affine[:-1, -1]
    return whole


def _picture(file: Path) -> ImageFile:
    with Picture.open(file) as opened:
        picture: Any = opened
        if picture.mode not in ("L", "I;16", "I", "F"):
            picture = picture.convert("L") if picture.mode in ("1", "LA", "P") else picture
        if picture.mode in ("RGB", "RGBA"):
            colours = np.asarray(picture)[..., :3]
            if not (colours == colours[..., :1]).all():
                raise InvalidInput("not_grey", f"{file.name} is in colour: give a grey image")
            return ImageFile(colours[..., 0].copy(), None)
        return ImageFile(np.asarray(picture).copy(), None)


def _numpy(file: Path) -> ImageFile:
    return ImageFile(np.load(file, allow_pickle=False), None)


def _nifti(file: Path) -> ImageFile:
    image: Any = nibabel.load(file)
    pixels = np.asarray(image.dataobj)
    spacing = tuple(float(step) for step in image.header.get_zooms()[: pixels.ndim])
    if pixels.ndim == 3 and pixels.shape[2] == 1:
        return ImageFile(pixels[..., 0], spacing[:2], np.asarray(image.affine))
    if pixels.ndim == 3:  # slices come first here, last in NIfTI
        return ImageFile(np.moveaxis(pixels, -1, 0), (spacing[2], *spacing[:2]), np.asarray(image.affine))
    return ImageFile(pixels, spacing, np.asarray(image.affine))


def _dicom(file: Path) -> ImageFile:
    dataset = pydicom.dcmread(file)
    slope, offset = float(dataset.get("RescaleSlope", 1)), float(dataset.get("RescaleIntercept", 0))
    pixels = dataset.pixel_array if (slope, offset) == (1, 0) else dataset.pixel_array * slope + offset
    steps = dataset.get("PixelSpacing") or dataset.get("ImagerPixelSpacing")
    spacing = tuple(float(step) for step in steps) if steps else None
    if spacing and pixels.ndim == 3:
        spacing = (float(dataset.get("SpacingBetweenSlices") or dataset.get("SliceThickness") or 1), *spacing)
    return ImageFile(pixels, spacing)


_READERS: dict[str, Callable[[Path], ImageFile]] = {
    ".png": _picture, ".jpg": _picture, ".jpeg": _picture, ".tif": _picture, ".tiff": _picture,
    ".npy": _numpy, ".nii": _nifti, ".nii.gz": _nifti, ".dcm": _dicom,
}  # fmt: skip
