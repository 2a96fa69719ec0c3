"""What making and grading one map gives."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assurance.evidence.finding import Finding
from explainability.attribution.attribution import Attribution
from explainability.faithfulness.perturbation_facts import PerturbationFact
from explainability.services.surroundings import Surroundings


@dataclass(frozen=True)
class GradedMap:
    """What one call makes: the map, the Findings of its checks, its sentences, its scalars and its picture."""

    attribution: Attribution
    report_card: list[Finding]
    statements: list[PerturbationFact]
    signals: Mapping[str, float | None]
    overlay: bytes
    mask: NDArray[np.bool_] | None
    prediction: Mapping[str, Any]
    warnings: list[str] = field(default_factory=list)
    around: Surroundings = field(default_factory=Surroundings)
    precision: str = "float32"
