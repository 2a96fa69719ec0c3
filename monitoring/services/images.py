"""PNG and NIfTI files named by their case: kept as the case's image, measured once by a task."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from django.db import transaction

from assurance.evidence.errors import InvalidInput
from assurance.jobs import start_job
from assurance.models import CaseFile, Deployment
from assurance.services.artefacts import read_artefact, store_artefact
from assurance.services.pseudonyms import pseudonym
from monitoring.intake.image_quality import Slices, quality_panel
from monitoring.intake.json_rows import columns_of_rows
from monitoring.intake.unpack import unpacked
from monitoring.models import CasePlace, Prediction, PredictionBatch
from monitoring.services.intake import accept_columns

MEASURE = "monitoring.measure_case_image"
ENDINGS = {".png": "image/png", ".nii": "application/x-nifti", ".nii.gz": "application/x-nifti+gzip"}
MOST_BYTES = 2**30
MOST_PIXELS = 2**26
MOST_VOLUME_BYTES = 2**31  # of a NIfTI file once it is unpacked


def image_type(path: Path) -> str:
    """The media type by the file's ending, or ""."""
    name = path.name.lower()
    return next((kind for ending, kind in ENDINGS.items() if name.endswith(ending)), "")


@transaction.atomic
def accept_image(deployment: Deployment, path: Path) -> CaseFile:
    """Keep the image of a case whose prediction is in; its name without ending is the case's.

    Raises
    ------
    InvalidInput
        ``unknown_case`` when no prediction of this case is in, ``too_large``.
    """
    name = path.name[: -len(next(ending for ending in ENDINGS if path.name.lower().endswith(ending)))]
    case = pseudonym(deployment.organisation_id, name)
    if not CasePlace.objects.filter(deployment=deployment, version_id=deployment.version_id, case=case).exists():
        raise InvalidInput("unknown_case", f"{path.name}: no prediction of case {name!r} is in; send the rows first")
    if path.stat().st_size > MOST_BYTES:
        raise InvalidInput("too_large", f"{path.name} has {path.stat().st_size} bytes: at most {MOST_BYTES}")
    artefact = store_artefact(
        path.read_bytes(), organisation_id=deployment.organisation_id, media_type=image_type(path),
        description="image of a case",
    )  # fmt: skip
    file, _ = CaseFile.objects.update_or_create(
        deployment=deployment, case=case, role=CaseFile.Role.IMAGE,
        defaults={"organisation_id": deployment.organisation_id, "artefact": artefact},
    )  # fmt: skip
    start_job(
        MEASURE, queue="ingest", title=f"Image quality of a case of {deployment}",
        arguments={"case_file_id": file.pk}, organisation_id=deployment.organisation_id,
    )  # fmt: skip
    return file


def measure_case_image(case_file_id: int) -> PredictionBatch | None:
    """Add the quality panel of a kept image to its case's row. The same image again changes nothing."""
    file = CaseFile.objects.select_related("artefact", "deployment__version__model").get(pk=case_file_id)
    deployment = file.deployment
    row = stored_row(deployment, file.case)
    if row is None:
        return None
    panel = quality_panel(slices_of(read_artefact(file.artefact), file.artefact.media_type))
    values: dict[str, Any] = {"case_id": file.case, "study_time": row.study_time, "site": row.site, **panel}
    return accept_columns(
        deployment, pieces=iter([columns_of_rows([values], [])]), sha256=file.artefact.sha256, size=file.artefact.size,
        media_type=file.artefact.media_type, door="file", named=False,
        idempotency_key=f"quality:{file.case}:{file.artefact.sha256[:32]}",
    )  # fmt: skip


def stored_row(deployment: Deployment, case: str) -> Prediction | None:
    """The current row of a case, by its pseudonym, under the deployment's version."""
    here = {"deployment": deployment, "version_id": deployment.version_id, "case": case}
    place = CasePlace.objects.filter(**here).first()
    return Prediction.objects.filter(**here, study_time=place.study_time).first() if place else None


def slices_of(content: bytes, media_type: str) -> Slices:
    """The image as a function that gives its slices one at a time.

    Raises
    ------
    InvalidInput
        ``unreadable`` for bytes that are no such image, ``too_large`` beyond the pixels of a slice.
    """
    return _png(content) if media_type == "image/png" else _nifti(content, packed=media_type.endswith("gzip"))


def _png(content: bytes) -> Slices:
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(io.BytesIO(content)) as picture:
            if picture.width * picture.height > MOST_PIXELS:
                raise InvalidInput("too_large", f"the picture has {picture.width} x {picture.height} pixels")
            array = np.asarray(picture if picture.mode in ("L", "I;16", "I") else picture.convert("L"))
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError) as error:
        raise InvalidInput("unreadable", f"the file is no PNG: {error}") from error
    return lambda: iter(array[None])


def _nifti(content: bytes, *, packed: bool) -> Slices:
    """Read from the bytes slice by slice, whatever the volume's size."""
    import nibabel

    with _readable("NIfTI"):
        if packed:
            content = unpacked(io.BytesIO(content), encoding="gzip", most=MOST_VOLUME_BYTES).read()
        image = nibabel.Nifti1Image.from_bytes(content)
        shape = image.shape[:3]
        if len(shape) < 2 or not 0 < shape[0] * shape[1] <= MOST_PIXELS:
            raise InvalidInput("too_large", f"the volume has slices of {shape} voxels")

    def slices() -> Iterator[Any]:
        with _readable("NIfTI"):
            if len(shape) == 2:
                yield np.asarray(image.dataobj)
                return
            for place in range(shape[2]):
                plane = np.asarray(image.dataobj[:, :, place])
                yield plane if plane.ndim == 2 else plane[..., 0]

    return slices


@contextmanager
def _readable(kind: str) -> Iterator[None]:
    """A damaged file breaks its reader wherever it is damaged: that is told as what it is."""
    try:
        yield
    except InvalidInput:
        raise
    except Exception as error:
        raise InvalidInput("unreadable", f"the file is no {kind}: {type(error).__name__}: {error}"[:300]) from error
