"""One map with what its checks may ask for, and the shape of their answers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assurance.evidence.errors import InvalidInput, NotComputable
from assurance.evidence.finding import Finding, Interval, Method, NullLaw, State
from assurance.metrics.measured import array_digest
from explainability.attribution.attribution import Attribution, Plane
from explainability.attribution.question import Question

VERSION = "1"


@dataclass(frozen=True)
class Graded:
    """``again`` makes the same map, same method and parameters, for another question of the same kind.

    ``region`` (H, W) or (D, H, W) marks where relevance is expected: a reader's mask, or failing that the model's own;
    ``region_name`` says which. ``spacing_mm`` is that of the image. ``other`` is the map of another version or seed.
    """

    question: Question
    attribution: Attribution
    again: Callable[[Question], Attribution]
    region: NDArray[np.bool_] | None = None
    region_name: str = ""
    spacing_mm: tuple[float, ...] | None = None
    other: Attribution | None = None
    other_name: str = ""
    batch: int = 8

    def __post_init__(self) -> None:
        if self.region is not None and self.region.shape != self.attribution.values.shape:
            raise InvalidInput(
                "bad_shape",
                f"the mask has shape {self.region.shape}, the image {self.attribution.values.shape}: give both alike",
            )

    @property
    def key(self) -> str:
        return self.attribution.method.key

    def case_seed(self, seed: int) -> int:
        """``seed`` for this image. Drawn with one seed, all cases of a card would share one random model and order, and
        the verdict would hang on that draw."""
        return seed + int(array_digest(inputs=self.question.inputs.detach().cpu().numpy())[:8], 16)

    def region_needed(self) -> NDArray[np.bool_]:
        if self.region is None or not self.region.any():
            raise NotComputable("no_region", "no mask says where relevance is expected: give a reader's mask")
        if self.region.all():
            raise NotComputable("no_region", "the mask covers the whole image: relevance cannot lie outside it")
        return self.region


def strength(attribution: Attribution, *, on_grid: bool = False) -> Plane:
    """The map that checks rank and weigh: the positive part of signed maps, unsigned ones as they are.

    What speaks against the target is no reason for it, so the negative part is left out (methods, section 6.3).
    """
    values = attribution.grid_values if on_grid else attribution.values
    found: Plane = np.clip(values, 0, None).astype(np.float32)
    if not found.any():
        raise NotComputable("no_positive_part", "nothing in this map speaks for the target: there is nothing to rank")
    return found


def answer(
    graded: Graded, quantity: str, value: float, *, passed: bool | None, unit: str = "1", seed: int | None = None,
    interval: Interval | None = None, null: NullLaw | None = None, details: dict[str, Any] | None = None,
    parameters: dict[str, Any] | None = None, reason: str = "",
) -> Finding:  # fmt: skip
    """A check's Finding for one case: ``ok`` passed, ``watch`` failed, ``insufficient`` reported without a limit."""
    state = State.INSUFFICIENT if passed is None else State.OK if passed else State.WATCH
    if passed is None and not reason:
        reason = "reported, not judged: no limit is agreed for this measure"
    return Finding(
        quantity=quantity, signal=graded.key, value=float(value), unit=unit, state=state, n_cases=1,
        method=Method(quantity, f"explainability.faithfulness.{quantity}", VERSION,
                      {"of": graded.key, **(parameters or {})}, seed),
        input_digest=array_digest(map=graded.attribution.grid_values), interval=interval, null=null, reason=reason,
        details=details or {},
    )  # fmt: skip


def refused(graded: Graded, quantity: str, reason: NotComputable) -> Finding:
    """A check that does not apply or has no value, as a Finding with its reason."""
    return replace(answer(graded, quantity, 0.0, passed=None, reason=reason.message), value=None)
