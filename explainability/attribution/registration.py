"""Registration: what in both images decides the displacement, or the similarity, at a landmark."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from assurance.adapters.images import turn
from assurance.adapters.protocol import LoadedModel, Pair, Prompt, memory_refused
from assurance.evidence.errors import InvalidInput
from assurance.evidence.finding import Method
from explainability.attribution.attribution import VERSION, Attribution, Plane, not_zero
from explainability.attribution.question import Question

BLOCK = 2  # voxels on each side of the landmark: a block of 5 × 5 × 5


class DisplacementQuestion(Question):
    """The displacement at a landmark of the fixed volume, in mm, as a function of both images.

    ``landmark`` "i,j,k" in voxels of the fixed volume, by default its centre of mass. ``component`` "0", "1" or "2"
    along the fixed volume's axes, or "length". The mean over 5 × 5 × 5 voxels is taken. The network sees a crop of
    ``crop`` voxels a side around the landmark (0: everything), which bounds the memory.
    """

    kind = "displacement"

    def __init__(
        self, model: LoadedModel, image: Any, *, landmark: str = "", component: str = "length", crop: int = 96
    ) -> None:
        if model.task != "registration" or not isinstance(image, Pair):
            raise InvalidInput("other_task", f"{model.key} does {model.task}: these methods ask about a registration")
        if component not in ("0", "1", "2", "length"):
            raise InvalidInput("bad_component", f"component {component!r}: choose 0, 1, 2 or length")
        self.model, self.image = model, image
        self.shape = tuple(int(side) for side in np.asarray(image.fixed.array).shape)
        self.prompt, self.mask, self.found, self.index, self.unit = None, None, None, 0, "mm"
        self.component = component
        with memory_refused(model.key):
            whole = model.prepare(image)
        self.landmark = _landmark(landmark, image)
        self.whole_grid = tuple(int(side) for side in whole.shape[2:])
        place, self.mm_per_cell, self.axis, self.sign = self._on_network()
        self.window = _window(place, self.whole_grid, crop)
        self.inputs = whole[(slice(None), slice(None), *self.window)].contiguous()
        self.block = tuple(
            slice(max(p - w.start - BLOCK, 0), p - w.start + BLOCK + 1) for p, w in zip(place, self.window, strict=True)
        )
        self.name = self._name()
        with torch.inference_mode(), memory_refused(model.key):
            self.f_x = float(self(self.inputs)[0])

    def _name(self) -> str:
        what = (
            "length of the displacement" if self.component == "length" else f"displacement along axis {self.component}"
        )
        return f"{what} at voxel {', '.join(map(str, self.landmark))}"

    def _on_network(self) -> tuple[tuple[int, ...], torch.Tensor, int, float]:
        axes = getattr(self.model, "axes", self.image.fixed.axes)
        order, flips = turn(self.image.fixed.axes, axes)
        cells, steps = [], []
        for place, (axis, flip) in enumerate(zip(order, flips, strict=True)):
            side, ratio = self.shape[axis], self.whole_grid[place] / self.shape[axis]
            voxel = side - 1 - self.landmark[axis] if flip else self.landmark[axis]
            cells.append(min(int((voxel + 0.5) * ratio), self.whole_grid[place] - 1))
            steps.append(self.image.fixed.spacing_mm[axis] / ratio)
        if self.component == "length":
            return tuple(cells), torch.tensor(steps), 0, 1.0
        axis = order.index(int(self.component))
        return tuple(cells), torch.tensor(steps), axis, -1.0 if flips[axis] else 1.0

    def vectors(self, inputs: torch.Tensor) -> torch.Tensor:
        """Mean displacement (B, 3) in mm along the network's axes."""
        field = self.model.answer(inputs)
        block = field[(slice(None), slice(None), *self.block)].flatten(2).mean(dim=2)
        return block * self.mm_per_cell.to(block)

    def __call__(self, inputs: torch.Tensor) -> torch.Tensor:
        vectors = self.vectors(inputs)
        return vectors.norm(dim=1) if self.component == "length" else self.sign * vectors[:, self.axis]

    def shares(self, inputs: torch.Tensor) -> torch.Tensor:
        return self(inputs)

    def removal_score(self, inputs: torch.Tensor) -> torch.Tensor:
        """Minus the distance from the own answer: a displacement may go either way when the image goes."""
        return -(self(inputs) - self.f_x).abs()

    @property
    def share_name(self) -> str:
        return f"the {self.name} in {self.unit}"

    def on_image(self, grid: torch.Tensor | NDArray[Any]) -> Plane:
        """On the fixed volume; what lies outside the crop gets 0."""
        whole = torch.zeros(self.whole_grid)
        whole[self.window] = torch.as_tensor(np.array(grid, dtype=np.float32))
        return self.model.to_volume(whole, self.image.fixed).cpu().numpy()


