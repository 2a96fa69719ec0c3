"""Which attribution methods exist, for which task, at which cost in model evaluations."""

from collections.abc import Mapping
from typing import Any

from assurance.evidence.catalogue import Catalogue, Entry
from assurance.evidence.errors import InvalidInput

_ROOM = "explainability.attribution"
_BOTH = ("classification", "segmentation")

# Facts: ``tasks``; ``signed``; ``cost`` in forward passes; ``sibling`` the method that asks the same of another task;
# ``gradient`` whether the adapter must be differentiable; ``parameters`` the method's own with their defaults;
# ``question`` the scalar that it explains where that is no class or mask; ``references`` how many images of other cases
# it needs; ``kept`` whether its parts can be kept to go on with; ``judged`` False for maps that answer another question
# than "where does the model look", so that no check of faithfulness applies.
EXPLAINERS = Catalogue(
    "explainer",
    integrated_gradients=Entry(
        "Integrated Gradients", f"{_ROOM}.integrated_gradients:integrated_gradients",
        "Sundararajan, Taly & Yan 2017, arXiv:1703.01365",
        {"tasks": _BOTH, "signed": True, "gradient": True, "cost": "3 × steps",
         "parameters": {"baseline": "black", "steps": 50, "most_steps": 400, "batch": 0}},
    ),
    grad_cam=Entry(
        "Grad-CAM", f"{_ROOM}.grad_cam:grad_cam", "Selvaraju et al. 2017, arXiv:1610.02391",
        {"tasks": ("classification",), "signed": False, "gradient": True, "cost": "3", "sibling": "seg_grad_cam"},
    ),
    seg_grad_cam=Entry(
        "Seg-Grad-CAM", f"{_ROOM}.grad_cam:seg_grad_cam", "Vinogradova et al. 2020, arXiv:2002.11434",
        {"tasks": ("segmentation",), "signed": False, "gradient": True, "cost": "3", "sibling": "grad_cam"},
    ),
    occlusion=Entry(
        "Occlusion", f"{_ROOM}.occlusion:occlusion", "Zeiler & Fergus 2014, arXiv:1311.2901",
        {"tasks": _BOTH, "signed": True, "gradient": False, "cost": "(2 × windows − 1)²",
         "parameters": {"baseline": "blurred", "windows": 7, "batch": 0}},
    ),
    saliency=Entry(
        "Saliency", f"{_ROOM}.smooth_gradient:saliency", "Simonyan et al. 2014, arXiv:1312.6034",
        {"tasks": _BOTH, "signed": False, "gradient": True, "cost": "3"},
    ),
    smoothgrad=Entry(
        "SmoothGrad", f"{_ROOM}.smooth_gradient:smoothgrad", "Smilkov et al. 2017, arXiv:1706.03825",
        {"tasks": _BOTH, "signed": False, "gradient": True, "cost": "3 × samples",
         "parameters": {"samples": 16, "sd": 0.1}},
    ),
    gradient_shap=Entry(
        "GradientShap", f"{_ROOM}.gradient_shap:gradient_shap", "Erion et al. 2021, arXiv:1906.10670",
        {"tasks": _BOTH, "signed": True, "gradient": True, "cost": "3 × samples", "references": 16,
         "parameters": {"samples": 20, "sd": 0.05, "batch": 4}},
    ),
    kernel_shap=Entry(
        "KernelShap on superpixels", f"{_ROOM}.kernel_shap:kernel_shap", "Lundberg & Lee 2017, arXiv:1705.07874",
        {"tasks": _BOTH, "signed": True, "gradient": False, "cost": "4 × regions",
         "parameters": {"regions": 64, "baseline": "blurred", "samples": 0, "batch": 8}},
    ),
    attention_rollout=Entry(
        "Attention rollout", f"{_ROOM}.attention_rollout:attention_rollout",
        "Abnar & Zuidema 2020, arXiv:2005.00928; Chefer, Gur & Wolf 2021, arXiv:2012.09838",
        {"tasks": _BOTH, "signed": False, "gradient": True, "cost": "3"},
    ),
    prompt_sensitivity=Entry(
        "Prompt sensitivity", f"{_ROOM}.prompt_sensitivity:prompt_sensitivity",
        "Ma et al. 2024, Nature Communications 15:654",
        {"tasks": ("segmentation",), "signed": False, "gradient": False, "cost": "boxes + 8", "judged": False,
         "parameters": {"boxes": 16, "jitter": 0.05}},
    ),
    tiled_saliency=Entry(
        "Saliency in tiles", f"{_ROOM}.tiled:tiled_saliency", "Simonyan et al. 2014, arXiv:1312.6034",
        {"tasks": ("segmentation",), "signed": False, "gradient": True, "cost": "3 × tiles", "kept": True,
         "parameters": {"tile": 64, "margin": 32}},
    ),
    tiled_occlusion=Entry(
        "Occlusion in blocks", f"{_ROOM}.tiled:tiled_occlusion", "Zeiler & Fergus 2014, arXiv:1311.2901",
        {"tasks": ("segmentation",), "signed": True, "gradient": False, "cost": "2 × blocks", "kept": True,
         "parameters": {"block": 32, "margin": 32, "refine": 0.05}},
    ),
    displacement_gradient=Entry(
        "Gradient of a displacement", f"{_ROOM}.registration:displacement_gradient",
        "Simonyan et al. 2014, arXiv:1312.6034", {"tasks": ("registration",), "signed": False, "gradient": True,
         "cost": "3", "question": "displacement", "parameters": {"landmark": "", "component": "length", "crop": 96}},
    ),
    displacement_occlusion=Entry(
        "Occlusion of a displacement", f"{_ROOM}.registration:displacement_occlusion",
        "Zeiler & Fergus 2014, arXiv:1311.2901", {"tasks": ("registration",), "signed": False, "gradient": False,
         "cost": "blocks³", "question": "displacement", "parameters": {"landmark": "", "crop": 96, "blocks": 4}},
    ),
    similarity_gradient=Entry(
        "Gradient of the similarity", f"{_ROOM}.registration:similarity_gradient",
        "Simonyan et al. 2014, arXiv:1312.6034; Avants et al. 2008, Medical Image Analysis 12:26–41",
        {"tasks": ("registration",), "signed": False, "gradient": True, "cost": "3", "question": "similarity",
         "parameters": {"landmark": "", "crop": 96}},
    ),
    coordinate_gradient=Entry(
        "Gradient of a coordinate", f"{_ROOM}.localization:coordinate_gradient",
        "Simonyan et al. 2014, arXiv:1312.6034", {"tasks": ("localization",), "signed": False, "gradient": True,
         "cost": "3", "question": "coordinate"},
    ),
    start_jitter=Entry(
        "Jitter of the search's start", f"{_ROOM}.localization:start_jitter", "Lei et al. 2023, arXiv:2306.14752",
        {"tasks": ("localization",), "signed": False, "gradient": False, "cost": "starts³", "question": "coordinate",
         "judged": False, "parameters": {"starts": 4}},
    ),
    token_maps=Entry(
        "Token maps (DAAM)", f"{_ROOM}.generation:token_maps", "Tang et al. 2023, arXiv:2210.04885",
        {"tasks": ("generation",), "signed": False, "gradient": False, "cost": "2 × steps", "question": "none",
         "parameters": {"word": "", "steps": 20, "guidance": 4.0}},
    ),
    token_ablation=Entry(
        "Token ablation", f"{_ROOM}.generation:token_ablation", "Hertz et al. 2023, arXiv:2208.01626",
        {"tasks": ("generation",), "signed": False, "gradient": False, "cost": "2 × steps × words", "question": "none",
         "parameters": {"word": "", "steps": 20, "guidance": 4.0}},
    ),
    mask_conditioning=Entry(
        "Mask-conditioning ablation", f"{_ROOM}.generation:mask_conditioning", "Chen et al. 2024, arXiv:2402.19470",
        {"tasks": ("generation",), "signed": False, "gradient": False, "cost": "2 drawings", "question": "none",
         "parameters": {"change": "moved"}},
    ),
)  # fmt: skip


