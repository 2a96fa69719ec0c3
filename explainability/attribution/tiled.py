"""Maps of large volumes within a memory budget: gradients and occlusion tile by tile, which can be gone on with."""

from __future__ import annotations

from collections.abc import Callable, Iterator, MutableMapping
from itertools import product
from typing import Any

import numpy as np
import torch

from assurance.adapters.protocol import LoadedModel, Prompt, memory_refused
from assurance.evidence.errors import InvalidInput, NotComputable
from assurance.evidence.finding import Method
from explainability.attribution.attribution import VERSION, Attribution, Plane, not_zero
from explainability.attribution.question import Question, question_for

Slices = tuple[slice, ...]


def tiled_saliency(
    model: LoadedModel, image: Any, *, target: int | None = None, prompt: Prompt | None = None, seed: int = 0,
    question: Question | None = None, tile: int = 64, margin: int = 32, kept: MutableMapping[str, Plane] | None = None,
    progress: Callable[[str], None] = lambda step: None,
) -> Attribution:  # fmt: skip
    """Absolute gradient of the mean logit over the predicted mask, tile by tile; unsigned, logits per grey unit.

    The mean is a sum over voxels, so each tile adds the gradient of its own voxels' part on itself and ``margin``
    voxels around it. That is exact where the margin reaches as far as the network's field of view, and where no layer
    normalises over the whole volume. Memory grows with (tile + 2 · margin)³, not with the volume. ``kept`` takes each
    finished tile, so that work that was stopped goes on where it ended.

    Raises
    ------
    InvalidInput
        ``bad_tile``; ``other_task`` for anything but a segmentation of volumes.

    References
    ----------
    Simonyan, Vedaldi & Zisserman (2014), arXiv:1312.6034.
    """
    question = _volume_question(model, image, target, prompt, question, tile, margin, "tiled_saliency")
    weight = question.mask / question.mask.sum()  # type: ignore[operator,union-attr,arg-type]
    grid = np.zeros(tuple(question.inputs.shape[2:]), dtype=np.float32)
    done: MutableMapping[str, Plane] = kept if kept is not None else {}
    parts = [part for part in tiles(grid.shape, tile) if bool(weight[part].any())]
    signed = torch.zeros_like(question.inputs[0])
    for number, part in enumerate(parts):
        outer = grown(part, grid.shape, margin)
        name = "-".join(str(edge.start) for edge in part)
        if name not in done:
            inputs = question.inputs[(slice(None), slice(None), *outer)].clone().requires_grad_(True)
            with memory_refused("tiled_saliency"):
                logits = question.model.answer(inputs, question.prompt)[0, question.index]
                inner = tuple(
                    slice(p.start - o.start, p.stop - o.start) for p, o in zip(part, outer, strict=True)
                )  # fmt: skip
                score = (logits[inner] * weight[part]).sum()
                done[name] = torch.autograd.grad(score, inputs)[0][0].cpu().numpy()
        signed[(slice(None), *outer)] += torch.as_tensor(done[name])
        progress(f"tile {number + 1} of {len(parts)}")
    grid = signed.abs().sum(dim=0).cpu().numpy().astype(np.float32)
    return _answer(question, grid, "tiled_saliency", "logit per grey unit", False, seed,
                   {"tile": tile, "margin": margin, "tiles": len(parts)})  # fmt: skip