class SimilarityQuestion(DisplacementQuestion):
    """Local normalised cross-correlation of the warped moving and the fixed image in 9 × 9 × 9 voxels at a landmark."""

    kind = "similarity"
    reach = 4

    def _name(self) -> str:
        self.unit = "1"
        return f"local cross-correlation at voxel {', '.join(map(str, self.landmark))}"

    def __call__(self, inputs: torch.Tensor) -> torch.Tensor:
        field = self.model.answer(inputs)
        centre = [part.start + BLOCK for part in self.block]
        limits = inputs.shape[2:]
        part = tuple(
            slice(max(c - self.reach, 0), min(c + self.reach + 1, side))
            for c, side in zip(centre, limits, strict=True)
        )  # fmt: skip
        steps = torch.stack(torch.meshgrid(*(torch.arange(p.start, p.stop) for p in part), indexing="ij")).to(inputs)
        where = steps[None] + field[(slice(None), slice(None), *part)]
        scale = torch.tensor([side - 1 for side in limits]).to(inputs).view(1, 3, 1, 1, 1)
        places = (2 * where / scale - 1).permute(0, 2, 3, 4, 1).flip(-1)
        warped = torch.nn.functional.grid_sample(inputs[:, :1], places, align_corners=True, padding_mode="border")
        fixed = inputs[(slice(None), slice(1, 2), *part)]
        one, two = (values.flatten(1) - values.flatten(1).mean(dim=1, keepdim=True) for values in (warped, fixed))
        return (one * two).sum(dim=1) / (one.norm(dim=1) * two.norm(dim=1) + 1e-8)


def displacement_gradient(
    model: LoadedModel, image: Any, *, target: int | None = None, prompt: Prompt | None = None, seed: int = 0,
    question: Question | None = None, landmark: str = "", component: str = "length", crop: int = 96,
) -> Attribution:  # fmt: skip
    """Absolute gradient of the displacement at a landmark, added over both images; unsigned, mm per grey unit.

    ``extras`` give the share of each image. ``seed`` and ``target`` are not used.

    References
    ----------
    Simonyan, Vedaldi & Zisserman (2014), arXiv:1312.6034, applied to a displacement as Balakrishnan et al. (2019),
    IEEE TMI 38:1788–1800, arXiv:1809.05231, predict it.
    """
    asked = question or DisplacementQuestion(model, image, landmark=landmark, component=component, crop=crop)
    return _gradient(asked, "displacement_gradient", "mm per grey unit", seed)


def similarity_gradient(
    model: LoadedModel, image: Any, *, target: int | None = None, prompt: Prompt | None = None, seed: int = 0,
    question: Question | None = None, landmark: str = "", crop: int = 96,
) -> Attribution:  # fmt: skip
    """Absolute gradient of the local cross-correlation after registration, added over both images; unsigned.

    References
    ----------
    Simonyan, Vedaldi & Zisserman (2014), arXiv:1312.6034; local cross-correlation as in Avants et al. (2008), Medical
    Image Analysis 12:26–41.
    """
    asked = question or SimilarityQuestion(model, image, landmark=landmark, crop=crop)
    return _gradient(asked, "similarity_gradient", "1 per grey unit", seed)


