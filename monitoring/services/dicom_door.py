"""DICOM objects through the door: read one by one, each answered for, their values as rows of their cases."""

import hashlib
import math
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, BinaryIO

import numpy as np
from django.conf import settings
from django.db import transaction
from django.utils import timezone

from accounts.models import ApiToken
from assurance.evidence.errors import InvalidInput
from assurance.jobs import start_job
from assurance.models import CaseFile, Deployment
from assurance.services.artefacts import store_artefact
from assurance.services.pseudonyms import pseudonym
from monitoring.intake.columns import Refused
from monitoring.intake.dicom.objects import StudyPart, read_object
from monitoring.intake.image_quality import COLUMNS, quality_panel
from monitoring.intake.json_rows import columns_of_rows
from monitoring.models import CasePlace, Prediction, PredictionBatch, StudyObject
from monitoring.services import spool
from monitoring.services.embeddings import start_embedding
from monitoring.services.intake import accept_columns

MEASURE = "monitoring.measure_images"
MEDIA_TYPE = "application/dicom"
MOST_OBJECTS = 5_000


@dataclass
class DicomOutcome:
    """``failed`` says for each object that did not go in why; defects of those that did stand with the objects."""

    batch: PredictionBatch | None = None
    stored: list[StudyPart] = field(default_factory=list)
    known: list[StudyPart] = field(default_factory=list)
    failed: list[tuple[StudyPart, InvalidInput]] = field(default_factory=list)


def accept_objects(
    deployment: Deployment, sources: Iterable[BinaryIO], *, site: str = "", door: str = "dicom",
    token: ApiToken | None = None,
) -> DicomOutcome:  # fmt: skip
    """Take DICOM objects in. An object that is known by its instance is not taken twice.

    Raises
    ------
    InvalidInput
        ``no_objects`` without any, ``too_many_objects``, ``deployment_retired``.
    """
    outcome = DicomOutcome()
    parts: list[tuple[StudyPart, BinaryIO]] = []
    frames: dict[str, str] = {}
    waiting: list[BinaryIO] = []
    digest = hashlib.sha256()
    for source in sources:
        waiting.append(source)
        if len(waiting) > MOST_OBJECTS:
            raise InvalidInput("too_many_objects", f"more than {MOST_OBJECTS} objects: send the study in parts")
    if not waiting:
        raise InvalidInput("no_objects", "the delivery holds no DICOM object")
    size = 0
    for source in _images_first(waiting):
        size += _digest(source, digest)
        part = read_object(source, frames_of_reference=frames)
        if part.kind == "image" and part.frame_of_reference and part.refusal is None:
            frames.setdefault(part.values["case_id"], part.frame_of_reference)
        parts.append((part, source))
    kept: list[int] = []
    try:
        _store(
            deployment, parts, outcome, kept, sha256=digest.hexdigest(), size=size, site=site, door=door, token=token
        )
    except BaseException:
        for key in kept:  # what the transaction did not keep must not lie on the disk either
            spool.drop_object(key)
        raise
    return outcome


def _sorted(
    deployment: Deployment, parts: list[tuple[StudyPart, BinaryIO]], outcome: DicomOutcome
) -> list[tuple[StudyPart, BinaryIO]]:
    """Those that are new; the caller holds the deployment's row, so that none comes in twice at once."""
    fresh: dict[str, tuple[StudyPart, BinaryIO]] = {}
    for part, source in parts:
        instance = pseudonym(deployment.organisation_id, part.sop_instance)
        if part.refusal is not None:
            outcome.failed.append((part, part.refusal))
        elif instance in fresh or StudyObject.objects.filter(deployment=deployment, instance=instance).exists():
            outcome.known.append(part)
        else:
            fresh[instance] = (part, source)
    return list(fresh.values())


def _images_first(sources: list[BinaryIO]) -> Iterator[BinaryIO]:
    """Images say in which frame of reference a study lies, so masks are read after them."""
    import pydicom

    later = []
    for source in sources:
        try:
            head = pydicom.dcmread(source, specific_tags=["SOPClassUID"], stop_before_pixels=True)
            mask = str(head.get("SOPClassUID", "")).startswith("1.2.840.10008.5.1.4.1.1.66")
        except Exception:  # what is wrong with it is told when it is read
            mask = False
        source.seek(0)
        if mask:
            later.append(source)
        else:
            yield source
    yield from later