def tiled_occlusion(
    model: LoadedModel, image: Any, *, target: int | None = None, prompt: Prompt | None = None, seed: int = 0,
    question: Question | None = None, block: int = 32, margin: int = 32, refine: float = 0.05,
    kept: MutableMapping[str, Plane] | None = None, progress: Callable[[str], None] = lambda step: None,
) -> Attribution:  # fmt: skip
    """Fall of the mean logit over the mask when a block is blurred, in two stages; signed, logits.

    First blocks of ``block`` voxels inside the body (above the volume's mean grey value), then the strongest share
    ``refine`` of them in eighths. Each block runs the network on itself and ``margin`` voxels around, and counts the
    mask's voxels there: what lies farther is held to be unchanged.

    References
    ----------
    Zeiler & Fergus (2014), arXiv:1311.2901.
    """
    question = _volume_question(model, image, target, prompt, question, block, margin, "tiled_occlusion")
    grid = np.zeros(tuple(question.inputs.shape[2:]), dtype=np.float32)
    done: MutableMapping[str, Plane] = kept if kept is not None else {}
    body = question.inputs[0].mean(dim=0) > question.inputs.mean()
    parts = [part for part in tiles(grid.shape, block) if bool(body[part].any())]
    fill = question.baseline("blurred")

    def fall(part: Slices, size: int) -> float:
        name = f"{size}:" + "-".join(str(edge.start) for edge in part)
        if name not in done:
            done[name] = np.array([_fall(question, fill, part, grown(part, grid.shape, margin))], dtype=np.float32)
        return float(done[name][0])

    falls = []
    for number, part in enumerate(parts):
        falls.append(fall(part, block))
        grid[part] = falls[-1]
        progress(f"block {number + 1} of {len(parts)}")
    strongest = np.argsort(-np.abs(falls))[: max(1, round(refine * len(parts)))]
    for number, index in enumerate(strongest):
        for small in tiles(grid.shape, max(block // 2, 1), within=parts[index]):
            grid[small] = fall(small, block // 2)
        progress(f"refined {number + 1} of {len(strongest)}")
    return _answer(question, grid, "tiled_occlusion", "logit", True, seed,
                   {"block": block, "margin": margin, "refine": refine, "baseline": "blurred"})  # fmt: skip


def tiles(shape: tuple[int, ...], size: int, *, within: Slices | None = None) -> Iterator[Slices]:
    """Disjoint boxes of ``size`` that cover ``shape``, or the part ``within`` of it."""
    edges = within or tuple(slice(0, side) for side in shape)
    yield from product(*(
        [slice(start, min(start + size, edge.stop)) for start in range(edge.start, edge.stop, size)] for edge in edges
    ))  # fmt: skip


def grown(part: Slices, shape: tuple[int, ...], margin: int) -> Slices:
    return tuple(
        slice(max(edge.start - margin, 0), min(edge.stop + margin, side))
        for edge, side in zip(part, shape, strict=True)
    )  # fmt: skip


def _fall(question: Question, fill: torch.Tensor, part: Slices, outer: Slices) -> float:
    weight = question.mask[outer] / question.mask.sum()  # type: ignore[index,union-attr]
    if not bool(weight.any()):
        return 0.0
    inputs = question.inputs[(slice(None), slice(None), *outer)]
    covered = inputs.clone()
    inner = tuple(slice(p.start - o.start, p.stop - o.start) for p, o in zip(part, outer, strict=True))
    covered[(slice(None), slice(None), *inner)] = fill[(slice(None), slice(None), *part)]
    with torch.inference_mode(), memory_refused("tiled_occlusion"):
        before, after = (question.model.answer(each, question.prompt)[0, question.index] for each in (inputs, covered))
        return float(((before - after) * weight).sum())


def _volume_question(
    model: LoadedModel, image: Any, target: int | None, prompt: Prompt | None, question: Question | None, size: int,
    margin: int, key: str,
) -> Question:  # fmt: skip
    if not (8 <= size <= 256 and 0 <= margin <= 128):
        raise InvalidInput("bad_tile", f"{key} with {size} voxels and margin {margin}: give 8 to 256 and 0 to 128")
    asked = question_for(model, image, target=target, prompt=prompt, question=question)
    if asked.mask is None or asked.inputs.ndim != 5:
        raise InvalidInput("other_task", f"{key} asks about the mask of a volume: choose another method")
    if asked.mask.shape != asked.inputs.shape[2:]:
        raise NotComputable("other_grid", f"{model.key} answers on a coarser grid than its input: it cannot be tiled")
    return asked


def _answer(
    question: Question, grid: Plane, key: str, unit: str, signed: bool, seed: int, parameters: dict[str, Any]
) -> Attribution:
    not_zero(grid, key=key)
    return Attribution(
        values=question.on_image(grid), grid_values=grid,
        method=Method(key, "explainability.attribution.tiled", VERSION, parameters, seed),
        target=question.name, unit=unit, signed=signed, f_x=question.f_x,
    )  # fmt: skip
