"""Do the pixels that the map calls important matter to the model, more than pixels taken at random?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse import linalg

from assurance.evidence.errors import NotComputable
from assurance.evidence.finding import Finding, NullLaw
from explainability.attribution.attribution import Plane
from explainability.attribution.question import Question, blurred
from explainability.faithfulness.graded import Graded, answer, strength

SHARES = (0.05, 0.1, 0.2, 0.35, 0.5, 0.7, 0.9)
PATCHES = 16
BLOCKS = 8
VOLUME_SHARES, VOLUME_ORDERS = (0.1, 0.3, 0.6, 0.9), 3
LARGEST_VOLUME = 2**22
"""Cells of a volume that is still run some 30 times for one check; a map of a larger one is judged on a crop."""


def deletion(graded: Graded, *, seed: int = 0, orders: int = 5, shares: Sequence[float] = SHARES) -> Finding:
    """Mean score while the strongest patches are taken away, random order minus the map's order.

    The score is the target's probability (for a segmentation its mean over the fixed mask), averaged over removed
    shares of 0 to 90 % of the image, so the value is in units of probability: larger is better. Of a displacement or a
    coordinate it is minus the distance in mm from the own answer. Removed patches (a sixteenth of the side) are filled
    by noisy linear imputation from what is left, so that the hole's shape is no cue; of volumes, blocks of an eighth
    of the side by the blurred volume with noise. Passes where it beats every one of ``orders`` random orders (for
    volumes at most 3). Random orders take whole patches too: scattered single
    pixels would be filled in almost perfectly, and any map would look better than chance.

    References
    ----------
    Rong, Leemann, Borisov, Kasneci & Kasneci (2022), A consistent and efficient evaluation strategy for attribution
    methods, ICML, arXiv:2202.00449 (noisy linear imputation); Petsiuk, Das & Saenko (2018), RISE, arXiv:1806.07421.
    """
    return _removal(graded, "deletion", seed=seed, orders=orders, shares=shares)


def insertion(graded: Graded, *, seed: int = 0, orders: int = 5, shares: Sequence[float] = SHARES) -> Finding:
    """Mean score while the strongest patches of the image replace its blurred copy, map's order minus random order.

    Otherwise as :func:`deletion`: larger is better, passes where it beats every random order.

    References
    ----------
    Petsiuk, Das & Saenko (2018), RISE: randomized input sampling for explanation, BMVC, arXiv:1806.07421.
    """
    return _removal(graded, "insertion", seed=seed, orders=orders, shares=shares)


def _removal(graded: Graded, kind: str, *, seed: int, orders: int, shares: Sequence[float]) -> Finding:
    question = graded.question
    sides = tuple(int(side) for side in question.inputs.shape[2:])
    volume = len(sides) == 3
    if volume and int(np.prod(sides)) > LARGEST_VOLUME:
        raise NotComputable("too_large", f"{kind} would run {sides} voxels some 30 times: ask about a crop")
    seed = graded.case_seed(seed)
    rng = np.random.default_rng(seed)
    if volume:
        shares, orders = VOLUME_SHARES, min(orders, VOLUME_ORDERS)
    patches = patch_grid(sides, patches=BLOCKS if volume else PATCHES)
    own = patch_ranks(strength(graded.attribution, on_grid=True), patches)
    ranks = [own, *(rng.permutation(own) for _ in range(orders))]
    batch = 1 if volume else graded.batch
    first = blurred(question.inputs) if kind == "insertion" else question.inputs
    with torch.inference_mode():
        start = float(question.removal_score(first)[0])  # every order begins at the same image
    curves = np.array([[start, *_curve(question, patches, rank, kind, first, rng, batch, shares)] for rank in ranks])
    if float(np.ptp(curves)) < 1e-9:
        raise NotComputable("no_change", "the score does not change when the image goes: no order can be judged")
    places = np.array([0.0, *shares])
    areas = np.trapezoid(curves, places, axis=1) / places[-1]
    gain = areas[0] - areas[1:] if kind == "insertion" else areas[1:] - areas[0]
    null = NullLaw(f"{orders} random orders of patches",
                   {"0.05": float(np.quantile(areas[1:], 0.05)), "0.95": float(np.quantile(areas[1:], 0.95))},
                   (1 + int((gain <= 0).sum())) / (1 + orders))  # fmt: skip
    details: dict[str, Any] = {
        "shares": places.tolist(), "curve": curves[0].tolist(), "random": curves[1:].mean(axis=0).tolist(),
        "area": float(areas[0]), "area_random": float(areas[1:].mean()),
    }  # fmt: skip
    parameters = {"orders": orders, "patches": BLOCKS if volume else PATCHES, "shares": list(shares)}
    return answer(graded, kind, float(gain.mean()), passed=bool((gain > 0).all()), seed=seed, null=null,
                  unit="1" if question.unit in ("logit", "1") else question.unit, details=details,
                  parameters=parameters)  # fmt: skip


def patch_grid(shape: tuple[int, ...], *, patches: int = PATCHES) -> NDArray[np.int64]:
    """(h, w) or (d, h, w) of patch numbers: about ``patches`` parts along each axis."""
    found = np.zeros(shape, dtype=np.int64)
    for axis, side in enumerate(shape):
        cells = np.minimum(np.arange(side) * patches // side, patches - 1)
        found = found * patches + cells.reshape(-1, *(1,) * (len(shape) - 1 - axis))
    return found


def patch_ranks(values: Plane, patches: NDArray[np.int64]) -> NDArray[np.int64]:
    """Patch numbers, strongest mean first; ties in the order of the patches."""
    sums = np.bincount(patches.ravel(), weights=values.ravel())
    sizes = np.bincount(patches.ravel())
    present = np.flatnonzero(sizes)  # an axis shorter than the number of parts leaves numbers out
    return present[np.argsort(-sums[present] / sizes[present], kind="stable")]


def _curve(
    question: Question, patches: NDArray[np.int64], rank: NDArray[np.int64], kind: str, first: torch.Tensor,
    rng: np.random.Generator, batch: int, shares: Sequence[float],
) -> list[float]:  # fmt: skip
    masks = [np.isin(patches, rank[: max(1, round(share * len(rank)))]) for share in shares]
    if kind == "insertion":
        steps = [torch.where(torch.as_tensor(mask), question.inputs, first) for mask in masks]
    else:
        fill = impute if question.inputs.ndim == 4 else blur_over
        steps = [fill(question.inputs, mask, rng=rng) for mask in masks]
    found: list[float] = []
    whole = torch.cat(steps)
    with torch.inference_mode():
        for start in range(0, len(whole), batch):
            found += question.removal_score(whole[start : start + batch]).tolist()
    return found


def blur_over(
    inputs: torch.Tensor, gone: NDArray[np.bool_], *, rng: np.random.Generator, sd: float = 0.01
) -> torch.Tensor:
    """``inputs`` (1, C, d, h, w), blurred in ``gone``, with normal noise of ``sd`` times the range there."""
    scale = sd * float(inputs.max() - inputs.min())
    noise = torch.as_tensor(rng.normal(0, scale, tuple(inputs.shape)), dtype=inputs.dtype, device=inputs.device)
    return torch.where(torch.as_tensor(gone, device=inputs.device), blurred(inputs) + noise, inputs)


def impute(
    inputs: torch.Tensor, gone: NDArray[np.bool_], *, rng: np.random.Generator, sd: float = 0.01
) -> torch.Tensor:
    """Fill the pixels of ``gone`` (h, w) in every channel of ``inputs`` (1, C, h, w) from what is left.

    Each becomes the weighted mean of its eight neighbours (1/6 beside, 1/12 across a corner), which is one sparse
    linear system, plus normal noise of ``sd`` times the range.
    """
    if not gone.any() or gone.all():
        return inputs.clone()
    number = np.full(gone.shape, -1)
    number[gone] = np.arange(int(gone.sum()))
    rows, columns = np.nonzero(gone)
    images = inputs[0].cpu().numpy().astype(np.float64)
    total = np.zeros(len(rows))
    right = np.zeros((images.shape[0], len(rows)))
    entries: list[NDArray[Any]] = []
    for down, across in ((-1, 0), (1, 0), (0, -1), (0, 1), (-1, -1), (-1, 1), (1, -1), (1, 1)):
        weight = 1 / 6 if 0 in (down, across) else 1 / 12
        y, x = rows + down, columns + across
        inside = (y >= 0) & (y < gone.shape[0]) & (x >= 0) & (x < gone.shape[1])
        total += weight * inside
        y, x = np.clip(y, 0, gone.shape[0] - 1), np.clip(x, 0, gone.shape[1] - 1)
        known = inside & ~gone[y, x]
        right[:, known] += weight * images[:, y[known], x[known]]
        unknown = np.flatnonzero(inside & gone[y, x])
        entries.append(np.stack([unknown, number[y[unknown], x[unknown]], np.full(len(unknown), -weight)]))
    table = np.concatenate(entries, axis=1)
    matrix = sparse.coo_matrix((table[2], (table[0].astype(int), table[1].astype(int))), shape=(len(rows),) * 2)
    solve = linalg.factorized((matrix + sparse.diags(total)).tocsc())
    scale = sd * float(inputs.max() - inputs.min())
    filled = inputs.clone()
    for channel in range(images.shape[0]):
        values = solve(right[channel]) + rng.normal(0, scale, len(rows))
        filled[0, channel][torch.as_tensor(gone)] = torch.as_tensor(values, dtype=inputs.dtype, device=inputs.device)
    return filled
