"""MedLSAM: boxes of organs in CT found by relative distance, then (Med)SAM slice by slice (Lei et al. 2023).

Two ways: a localizer of our own network with its support volumes (a folder), or the user's own checkout of the
published code, run in the sandbox (``VIGIL_MEDLSAM_HOME``, with its configuration file as the weights).
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional as F

from assurance.adapters.images import Volume, checked_volume, read_volume, turn
from assurance.adapters.protocol import Contract, LoadedModel, Prediction, Prompt, within_memory
from assurance.adapters.relative_distance import (
    Landmark,
    RelativePositionNet,
    extreme_points,
    localise,
    patches_at,
    step,
)
from assurance.adapters.sandbox import Sandbox
from assurance.adapters.weights_files import checked_sha256, load_strictly, read_json, read_state_dict
from assurance.evidence.errors import InvalidInput, Unavailable

HOME = "VIGIL_MEDLSAM_HOME"
AXES = "SAL"
SPACING_MM = 3.0
HU, GREY = (-1000.0, -200.0, 200.0, 1500.0), (0.0, 0.2, 0.8, 1.0)
Box = tuple[tuple[float, ...], tuple[float, ...]]


class Localizer(LoadedModel):
    task = "localization"
    modalities = ("CT",)
    input_kind = "volume"
    licence = "Apache-2.0 (LICENSE file) and CC BY-NC 4.0 (readme): treat as non-commercial"
    source = "openmedlab/MedLSAM"
    structures: tuple[str, ...] = ()

    @property
    def contract(self) -> Contract:
        return Contract(
            inputs="CT volume in HU with spacing in mm, turned to S, A, L and resampled to 3 mm; grey value piecewise "
            "linear over -1000, -200, 200, 1500 HU to 0, 0.2, 0.8, 1",
            outputs="for each structure the low and the high corner of its box, in voxels of the given volume",
            input_shape=(1, 0, 0, 0),
            classes=tuple(
                f"{name} {end} {axis}" for name in self.structures for axis in "zyx" for end in ("low", "high")
            ),
            spacing_mm=(SPACING_MM,) * 3,
            output_unit="mm",
        )

    def prepare(self, image: Any) -> torch.Tensor:
        volume = checked_volume(image)
        if volume.unit.upper() != "HU":
            raise InvalidInput("bad_unit", f"the volume's unit is {volume.unit!r}: this model reads CT in HU")
        turned = volume.turned(AXES)
        grey = np.interp(turned.array, HU, GREY).astype(np.float32)
        tensor = torch.from_numpy(grey)[None, None]
        return F.interpolate(tensor, size=_grid(turned), mode="trilinear", align_corners=False).to(self.device)

    def segment(self, volume: Volume, segmenter: LoadedModel) -> dict[str, NDArray[np.bool_]]:
        """Masks by structure: each axial slice of a box is given to a promptable 2-D model with the box's outline."""
        turned = checked_volume(volume).turned(AXES)
        masks = {}
        for name, (low, high) in self.predict(volume).boxes.items():
            (z0, y0, x0), (z1, y1, x1) = _box_in((low, high), volume, AXES)
            prompt = Prompt(box=(x0, y0, min(x1 + 1, turned.array.shape[2]), min(y1 + 1, turned.array.shape[1])))
            mask = np.zeros(turned.array.shape, dtype=bool)
            for place in range(max(int(z0), 0), min(int(np.ceil(z1)), len(mask) - 1) + 1):
                plane = turned.array[place]
                if plane.min() < plane.max():
                    mask[place] = segmenter.predict(plane, prompt).mask
            masks[name] = np.asarray(Volume(mask, turned.spacing_mm, AXES).turned(volume.axes).array)
        return masks


