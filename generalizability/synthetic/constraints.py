"""Generated lesions must be possible: inside their organ, of a plausible size, with plausible grey values."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from assurance.evidence.checks import binary_vector
from assurance.evidence.errors import InvalidInput, NotComputable
from assurance.evidence.finding import Finding
from assurance.metrics.masks import checked_spacing, mask_pair
from assurance.metrics.measured import array_digest, judged, method_record
from assurance.metrics.proportions import wilson


def lesion_facts(
    image: ArrayLike, lesion: ArrayLike, organ: ArrayLike, *, spacing_mm: Sequence[float]
) -> dict[str, float]:
    """Of one generated lesion: share inside the organ, volume (area in 2-D) in ml (mm²), mean grey value.

    ``image``, ``lesion`` and ``organ`` of one shape (H, W) or (D, H, W); masks 0/1.

    Raises NotComputable when the lesion mask is empty (``no_lesion``).
    """
    found, body = mask_pair(lesion, organ)
    values = np.asarray(image, dtype=np.float64)
    if values.shape != found.shape:
        raise InvalidInput("shape_mismatch", f"image {values.shape} and masks {found.shape} differ: give one grid")
    spacing = checked_spacing(spacing_mm, ndim=found.ndim)
    n = int(found.sum())
    if n == 0:
        raise NotComputable("no_lesion", "the lesion mask is empty: there is nothing to check")
    size = n * float(np.prod(spacing))
    return {
        "share_in_organ": int((found & body).sum()) / n,
        "size": size / 1000 if found.ndim == 3 else size,
        "mean_value": float(values[found].mean()),
    }


def constraint_share(
    broken: ArrayLike, *, constraint: str, largest_share: float = 0.05, minimum_cases: int = 50
) -> Finding:
    """Share of generated cases that break one constraint, with Wilson's interval.

    Parameters
    ----------
    broken : array of shape (n,)
        1 where the case breaks it (lesion less than 95 % inside the organ, HU outside the declared range …).
    constraint : str
        What was asked, in words; it is printed.
    largest_share : float
        Declared maximum.

    References
    ----------
    Zamzmi et al. (2025), the seven Cs of synthetic medical data (constraint).
    """
    flags = binary_vector(broken, name="broken")
    if not 0 < largest_share < 1:
        raise InvalidInput("bad_share", f"largest_share is {largest_share}: give a share between 0 and 1")
    share, span = float(flags.mean()), wilson(int(flags.sum()), flags.size)
    too_few = f"{flags.size} cases: {minimum_cases} are needed" if flags.size < minimum_cases else ""
    state, reason = judged(share, span, limit=largest_share, higher_is_better=False, too_few=too_few)
    return Finding(
        quantity="constraint_broken_share",
        signal=constraint,
        value=share,
        unit="1",
        state=state,
        reason=reason,
        n_cases=flags.size,
        interval=span,
        minimum_n=minimum_cases,
        method=method_record(
            "constraint_broken_share", "generalizability.synthetic.constraints:constraint_share",
            largest_share=largest_share,
        ),
        input_digest=array_digest(broken=flags),
        details={"n_broken": int(flags.sum()), "criterion": "constraint"},
    )  # fmt: skip
