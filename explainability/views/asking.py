"""The form that asks for a map: one field for each parameter of the task's methods, with targets by their form."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.http import QueryDict

from assurance.evidence.errors import InvalidInput
from assurance.models import CaseFile
from explainability.attribution.catalogue import EXPLAINERS, parameters_of
from explainability.models import Explanation

PARTS = (
    ("mask", "the whole predicted mask"), ("component", "its largest component"), ("boundary", "its boundary"),
    ("missed", "what the reader marked and the model missed"),
)  # fmt: skip
COMPONENTS = (("length", "its length"), ("0", "first axis"), ("1", "second axis"), ("2", "third axis"))
BASELINES = (("black", "black (air in CT)"), ("blurred", "the image, blurred"), ("mean", "the mean grey value"))
PRECISIONS = (("float32", "single"), ("bfloat16", "mixed, bfloat16"), ("float16", "mixed, float16 (GPU)"))
CHANGES = (("moved", "moved by half its size"), ("eroded", "eroded"))
LABELS = {
    "target": "Target", "part": "Part of the mask", "landmark": "Landmark (voxel i,j,k of the fixed volume)",
    "component": "Component of the displacement",
    "word": "Word of the prompt", "baseline": "Baseline",
    "precision": "Precision", "change": "Change of the organ mask", "steps": "Steps",
    "most_steps": "Most steps, where it does not add up", "guidance": "Guidance",
    "seed": "Seed", "crop": "Crop around the landmark (voxels; 0: everything)", "batch": "Batch (0: chosen)",
    "starts": "Starts along each axis", "blocks": "Blocks along each axis", "boxes": "Jittered boxes",
    "jitter": "Jitter (share of the side)", "windows": "Windows along the side", "samples": "Samples (0: chosen)",
    "sd": "Noise (share of the range)", "regions": "Superpixels", "tile": "Tile (voxels)", "margin": "Margin (voxels)",
    "block": "Block (voxels)", "refine": "Share of blocks to refine",
}  # fmt: skip
FIRST = ("target", "part", "word", "landmark", "component", "change", "baseline")
TARGETS = {"classification": "Class", "segmentation": "Structure", "localization": "Edge of a box",
           "registration": "", "generation": "Token (its place; the word is simpler)"}  # fmt: skip


def fields_for(task: str, files: Mapping[str, CaseFile], rows: list[Explanation]) -> list[dict[str, Any]]:
    """What the form asks, the target first; ``methods`` are the keys of those that take the field."""
    found: dict[str, dict[str, Any]] = {}
    for key, entry in EXPLAINERS.items():
        if task not in entry.facts["tasks"]:
            continue
        for name, default in parameters_of(key).items():
            if name == "target" and not TARGETS[task]:
                continue
            field = found.setdefault(
                name, {"name": name, "label": LABELS.get(name, name), "methods": [], "default": default,
                       "number": not isinstance(default, str), "choices": _choices(name, files, rows)},
            )  # fmt: skip
            field["methods"].append(key)
    if "target" in found:
        found["target"]["label"] = TARGETS[task]
        found["target"]["default"] = "chosen by the model" if task in ("classification", "segmentation") else ""
    return sorted(found.values(), key=lambda field: FIRST.index(field["name"]) if field["name"] in FIRST else 99)


def _choices(name: str, files: Mapping[str, CaseFile], rows: list[Explanation]) -> list[tuple[Any, str]]:
    fixed = {"component": COMPONENTS, "baseline": BASELINES, "precision": PRECISIONS, "change": CHANGES}
    if name in fixed:
        return list(fixed[name])
    if name == "part":
        return [choice for choice in PARTS if choice[0] != "missed" or "truth" in files]
    if name == "word" and "image" in files:
        prompt = files["image"].facts.get("prompt", {})
        text = prompt.get("text", "") if isinstance(prompt, dict) else ""
        return [(word, word) for word in dict.fromkeys(str(text).split())]
    if name == "target":
        known: list[str] = next((row.facts["classes"] for row in rows if row.facts.get("classes")), [])
        return list(enumerate(known))
    return []


def parameters_from(method: str, form: QueryDict) -> dict[str, Any]:
    """Parameters of ``method`` as the form gives them; an empty field keeps its default.

    Raises
    ------
    InvalidInput
        ``unknown_key``, ``bad_parameter``.
    """
    found: dict[str, Any] = {"effort": form.get("effort", "quick")}
    for name, default in parameters_of(method).items():
        text = form.get(f"param_{name}", "").strip()
        if not text:
            continue
        if isinstance(default, str):
            found[name] = text
            continue
        try:
            found[name] = int(text) if isinstance(default, int) else float(text)
        except ValueError as error:
            raise InvalidInput("bad_parameter", f"{LABELS.get(name, name)} is {text[:40]!r}: give a number") from error
    return found
