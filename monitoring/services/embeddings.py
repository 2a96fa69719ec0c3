"""Embeddings of case images by the deployment's own model, on the queue that has torch; added to the cases' rows."""

import hashlib
import io
from typing import Any

import numpy as np

from assurance.adapters.catalogue import ADAPTERS
from assurance.evidence.errors import InvalidInput, NotComputable
from assurance.jobs import start_job
from assurance.models import CaseFile, Deployment
from assurance.services.artefacts import read_artefact
from assurance.services.weights import weights_path
from monitoring.intake.json_rows import columns_of_rows
from monitoring.models import PredictionBatch
from monitoring.services.images import stored_row
from monitoring.services.intake import accept_columns

EMBED = "monitoring.embed_images"
PICTURES = ("image/png",)


def start_embedding(deployment: Deployment, files: list[CaseFile]) -> bool:
    """Queue the embedding of these images when the deployment's version has an adapter that can run here."""
    pictures = [file.pk for file in files if file.artefact.media_type in PICTURES]
    if not pictures or deployment.version.adapter_key not in ADAPTERS:
        return False
    start_job(
        EMBED, queue="inference", title=f"Embeddings of {len(pictures)} images of {deployment}",
        arguments={"case_file_ids": pictures}, organisation_id=deployment.organisation_id,
    )  # fmt: skip
    return True


def embed_images(case_file_ids: list[int]) -> PredictionBatch | None:
    """One vector for each image, in half precision beside its case's row. Again with the same images changes nothing.

    Raises
    ------
    NotComputable
        What the adapter cannot do, such as ``no_layer``; ``no_adapter`` when the version has none.
    """
    files = list(CaseFile.objects.filter(pk__in=case_file_ids).select_related("artefact", "deployment__version__model"))
    if not files:
        return None
    deployment = files[0].deployment
    version = deployment.version
    if version.adapter_key not in ADAPTERS:
        raise NotComputable("no_adapter", f"{version} has no adapter: its images cannot be embedded here")
    model: Any = ADAPTERS.load(version.adapter_key)(weights_path(version), sha256=version.weights_sha256)
    rows = []
    for file in files:
        row = stored_row(deployment, file.case)
        if row is not None:
            vector = model.embed(_picture(read_artefact(file.artefact)))
            rows.append({
                "case_id": file.case, "study_time": row.study_time, "site": row.site,
                "embedding": np.asarray(vector, dtype=np.float16).astype(float).tolist(),
            })  # fmt: skip
    if not rows:
        return None
    named = f"{version.weights_sha256} {' '.join(sorted(file.artefact.sha256 + file.case for file in files))}"
    sha256 = hashlib.sha256(named.encode()).hexdigest()
    return accept_columns(
        deployment, pieces=iter([columns_of_rows(rows, [])]), sha256=sha256, size=0, media_type="embedding",
        door="file", named=False, idempotency_key=f"embeddings:{sha256}",
    )  # fmt: skip


def _picture(content: bytes) -> Any:
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(io.BytesIO(content)) as picture:
            return np.asarray(picture.convert("L"))
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError) as error:
        raise InvalidInput("unreadable", f"the file is no PNG: {error}") from error
