"""Images and masks of cases from stored bytes: PNG, JPEG, NumPy, NIfTI and DICOM, with their spacing."""

from __future__ import annotations

import gzip
import io
from dataclasses import dataclass
from typing import Any

import nibabel
import numpy as np
import pydicom
from numpy.typing import NDArray
from PIL import Image

from assurance.evidence.errors import InvalidInput

MOST_PIXELS = 600_000_000
MOST_BYTES = 2 * 2**30


@dataclass(frozen=True)
class CaseImage:
    """``pixels`` (H, W), (H, W, 3) or a volume; a volume keeps the array axes of its file, named by ``axes``."""

    pixels: NDArray[Any]
    spacing_mm: tuple[float, ...] | None = None
    axes: str = ""
    affine: NDArray[Any] | None = None
    unit: str = ""

    @property
    def is_volume(self) -> bool:
        return self.pixels.ndim == 3 and self.pixels.shape[2] > 4


def read_case_image(content: bytes, *, name: str = "image") -> CaseImage:
    """Told by its first bytes, not by its name.

    Raises
    ------
    InvalidInput
        ``unknown_format``, ``unreadable``, ``bad_shape``, ``too_large``.
    """
    kind = _kind(content)
    if kind is None:
        raise InvalidInput("unknown_format", f"{name} is not PNG, JPEG, TIFF, NumPy, NIfTI or DICOM")
    try:
        image = _READERS[kind](content)
    except InvalidInput:
        raise
    except Exception as error:  # each library has its own errors for a broken file
        reason = str(error).splitlines()[0][:160] if str(error) else type(error).__name__
        raise InvalidInput("unreadable", f"{name} cannot be read as {kind}: {reason}") from error
    if image.pixels.ndim not in (2, 3) or image.pixels.dtype.kind not in "iufb":
        raise InvalidInput(
            "bad_shape", f"{name} has shape {image.pixels.shape} of {image.pixels.dtype}: give an image or a volume"
        )
    if image.pixels.size > MOST_PIXELS:
        raise InvalidInput("too_large", f"{name} has {image.pixels.size} pixels: at most {MOST_PIXELS}")
    return image


def read_mask(content: bytes, *, shape: tuple[int, ...], name: str = "mask") -> NDArray[np.bool_]:
    """A mask of the image's ``shape``; anything above 0 lies inside."""
    pixels = read_case_image(content, name=name).pixels
    if pixels.ndim == 3 and len(shape) == 2:
        pixels = pixels[..., 0]
    if pixels.shape != shape:
        raise InvalidInput("bad_shape", f"{name} has shape {pixels.shape}, the image {shape}: give both alike")
    return np.asarray(pixels > 0)


def _kind(content: bytes) -> str | None:
    if content[:8] == b"\x89PNG\r\n\x1a\n" or content[:3] == b"\xff\xd8\xff" or content[:4] in (b"II*\0", b"MM\0*"):
        return "picture"
    if content[:6] == b"\x93NUMPY":
        return "NumPy"
    if content[128:132] == b"DICM":
        return "DICOM"
    if content[:2] == b"\x1f\x8b" or content[344:347] in (b"n+1", b"ni1"):
        return "NIfTI"
    return None


def _picture(content: bytes) -> CaseImage:
    with Image.open(io.BytesIO(content)) as opened:
        picture: Image.Image = opened
        if picture.width * picture.height > MOST_PIXELS:
            raise InvalidInput("too_large", f"the image has {picture.width * picture.height} pixels")
        if picture.mode not in ("L", "I;16", "I", "F", "RGB"):
            picture = picture.convert("RGB" if picture.mode in ("RGBA", "P", "CMYK", "YCbCr") else "L")
        pixels = np.array(picture)
    if pixels.ndim == 3 and (pixels == pixels[..., :1]).all():
        pixels = pixels[..., 0]
    return CaseImage(pixels)


def _numpy(content: bytes) -> CaseImage:
    return CaseImage(np.load(io.BytesIO(content), allow_pickle=False))


def _nifti(content: bytes) -> CaseImage:
    if content[:2] == b"\x1f\x8b":
        with gzip.open(io.BytesIO(content)) as packed:
            content = packed.read(MOST_BYTES + 1)
        if len(content) > MOST_BYTES:
            raise InvalidInput("too_large", f"the volume unpacks to more than {MOST_BYTES} bytes")
    kinds: Any = nibabel.Nifti1Image
    image: Any = kinds.from_bytes(content)
    pixels = np.asarray(image.dataobj)
    spacing = tuple(float(step) for step in image.header.get_zooms()[:3])
    if pixels.ndim == 3 and pixels.shape[2] == 1:
        return CaseImage(pixels[..., 0].T, (spacing[1], spacing[0]))
    return CaseImage(pixels, spacing, "".join(nibabel.aff2axcodes(image.affine)), np.asarray(image.affine))


def _dicom(content: bytes) -> CaseImage:
    dataset = pydicom.dcmread(io.BytesIO(content))
    slope, offset = float(dataset.get("RescaleSlope", 1)), float(dataset.get("RescaleIntercept", 0))
    pixels = dataset.pixel_array
    if (slope, offset) != (1, 0):
        pixels = pixels * slope + offset
    if dataset.get("PhotometricInterpretation") == "MONOCHROME1":
        pixels = pixels.max() + pixels.min() - pixels
    steps = dataset.get("PixelSpacing") or dataset.get("ImagerPixelSpacing")
    return CaseImage(pixels, tuple(float(step) for step in steps) if steps else None)


_READERS = {"picture": _picture, "NumPy": _numpy, "NIfTI": _nifti, "DICOM": _dicom}
