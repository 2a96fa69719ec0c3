"""One DICOM object of any kind as a reading: which kind it is decides which reader looks at it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, BinaryIO

import pydicom
from pydicom.dataset import Dataset
from pydicom.errors import InvalidDicomError

from assurance.evidence.errors import InvalidInput
from monitoring.intake.dicom.header import acquisition_values, case_values, count_removed, plain
from monitoring.intake.dicom.pictures import capture_picture
from monitoring.intake.dicom.reading import Reading
from monitoring.intake.dicom.registration import read_registration
from monitoring.intake.dicom.segmentation import read_segmentation
from monitoring.intake.dicom.structured_report import read_report

KINDS = {
    "1.2.840.10008.5.1.4.1.1.88.": "report",  # the structured reports share this root
    "1.2.840.10008.5.1.4.1.1.66.1": "registration",
    "1.2.840.10008.5.1.4.1.1.66.3": "registration",
    "1.2.840.10008.5.1.4.1.1.66.4": "segmentation",
    "1.2.840.10008.5.1.4.1.1.66.7": "segmentation",
    "1.2.840.10008.5.1.4.1.1.7": "capture",
}
MOST_OBJECT_BYTES = 2**30


@dataclass
class StudyPart:
    """A read object. ``refusal`` says why its values may not go in; defects are told in either case."""

    sop_class: str = ""
    sop_instance: str = ""
    kind: str = ""
    frame_of_reference: str = ""
    reading: Reading = field(default_factory=Reading)
    refusal: InvalidInput | None = None

    @property
    def values(self) -> dict[str, Any]:
        return self.reading.values


def read_object(source: BinaryIO, *, frames_of_reference: dict[str, str] | None = None) -> StudyPart:
    """Read one object of Part 10. Nothing is raised for a bad object: what is wrong stands in ``refusal``.

    ``frames_of_reference`` gives the frame of reference of a study's images, where one is known.
    """
    part = StudyPart()
    try:
        dataset = pydicom.dcmread(source, stop_before_pixels=False, defer_size=None)
        part.sop_class, part.sop_instance = plain(dataset, "SOPClassUID"), plain(dataset, "SOPInstanceUID")
        _read(dataset, part, frames_of_reference or {})
    except InvalidInput as refusal:
        part.refusal = refusal
    except InvalidDicomError:
        part.refusal = InvalidInput("not_dicom", "the file is not DICOM Part 10: its preamble is missing")
    except RecursionError:
        part.refusal = InvalidInput("too_deep", "the object is nested too deeply to be read")
    except Exception as error:  # a damaged object breaks its reader wherever it is damaged
        part.refusal = InvalidInput("damaged", f"the object could not be read: {type(error).__name__}: {error}"[:300])
    return part


def kind_of(sop_class: str) -> str:
    if sop_class in KINDS:
        return KINDS[sop_class]
    if sop_class.startswith("1.2.840.10008.5.1.4.1.1.88."):
        return "report"
    if sop_class.startswith("1.2.840.10008.5.1.4.1.1.7."):
        return "capture"
    return "image" if sop_class.startswith("1.2.840.10008.5.1.4.1.1.") else ""


def _read(dataset: Dataset, part: StudyPart, frames_of_reference: dict[str, str]) -> None:
    if not part.sop_instance:
        raise InvalidInput("no_instance", "SOPInstanceUID is absent: the object cannot be told from another")
    part.kind = kind_of(part.sop_class)
    if not part.kind:
        raise InvalidInput("other_class", f"SOP class {part.sop_class[:64]!r} is none that can be taken in")
    part.frame_of_reference = plain(dataset, "FrameOfReferenceUID")
    reading = part.reading
    case_values(dataset, reading)
    if not reading.values["case_id"]:
        raise InvalidInput("no_study", "StudyInstanceUID is absent: the case cannot be named")
    count_removed(dataset, reading)
    study = reading.values["case_id"]
    if part.kind == "report":
        read_report(dataset, reading)
    elif part.kind == "segmentation":
        read_segmentation(dataset, reading, frame_of_reference=frames_of_reference.get(study, ""))
    elif part.kind == "registration":
        read_registration(dataset, reading)
    elif part.kind == "capture":
        capture_picture(dataset, reading, captured=True)
    else:
        acquisition_values(dataset, reading)
        if "PixelData" not in dataset and "FloatPixelData" not in dataset:
            reading.odd("no_pixel_data", "PixelData", "the image holds no pixel data: only its header is used")
        else:
            capture_picture(dataset, reading, captured=False)


def site_name(dataset_site: str, sites: dict[str, str]) -> str | None:
    """The site's code whose code or name is ``dataset_site``, whatever its capitals."""
    wanted = dataset_site.strip().casefold()
    return next((code for code, name in sites.items() if wanted in (code.casefold(), name.casefold())), None)
