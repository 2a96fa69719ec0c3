"""KernelShap on superpixels: Shapley values of regions, without any gradient."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from captum.attr import KernelShap
from numpy.typing import NDArray

from assurance.adapters.protocol import LoadedModel, Prompt, memory_refused
from assurance.evidence.errors import InvalidInput
from assurance.evidence.finding import Method
from explainability.attribution.attribution import VERSION, Attribution, not_zero
from explainability.attribution.gradient_shap import numpy_seeded
from explainability.attribution.question import Question, question_for

SAMPLES_PER_REGION = 4


def kernel_shap(
    model: LoadedModel, image: Any, *, target: int | None = None, prompt: Prompt | None = None, seed: int = 0,
    question: Question | None = None, regions: int = 64, baseline: str = "blurred", samples: int = 0, batch: int = 8,
) -> Attribution:  # fmt: skip
    """Shapley values of about ``regions`` superpixels, each spread evenly over its pixels.

    Signed, in logits per network pixel; they add up to f(x) − f(baseline). ``samples`` 0 means four for each region,
    the least that gives a usable fit.

    Raises
    ------
    InvalidInput
        ``bad_regions`` unless 4..400; ``bad_samples`` below four for each region; unknown baseline.

    References
    ----------
    Lundberg & Lee (2017), A unified approach to interpreting model predictions, NeurIPS, arXiv:1705.07874.
    """
    if not 4 <= regions <= 400:
        raise InvalidInput("bad_regions", f"regions {regions}: give 4 to 400")
    question = question_for(model, image, target=target, prompt=prompt, question=question)
    labels = superpixels(question.inputs[0].mean(dim=0).cpu().numpy(), n=regions)
    found = int(labels.max()) + 1
    count = samples or SAMPLES_PER_REGION * found
    if count < SAMPLES_PER_REGION * found:
        raise InvalidInput("bad_samples", f"samples {samples}: give {SAMPLES_PER_REGION * found} or more, or 0")
    start = question.baseline(baseline)
    places = torch.as_tensor(labels)[None, None].expand_as(question.inputs)
    with memory_refused("kernel_shap"), torch.inference_mode(), torch.random.fork_rng(), numpy_seeded(seed):
        torch.manual_seed(seed)
        values = KernelShap(question).attribute(
            question.inputs, baselines=start, feature_mask=places, n_samples=count, perturbations_per_eval=batch
        )
        f_baseline = float(question(start)[0])
    by_region = values[0, 0].cpu().numpy()
    sizes = np.bincount(labels.ravel())
    grid = (by_region / sizes[labels]).astype(np.float32)
    not_zero(grid, key="kernel_shap")
    return Attribution(
        values=question.on_image(grid), grid_values=grid,
        method=Method("kernel_shap", "captum.attr.KernelShap", VERSION,
                      {"regions": found, "samples": count, "baseline": baseline}, seed),
        target=question.name, unit="logit per pixel", signed=True, f_x=question.f_x, baseline=baseline,
        f_baseline=f_baseline,
    )  # fmt: skip


def superpixels(values: NDArray[Any], *, n: int, rounds: int = 5, weight: float = 0.5) -> NDArray[np.int64]:
    """Labels 0..k−1 of k ≈ ``n`` compact regions of a plane or volume: k-means over place and grey value.

    ``weight`` sets place against grey value (Achanta et al. 2012, SLIC). Large inputs are clustered on a coarser grid
    of at most 64 cells a side and enlarged to the nearest.
    """
    step = tuple(max(1, -(-side // 64)) for side in values.shape)
    coarse = np.asarray(values[tuple(slice(None, None, each) for each in step)], dtype=np.float64)
    per_side = max(1, round(n ** (1 / coarse.ndim)))
    seeds: NDArray[Any] = np.stack(np.meshgrid(
        *(np.linspace(0, side - 1, 2 * per_side + 1)[1::2] for side in coarse.shape), indexing="ij"
    ), axis=-1).reshape(-1, coarse.ndim)  # fmt: skip
    cells = np.asarray(np.indices(coarse.shape))
    places = np.moveaxis(cells, 0, -1).reshape(-1, coarse.ndim) / (max(coarse.shape) / per_side)
    grey = (coarse.ravel() - coarse.min()) / max(float(np.ptp(coarse)), 1e-12)
    points = np.concatenate([places, weight * grey[:, None]], axis=1)
    index = np.ravel_multi_index(tuple(np.rint(seeds).astype(int).T), coarse.shape)
    centres = points[index]
    labels: NDArray[Any] = np.zeros(len(points), dtype=np.int64)
    for _ in range(rounds):
        distances = (points**2).sum(1)[:, None] - 2 * points @ centres.T + (centres**2).sum(1)[None]
        labels = distances.argmin(axis=1)
        sizes = np.bincount(labels, minlength=len(centres))
        sums = np.stack([np.bincount(labels, weights=part, minlength=len(centres)) for part in points.T], axis=1)
        centres = np.where(sizes[:, None] > 0, sums / np.maximum(sizes, 1)[:, None], centres)
    labels = np.unique(labels, return_inverse=True)[1].reshape(coarse.shape)
    picks = [np.minimum(np.arange(side) // each, limit - 1)
             for side, each, limit in zip(values.shape, step, coarse.shape, strict=True)]  # fmt: skip
    enlarged: NDArray[np.int64] = labels[np.ix_(*picks)]
    return enlarged