def displacement_occlusion(
    model: LoadedModel, image: Any, *, target: int | None = None, prompt: Prompt | None = None, seed: int = 0,
    question: Question | None = None, landmark: str = "", crop: int = 96, blocks: int = 4,
) -> Attribution:  # fmt: skip
    """‖Δu‖ in mm at a landmark when one of ``blocks``³ parts of both images is blurred; unsigned, no gradient.

    References
    ----------
    Zeiler & Fergus (2014), arXiv:1311.2901, with the change of a displacement as the response.
    """
    if not 2 <= blocks <= 16:
        raise InvalidInput("bad_blocks", f"blocks {blocks}: give 2 to 16 along each axis")
    asked = question or DisplacementQuestion(model, image, landmark=landmark, crop=crop)
    if not isinstance(asked, DisplacementQuestion):
        raise InvalidInput("other_task", "displacement_occlusion asks about a registration")
    fill = asked.baseline("blurred")
    grid = np.zeros(tuple(asked.inputs.shape[2:]), dtype=np.float32)
    cuts = [np.array_split(np.arange(side), blocks) for side in grid.shape]
    with torch.inference_mode(), memory_refused("displacement_occlusion"):
        own = asked.vectors(asked.inputs)[0]
        for first in cuts[0]:
            for second in cuts[1]:
                for third in cuts[2]:
                    part = tuple(slice(int(cut[0]), int(cut[-1]) + 1) for cut in (first, second, third))
                    covered = asked.inputs.clone()
                    covered[(slice(None), slice(None), *part)] = fill[(slice(None), slice(None), *part)]
                    grid[part] = float((asked.vectors(covered)[0] - own).norm())
    not_zero(grid, key="displacement_occlusion")
    return _attribution(asked, grid, "displacement_occlusion", "mm", seed, {"blocks": blocks}, {})


def _gradient(asked: Question, key: str, unit: str, seed: int) -> Attribution:
    inputs = asked.inputs.clone().requires_grad_(True)
    with memory_refused(key):
        gradient = torch.autograd.grad(asked(inputs)[0], inputs)[0].abs()[0]
    grid = gradient.sum(dim=0).cpu().numpy().astype("float32")
    not_zero(grid, key=key)
    total = float(gradient.sum())
    extras = {"share_moving": float(gradient[0].sum()) / total, "share_fixed": float(gradient[1].sum()) / total}
    return _attribution(asked, grid, key, unit, seed, {}, extras)


def _attribution(
    asked: Question, grid: Plane, key: str, unit: str, seed: int, parameters: dict[str, Any], extras: dict[str, Any]
) -> Attribution:
    window = [[part.start, part.stop] for part in getattr(asked, "window", ())]
    return Attribution(
        values=asked.on_image(grid), grid_values=grid,
        method=Method(key, "explainability.attribution.registration", VERSION, {"crop": window, **parameters}, seed),
        target=asked.name, unit=unit, signed=False, f_x=asked.f_x, target_unit=asked.unit, extras=extras,
    )  # fmt: skip


def _landmark(text: str, image: Pair) -> tuple[int, ...]:
    shape = np.asarray(image.fixed.array).shape
    if not text:
        weights = np.abs(np.asarray(image.fixed.array, dtype=np.float64))
        total = weights.sum() or 1.0
        centre = [
            (weights.sum(axis=tuple(other for other in range(3) if other != axis)) * np.arange(side)).sum() / total
            for axis, side in enumerate(shape)
        ]
        return tuple(round(float(value)) for value in centre)
    try:
        found = tuple(int(part) for part in text.split(","))
    except ValueError as error:
        raise InvalidInput("bad_landmark", f"landmark {text!r}: give three whole numbers i,j,k") from error
    if len(found) != 3 or not all(0 <= place < side for place, side in zip(found, shape, strict=True)):
        raise InvalidInput("bad_landmark", f"landmark {text!r} does not lie inside the fixed volume of {shape} voxels")
    return found


def _window(place: tuple[int, ...], grid: tuple[int, ...], crop: int) -> tuple[slice, ...]:
    if crop < 0 or crop % 16:
        raise InvalidInput("bad_crop", f"crop {crop}: give 0 or a multiple of 16")
    found = []
    for centre, side in zip(place, grid, strict=True):
        size = min(crop or side, side)
        start = min(max(centre - size // 2, 0), side - size)
        found.append(slice(start, start + size))
    return tuple(found)
