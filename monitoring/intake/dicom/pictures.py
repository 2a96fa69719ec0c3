"""Pictures without their headers: secondary captures and images as PNG, unless something is burned into them."""

from __future__ import annotations

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydicom.dataset import Dataset

from assurance.evidence.errors import InvalidInput
from monitoring.intake.dicom.header import plain
from monitoring.intake.dicom.reading import Reading

MOST_PIXELS = 2**26


def capture_picture(dataset: Dataset, reading: Reading, *, captured: bool) -> None:
    """Keep the first frame as an 8-bit PNG in ``reading.picture``.

    BurnedInAnnotation YES keeps no picture, and neither does a secondary capture that says nothing of it, since screens
    that are captured usually show names.
    """
    burned = plain(dataset, "BurnedInAnnotation").upper()
    if burned == "YES" or (captured and burned != "NO"):
        reading.remove("pictures with burned-in annotation" if burned == "YES" else "captures that may show names")
        if burned != "YES":
            reading.odd("burned_in_unknown", "BurnedInAnnotation", "BurnedInAnnotation is not NO: no picture is kept")
        return
    if "PixelData" not in dataset:
        raise InvalidInput("no_pixel_data", "the object holds no pixel data")
    try:
        frame = first_frame(dataset)
    except InvalidInput:
        raise
    except Exception as error:
        reading.odd("pixels_unreadable", "PixelData", f"no picture: {type(error).__name__}: {error}")
        return
    buffer = io.BytesIO()
    Image.fromarray(eight_bit(frame, dataset)).save(buffer, "PNG", compress_level=4)
    reading.picture, reading.picture_type = buffer.getvalue(), "image/png"


def first_frame(dataset: Dataset) -> NDArray[np.generic]:
    """(H, W) or (H, W, 3) of the first frame; only that frame is decoded."""
    from pydicom.pixels import pixel_array

    rows, columns = int(dataset.get("Rows", 0) or 0), int(dataset.get("Columns", 0) or 0)
    if not 0 < rows * columns <= MOST_PIXELS:
        raise InvalidInput("too_large", f"frames of {rows} x {columns} pixels: give 1 to {MOST_PIXELS}")
    return pixel_array(dataset, index=0)


def eight_bit(frame: NDArray[np.generic], dataset: Dataset) -> NDArray[np.uint8]:
    """Grey frames stretched between their 0.5 and 99.5 percentiles, MONOCHROME1 turned over; colour as it is."""
    if frame.ndim == 3:
        return frame[..., :3].astype(np.uint8) if frame.dtype == np.uint8 else (frame >> 8).astype(np.uint8)  # type: ignore[operator]
    grey = frame.astype(np.float64)
    low, high = np.percentile(grey, (0.5, 99.5))
    scaled = np.clip((grey - low) / (high - low if high > low else 1.0), 0, 1)
    if plain(dataset, "PhotometricInterpretation") == "MONOCHROME1":
        scaled = 1 - scaled
    return np.round(255 * scaled).astype(np.uint8)
