"""Versions registered through a page with an uploaded weights file, which only a worker opens."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from assurance.evidence.errors import InvalidInput, Unavailable
from assurance.jobs import start_job
from assurance.models import Model, ModelVersion, VersionRequest
from assurance.services.registry import check_version, register_version
from records.actor import Actor
from records.services import record_event

LOOK_AT_WEIGHTS = "assurance.look_at_weights"
ENDINGS = (".safetensors", ".pt", ".pth", ".ts", ".onnx", ".bin", ".ckpt", ".trch")


def ask_version(
    *, model: Model, content: dict[str, Any], base: ModelVersion | None, file_name: str, pieces: Iterable[bytes],
    by: Actor,
) -> VersionRequest:  # fmt: skip
    """Keep the uploaded file unopened and leave it to a worker; what can be said without the file is said at once.

    Raises
    ------
    InvalidInput
        As :func:`~assurance.services.registry.register_version` for the words of the form; ``file_kind``,
        ``too_large``, ``empty_file``.
    """
    suffix = Path(file_name).suffix.lower()
    if suffix not in ENDINGS:
        raise InvalidInput("file_kind", f"{file_name}: weights end in {', '.join(ENDINGS)}")
    check_version(model=model, base=base, **{name: content[name] for name in CHECKED if name in content})
    request = VersionRequest(
        model=model, content=content, base=base, file_name=file_name[:200], author_id=by.person_id or 0, role=by.role
    )
    path = path_of(request)
    request.file_bytes = _keep(path, pieces, file_name)
    try:
        with transaction.atomic():
            request.save(force_insert=True)
            record_event(
                action="version.ask", subject=model, by=by,
                new={"version": content["version"], "file": file_name, "bytes": request.file_bytes},
            )  # fmt: skip
            start_job(
                LOOK_AT_WEIGHTS, queue="inference", title=f"Check the weights of {request}",
                arguments={"request_id": str(request.pk)}, organisation_id=model.organisation_id,
            )  # fmt: skip
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    return request


CHECKED = ("version", "adapter_key", "licence", "container_digest")


def path_of(request: VersionRequest) -> Path:
    """Beside the weights that are kept, under a name that no upload chooses."""
    return Path(settings.WEIGHTS_DIR) / "arriving" / f"{request.pk}{Path(request.file_name).suffix.lower()}"


def _keep(path: Path, pieces: Iterable[bytes], file_name: str) -> int:
    path.parent.mkdir(parents=True, exist_ok=True)
    size = 0
    try:
        with path.open("wb") as file:
            for piece in pieces:
                size += len(piece)
                if size > settings.WEIGHTS_LIMIT_BYTES:
                    raise InvalidInput(
                        "too_large", f"{file_name} has more than {settings.WEIGHTS_LIMIT_BYTES} bytes: register it by "
                        "its SHA-256 and copy the file to the workers",
                    )  # fmt: skip
                file.write(piece)
        if not size:
            raise InvalidInput("empty_file", f"{file_name} is empty: choose the weights file")
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    return size


def look_at_weights(request_id: UUID | str) -> VersionRequest:
    """Settle one request: registered, or refused with the reason. A settled one is left as it is."""
    with transaction.atomic():
        request = VersionRequest.objects.select_for_update(of=("self",)).select_related("model", "base").get(
            pk=request_id
        )  # fmt: skip
        if request.status != VersionRequest.Status.WAITING:
            return request
        path = path_of(request)
        if not path.is_file():
            raise Unavailable("file_away", f"the uploaded file of {request} is not at {path.parent} on this machine")
        by = Actor(request.author_id, request.model.organisation_id, request.role)
        try:
            with transaction.atomic():
                request.result = register_version(
                    model=request.model, base=request.base, weights=path, by=by, **request.content
                )
            request.status = VersionRequest.Status.REGISTERED
        except InvalidInput as refusal:
            request.status = VersionRequest.Status.REFUSED
            request.reason = refusal.message.replace(path.name, request.file_name)
            record_event(
                action="version.refuse", subject=request.model, by=by, reason=request.reason,
                new={"version": request.content["version"], "file": request.file_name, "code": refusal.code},
            )  # fmt: skip
        request.settled_at = timezone.now()
        request.save()
    path.unlink(missing_ok=True)
    return request
