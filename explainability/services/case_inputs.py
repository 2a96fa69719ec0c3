"""What stands beside a case's image: its spacing, its prompt, the reader's mask."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assurance.adapters.prompts import Prompt
from assurance.evidence.errors import InvalidInput
from assurance.models import Artefact, CaseFile
from assurance.services.artefacts import read_artefact
from explainability.attribution.catalogue import EXPLAINERS
from explainability.case_images import CaseImage, read_case_image, read_mask
from explainability.models import Explanation


def with_spacing(image: CaseImage, facts: Mapping[str, Any]) -> CaseImage:
    """The file's own spacing, else that of the case's facts (one number, or one for each axis)."""
    image = replace(image, unit=str(facts.get("unit", image.unit)))
    given = facts.get("spacing_mm")
    if image.spacing_mm is not None or given is None:
        return image
    axes = 3 if image.is_volume else 2
    steps = [given] * axes if isinstance(given, int | float) else list(given)
    if len(steps) != axes or not all(isinstance(step, int | float) and 0 < step < 1000 for step in steps):
        raise InvalidInput("bad_spacing", f"spacing_mm is {given!r}: give {axes} positive numbers in mm")
    return replace(image, spacing_mm=tuple(float(step) for step in steps))


def prompt_of(facts: Mapping[str, Any]) -> Prompt | None:
    """``prompt`` is a box (x0, y0, x1, y1), or a mapping with ``box``, ``text`` or ``label``; None without one."""
    given = facts.get("prompt", facts.get("box"))
    if not given:
        return None
    if isinstance(given, Mapping):
        text = str(given.get("text", ""))
        box = given.get("box")
        return Prompt(box=_box(box) if box else None, text=text, label=str(given.get("label", "")))
    return Prompt(box=_box(given))


def prompt_for(file: CaseFile, image: CaseImage) -> Prompt | None:
    """The case's prompt; ``organ`` in its facts is the SHA-256 of the artefact with the organ's mask."""
    prompt, sha256 = prompt_of(file.facts), file.facts.get("organ")
    if not sha256:
        return prompt
    artefact = Artefact.objects.filter(organisation=file.organisation, sha256=sha256).first()
    if artefact is None:
        raise InvalidInput("no_image", f"the organ mask {str(sha256)[:12]} of this case is not stored: send it first")
    mask = read_mask(read_artefact(artefact), shape=image.pixels.shape, name="the organ mask")
    return replace(prompt or Prompt(), mask=mask)


def _box(given: Any) -> tuple[float, float, float, float]:
    try:
        x0, y0, x1, y1 = (float(edge) for edge in given)
    except (TypeError, ValueError) as error:
        raise InvalidInput("bad_prompt", f"the box is {given!r}: give four numbers x0, y0, x1, y1") from error
    return x0, y0, x1, y1


def fixed_of(file: CaseFile) -> CaseImage | None:
    """The fixed volume of a registration: ``fixed`` in the facts is the SHA-256 of its artefact."""
    sha256 = file.facts.get("fixed")
    if not sha256:
        return None
    artefact = Artefact.objects.filter(organisation=file.organisation, sha256=sha256).first()
    if artefact is None:
        raise InvalidInput("no_image", f"the fixed volume {str(sha256)[:12]} of this case is not stored: send it first")
    return with_spacing(read_case_image(read_artefact(artefact), name="the fixed volume"), file.facts)


def truth_of(file: CaseFile | None, image: CaseImage) -> NDArray[np.bool_] | None:
    if file is None:
        return None
    shape = image.pixels.shape if image.is_volume else image.pixels.shape[:2]
    return read_mask(read_artefact(file.artefact), shape=shape, name="the reader's mask")


def references_for(explanation: Explanation) -> list[NDArray[Any]]:
    """Images of other cases of the deployment, the oldest first, for methods that compare with them; else none."""
    wanted = EXPLAINERS[explanation.method].facts.get("references", 0)
    if not wanted:
        return []
    others = CaseFile.objects.filter(deployment=explanation.deployment, role=CaseFile.Role.IMAGE)
    rows = others.exclude(case=explanation.case).select_related("artefact").order_by("created_at", "pk")
    return [read_case_image(read_artefact(row.artefact)).pixels for row in rows[:wanted]]
