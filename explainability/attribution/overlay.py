"""A map as a picture: the grey image, colour where the map is strong, the mask's outline and the prompt's box."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from scipy import ndimage

# Both scales stay apart for colour-blind readers: dark violet to yellow, and blue against orange.
SEQUENTIAL = np.array([(68, 1, 84), (59, 82, 139), (33, 145, 140), (94, 201, 98), (253, 231, 37)], dtype=np.float64)
DIVERGING = np.array([(5, 80, 174), (120, 170, 225), (245, 245, 245), (245, 160, 80), (190, 80, 0)], dtype=np.float64)
SMALLEST_SIDE = 512


def overlay_png(
    image: NDArray[Any], values: NDArray[Any], *, signed: bool, mask: NDArray[Any] | None = None,
    box: tuple[float, float, float, float] | None = None,
) -> bytes:  # fmt: skip
    """PNG of ``image`` (H, W) under ``values`` (H, W). Colours scale to the 99.5th percentile of |values|.

    ``mask`` (H, W) is outlined in white over black, ``box`` (x0, y0, x1, y1) drawn dashed.
    """
    grey = np.asarray(image, dtype=np.float64)
    low, high = np.percentile(grey, [0.5, 99.5])
    grey = np.clip((grey - low) / max(high - low, 1e-12), 0, 1) * 255
    top = float(np.percentile(np.abs(values), 99.5)) or float(np.abs(values).max()) or 1.0
    strength = np.clip(np.asarray(values, dtype=np.float64) / top, -1, 1)
    place = (strength + 1) / 2 if signed else np.clip(strength, 0, 1)
    colours = _look_up(DIVERGING if signed else SEQUENTIAL, place)
    alpha = (0.15 + 0.6 * np.abs(strength))[..., None] * (np.abs(strength) > 0.02)[..., None]
    mixed = grey[..., None] * (1 - alpha) + colours * alpha
    picture = _enlarged(Image.fromarray(mixed.round().astype(np.uint8)))
    scale = picture.width / grey.shape[1]
    if mask is not None:
        _outline(picture, np.asarray(mask, dtype=bool))
    if box is not None:
        _dashed(ImageDraw.Draw(picture), [edge * scale for edge in box])
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", compress_level=4)
    return buffer.getvalue()


def image_png(
    image: NDArray[Any], *, mask: NDArray[Any] | None = None, box: tuple[float, float, float, float] | None = None
) -> bytes:
    """The image alone, at the size of its overlays."""
    return overlay_png(image, np.zeros(np.asarray(image).shape[:2]), signed=True, mask=mask, box=box)


def _look_up(anchors: NDArray[np.float64], place: NDArray[np.float64]) -> NDArray[np.float64]:
    steps = np.linspace(0, 1, len(anchors))
    table = np.stack([np.interp(np.linspace(0, 1, 256), steps, anchors[:, channel]) for channel in range(3)], axis=1)
    found: NDArray[np.float64] = table[(place * 255).astype(np.uint8)]
    return found


def _enlarged(picture: Image.Image) -> Image.Image:
    factor = max(1, -(-SMALLEST_SIDE // min(picture.size)))
    if factor == 1:
        return picture
    return picture.resize((picture.width * factor, picture.height * factor), Image.Resampling.BICUBIC)


def _outline(picture: Image.Image, mask: NDArray[np.bool_]) -> None:
    large = np.asarray(Image.fromarray(mask).resize(picture.size, Image.Resampling.NEAREST))
    inner = ndimage.binary_dilation(large, iterations=2) & ~large
    outer = ndimage.binary_dilation(large, iterations=3) & ~large & ~inner
    pixels = np.asarray(picture).copy()
    pixels[outer] = 0
    pixels[inner] = 255
    picture.paste(Image.fromarray(pixels))


def _dashed(draw: ImageDraw.ImageDraw, box: list[float]) -> None:
    x0, y0, x1, y1 = box
    for start, end, fixed, across in ((x0, x1, y0, True), (x0, x1, y1, True), (y0, y1, x0, False), (y0, y1, x1, False)):
        for at in np.arange(start, end, 14):
            stop = min(at + 8, end)
            line = [(at, fixed), (stop, fixed)] if across else [(fixed, at), (fixed, stop)]
            draw.line(line, fill=(255, 221, 87), width=2)
