"""A map for other programs: PNG and NumPy as stored, NIfTI on the image's grid, DICOM."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import nibabel
import numpy as np
from PIL import Image
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.uid import UID

from assurance.models import CaseFile
from assurance.services.artefacts import read_artefact
from explainability.case_images import CaseImage
from explainability.faithfulness.caution import CAUTION
from explainability.models import Explanation
from explainability.services.map_files import unpack_map
from explainability.services.viewer_data import frame_of


@dataclass(frozen=True)
class Export:
    ending: str
    media_type: str
    title: str


EXPORTS = {
    "png": Export(".png", "image/png", "PNG overlay"),
    "npz": Export(".npz", "application/octet-stream", "NumPy map"),
    "nifti": Export(".nii.gz", "application/gzip", "NIfTI map"),
    "dicom": Export(".dcm", "application/dicom", "DICOM"),
}


def export_map(explanation: Explanation, kind: str) -> bytes:
    file = CaseFile.objects.select_related("artefact").get(
        deployment=explanation.deployment, case=explanation.case, role=CaseFile.Role.IMAGE
    )
    if explanation.map_file is None or explanation.overlay is None:
        raise ValueError("an explanation without a map cannot be exported")
    values, _, facts = unpack_map(read_artefact(explanation.map_file))
    if kind == "nifti":
        return nifti_map(values, frame_of(explanation, file), facts)
    content = read_artefact(file.artefact)
    uids = _uids(explanation)
    if content[128:132] == b"DICM" and values.ndim == 2:
        source = dcmread(io.BytesIO(content))
        if {"FrameOfReferenceUID", "ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing"} <= set(
            source.dir()
        ):
            return parametric_map(values, [source], facts, uids)
    return secondary_capture(read_artefact(explanation.overlay), explanation, uids)


def nifti_map(values: np.ndarray, image: CaseImage, facts: dict[str, Any]) -> bytes:
    """Float32 in the map's unit; a plane becomes a volume of one slice, its first axis across."""
    if values.ndim == 2:
        down, across = image.spacing_mm or (1.0, 1.0)
        volume, affine = values.T[..., None], np.diag([-across, -down, 1.0, 1.0])
    else:
        volume = values
        affine = image.affine if image.affine is not None else np.diag([*(image.spacing_mm or (1.0,) * 3), 1.0])
    make: Any = nibabel.Nifti1Image
    made = make(volume.astype(np.float32), affine)
    made.header["descrip"] = f"{facts['method']} of {facts['target']}, {facts['unit']}"[:79].encode("ascii", "replace")
    packed: bytes = nibabel.filebasedimages.SerializableImage.to_bytes(made)
    import gzip

    return gzip.compress(packed, mtime=0)


def parametric_map(values: np.ndarray, sources: Sequence[Dataset], facts: dict[str, Any], uids: list[UID]) -> bytes:
    """A DICOM Parametric Map (float32) that refers to the image it explains."""
    from highdicom.content import VOILUTTransformation
    from highdicom.pm import ParametricMap, RealWorldValueMapping
    from highdicom.sr.coding import CodedConcept

    top = float(np.abs(values).max())
    mapping = RealWorldValueMapping(
        lut_label="1", lut_explanation=facts["unit"][:64], unit=CodedConcept("1", "UCUM", "no units"),
        value_range=(-top, top), slope=1.0, intercept=0.0,
    )  # fmt: skip
    made = ParametricMap(
        sources, values.astype(np.float32)[None], uids[1], 901, uids[2], 1, "Vigil", "Vigil",
        facts["version"], facts["weights_sha256"][:16], True, [mapping],
        voi_lut_transformations=[VOILUTTransformation(window_center=0.0, window_width=2 * top or 1.0)],
        content_label="ATTRIBUTION", content_description=f"{facts['method']}: {facts['target']}"[:64],
    )  # fmt: skip
    return _saved(made)


def secondary_capture(overlay: bytes, explanation: Explanation, uids: list[UID]) -> bytes:
    """The overlay as a Secondary Capture; the patient is named by the case's pseudonym alone."""
    from highdicom.sc import SCImage

    colours = np.asarray(Image.open(io.BytesIO(overlay)).convert("RGB"))
    made = SCImage(
        colours, "RGB", 8, "PATIENT", uids[0], uids[1], 901, uids[2], 1, "Vigil",
        patient_id=explanation.case[:64], patient_name="", patient_orientation=("L", "F"),
    )  # fmt: skip
    made.SeriesDescription = f"{explanation.method}: {explanation.facts.get('target', '')}"[:64]
    made.DerivationDescription = CAUTION
    made.BurnedInAnnotation = "YES"
    return _saved(made)


def _saved(dataset: Any) -> bytes:
    buffer = io.BytesIO()
    dataset.save_as(buffer)
    return buffer.getvalue()


def _uids(explanation: Explanation) -> list[UID]:
    """Study, series and instance, always the same for the same explanation (2.25 and a 128-bit number)."""
    import uuid

    return [UID(f"2.25.{uuid.uuid5(explanation.pk, part).int}") for part in ("study", "series", "instance")]
