"""Does the relevance lie where the finding lies?"""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from assurance.evidence.errors import NotComputable
from assurance.evidence.finding import Finding
from explainability.faithfulness.graded import Graded, answer, strength

MARGIN_MM = 10.0


def pointing_game(graded: Graded, *, seed: int = 0) -> Finding:
    """1 where the strongest pixel lies inside the mask, else 0. By chance it does so in the mask's share of the image.

    References
    ----------
    Zhang et al. (2018), Top-down neural attention by excitation backprop, IJCV, arXiv:1608.00507.
    """
    region, values = graded.region_needed(), strength(graded.attribution)
    hit = bool(region.flat[int(np.argmax(values))])
    return answer(graded, "pointing_game", float(hit), passed=hit, details=_about(graded))


def relevance_mass(graded: Graded, *, seed: int = 0) -> Finding:
    """Share of the positive relevance inside the mask; passes above the mask's share of the image.

    References
    ----------
    Arras, Osman & Samek (2022), CLEVR-XAI, Information Fusion 81:14–40, arXiv:2003.07258.
    """
    region, values = graded.region_needed(), strength(graded.attribution)
    value = float(values[region].sum(dtype=np.float64) / values.sum(dtype=np.float64))
    return answer(graded, "relevance_mass", value, passed=value > region.mean(), details=_about(graded))


def relevance_rank(graded: Graded, *, seed: int = 0) -> Finding:
    """Share of the mask's number of strongest pixels that lie inside it; passes above the mask's share of the image.

    References
    ----------
    Arras, Osman & Samek (2022), CLEVR-XAI, Information Fusion 81:14–40, arXiv:2003.07258.
    """
    region, values = graded.region_needed(), strength(graded.attribution)
    size = int(region.sum())
    top = np.argpartition(-values.ravel(), size - 1)[:size]
    value = float(region.ravel()[top].mean())
    return answer(graded, "relevance_rank", value, passed=value > region.mean(), details=_about(graded))


def leakage(graded: Graded, *, seed: int = 0, margin_mm: float = MARGIN_MM) -> Finding:
    """Share of the positive relevance outside the mask grown by ``margin_mm``; reported, no limit.

    Raises
    ------
    NotComputable
        ``no_region``; ``spacing_missing``, since a margin in mm needs the pixel size.

    References
    ----------
    Vinogradova, Dibrov & Myers (2020), AAAI, arXiv:2002.11434 (relevance outside the segmented object).
    """
    region, values = graded.region_needed(), strength(graded.attribution)
    if graded.spacing_mm is None:
        raise NotComputable("spacing_missing", "the pixel size in mm is not known: a margin in mm cannot be drawn")
    distance = ndimage.distance_transform_edt(~region, sampling=graded.spacing_mm)
    near = distance <= margin_mm
    value = float(values[~near].sum(dtype=np.float64) / values.sum(dtype=np.float64))
    details = {**_about(graded), "area_share_outside": float((~near).mean())}
    return answer(graded, "leakage", value, passed=None, details=details, parameters={"margin_mm": margin_mm})


def _about(graded: Graded) -> dict[str, float | str]:
    region = graded.region_needed()
    return {"mask": graded.region_name, "area_share": float(region.mean())}
