"""The scalar that a map explains: one number of a model's output, as a function of the network's input."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage

from assurance.adapters.protocol import LoadedModel, Pair, Prompt, Volume, memory_refused
from assurance.evidence.errors import InvalidInput, NotComputable
from explainability.attribution.attribution import Plane

BASELINES = ("black", "blurred", "mean")
PARTS = ("mask", "component", "boundary", "missed")


class Question:
    """A class logit, or the mean logit over the predicted mask, on one image (H, W) or volume.

    The mask is taken once, from the image itself, and then held fixed (Vinogradova et al. 2020), so that the scalar is
    the same function for every perturbed image. The network runs once for each call. ``target`` is the index of a
    class; for a segmentation with several classes it chooses the structure, for one with a single mask leave it out.
    ``part`` says over which cells of a segmentation the mean is taken: the predicted ``mask``, its largest
    ``component`` (``component 2`` is the second), its ``boundary`` (one cell to either side), or the ``missed`` region,
    which is the reader's mask ``truth`` (on the image) without the predicted one.

    Raises
    ------
    InvalidInput
        ``no_target``, ``bad_part``, ``no_truth`` and what the adapter refuses about image and prompt; ``other_task``
        where the output is neither classes nor masks.
    NotComputable
        ``empty_mask``, ``nothing_missed``, ``not_finite`` (the model's own output), ``out_of_memory``.
    """

    def __init__(
        self, model: LoadedModel, image: Any, *, target: int | None = None, prompt: Prompt | None = None,
        part: str = "mask", truth: NDArray[np.bool_] | None = None,
    ) -> None:  # fmt: skip
        if model.task not in ("classification", "segmentation"):
            raise InvalidInput("other_task", f"{model.key} does {model.task}: choose a method made for that task")
        self.model = model
        self.image = image
        self.shape = image_shape(image)
        with memory_refused(model.key):
            self.inputs = model.prepare(image)
            self.prompt = model.network_prompt(prompt, self.shape)
            with torch.inference_mode():
                outputs = model.whole(self.inputs, self.prompt)
        if not bool(torch.isfinite(outputs).all()):
            raise NotComputable("not_finite", f"{model.key} answers this image with values that are not finite")
        self.unit = "logit"
        self.mask: torch.Tensor | None = None
        self.found: torch.Tensor | None = None
        self.index = 0
        if model.task == "segmentation":
            self._ask_for_mask(outputs, target, part, truth)
        elif part == "mask":
            self._ask_for_class(outputs, target)
        else:
            raise InvalidInput("bad_part", f"part {part!r}: {model.key} answers with classes, which have no parts")
        self.f_x = float(self._scalar(outputs)[0])

    def _ask_for_class(self, outputs: torch.Tensor, target: int | None) -> None:
        classes = self.model.contract.classes
        self.index = int(outputs[0].argmax()) if target is None else target
        if not 0 <= self.index < outputs.shape[1]:
            raise InvalidInput("no_target", f"target {target}: give 0 to {outputs.shape[1] - 1} ({', '.join(classes)})")
        self.name = f"logit of {classes[self.index] if classes else self.index}"

    def _ask_for_mask(
        self, outputs: torch.Tensor, target: int | None, part: str, truth: NDArray[np.bool_] | None
    ) -> None:
        classes = self.model.contract.classes
        if outputs.shape[1] == 1:
            if target is not None:
                raise InvalidInput("no_target", f"target {target}: this model has one mask, give no target")
            found, name = outputs[0, 0] > 0, ""
        else:
            labels = outputs[0].argmax(dim=0)
            largest = int(labels[labels > 0].mode().values) if bool((labels > 0).any()) else 0
            self.index = largest if target is None else target
            if not 0 <= self.index < outputs.shape[1]:
                raise InvalidInput("no_target", f"target {target}: give 0 to {outputs.shape[1] - 1}")
            found = labels == self.index if self.index else torch.zeros_like(labels, dtype=torch.bool)
            name = classes[self.index] if classes else f"class {self.index}"
        if part != "missed" and not bool(found.any()):
            raise NotComputable("empty_mask", "the model found nothing in this image: there is no mask to explain")
        self.found = found.float().clone()
        cells, self.area = self._part(found, part, truth)
        self.mask = cells.float().clone()
        self.name = f"mean logit{f' of {name}' if name else ''} over {self.area}"

    def _part(self, found: torch.Tensor, part: str, truth: NDArray[np.bool_] | None) -> tuple[torch.Tensor, str]:
        kind, _, rank = part.partition(" ")
        if kind not in PARTS or (rank and (kind != "component" or not rank.isdigit() or int(rank) < 1)):
            raise InvalidInput("bad_part", f"part {part!r}: choose one of {', '.join(PARTS)}, or 'component 2'")
        if kind == "mask":
            return found, "the predicted mask"
        inside = found.cpu().numpy()
        if kind == "missed":
            if truth is None:
                raise InvalidInput("no_truth", "what was missed is known from a reader's mask only: send one")
            grid = torch.as_tensor(self.to_grid(truth)).float()[None, None]
            cells = torch.nn.functional.interpolate(grid, size=found.shape, mode="area")[0, 0].numpy() > 0.5
            chosen, area = cells & ~inside, "the region that the model missed"
            if not chosen.any():
                raise NotComputable("nothing_missed", "the predicted mask covers the reader's: nothing was missed")
        elif kind == "boundary":
            chosen = ndimage.binary_dilation(inside) & ~ndimage.binary_erosion(inside, border_value=1)
            area = "the boundary of the predicted mask"
        else:
            labels, count = ndimage.label(inside)
            place = int(rank or 1)
            if place > count:
                raise InvalidInput("bad_part", f"part {part!r}: the predicted mask has {count} components")
            sizes = np.bincount(labels.ravel())[1:]
            chosen = labels == int(np.argsort(-sizes, kind="stable")[place - 1]) + 1
            area = (
                "the largest component of the predicted mask"
                if place == 1
                else f"component {place} of the predicted mask"
            )
        return torch.as_tensor(chosen, device=found.device), area

    def __call__(self, inputs: torch.Tensor) -> torch.Tensor:
        """(B, C, ...) to (B,)."""
        return self._scalar(self._outputs(inputs))

    def shares(self, inputs: torch.Tensor) -> torch.Tensor:
        """(B, C, ...) to (B,): the target as a probability, for sentences; over a mask its mean."""
        return self._share(self._outputs(inputs))

    def _outputs(self, inputs: torch.Tensor) -> torch.Tensor:
        """In one pass where a gradient is asked for, else in windows where the model has them: they need less room."""
        graded = torch.is_grad_enabled() and inputs.requires_grad
        return self.model.answer(inputs, self.prompt) if graded else self.model.whole(inputs, self.prompt)

    def _scalar(self, outputs: torch.Tensor) -> torch.Tensor:
        if self.mask is None:
            return outputs[:, self.index]
        return (outputs[:, self.index] * self.mask).flatten(1).sum(dim=1) / self.mask.sum()

    def _share(self, outputs: torch.Tensor) -> torch.Tensor:
        if self.mask is None:
            return outputs.softmax(dim=1)[:, self.index]
        chance = outputs[:, 0].sigmoid() if outputs.shape[1] == 1 else outputs.softmax(dim=1)[:, self.index]
        return (chance * self.mask).flatten(1).sum(dim=1) / self.mask.sum()

    @property
    def share_name(self) -> str:
        classes = self.model.contract.classes
        if self.mask is None:
            return f"the score for {classes[self.index] if classes else self.index}"
        return f"the mean probability over {self.area}"

    def removal_score(self, inputs: torch.Tensor) -> torch.Tensor:
        """(B, C, ...) to (B,): what falls when the image loses what the answer rests on."""
        return self.shares(inputs)

    def predicted_mask(self) -> NDArray[np.bool_] | None:
        """The whole predicted mask, as found on the image itself, on the pixels of the image."""
        return None if self.found is None else np.asarray(self.on_image(self.found.cpu()) > 0.5)

    def at(self, inputs: torch.Tensor) -> Question:
        """The same question (same class, same fixed mask) at other values of the network's input."""
        other = copy.copy(self)
        other.inputs = inputs
        with torch.inference_mode():
            other.f_x = float(other(inputs)[0])
        return other

    def of(self, network: torch.nn.Module) -> Question:
        """The same question, asked of another network of the same architecture."""
        other = copy.copy(self)
        other.model = self.model.with_network(network)
        return other.at(self.inputs)

    def baseline(self, name: str) -> torch.Tensor:
        """``black`` (lowest grey value, air in CT), ``blurred`` (Gaussian, sd a sixteenth of the side) or ``mean``."""
        if name == "black":
            return torch.full_like(self.inputs, self.model.black)
        if name == "blurred":
            return blurred(self.inputs)
        if name == "mean":
            return torch.full_like(self.inputs, float(self.inputs.mean()))
        raise InvalidInput("unknown_baseline", f"baseline {name!r}: choose one of {', '.join(BASELINES)}")

    def on_image(self, grid: torch.Tensor | NDArray[Any]) -> Plane:
        """A map of the network's input on the pixels of the image; pixels that were cut away get 0."""
        tensor = torch.as_tensor(np.array(grid, dtype=np.float32))
        if isinstance(self.image, Volume):
            return self.model.to_volume(tensor, self.image).cpu().numpy()
        return self.model.to_image(tensor, self.shape).cpu().numpy()

    def to_grid(self, mask: NDArray[Any]) -> NDArray[np.bool_]:
        """A mask on the image's pixels as one on the network's input; places that no pixel reaches take the nearest."""
        sides = tuple(self.inputs.shape[2:])
        if np.asarray(mask).shape != self.shape:
            raise InvalidInput("bad_shape", f"the mask has shape {np.shape(mask)}, the image {self.shape}")
        seen = self.on_image(np.ones(sides)) > 0.5
        places = [
            np.rint(self.on_image(np.broadcast_to(np.arange(side).reshape(-1, *(1,) * (len(sides) - 1 - axis)), sides)))
            for axis, side in enumerate(sides)
        ]
        flat = np.ravel_multi_index([place[seen].astype(np.int64) for place in places], sides, mode="clip")
        inside = np.bincount(flat, weights=np.asarray(mask, dtype=bool)[seen], minlength=int(np.prod(sides)))
        reached = np.bincount(flat, minlength=int(np.prod(sides)))
        found = (inside > reached / 2).reshape(sides)
        nearest = ndimage.distance_transform_edt(
            reached.reshape(sides) == 0, return_distances=False, return_indices=True
        )
        return np.asarray(found[tuple(nearest)])


def question_for(
    model: LoadedModel, image: Any, *, target: int | None, prompt: Prompt | None, question: Question | None
) -> Question:
    """``question`` itself where one is shared between methods, so that the image is prepared and run once."""
    return question if question is not None else Question(model, image, target=target, prompt=prompt)


def batch_for(inputs: torch.Tensor, batch: int, *, most: int = 64) -> int:
    """``batch`` itself, or where it is 0 as many inputs as hold a quarter of a million values: small images gain most.

    A foundation model keeps some two gigabytes for the gradient of one image of 256 × 256, so it gets one at a time.
    """
    if batch < 0:
        raise InvalidInput("bad_batch", f"batch {batch}: give 1 or more, or 0 to let it be chosen")
    return batch or max(1, min(most, 2 ** (22 if inputs.is_cuda else 18) // inputs[0].numel()))


def image_shape(image: Any) -> tuple[int, ...]:
    if isinstance(image, Volume):
        return tuple(np.asarray(image.array).shape)
    if isinstance(image, Pair):
        return tuple(np.asarray(image.fixed.array).shape)
    return tuple(np.asarray(image).shape[:2])


def blurred(inputs: torch.Tensor, *, part_of_side: int = 16) -> torch.Tensor:
    """Gaussian blur along every spatial axis, sd = side / ``part_of_side``, edges mirrored."""
    found = inputs
    for axis in range(2, inputs.ndim):
        side = inputs.shape[axis]
        sigma = side / part_of_side
        reach = int(min(3 * sigma, side - 1))
        if reach < 1:
            continue
        steps = torch.arange(-reach, reach + 1, dtype=torch.float32)
        kernel = torch.exp(-(steps**2) / (2 * sigma**2))
        kernel = (kernel / kernel.sum()).to(inputs)
        moved = found.movedim(axis, -1)
        rows = torch.nn.functional.pad(moved.reshape(-1, 1, side), (reach, reach), mode="reflect")
        found = torch.nn.functional.conv1d(rows, kernel.view(1, 1, -1)).reshape(moved.shape).movedim(-1, axis)
    return found.contiguous()
