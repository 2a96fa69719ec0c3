"""One map from an image in memory: the attribution, its report card, its sentences and its picture. No database."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, MutableMapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assurance.adapters.protocol import LoadedModel, Pair, Prompt, Volume
from assurance.evidence.errors import InvalidInput, NotComputable
from explainability.attribution.asking import ask
from explainability.attribution.attribution import Attribution
from explainability.attribution.catalogue import EXPLAINERS, checked_parameters
from explainability.attribution.overlay import overlay_png
from explainability.attribution.question import Question
from explainability.case_images import CaseImage
from explainability.faithfulness.case_card import checks_of, grade, settings_of
from explainability.faithfulness.graded import Graded
from explainability.faithfulness.map_signals import map_signals
from explainability.faithfulness.perturbation_facts import PerturbationFact, masking_fact, strongest_region
from explainability.services.drawing import graded_drawing
from explainability.services.graded_map import GradedMap
from explainability.services.surroundings import surroundings

FILLS = {"classification": 32, "segmentation": 8}  # a prompted segmentation costs a hundred times a classifier's pass
LONGEST_LIST = 400
FEW_FILLS = 8  # a registration or localization runs a whole volume for each


def model_image(image: CaseImage) -> Any:
    """A plane as its array; a volume with its spacing and axes, without which no model takes it."""
    if not image.is_volume:
        return image.pixels
    spacing = tuple(image.spacing_mm) if image.spacing_mm else None
    return Volume(image.pixels, spacing, image.axes or "RAS", image.unit)  # type: ignore[arg-type]


def given_to(model: LoadedModel, image: CaseImage, fixed: CaseImage | None) -> Any:
    """What ``model`` takes: the image, or both volumes of a registration."""
    if model.input_kind != "pair":
        return model_image(image)
    if fixed is None:
        raise InvalidInput("no_fixed", "a registration takes two volumes: give the fixed one beside the moving image")
    moving, target = model_image(image), model_image(fixed)
    if not isinstance(moving, Volume) or not isinstance(target, Volume):
        raise InvalidInput("bad_shape", f"shapes {image.pixels.shape} and {fixed.pixels.shape}: give two volumes")
    return Pair(moving, target)


def graded_map(
    model: LoadedModel, image: CaseImage, *, method: str, parameters: Mapping[str, Any] | None = None,
    prompt: Prompt | None = None, truth: NDArray[np.bool_] | None = None, effort: str = "quick",
    question: Question | None = None, other: Attribution | None = None, other_name: str = "",
    fixed: CaseImage | None = None, references: Sequence[Any] = (), kept: MutableMapping[str, Any] | None = None,
    checks: Sequence[str] | None = None, progress: Callable[[str], None] = lambda step: None,
) -> GradedMap:  # fmt: skip
    """Make and grade one map; ``checks`` instead of those that ``effort`` stands for.

    Raises
    ------
    InvalidInput
        About method, parameters, image, prompt and mask, each naming the value and what is allowed.
    NotComputable
        ``zero_map``, ``empty_mask``, ``not_finite``, ``out_of_memory``: an outcome to be stored with its reason.
    """
    entry = EXPLAINERS[method]
    if model.task not in entry.facts["tasks"]:
        allowed = ", ".join(key for key, other in EXPLAINERS.items() if model.task in other.facts["tasks"])
        raise InvalidInput("other_task", f"{method} is not made for {model.task}: choose one of {allowed}")
    if entry.facts["gradient"] and not model.differentiable:
        raise InvalidInput("no_gradient", f"{model.key} gives no gradient: choose occlusion or kernel_shap")
    settings: dict[str, Any] = checked_parameters(method, parameters or {})
    target, seed = settings.pop("target", None), settings.pop("seed", 0)
    part, precision = settings.pop("part", "mask"), settings.pop("precision", "float32")
    model = model.in_precision(precision) if precision != "float32" else model
    explain = entry.load()
    progress("image")
    if entry.facts.get("question") == "none":
        progress(entry.title)
        return graded_drawing(
            model, model_image(image), method=method, explain=explain, settings=settings, target=target, prompt=prompt,
            seed=seed, spacing_mm=image.spacing_mm if model.input_kind == "volume" else None, other=other,
            other_name=other_name, progress=progress, overlay=lambda drawn: _drawn_overlay(drawn, image),
        )  # fmt: skip
    given = given_to(model, image, fixed)
    asked = question or ask(
        model, given, method=method, target=target, prompt=prompt, parameters=settings, part=part, truth=truth
    )
    if asked is None:
        raise InvalidInput("other_task", f"{method} draws images: ask it of a generator")
    if entry.facts.get("references"):
        settings["references"] = references
    extra: dict[str, Any] = {"kept": kept, "progress": progress} if entry.facts.get("kept") else {}
    progress(entry.title)
    attribution: Attribution = explain(model, given, question=asked, seed=seed, **settings, **extra)

    def again(other_question: Question) -> Attribution:
        made: Attribution = explain(other_question.model, given, question=other_question, seed=seed, **settings)
        return made

    own_mask = asked.predicted_mask()
    around = surroundings(asked, progress=progress)
    region, region_name = (truth, "the reader's mask") if truth is not None else (own_mask, "the predicted mask")
    if region is None:
        region, region_name = around.region, around.region_name
    graded = Graded(
        asked, attribution, again, region=region, region_name=region_name if region is not None else "",
        spacing_mm=(fixed or image).spacing_mm, other=other, other_name=other_name,
    )  # fmt: skip
    chosen = () if not entry.facts.get("judged", True) else checks_of(effort) if checks is None else checks
    findings = grade(graded, checks=chosen, seed=seed, progress=progress, parameters=settings_of(effort, model.task))
    progress("perturbation facts")
    statements, warnings = _statements(asked, attribution, region, region_name, seed)
    signals: Mapping[str, float | None] = {}
    try:
        signals = map_signals(graded)
    except NotComputable as reason:
        warnings.append(reason.message)
    progress("overlay")
    box = prompt.box if prompt is not None else None
    return GradedMap(
        attribution=attribution, report_card=findings, statements=statements, signals=signals,
        overlay=_overlay(fixed or image, attribution, region, box), mask=own_mask, prediction=_prediction(asked),
        warnings=warnings, around=around, precision=precision,
    )  # fmt: skip


def _drawn_overlay(attribution: Attribution, image: CaseImage) -> bytes:
    """Over the image that was drawn; a volume keeps the axes of the one that it was drawn into."""
    return _overlay(replace(image, pixels=attribution.layers["drawn"]), attribution, None, None)


def _statements(
    asked: Question, attribution: Attribution, region: NDArray[np.bool_] | None, region_name: str, seed: int
) -> tuple[list[PerturbationFact], list[str]]:
    fills = FILLS.get(asked.model.task, FEW_FILLS)
    found, warnings = [], []
    regions: list[tuple[str, Callable[[], NDArray[np.bool_]]]] = [
        ("the strongest tenth of the map", lambda: strongest_region(attribution))
    ]
    if region is not None:
        grid = asked.to_grid(region)
        regions += [(region_name, lambda: grid), (f"everything outside {region_name}", lambda: ~grid)]
    before: float | None = None
    for name, make in regions:
        try:
            fact = masking_fact(asked, make(), name=name, n_fills=fills, seed=seed, before=before)
            found.append(fact)
            before = fact.before
        except NotComputable as reason:
            warnings.append(reason.message)
    return found, warnings


def _prediction(asked: Question) -> dict[str, Any]:
    import torch

    with torch.inference_mode():
        share = float(asked.shares(asked.inputs)[0])
    return {"quantity": asked.share_name, "value": share, "target": asked.name, "f_x": asked.f_x, "unit": asked.unit}


def _overlay(
    image: CaseImage, attribution: Attribution, region: NDArray[np.bool_] | None,
    box: tuple[float, float, float, float] | None,
) -> bytes:  # fmt: skip
    pixels, values = image.pixels, attribution.values
    if image.is_volume:
        weight = np.abs(values).sum(axis=(0, 1))
        best = int(weight.argmax())
        pixels, values = np.rot90(pixels[..., best]), np.rot90(values[..., best])
        region = np.rot90(region[..., best]) if region is not None else None
    elif pixels.ndim == 3:
        pixels = pixels[..., :3].mean(axis=2)
    return overlay_png(pixels, values, signed=attribution.signed, mask=region, box=box)


def facts_of(made: GradedMap, *, model: LoadedModel, image_sha256: str, spacing_mm: Any) -> dict[str, Any]:
    """What must stand beside a map so that it can be repeated: units, method, baseline, layer, target, hashes."""
    attribution = made.attribution
    return {
        "method": attribution.method.key, "implementation": attribution.method.implementation,
        "version": attribution.method.version, "parameters": dict(attribution.method.parameters),
        "seed": attribution.method.seed, "target": attribution.target, "unit": attribution.unit,
        "signed": attribution.signed, "f_x": attribution.f_x, "f_baseline": attribution.f_baseline,
        "target_unit": attribution.target_unit, "baseline": attribution.baseline, "layer": attribution.layer,
        "completeness_error": _plain(attribution.completeness_error), "shape": list(attribution.values.shape),
        "grid": list(attribution.grid_values.shape), "spacing_mm": list(spacing_mm) if spacing_mm else None,
        "image_sha256": image_sha256, "weights_sha256": model.weights_sha256, "adapter": model.key,
        "prediction": dict(made.prediction), "signals": dict(made.signals), "warnings": made.warnings,
        "extras": attribution.extras, "precision": made.precision, "has_mask": made.mask is not None,
        "layers": [*attribution.layers, *made.around.arrays()],
        "classes": list(model.contract.classes)[:LONGEST_LIST], **made.around.facts(),
    }  # fmt: skip


def digest_of(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _plain(value: float | None) -> float | None:
    return value if value is not None and np.isfinite(value) else None
