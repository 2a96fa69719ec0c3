"""What happens to the output when a region is covered: sentences with their numbers, before any picture."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from assurance.evidence.errors import InvalidInput, NotComputable
from explainability.attribution.attribution import Attribution, Plane
from explainability.attribution.question import Question, blurred


@dataclass(frozen=True, slots=True)
class PerturbationFact:
    """Probabilities in 0..1. ``after`` is the mean over ``n_fills`` fills, ``low`` to ``high`` their middle 95 %.

    ``elsewhere`` is the same for equally many regions of the same shape at random places.
    """

    text: str
    region: str
    quantity: str
    before: float
    after: float
    low: float
    high: float
    n_fills: int
    elsewhere: float | None
    elsewhere_low: float | None
    elsewhere_high: float | None
    area_share: float
    seed: int

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def strongest(values: Plane, *, share: float = 0.1) -> NDArray[np.bool_]:
    """The ``share`` of the image where a map is strongest; ties in the order of the pixels."""
    size = max(1, round(share * values.size))
    region = np.zeros(values.size, dtype=bool)
    region[np.argsort(-values.ravel(), kind="stable")[:size]] = True
    return region.reshape(values.shape)


def strongest_region(attribution: Attribution, *, share: float = 0.1) -> NDArray[np.bool_]:
    """The ``share`` of the network's input where the map is strongest, for the target."""
    values = np.clip(attribution.grid_values, 0, None)
    if not values.any():
        raise NotComputable("no_positive_part", "nothing in this map speaks for the target: no region to cover")
    return strongest(values, share=share) & (values > 0)


def masking_fact(
    question: Question, region: NDArray[np.bool_], *, name: str, n_fills: int = 32, seed: int = 0, batch: int = 8,
    before: float | None = None,
) -> PerturbationFact:  # fmt: skip
    """Cover ``region`` (of the network's input) with ``n_fills`` different fills and say what the output does.

    Fills are, in turn, another part of the same image (a random shift) and the blurred image with noise of the image's
    own local sd, so that no single fill decides. The same is done with regions of the same shape at random places.
    ``before`` is the output for the image itself, where it is known already.

    Raises
    ------
    InvalidInput
        ``bad_shape``, ``bad_fills`` unless 4..256.
    NotComputable
        ``no_region`` where the region is empty or everything.
    """
    if region.shape != tuple(question.inputs.shape[2:]):
        raise InvalidInput("bad_shape", f"region has shape {region.shape}: give {tuple(question.inputs.shape[2:])}")
    if not 4 <= n_fills <= 256:
        raise InvalidInput("bad_fills", f"n_fills {n_fills}: give 4 to 256 fills")
    if not region.any() or region.all():
        raise NotComputable("no_region", f"{name} is empty or the whole image: there is nothing to cover")
    rng = np.random.default_rng(seed)
    sides = question.inputs.shape[2:]
    covered = [_filled(question.inputs, region, rng, number) for number in range(n_fills)]
    moved = []
    for number in range(n_fills):
        shift = tuple(int(rng.integers(side)) for side in sides)
        other = np.roll(region, shift, axis=tuple(range(region.ndim)))
        moved.append(_filled(question.inputs, other, rng, number))
    with torch.inference_mode():
        before = float(question.shares(question.inputs)[0]) if before is None else before
        after, elsewhere = (_shares(question, images, batch) for images in (covered, moved))
    low, high = (float(edge) for edge in np.quantile(after, [0.025, 0.975]))
    else_low, else_high = (float(edge) for edge in np.quantile(elsewhere, [0.025, 0.975]))
    mean, control = float(after.mean()), float(elsewhere.mean())
    verb = "leaves" if abs(before - mean) < 0.005 else "lowers" if mean < before else "raises"
    change = f"at {mean:.2f}" if verb == "leaves" else f"from {before:.2f} to {mean:.2f}"
    text = (
        f"Masking {name} ({region.mean():.0%} of the input) {verb} {question.share_name} {change} "
        f"(n = {n_fills} fills, 95 % of them {low:.2f} to {high:.2f}); "
        f"the same shape at random places gives {control:.2f} ({else_low:.2f} to {else_high:.2f})."
    )
    return PerturbationFact(
        text=text, region=name, quantity=question.share_name, before=before, after=mean, low=low, high=high,
        n_fills=n_fills, elsewhere=control, elsewhere_low=else_low, elsewhere_high=else_high,
        area_share=float(region.mean()), seed=seed,
    )  # fmt: skip


def _filled(inputs: torch.Tensor, region: NDArray[np.bool_], rng: np.random.Generator, number: int) -> torch.Tensor:
    where = torch.as_tensor(region, device=inputs.device)
    if number % 2:
        shifts = tuple(int(rng.integers(side // 4, max(side * 3 // 4, side // 4 + 1))) for side in inputs.shape[2:])
        fill = torch.roll(inputs, shifts, dims=tuple(range(2, inputs.ndim)))
    else:
        smooth = blurred(inputs, part_of_side=int(rng.integers(8, 33)))
        sd = float((inputs - smooth).std())
        noise = torch.as_tensor(rng.normal(0, sd, tuple(inputs.shape)), dtype=inputs.dtype, device=inputs.device)
        fill = smooth + noise
    return torch.where(where, fill, inputs)


def _shares(question: Question, images: list[torch.Tensor], batch: int) -> NDArray[np.float64]:
    found: list[float] = []
    for start in range(0, len(images), batch):
        found += question.shares(torch.cat(images[start : start + batch])).tolist()
    return np.array(found)
