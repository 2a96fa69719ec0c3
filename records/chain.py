"""The hash chain over all events, as arithmetic: the same here, in the export and in the verifier of a dossier."""

import hashlib
from typing import Any

from records.canonical import content_hash

FIRST = "0" * 64


def event_sha256(content: dict[str, Any]) -> str:
    return content_hash(content)


def link_sha256(*, previous: str, position: int, event: str) -> str:
    """SHA-256 of ``previous:position:event`` in ASCII: simple enough to check with any tool."""
    return hashlib.sha256(f"{previous}:{position}:{event}".encode()).hexdigest()