class RelativeDistanceLocalizer(Localizer):
    """``forward`` (B, 1, d, h, w) gives the six edges of each structure's box in mm from the grid's first voxel.

    The last step starts from fixed places, which the detached first pass finds, so edges have gradients by voxel.
    """

    key = "medlsam"
    checkpoint_layout = (
        "folder with relative_distance.safetensors and .json, supports/<case>_image.nii.gz and _label.nii.gz"
    )

    def __init__(
        self, network: RelativePositionNet, landmarks: list[Landmark], *, weights_sha256: str, device: str = "cpu"
    ) -> None:
        super().__init__(network, weights_sha256=weights_sha256, device=device)
        self.landmarks = landmarks
        self.structures = tuple(dict.fromkeys(landmark.structure for landmark in landmarks))
        self.patch = network.patch

    def forward(self, inputs: torch.Tensor, prompt: Prompt | None = None) -> torch.Tensor:
        wanted = torch.stack([landmark.position for landmark in self.landmarks])
        rows = []
        for volume in inputs.split(1):
            with torch.no_grad():
                places = localise(
                    self.network, volume, self.landmarks, spacing_mm=SPACING_MM, size=self.patch, starts=1
                )  # fmt: skip
            found = step(self.network, volume, places, wanted, spacing_mm=SPACING_MM, size=self.patch)
            axes = torch.tensor([landmark.axis for landmark in self.landmarks], device=found.device)
            rows.append(found.gather(1, axes[:, None])[:, 0] * SPACING_MM)
        return torch.stack(rows)

    @within_memory
    @torch.inference_mode()
    def predict(self, image: Any, prompt: Prompt | None = None) -> Prediction:
        volume = checked_volume(image)
        inputs = self.prepare(volume)
        found = localise(
            self.network, inputs, self.landmarks, spacing_mm=SPACING_MM, size=self.patch,
            features=self.network.features,  # type: ignore[arg-type]
        ).cpu()  # fmt: skip
        turned = volume.turned(AXES)
        ratio = np.asarray(turned.array.shape) / np.asarray(inputs.shape[2:])
        boxes = {}
        for name in self.structures:
            points = [
                (landmark, (point.numpy() + 0.5) * ratio - 0.5)
                for landmark, point in zip(self.landmarks, found, strict=True) if landmark.structure == name
            ]  # fmt: skip
            low, high = np.zeros(3), np.zeros(3)
            for landmark, point in points:
                (high if landmark.high else low)[landmark.axis] = point[landmark.axis]
            box = (tuple(np.minimum(low, high).tolist()), tuple(np.maximum(low, high).tolist()))
            boxes[name] = _box_in(box, turned, volume.axes)
        return Prediction(boxes=boxes, settings={"starts": 10, "seed": 0, "spacing_mm": SPACING_MM})

    def feature_layer(self) -> nn.Module:
        return self.network.down[-1]  # type: ignore[union-attr,index,return-value]


class CheckoutLocalizer(Localizer):
    """The published code in the user's checkout. No gradients leave the sandbox."""

    key = "medlsam"
    checkpoint_layout = "MedLSAM's configuration file, which names checkpoint/medlam.pth and the support volumes"
    differentiable = False

    def __init__(self, child: Sandbox, *, weights_sha256: str) -> None:
        super().__init__(nn.Module(), weights_sha256=weights_sha256)
        self.child = child
        self.structures = tuple(str(name) for name in child.facts["structures"])

    def forward(self, inputs: torch.Tensor, prompt: Prompt | None = None) -> torch.Tensor:
        raise InvalidInput("no_forward", "the checkout answers for whole volumes only: use predict")

    @within_memory
    def predict(self, image: Any, prompt: Prompt | None = None) -> Prediction:
        volume = checked_volume(image)
        if volume.unit.upper() != "HU":
            raise InvalidInput("bad_unit", f"the volume's unit is {volume.unit!r}: this model reads CT in HU")
        turned = volume.turned("LAS")
        facts, _ = self.child.call(
            "locate", {"spacing_mm": list(turned.spacing_mm or ())}, {"volume": np.ascontiguousarray(turned.array)}
        )
        zyx = turned.turned(AXES)
        boxes = {
            str(name): _box_in((tuple(low), tuple(high)), zyx, volume.axes)
            for name, (low, high) in facts["boxes"].items()
        }
        return Prediction(boxes=boxes, settings={"isolation": self.child.isolation, "checkout": facts["checkout"]})


