"""DICOM objects for tests, made with highdicom and pydicom; nobody's data."""

import io

import highdicom as hd
import numpy as np
import pydicom
from highdicom.sr.coding import CodedConcept
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.sr.codedict import codes
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

STUDY = "1.2.826.0.1.3680043.8.498.1"
FRAME = "1.2.826.0.1.3680043.8.498.2"
SERIES = "1.2.826.0.1.3680043.8.498.3"


def base(sop_class, *, study=STUDY, instance=None, **tags):
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = sop_class
    meta.MediaStorageSOPInstanceUID = instance or generate_uid()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    dataset.SOPClassUID, dataset.SOPInstanceUID = sop_class, meta.MediaStorageSOPInstanceUID
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = study, generate_uid()
    dataset.PatientID, dataset.PatientName, dataset.PatientBirthDate = "P-77", "Nobody^Anon", "19600101"
    dataset.PatientSex = "F"
    dataset.StudyDate, dataset.StudyTime, dataset.TimezoneOffsetFromUTC = "20260301", "081500", "+0100"
    dataset.AccessionNumber, dataset.StudyID = "ACC-1", "1"
    for name, value in tags.items():
        setattr(dataset, name, value)
    return dataset


def ct_slice(number=0, *, pixels=None, **tags):
    image = base("1.2.840.10008.5.1.4.1.1.2", Modality="CT", Manufacturer="Acme", ManufacturerModelName="One",
                 SoftwareVersions="5.1", KVP="120", SliceThickness="2.5", PatientAge="066Y", ConvolutionKernel="B31f",
                 SeriesNumber="1", InstanceNumber=str(number + 1))  # fmt: skip
    pixels = np.zeros((32, 32), dtype=np.uint16) if pixels is None else pixels
    image.Rows, image.Columns = pixels.shape
    image.FrameOfReferenceUID, image.SeriesInstanceUID = FRAME, SERIES
    image.SamplesPerPixel, image.PhotometricInterpretation = 1, "MONOCHROME2"
    image.BitsAllocated, image.BitsStored, image.HighBit, image.PixelRepresentation = 16, 12, 11, 0
    image.PixelSpacing, image.ImageOrientationPatient = [0.8, 0.8], [1, 0, 0, 0, 1, 0]
    image.ImagePositionPatient = [0, 0, 2.5 * number]
    image.PositionReferenceIndicator = ""
    image.PixelData = pixels.tobytes()
    image.add_new(0x00091001, "LO", "private words")
    for name, value in tags.items():
        setattr(image, name, value)
    return image


def _labelled(number, label, kind):
    return hd.seg.SegmentDescription(
        segment_number=number, segment_label=label, segmented_property_category=codes.cid7150.Tissue,
        segmented_property_type=kind, algorithm_type=hd.seg.SegmentAlgorithmTypeValues.AUTOMATIC,
        algorithm_identification=hd.AlgorithmIdentificationSequence(
            name="x", version="1", family=codes.cid7162.ArtificialIntelligence
        ),
    )  # fmt: skip


def segmentation(mask, images):
    """``mask`` (D, H, W) or (D, H, W, n) booleans over the slices ``images``."""
    several = 1 if mask.ndim == 3 else mask.shape[3]
    return hd.seg.Segmentation(
        source_images=images, pixel_array=mask.astype(np.uint8),
        segmentation_type=hd.seg.SegmentationTypeValues.BINARY,
        segment_descriptions=[_labelled(n + 1, f"Part {n + 1}", codes.SCT.Lung) for n in range(several)],
        series_instance_uid=generate_uid(), series_number=9, sop_instance_uid=generate_uid(), instance_number=1,
        manufacturer="Acme", manufacturer_model_name="Seg", software_versions="1", device_serial_number="1",
        omit_empty_frames=False,
    )  # fmt: skip


def measurement_report(images, *, score=0.83, volume_mm3=1500.0):
    finding = hd.sr.FindingSite(anatomic_location=codes.SCT.Lung)
    context = hd.sr.ObservationContext(
        observer_device_context=hd.sr.ObserverContext(
            observer_type=codes.DCM.Device,
            observer_identifying_attributes=hd.sr.DeviceObserverIdentifyingAttributes(uid=generate_uid()),
        )
    )
    probability = CodedConcept("111047", "DCM", "Probability of cancer")
    group = hd.sr.MeasurementsAndQualitativeEvaluations(
        tracking_identifier=hd.sr.TrackingIdentifier(uid=generate_uid(), identifier="lesion 1"),
        finding_type=codes.SCT.Nodule, finding_sites=[finding],
        measurements=[
            hd.sr.Measurement(name=codes.SCT.Volume, value=volume_mm3, unit=codes.UCUM.CubicMillimeter),
            hd.sr.Measurement(name=probability, value=100 * score, unit=codes.UCUM.Percent),
        ],
        qualitative_evaluations=[
            hd.sr.QualitativeEvaluation(name=CodedConcept("RID5", "RADLEX", "Margin"), value=codes.SCT.Irregular)
            if hasattr(codes.SCT, "Irregular")
            else hd.sr.QualitativeEvaluation(
                name=CodedConcept("RID5", "RADLEX", "Margin"), value=CodedConcept("1", "99T", "Irregular")
            )
        ],
    )  # fmt: skip
    report = hd.sr.MeasurementReport(
        observation_context=context, procedure_reported=codes.LN.CTUnspecifiedBodyRegion, imaging_measurements=[group]
    )
    return hd.sr.ComprehensiveSR(
        evidence=images, content=report, series_instance_uid=generate_uid(), series_number=3,
        sop_instance_uid=generate_uid(), instance_number=1, manufacturer="Acme", is_complete=True,
    )  # fmt: skip