def _digest(source: BinaryIO, digest: Any) -> int:
    size = 0
    while piece := source.read(2**20):
        digest.update(piece)
        size += len(piece)
    source.seek(0)
    return size


@transaction.atomic
def _store(
    deployment: Deployment, parts: list[tuple[StudyPart, BinaryIO]], outcome: DicomOutcome, images: list[int], *,
    sha256: str, size: int, site: str, door: str, token: ApiToken | None,
) -> None:  # fmt: skip
    Deployment.objects.select_for_update(of=("self",)).get(pk=deployment.pk)
    fresh = _sorted(deployment, parts, outcome)
    if not fresh and not outcome.failed:
        return
    rows, numbers = _rows_by_case(fresh, site)
    refused = [
        Refused(at, "", refusal.code, refusal.message) for at, (_, refusal) in enumerate(outcome.failed, len(rows) + 1)
    ]
    columns = columns_of_rows(rows, refused)
    batch = accept_columns(
        deployment, pieces=iter([columns]), sha256=sha256, size=size, media_type=MEDIA_TYPE, door=door, token=token,
        idempotency_key=f"objects:{uuid.uuid4()}",  # objects are known by their instance, not by their delivery
    )  # fmt: skip
    outcome.batch = batch
    lost = {reject.row: reject for reject in batch.rejects.all()}
    for part, source in fresh:
        reject = lost.get(numbers[part.values["case_id"]])
        if reject is not None:
            outcome.failed.append((part, InvalidInput(reject.code, reject.reason)))
            continue
        outcome.stored.append(part)
        kept = _keep(batch, part)
        if part.kind == "image" and not _without_pixels(part):
            source.seek(0)
            images.append(kept.pk)
            spool.keep_object(kept.pk, source)
    _count_removed(batch, [part for part, _ in fresh])
    if settings.INTAKE_EMBED_IMAGES:
        cases = {pseudonym(deployment.organisation_id, part.values["case_id"]) for part in outcome.stored}
        pictures = CaseFile.objects.filter(deployment=deployment, role=CaseFile.Role.IMAGE, case__in=cases)
        start_embedding(deployment, list(pictures.select_related("artefact")))
    if images:
        start_job(
            MEASURE, queue="ingest", title=f"Image quality of {len(images)} images of {deployment}",
            arguments={"batch_id": str(batch.pk)}, organisation_id=deployment.organisation_id,
        )  # fmt: skip


def _without_pixels(part: StudyPart) -> bool:
    return any(defect.code == "no_pixel_data" for defect in part.reading.defects)


def _rows_by_case(fresh: list[tuple[StudyPart, BinaryIO]], site: str) -> tuple[list[dict[str, Any]], dict[str, int]]:
    """One row for each study: its objects add their columns; where two say different things the first stands."""
    rows: dict[str, dict[str, Any]] = {}
    for part, _ in fresh:
        row = rows.setdefault(part.values["case_id"], {"site": site} if site else {})
        for name, value in part.values.items():
            if row.get(name) is None:
                row[name] = value
            elif not _agree(row[name], value) and name != "study_time":
                part.reading.odd("differs", name, f"{name} differs from another object of the study")
    return list(rows.values()), {case: at for at, case in enumerate(rows, start=1)}


def _agree(first: Any, second: Any) -> bool:
    numbers = isinstance(first, int | float) and isinstance(second, int | float)
    return math.isclose(first, second, rel_tol=1e-3) if numbers else bool(first == second)


def _keep(batch: PredictionBatch, part: StudyPart) -> StudyObject:
    organisation = batch.organisation_id
    case = pseudonym(organisation, part.values["case_id"])
    artefact = None
    if part.reading.picture is not None:
        artefact = store_artefact(
            part.reading.picture, organisation_id=organisation, media_type=part.reading.picture_type,
            description=f"{part.kind} of a study",
        )  # fmt: skip
        role = CaseFile.Role.IMAGE if part.kind == "image" else CaseFile.Role.OUTPUT
        facts = {"kind": part.kind, **part.reading.facts}
        CaseFile.objects.get_or_create(
            deployment=batch.deployment, case=case, role=role,
            defaults={"organisation_id": organisation, "artefact": artefact, "facts": facts},
        )  # fmt: skip
    return StudyObject.objects.create(
        organisation_id=organisation, deployment=batch.deployment, batch=batch, case=case, kind=part.kind,
        instance=pseudonym(organisation, part.sop_instance), artefact=artefact,
        frame_of_reference=pseudonym(organisation, part.frame_of_reference) if part.frame_of_reference else "",
        defects=[defect.as_dict() for defect in part.reading.defects],
    )  # fmt: skip