def load(weights: Path, *, sha256: str | None = None, device: str = "cpu") -> Localizer:
    """A folder: our localizer. A file: the configuration of the checkout in ``VIGIL_MEDLSAM_HOME``.

    Raises
    ------
    InvalidInput
        ``no_weights``, ``no_description``, ``no_supports``, ``other_model``, ``sandbox_refused``.
    Unavailable
        ``no_checkout``: a configuration file, but no checkout.
    """
    if weights.is_dir():
        return _own(weights, sha256=sha256, device=device)
    if not weights.is_file():
        raise InvalidInput("no_weights", f"{weights} is neither a folder nor MedLSAM's configuration file")
    home = os.environ.get(HOME, "")
    if not home or not Path(home).is_dir():
        raise Unavailable(
            "no_checkout",
            f"{HOME}={home!r} is no folder: clone openmedlab/MedLSAM yourself (its readme asks for non-commercial use) "
            "and name the folder",
        )
    child = Sandbox("medlsam", setup={"configuration": str(weights.resolve())}, paths=(Path(home).resolve(),))
    return CheckoutLocalizer(child, weights_sha256=checked_sha256(weights, sha256))


def _own(folder: Path, *, sha256: str | None, device: str) -> RelativeDistanceLocalizer:
    file = folder / "relative_distance.safetensors"
    content = read_json(file.with_suffix(".json"), what="the localizer's description: width, patch, structures")
    structures = content.get("structures")
    if not isinstance(structures, dict) or not structures:
        raise InvalidInput("bad_description", f"{file.with_suffix('.json')} names no structures by their label value")
    network = RelativePositionNet(width=int(content.get("width", 24)), patch=int(content.get("patch", 64)))
    load_strictly(network, read_state_dict(file), what="this localizer")
    network.eval()
    images = sorted((folder / "supports").glob("*_image.nii*"))
    if not images:
        raise InvalidInput("no_supports", f"{folder / 'supports'} holds no <case>_image.nii.gz: give annotated volumes")
    found: list[list[Landmark]] = []
    model = RelativeDistanceLocalizer(network, [], weights_sha256=checked_sha256(folder, sha256), device=device)
    for image in images:
        label = image.with_name(image.name.replace("_image.nii", "_label.nii"))
        found.append(support_landmarks(model, read_volume(image, unit="HU"), read_volume(label), structures))
    model.landmarks = [_mean(same) for same in zip(*found, strict=True)]
    model.structures = tuple(structures.values())
    return model


@torch.inference_mode()
def support_landmarks(
    model: RelativeDistanceLocalizer, image: Volume, label: Volume, structures: dict[str, str]
) -> list[Landmark]:
    """Positions and features of the extreme points of every structure in one annotated volume."""
    inputs = model.prepare(image)
    marks = label.turned(AXES).array
    ratio = np.asarray(inputs.shape[2:]) / np.asarray(marks.shape)
    out = []
    for value, name in structures.items():
        for axis, high, point in extreme_points(np.asarray(marks == int(value))):
            centre = torch.tensor((point + 0.5) * ratio - 0.5, dtype=torch.float32)[None]
            patch = patches_at(inputs, centre, model.patch)
            maps = model.network.features(patch)  # type: ignore[operator,union-attr]
            middle = tuple(grid[0, :, s // 2, s // 2, s // 2] for grid in maps for s in (grid.shape[-1],))
            out.append(Landmark(name, axis, high, model.network(patch)[0].cpu(), middle))
    return out


def _mean(same: tuple[Landmark, ...]) -> Landmark:
    first = same[0]
    scales = range(len(first.features))
    return Landmark(
        first.structure, first.axis, first.high, torch.stack([landmark.position for landmark in same]).mean(dim=0),
        tuple(torch.stack([landmark.features[scale] for landmark in same]).mean(dim=0) for scale in scales),
    )  # fmt: skip


def _grid(turned: Volume) -> tuple[int, ...]:
    spacing = turned.spacing_mm or (1.0, 1.0, 1.0)
    return tuple(
        max(round(length * size / SPACING_MM), 1) for length, size in zip(turned.array.shape, spacing, strict=True)
    )


def _box_in(box: Box, turned: Volume, axes: str) -> Box:
    """A box in voxels of ``turned`` as one in voxels of the same volume along ``axes``."""
    order, flips = turn(turned.axes, axes)
    low, high = [], []
    for axis, flip in zip(order, flips, strict=True):
        a, b = box[0][axis], box[1][axis]
        last = turned.array.shape[axis] - 1
        low.append(last - b if flip else a)
        high.append(last - a if flip else b)
    return tuple(low), tuple(high)