def loose_report(*, cycle=False, **tags):
    """A report without template, codes or units where they belong, as vendors send them."""
    report = base("1.2.840.10008.5.1.4.1.1.88.33", Modality="SR", **tags)
    report.ValueType, report.CompletionFlag = "CONTAINER", "COMPLETE"
    score = item("NUM", "AI score")
    value = Dataset()
    value.NumericValue = "0.42"
    score.MeasuredValueSequence = [value]
    broken = item("NUM", "Long axis")
    odd = Dataset()
    odd.NumericValue = "1"
    odd.MeasurementUnitsCodeSequence = [code("mm", "UCUM", "mm")]
    broken.MeasuredValueSequence = [odd]
    del broken.MeasuredValueSequence[0].NumericValue
    nameless = item("NUM", "")
    text = item("TEXT", "Comment")
    text.TextValue = "A private remark on Nobody"
    report.ContentSequence = [score, broken, nameless, text]
    if cycle:
        inner = item("CONTAINER", "Group")
        back = Dataset()
        back.RelationshipType = "CONTAINS"
        back.ReferencedContentItemIdentifier = [1, 5]
        inner.ContentSequence = [back]
        report.ContentSequence.append(inner)
    return report


def item(kind, meaning):
    one = Dataset()
    one.RelationshipType, one.ValueType = "CONTAINS", kind
    if meaning:
        one.ConceptNameCodeSequence = [code("1", "99VENDOR", meaning)]
    return one


def code(value, scheme, meaning):
    one = Dataset()
    one.CodeValue, one.CodingSchemeDesignator, one.CodeMeaning = value, scheme, meaning
    return one


def rigid_registration(matrix):
    registration = base("1.2.840.10008.5.1.4.1.1.66.1", Modality="REG", FrameOfReferenceUID=FRAME)
    one, holder, part = Dataset(), Dataset(), Dataset()
    one.FrameOfReferenceTransformationMatrix = [f"{number:.10g}" for number in np.asarray(matrix).ravel()]
    one.FrameOfReferenceTransformationMatrixType = "RIGID"
    holder.MatrixSequence = [one]
    part.MatrixRegistrationSequence = [holder]
    registration.RegistrationSequence = [part]
    return registration


def deformable_registration(field, spacing_mm):
    """``field`` (D, H, W, 3) in mm, ``spacing_mm`` along x, y, z."""
    registration = base("1.2.840.10008.5.1.4.1.1.66.3", Modality="REG", FrameOfReferenceUID=FRAME)
    grid, part = Dataset(), Dataset()
    grid.ImageOrientationPatient, grid.ImagePositionPatient = [1, 0, 0, 0, 1, 0], [0, 0, 0]
    grid.GridDimensions = [field.shape[2], field.shape[1], field.shape[0]]
    grid.GridResolution = list(spacing_mm)
    grid.VectorGridData = field.astype("<f4").tobytes()
    part.DeformableRegistrationGridSequence = [grid]
    registration.DeformableRegistrationSequence = [part]
    return registration


def secondary_capture(pixels, *, burned="NO"):
    picture = base("1.2.840.10008.5.1.4.1.1.7", Modality="OT")
    if burned:
        picture.BurnedInAnnotation = burned
    picture.Rows, picture.Columns = pixels.shape[:2]
    picture.SamplesPerPixel, picture.PhotometricInterpretation, picture.PlanarConfiguration = 3, "RGB", 0
    picture.BitsAllocated, picture.BitsStored, picture.HighBit, picture.PixelRepresentation = 8, 8, 7, 0
    picture.PixelData = pixels.tobytes()
    return picture


def as_file(dataset):
    buffer = io.BytesIO()
    if not hasattr(dataset, "file_meta") or "TransferSyntaxUID" not in dataset.file_meta:
        dataset.file_meta = FileMetaDataset()
        dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    pydicom.dcmwrite(buffer, dataset, enforce_file_format=True)
    buffer.seek(0)
    return buffer
