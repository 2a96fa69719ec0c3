"""Which attribution methods exist, for which task, at which cost in model evaluations."""

from collections.abc import Mapping
from typing import Any

from assurance.evidence.catalogue import Catalogue, Entry
from assurance.evidence.errors import InvalidInput

_ROOM = "explainability.attribution"
_BOTH = ("classification", "segmentation")

# Facts: ``tasks``; ``signed``; ``cost`` in forward passes; ``sibling`` the method that asks the same of another task;
# ``gradient`` whether the adapter must be differentiable; ``parameters`` the method's own with their defaults.
EXPLAINERS = Catalogue(
    "explainer",
    integrated_gradients=Entry(
        "Integrated Gradients", f"{_ROOM}.integrated_gradients:integrated_gradients",
        "Sundararajan, Taly & Yan 2017, arXiv:1703.01365",
        {"tasks": _BOTH, "signed": True, "gradient": True, "cost": "3 × steps",
         "parameters": {"baseline": "black", "steps": 50, "batch": 4}},
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
         "parameters": {"baseline": "blurred", "windows": 7, "batch": 8}},
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
)  # fmt: skip


COMMON: dict[str, Any] = {"target": 0, "seed": 0}


def checked_parameters(key: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """``parameters`` of method ``key`` with numbers as numbers, without loading the method.

    Raises
    ------
    InvalidInput
        ``unknown_key``, ``unknown_parameter``, ``bad_parameter``, each naming what is allowed.
    """
    defaults = {**COMMON, **EXPLAINERS[key].facts.get("parameters", {})}
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