def _count_removed(batch: PredictionBatch, parts: list[StudyPart]) -> None:
    for part in parts:
        for what, n in part.reading.removed.items():
            batch.removed[what] = batch.removed.get(what, 0) + n
    batch.save(update_fields=("removed",))


def measure_images(batch_id: Any) -> int:
    """Compute the quality panel of a delivery's images, once each, and add it to their cases; how many were measured.

    Several images of a case give the median of each value. Kept objects are dropped afterwards.
    """
    batch = PredictionBatch.objects.select_related("deployment__version__model").get(pk=batch_id)
    waiting = list(batch.study_objects.filter(kind="image", measured_at=None).order_by("pk"))
    found: dict[str, tuple[dict[str, Any], list[dict[str, float]]]] = {}
    for one in waiting:
        with spool.opened_object(one.pk) as source:
            if source is None:
                continue
            identity, values = _measured(source)
        if values:
            found.setdefault(identity["case_id"], (identity, []))[1].append(values)
    rows = [
        {**identity, **{name: float(np.median([one[name] for one in many if name in one])) for name in COLUMNS
                        if any(name in one for one in many)}}
        for identity, many in found.values()
    ]  # fmt: skip
    if rows:
        sites = dict(batch.deployment.sites.values_list("code", "name"))
        if len(sites) > 1:
            rows = _placed(batch, rows)
        sha256 = hashlib.sha256(f"quality of {batch.pk}".encode()).hexdigest()
        accept_columns(
            batch.deployment, pieces=iter([columns_of_rows(rows, [])]), sha256=sha256,
            size=0, media_type=MEDIA_TYPE, door="dicom", idempotency_key=f"quality:{batch.pk}",
        )  # fmt: skip
    StudyObject.objects.filter(pk__in=[one.pk for one in waiting]).update(measured_at=timezone.now())
    for one in waiting:
        spool.drop_object(one.pk)
    return sum(len(many) for _, many in found.values())


def _placed(batch: PredictionBatch, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The site that the case's stored row has: the image itself does not know the deployment's codes."""
    names = {pseudonym(batch.organisation_id, str(row["case_id"])): row for row in rows}
    places = CasePlace.objects.filter(deployment=batch.deployment, case__in=list(names))
    for case, study_time in places.values_list("case", "study_time"):
        row = Prediction.objects.filter(deployment=batch.deployment, study_time=study_time, case=case).first()
        if row is not None:
            names[case]["site"] = row.site
    return [row for row in rows if row.get("site")]


def _measured(source: BinaryIO) -> tuple[dict[str, Any], dict[str, float]]:
    import pydicom

    from monitoring.intake.dicom.header import case_values, plain
    from monitoring.intake.dicom.pictures import MOST_PIXELS
    from monitoring.intake.dicom.reading import Reading

    reading = Reading()
    dataset = pydicom.dcmread(source, stop_before_pixels=True)
    case_values(dataset, reading)
    identity = {name: reading.values[name] for name in ("case_id", "patient_id", "study_time")}
    rows, columns = int(dataset.get("Rows", 0) or 0), int(dataset.get("Columns", 0) or 0)
    if not 0 < rows * columns <= MOST_PIXELS or int(dataset.get("SamplesPerPixel", 1) or 1) != 1:
        return identity, {}
    slope, intercept = (float(plain(dataset, name) or default) for name, default in
                        (("RescaleSlope", 1), ("RescaleIntercept", 0)))  # fmt: skip

    def slices() -> Iterator[Any]:
        from pydicom.pixels import iter_pixels

        source.seek(0)
        for frame in iter_pixels(source):
            yield frame if (slope, intercept) == (1.0, 0.0) else frame * slope + intercept

    try:
        depth = int(dataset.get("BitsStored", 0) or 0)
        return identity, quality_panel(slices, bit_depth=depth or None)
    except Exception:  # pixels that cannot be decoded: the object keeps its defect, the case stays without a panel
        return identity, {}
