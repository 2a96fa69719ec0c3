"""Dice and intersection over union of two masks of one structure."""

from __future__ import annotations

from numpy.typing import ArrayLike

from assurance.evidence.finding import Finding
from assurance.metrics.masks import mask_finding, mask_pair
from assurance.metrics.measured import method_record


def dice(reference: ArrayLike, prediction: ArrayLike) -> Finding:
    """Dice coefficient 2|A∩B|/(|A|+|B|), 0..1.

    Both masks empty = 1 and marked in ``details["empty"]``; one empty = 0. Refused: masks that are not 0/1 or of
    different shape.

    References
    ----------
    Dice (1945), Ecology 26:297. Maier-Hein & Reinke et al. (2024), Nature Methods 21:195.
    """
    truth, found = mask_pair(reference, prediction)
    both = int(truth.sum()) + int(found.sum())
    value = 2 * int((truth & found).sum()) / both if both else 1.0
    method = method_record("dice", "assurance.metrics.mask_overlap:dice", both_empty=1.0)
    return mask_finding("dice", value, unit="1", reference=truth, prediction=found, method=method)


def iou(reference: ArrayLike, prediction: ArrayLike) -> Finding:
    """Intersection over union |A∩B|/|A∪B|, 0..1; empty masks as in :func:`dice`.

    References
    ----------
    Jaccard (1912), New Phytologist 11:37.
    """
    truth, found = mask_pair(reference, prediction)
    union = int((truth | found).sum())
    value = int((truth & found).sum()) / union if union else 1.0
    method = method_record("iou", "assurance.metrics.mask_overlap:iou", both_empty=1.0)
    return mask_finding("iou", value, unit="1", reference=truth, prediction=found, method=method)
