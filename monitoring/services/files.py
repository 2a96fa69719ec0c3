"""Files on this machine: which door each goes through, told by its ending."""

from pathlib import Path

from assurance.evidence.errors import InvalidInput
from assurance.models import Deployment
from monitoring.intake.formats import ENDINGS, MEDIA_TYPE, MOST_JSON_BYTES, PACKED_ENDINGS
from monitoring.models import PredictionBatch
from monitoring.services.dicom_door import accept_objects
from monitoring.services.fhir_door import accept_bundle
from monitoring.services.images import accept_image, image_type
from monitoring.services.intake import Progress, accept_file


def is_readable(path: Path) -> bool:
    return _table_format(path) is not None or is_dicom(path) or bool(image_type(path))


def _measured(deployment: Deployment, path: Path) -> list[PredictionBatch]:
    """The image is kept; the rows that its task will add are not there yet, so nothing is told of them."""
    accept_image(deployment, path)
    return []


def is_fhir(path: Path) -> bool:
    """A JSON file that starts as an object with a resourceType; a list of rows starts with a bracket."""
    if path.suffix.lower() != ".json":
        return False
    with path.open("rb") as file:
        start = file.read(4096).lstrip()
    return start.startswith(b"{") and b'"resourceType"' in start


def is_dicom(path: Path) -> bool:
    """By its ending, or by the mark that stands 128 bytes into a file of Part 10."""
    if path.suffix.lower() in (".dcm", ".dicom"):
        return True
    if path.suffix:
        return False
    with path.open("rb") as file:
        file.seek(128)
        return file.read(4) == b"DICM"


def ingest_file(
    deployment: Deployment, path: Path, *, purpose: str = "monitoring", door: str = "file",
    progress: Progress = lambda done, of, step: None,
) -> list[PredictionBatch]:  # fmt: skip
    """Take one file in; the batches that came of it.

    Raises
    ------
    InvalidInput
        ``unknown_format``, or what its reader refuses as a whole.
    """
    if is_dicom(path):
        with path.open("rb") as source:
            outcome = accept_objects(deployment, [source], door=door)
        return [outcome.batch] if outcome.batch else []
    if image_type(path):
        return _measured(deployment, path)
    if is_fhir(path):
        if path.stat().st_size > MOST_JSON_BYTES:
            raise InvalidInput("too_large", f"{path.name} has more than {MOST_JSON_BYTES} bytes: send it in parts")
        return [accept_bundle(deployment, content=path.read_bytes(), door=door).batch]
    table = _table_format(path)
    if table is None:
        raise InvalidInput("unknown_format", f"{path.name} ends in {path.suffix!r}: give {', '.join(ENDINGS)}")
    media_type, encoding = table
    return [
        accept_file(
            deployment, path, media_type=media_type, encoding=encoding, purpose=purpose, door=door, progress=progress
        )
    ]


def _table_format(path: Path) -> tuple[str, str] | None:
    encoding = PACKED_ENDINGS.get(path.suffix.lower(), "")
    kind = ENDINGS.get((Path(path.stem) if encoding else path).suffix.lower())
    return (MEDIA_TYPE[kind], encoding) if kind else None
