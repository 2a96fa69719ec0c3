"""The question that a method asks, by its key: a class or mask, a displacement, a coordinate."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assurance.adapters.protocol import LoadedModel, Prompt
from explainability.attribution.catalogue import EXPLAINERS
from explainability.attribution.question import Question


def ask(
    model: LoadedModel, image: Any, *, method: str, target: int | None = None, prompt: Prompt | None = None,
    parameters: Mapping[str, Any] | None = None, part: str = "mask", truth: NDArray[np.bool_] | None = None,
) -> Question | None:  # fmt: skip
    """The question of ``method``, or None for methods that draw images and so ask about no given one."""
    kind = EXPLAINERS[method].facts.get("question", "output")
    where = {key: value for key, value in (parameters or {}).items() if key in ("landmark", "component", "crop")}
    if kind == "none":
        return None
    if kind == "displacement":
        from explainability.attribution.registration import DisplacementQuestion

        return DisplacementQuestion(model, image, **where)
    if kind == "similarity":
        from explainability.attribution.registration import SimilarityQuestion

        return SimilarityQuestion(model, image, **where)
    if kind == "coordinate":
        from explainability.attribution.localization import CoordinateQuestion

        return CoordinateQuestion(model, image, target=target)
    return Question(model, image, target=target, prompt=prompt, part=part, truth=truth)
