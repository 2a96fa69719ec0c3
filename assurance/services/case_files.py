"""Images, reader's masks and outputs of cases: arrays in, arrays out, stored by content."""

import io
from typing import Any

import numpy as np
from django.db import transaction
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from assurance.evidence.errors import InvalidInput, Unavailable
from assurance.models import CaseFile, Deployment
from assurance.services.artefacts import read_artefact, store_artefact

ARRAY_TYPE = "application/x-npy"
MOST_VALUES = 512**3


@transaction.atomic
def keep_case_file(
    deployment: Deployment, *, case: str, role: str, values: NDArray[Any], facts: dict[str, Any] | None = None
) -> CaseFile:
    """Store the array of one case (``case`` is its pseudonym). The same role again replaces the pointer, not the bytes.

    ``values`` is (H, W), (H, W, 3) or (D, H, W); ``facts`` holds spacing_mm, box and what else a viewer needs.
    """
    if role not in CaseFile.Role.values:
        raise InvalidInput("unknown_role", f"role {role!r}: choose one of {', '.join(CaseFile.Role.values)}")
    if values.ndim not in (2, 3) or not 0 < values.size <= MOST_VALUES or values.dtype.kind not in "biuf":
        raise InvalidInput(
            "bad_array", f"{role} of shape {values.shape} and type {values.dtype}: give numbers in 2 or 3 dimensions"
        )
    buffer = io.BytesIO()
    np.save(buffer, values, allow_pickle=False)
    artefact = store_artefact(
        buffer.getvalue(), organisation_id=deployment.organisation_id, media_type=ARRAY_TYPE,
        description=f"{role} of case {case[:12]}",
    )  # fmt: skip
    kept, _ = CaseFile.objects.update_or_create(
        deployment=deployment, case=case, role=role,
        defaults={"organisation_id": deployment.organisation_id, "artefact": artefact, "facts": facts or {}},
    )  # fmt: skip
    return kept


def read_case_array(file: CaseFile) -> NDArray[Any]:
    """The array of a case file: NumPy's format, or any plain picture that Pillow reads (as grey values)."""
    content = read_artefact(file.artefact)
    try:
        if file.artefact.media_type == ARRAY_TYPE:
            return np.asarray(np.load(io.BytesIO(content), allow_pickle=False))
        with Image.open(io.BytesIO(content)) as picture:
            return np.asarray(picture.convert("L"))
    except (OSError, ValueError, KeyError, UnidentifiedImageError) as error:
        raise Unavailable("unreadable_file", f"{file} could not be read as an image: {error}") from error


def case_array(deployment: Deployment, case: str, role: str) -> tuple[NDArray[Any], dict[str, Any]] | None:
    """Array and facts of one file of a case; None when it was never sent."""
    file = CaseFile.objects.select_related("artefact").filter(deployment=deployment, case=case, role=role).first()
    return None if file is None else (read_case_array(file), dict(file.facts))
