"""Axial slices of the MNI152 head as two scanners would deliver them, and LiteMedSAM run on each.

Scanner A and, at first, scanner B deliver with Rician noise of severity 3. A software update at scanner B brings a
stronger denoiser (severity 1) and drops the correction of the receive field (bias field of severity 5). The truth is
the template's grey and white matter, its holes filled; the prompt is the truth's box with a margin of 3 mm.
"""

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from importlib.resources import files
from typing import Any

import nibabel
import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage

from assurance.adapters.protocol import Prompt
from assurance.metrics.mask_overlap import dice
from generalizability.shifts.added_noise import rician_noise
from generalizability.shifts.bias_field import bias_field

FIRST_SLICE, LAST_SLICE = 56, 131  # where grey and white matter fill the section
EVERY = 2  # millimetres between slices, as in a common clinical protocol
WINDOW_DAYS, WINDOWS = 28, 2
MARGIN_MM = 3.0
SPACING_MM = (1.0, 1.0)  # the template is sampled at 1 mm, so a pixel is a millimetre
PIXEL_ML_PER_MM = 1e-3
NOTE = (
    "Slices of one head, the public MNI152 template, as two simulated scanners deliver them; LiteMedSAM ran on each. "
    "Dates are a calendar of this demo. One head is one patient: intervals speak for slices, not for people."
)


@dataclass(frozen=True)
class Slice:
    """One case before the model: image in the grey values that the scanner gives, mask of the truth, prompt box."""

    case_id: str
    scanner: str
    software: str
    study_time: datetime
    image: NDArray[np.float64]
    truth: NDArray[np.bool_]
    box: tuple[float, float, float, float]


@lru_cache(maxsize=1)
def template() -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """T1 intensities and brain mask, slices first, as nilearn ships them."""
    data = files("nilearn").joinpath("datasets/data")

    def volume(name: str) -> NDArray[np.float64]:
        image: Any = nibabel.load(str(data.joinpath(f"mni_icbm152_{name}_tal_nlin_sym_09a_converted.nii.gz")))
        return np.asarray(image.dataobj, dtype=np.float64)

    matter = volume("gm") + volume("wm")  # both are scaled to 0..1 in these files
    brain = matter / max(matter.max(), 1.0) > 0.5
    grey = volume("t1")
    upright = [np.rot90(grey[:, :, z]) for z in range(matter.shape[2])]
    masks = [ndimage.binary_fill_holes(np.rot90(brain[:, :, z])) for z in range(matter.shape[2])]
    return np.stack(upright), np.stack(masks)


def slices_of(
    scanner: str, heights: list[int], *, start: date, days: int, updated: bool, seed: int, label: str
) -> Iterator[Slice]:
    """The slices at ``heights`` as ``scanner`` delivers them, spread over ``days`` from ``start`` on."""
    images, masks = template()
    midnight = datetime.combine(start, time(0), UTC)
    for place, height in enumerate(heights):
        own = seed * 1000 + height
        clean = images[height]
        image = (
            rician_noise(bias_field(clean, severity=5, seed=own), severity=1, seed=own)
            if updated
            else rician_noise(clean, severity=3, seed=own)
        )
        yield Slice(
            case_id=f"{label}-{scanner}-{height:03d}", scanner=scanner, software="5.1" if updated else "5.0",
            study_time=midnight + timedelta(days=days * (place + 0.5) / len(heights)), image=image,
            truth=masks[height], box=box_around(masks[height]),
        )  # fmt: skip


def box_around(mask: NDArray[np.bool_]) -> tuple[float, float, float, float]:
    rows, columns = np.nonzero(mask)
    height, width = mask.shape
    return (
        float(max(0, columns.min() - MARGIN_MM)), float(max(0, rows.min() - MARGIN_MM)),
        float(min(width, columns.max() + 1 + MARGIN_MM)), float(min(height, rows.max() + 1 + MARGIN_MM)),
    )  # fmt: skip


def deliveries(*, today: date, every: int = EVERY) -> dict[str, list[Slice]]:
    """``reference`` and one list for each window. ``every``: mm between slices; with 2 the large ones have each."""
    heights = list(range(FIRST_SLICE, LAST_SLICE + 1, every))
    # A judged Dice needs fifty cases of a site, and a shift of half a sd in 76 cases needs a reference of about 110.
    dense = list(range(FIRST_SLICE, LAST_SLICE + 1)) if every <= EVERY else heights
    start = today - timedelta(days=WINDOW_DAYS * WINDOWS)
    before = start - timedelta(days=60)
    parts = {
        "reference": [
            *slices_of("scanner-a", dense, start=before, days=60, updated=False, seed=1, label="ref"),
            *slices_of("scanner-b", heights, start=before, days=60, updated=False, seed=2, label="ref"),
        ]
    }
    for window in range(WINDOWS):
        day = start + timedelta(days=WINDOW_DAYS * window)
        parts[f"window {window + 1}"] = [
            *slices_of("scanner-a", heights[::12], start=day, days=WINDOW_DAYS, updated=False, seed=3 + 2 * window,
                       label=f"w{window + 1}"),
            *slices_of("scanner-b", dense if window else heights[::4], start=day, days=WINDOW_DAYS,
                       updated=window > 0, seed=4 + 2 * window, label=f"w{window + 1}"),
        ]  # fmt: skip
    return parts


@dataclass(frozen=True)
class Segmented:
    """A slice after the model: its row of the prediction file, its mask and its Dice."""

    slice: Slice
    row: dict[str, Any]
    mask: NDArray[np.bool_]
    dice: float


def segment(
    model: Any, slices: list[Slice], *, quality: Callable[[NDArray[Any]], dict[str, float]],
    stopped: Callable[[], bool] = lambda: False,
) -> list[Segmented]:  # fmt: skip
    """Run the model on each slice; signals are areas of mask and box, the mean logit inside and image quality.

    One slice for each core, which is a little faster than all cores on one slice. ``stopped`` is asked before each.
    """
    torch.set_num_threads(1)

    def run(one: Slice) -> Segmented:
        if stopped():
            raise InterruptedError("the demo was stopped")
        prediction = model.predict(one.image, Prompt(box=one.box))
        inside = prediction.logits[prediction.mask]
        x0, y0, x1, y1 = one.box
        row = {
            "case_id": one.case_id, "patient_id": "mni152", "study_time": one.study_time.isoformat(),
            "site": one.scanner, "mask_area_ml": float(prediction.mask.sum()) * PIXEL_ML_PER_MM,
            "box_area_mm2": (x1 - x0) * (y1 - y0),
            "mask_box_share": float(prediction.mask.sum()) / ((x1 - x0) * (y1 - y0)),
            "mean_logit_inside": float(inside.mean()) if inside.size else None, "meta_software_versions": one.software,
            **quality(one.image),
        }  # fmt: skip
        return Segmented(one, row, prediction.mask, float(dice(one.truth, prediction.mask)))

    cores = ThreadPoolExecutor(os.cpu_count() or 1)
    try:
        return list(cores.map(run, slices))
    finally:
        cores.shutdown(cancel_futures=True)  # Ctrl-C does not wait for slices that nobody has begun
