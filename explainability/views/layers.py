"""What the viewer may fetch for one case and where, as plain values for a data attribute."""

from __future__ import annotations

from typing import Any

from django.urls import reverse

from assurance.models import CaseFile
from explainability.attribution.catalogue import EXPLAINERS
from explainability.models import Explanation

EXTRA_LAYERS = {  # by task: images that the map can be laid over, and what is drawn on top
    "registration": ("warped", "displacement"), "generation": ("without", "organ", "organ_changed", "lesion"),
}  # fmt: skip


def title_of(row: Explanation) -> tuple[str, str]:
    """The method's title, and the parameters that set this map apart."""
    title = EXPLAINERS[row.method].title if row.method in EXPLAINERS else row.method
    return title, ", ".join(f"{name} {value}" for name, value in row.parameters.items() if name != "effort")


def layers_of(slug: str, case: str, task: str, files: dict[str, CaseFile], rows: list[Explanation]) -> dict[str, Any]:
    """Places (boxes, landmarks) are in voxels of the file; the viewer turns them as it turns the image."""
    facts = files["image"].facts if "image" in files else {}
    fixed = task == "registration" and bool(facts.get("fixed"))
    prompt = facts.get("prompt", facts.get("box"))
    box = prompt.get("box") if isinstance(prompt, dict) else prompt

    def layer(role: str) -> str:
        return reverse("explainability:case_layer", args=[slug, case, role])

    return {
        "image": layer("fixed" if fixed else "image") if "image" in files else "",
        "image_title": "fixed image" if fixed else "image", "moving": layer("image") if fixed else "",
        "truth": layer("truth") if "truth" in files else "", "box": box or None, "task": task,
        "maps": [_map(row, task) for row in rows if row.status == Explanation.Status.DONE and row.map_file],
        "landmarks": facts.get("landmarks", []), "unit": facts.get("unit", ""),
    }  # fmt: skip


def _map(row: Explanation, task: str) -> dict[str, Any]:
    facts = row.facts

    def layer(kind: str) -> str:
        return reverse("explainability:map_layer", args=[row.pk, kind])

    quantity = str(facts.get("prediction", {}).get("quantity", ""))
    has_mask = facts.get("has_mask", quantity.endswith("mask"))
    extra = {name: layer(name) for name in EXTRA_LAYERS.get(task, ()) if name in facts.get("layers", ())}
    return {
        "id": str(row.pk), "title": " ".join(filter(None, title_of(row))),
        "name": title_of(row)[0], "version": str(row.version),
        "signed": bool(facts.get("signed")), "unit": facts.get("unit", ""), "target": facts.get("target", ""),
        "url": layer("map"), "mask": layer("mask") if has_mask else "", "extra": extra,
        "base": layer("base") if task == "generation" else "", "boxes": facts.get("boxes", {}),
        "landmark": facts.get("landmark"),
    }  # fmt: skip
