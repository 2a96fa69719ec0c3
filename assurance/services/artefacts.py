"""Files by content, in the artefact storage of the instance."""

import hashlib

from django.core.files.base import ContentFile
from django.core.files.storage import default_storage

from assurance.evidence.errors import Unavailable
from assurance.models import Artefact


def address(sha256: str) -> str:
    """Two levels of folders, so that no folder grows beyond what a file system likes."""
    return f"{sha256[:2]}/{sha256[2:4]}/{sha256}"


def store_artefact(content: bytes, *, organisation_id: int, media_type: str, description: str = "") -> Artefact:
    """Keep ``content`` under its SHA-256. Equal bytes of one organisation are one artefact."""
    sha256 = hashlib.sha256(content).hexdigest()
    if not default_storage.exists(address(sha256)):
        default_storage.save(address(sha256), ContentFile(content))
    artefact, _ = Artefact.objects.get_or_create(
        organisation_id=organisation_id,
        sha256=sha256,
        defaults={"media_type": media_type, "size": len(content), "description": description[:200]},
    )
    return artefact


def read_artefact(artefact: Artefact) -> bytes:
    """The bytes, checked against their name: a changed file is refused, not shown."""
    try:
        with default_storage.open(address(artefact.sha256)) as file:
            content = bytes(file.read())
    except OSError as error:
        raise Unavailable("artefact_away", f"the file of artefact {artefact} could not be read: {error}") from error
    if hashlib.sha256(content).hexdigest() != artefact.sha256:
        raise Unavailable("artefact_changed", f"the file of artefact {artefact} no longer has its SHA-256: restore it")
    return content