COMMON: dict[str, Any] = {"target": 0, "seed": 0, "precision": "float32"}


def takes_part(key: str) -> bool:
    """Whether the method explains a segmentation, and so one ``part`` of it: mask, component, boundary or missed."""
    facts = EXPLAINERS[key].facts
    return "segmentation" in facts["tasks"] and bool(facts.get("judged", True))


def parameters_of(key: str) -> dict[str, Any]:
    """All parameters of a method with their defaults, its own and those that every method has."""
    part = {"part": "mask"} if takes_part(key) else {}
    return {**COMMON, **part, **EXPLAINERS[key].facts.get("parameters", {})}


def checked_parameters(key: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """``parameters`` of method ``key`` with numbers as numbers, without loading the method.

    Raises
    ------
    InvalidInput
        ``unknown_key``, ``unknown_parameter``, ``bad_parameter``, each naming what is allowed.
    """
    defaults = parameters_of(key)
    found: dict[str, Any] = {}
    for name, value in parameters.items():
        if name not in defaults:
            raise InvalidInput("unknown_parameter", f"{key} takes no {name}: choose from {', '.join(sorted(defaults))}")
        kind = type(defaults[name])
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if (kind is str and not isinstance(value, str)) or (kind is not str and not number):
            raise InvalidInput("bad_parameter", f"{name} is {value!r}: give a {'text' if kind is str else 'number'}")
        if kind is int and int(value) != value:
            raise InvalidInput("bad_parameter", f"{name} is {value!r}: give a whole number")
        found[name] = kind(value)
    return found


def methods_for(task: str, keys: "list[str] | tuple[str, ...]") -> list[str]:
    """``keys`` as far as they suit ``task``: a method of another task gives way to its sibling, or is left out.

    Raises
    ------
    InvalidInput
        ``unknown_key``.
    """
    found: list[str] = []
    for key in keys:
        facts = EXPLAINERS[key].facts
        chosen = key if task in facts["tasks"] else facts.get("sibling", "")
        if chosen and task in EXPLAINERS[chosen].facts["tasks"] and chosen not in found:
            found.append(chosen)
    return found
