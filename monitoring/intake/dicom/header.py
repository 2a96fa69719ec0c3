"""From a DICOM header: which case this is, and how it was acquired. Only tags of a list are read."""

from __future__ import annotations

import re
from typing import Any

from pydicom.dataset import Dataset
from pydicom.tag import Tag

from monitoring.intake.dicom.reading import Reading

# keyword -> column, as the signal packs name them and give their unit. Numbers are numbers, the others categories.
NUMBERS = {
    "KVP": "meta_kvp",
    "ExposureInuAs": "meta_exposure_uas",
    "CTDIvol": "meta_ctdi_vol",
    "SliceThickness": "meta_slice_thickness",
    "MagneticFieldStrength": "meta_magnetic_field_strength",
    "EchoTime": "meta_echo_time",
    "RepetitionTime": "meta_repetition_time",
    "ExposureIndex": "meta_exposure_index",
    "DeviationIndex": "meta_deviation_index",
    "LossyImageCompressionRatio": "meta_lossy_image_compression_ratio",
}
CATEGORIES = {
    "Manufacturer": "meta_manufacturer",
    "ManufacturerModelName": "meta_manufacturer_model_name",
    "SoftwareVersions": "meta_software_versions",
    "StationName": "meta_station_name",
    "ConvolutionKernel": "meta_convolution_kernel",
    "ReceiveCoilName": "meta_receive_coil_name",
    "Grid": "meta_grid",
    "LossyImageCompression": "meta_lossy_image_compression",
    "ViewPosition": "meta_view_position",
    "PhotometricInterpretation": "meta_photometric_interpretation",
    "Modality": "meta_modality",
    "PatientSex": "meta_sex",
}
SYNTHETIC_DATA = Tag(0x0008, 0x001C)
TEXT_VR = {"LT", "ST", "UT", "UC", "PN"}
LONGEST = 64


def case_values(dataset: Dataset, reading: Reading) -> None:
    """``case_id`` (the study), ``patient_id``, ``study_time``, and ``synthetic`` where the object says so."""
    values = reading.values
    values["case_id"] = plain(dataset, "StudyInstanceUID")
    if not values["case_id"]:
        reading.odd("no_study", "StudyInstanceUID", "StudyInstanceUID is absent: the case cannot be named")
    values["patient_id"] = plain(dataset, "PatientID") or None
    values["study_time"] = study_time(dataset, reading)
    if SYNTHETIC_DATA in dataset and str(dataset[SYNTHETIC_DATA].value).strip().upper() == "YES":
        values["synthetic"] = "yes"


def study_time(dataset: Dataset, reading: Reading) -> str | None:
    """ISO 8601, with a zone where TimezoneOffsetFromUTC gives one. Other dates stand in for an absent StudyDate."""
    zone = _zone(plain(dataset, "TimezoneOffsetFromUTC"))
    for day_name, time_name in (
        ("StudyDate", "StudyTime"), ("SeriesDate", "SeriesTime"), ("AcquisitionDate", "AcquisitionTime"),
        ("ContentDate", "ContentTime"), ("InstanceCreationDate", "InstanceCreationTime"),
    ):  # fmt: skip
        day, time = plain(dataset, day_name), plain(dataset, time_name)
        if not re.fullmatch(r"\d{8}|\d{4}\.\d{2}\.\d{2}", day):
            if day:
                reading.odd("bad_date", day_name, f"{day_name} is not a date of DICOM (YYYYMMDD)")
            continue
        day = day.replace(".", "")
        digits = re.sub(r"[^\d.]", "", time).partition(".")[0]
        if time and not re.fullmatch(r"\d{2,6}", digits):
            reading.odd("bad_time", time_name, f"{time_name} is not a time of DICOM (HHMMSS)")
        if day_name != "StudyDate":
            reading.odd("no_study_date", "StudyDate", f"StudyDate is absent: {day_name} stands in for it")
        digits = digits.ljust(6, "0")
        return f"{day[:4]}-{day[4:6]}-{day[6:]}T{digits[:2]}:{digits[2:4]}:{digits[4:6]}{zone}"
    reading.odd("no_study_date", "StudyDate", "no date in the object says when the study was made")
    return None


def _zone(text: str) -> str:
    return f"{text[:3]}:{text[3:]}" if re.fullmatch(r"[+-]\d{4}", text) else ""


def acquisition_values(dataset: Dataset, reading: Reading) -> None:
    """Acquisition tags of the list as ``meta_`` columns in the units of DICOM; age in years."""
    values = reading.values
    for keyword, column in CATEGORIES.items():
        text = plain(dataset, keyword)
        if text:
            values[column] = text[:LONGEST]
    for keyword, column in NUMBERS.items():
        number = _number(plain(dataset, keyword), keyword, reading)
        if number is not None:
            values[column] = number
    spacing = spacing_of(dataset)
    if spacing:
        values["meta_pixel_spacing"] = spacing
    age = re.fullmatch(r"(\d{3})([DWMY])", plain(dataset, "PatientAge").upper())
    if age:
        values["meta_age"] = int(age[1]) / {"D": 365.25, "W": 52.18, "M": 12, "Y": 1}[age[2]]
    elif plain(dataset, "PatientAge"):
        reading.odd("bad_age", "PatientAge", "PatientAge is not an age of DICOM such as 045Y")


def spacing_of(dataset: Dataset) -> float | None:
    for keyword in ("PixelSpacing", "ImagerPixelSpacing", "NominalScannedPixelSpacing"):
        found = dataset.get(keyword)
        try:
            if found and float(found[0]) > 0:
                return float(found[0])
        except (TypeError, ValueError, IndexError):
            continue
    return None


def count_removed(dataset: Dataset, reading: Reading) -> None:
    """What the header held and the row does not: counted by kind, never by content."""
    private = sum(1 for element in dataset if element.tag.is_private)
    texts = sum(1 for element in dataset if not element.tag.is_private and element.VR in TEXT_VR and element.value)
    if private:
        reading.remove("private tags", private)
    if texts:
        reading.remove("names and free text in headers", texts)


def plain(dataset: Dataset, keyword: str) -> str:
    """The value as trimmed text, the first of several; "" where it is absent or cannot be read."""
    try:
        value: Any = dataset.get(keyword)
        if isinstance(value, list | tuple) or type(value).__name__ == "MultiValue":
            value = value[0] if len(value) else None
        return "" if value is None else str(value).strip().replace("\x00", "")
    except Exception:  # a damaged element raises whatever its reader ran into
        return ""


def _number(text: str, keyword: str, reading: Reading) -> float | None:
    if not text:
        return None
    try:
        number = float(text)
    except ValueError:
        reading.odd("bad_number", keyword, f"{keyword} is not a number")
        return None
    return number if abs(number) < 1e12 else None
