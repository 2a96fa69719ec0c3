"""What DICOM objects give: numbers against closed forms and the library's own samples, every defect told."""

import gzip
import io

import nibabel
import numpy as np
import pydicom
import pytest
from pydicom.data import get_testdata_file
from scipy import ndimage

from monitoring.intake.dicom.objects import read_object
from tests import dicom_objects as made


def read(dataset, **options):
    return read_object(made.as_file(dataset), **options)


def codes(part):
    return {defect.code for defect in part.reading.defects}


@pytest.fixture(scope="module")
def slices():
    return [made.ct_slice(number) for number in range(6)]


def test_a_measurement_report_gives_score_volume_and_coded_findings(slices):
    part = read(made.measurement_report(slices))
    assert part.refusal is None
    assert part.values["score"] == pytest.approx(0.83)
    assert part.values["volume_ml"] == pytest.approx(1.5)
    assert part.values["sr_margin"].startswith("Irregular")
    assert part.values["n_findings"] == 1
    assert part.values["case_id"] == made.STUDY
    assert part.values["study_time"] == "2026-03-01T08:15:00"  # the report itself names no zone
    assert codes(part) == set()


def test_a_loose_report_gives_what_it_can_and_tells_every_defect():
    part = read(made.loose_report())
    assert part.values["score"] == 0.42
    assert codes(part) == {"other_template", "no_unit", "bad_number", "no_concept"}
    assert part.reading.removed["text, names and dates in reports"] == 1
    assert "remark" not in repr(part)


def test_a_report_that_refers_to_its_own_ancestor_ends():
    part = read(made.loose_report(cycle=True))
    assert "cycle" in codes(part)
    assert part.values["score"] == 0.42


@pytest.mark.parametrize("name", ["test-SR.dcm", "reportsi.dcm", "reportsi_with_empty_number_tags.dcm"])
def test_the_reports_among_pydicoms_samples_are_read(name):
    with open(get_testdata_file(name), "rb") as file:  # noqa: PTH123 -- the library gives a text path
        part = read_object(file)
    assert part.refusal is None
    assert part.kind == "report"
    if name == "test-SR.dcm":
        assert (part.values["diameter_mm"], part.values["n_diameter_mm"]) == (30, 2)  # 3 cm, twice


def test_the_segmentation_among_pydicoms_samples_has_the_volume_of_its_voxels():
    path = get_testdata_file("liver_1frame.dcm")
    dataset = pydicom.dcmread(path)
    with open(path, "rb") as file:  # noqa: PTH123
        part = read_object(file)
    measures = dataset.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0]
    mask = dataset.pixel_array > 0
    voxel = np.prod([float(n) for n in measures.PixelSpacing]) * float(measures.SliceThickness)
    assert part.values["volume_ml"] == pytest.approx(mask.sum() * voxel / 1000)
    assert part.values["n_components"] == ndimage.label(mask)[1]


def test_segments_are_measured_by_frames_as_they_lie_in_space(slices):
    mask = np.zeros((6, 32, 32, 2), dtype=bool)
    mask[1:3, 4:8, 4:8, 0] = True
    mask[4, 20:22, 20:22, 0] = True
    mask[0, 10:14, 10:15, 1] = True
    part = read(made.segmentation(mask, slices), frames_of_reference={made.STUDY: made.FRAME})
    voxel = 0.8 * 0.8 * 2.5 / 1000
    assert part.values["volume_ml_part_1"] == pytest.approx(36 * voxel)
    assert part.values["volume_ml_part_2"] == pytest.approx(20 * voxel)
    assert (part.values["n_components_part_1"], part.values["n_components"]) == (2, 3)
    assert part.values["volume_ml"] == pytest.approx(56 * voxel)


def kept_mask(part):
    assert part.reading.picture_type == "application/x-nifti+gzip"
    return nibabel.Nifti1Image.from_bytes(gzip.decompress(part.reading.picture))


def test_a_mask_is_kept_as_it_lies_in_space(slices):
    mask = np.zeros((6, 32, 32, 2), dtype=bool)
    mask[1:3, 4:8, 5:7, 0] = True
    mask[4, 20, 21, 1] = True
    part = read(made.segmentation(mask, slices))
    image = kept_mask(part)
    expected = (mask[..., 0] + 2 * mask[..., 1]).transpose(2, 1, 0)  # x runs along a row
    assert np.array_equal(np.asarray(image.dataobj), expected)
    # by hand: column 21, row 20, slice 4 lies at (21 * 0.8, 20 * 0.8, 4 * 2.5) mm to the left, behind and above
    assert image.affine @ (21, 20, 4, 1) == pytest.approx((-16.8, -16, 10, 1))
    assert part.reading.facts["segments"] == {"1": "part_1", "2": "part_2"}
    assert read(made.segmentation(mask, slices)).reading.picture == part.reading.picture  # equal masks, equal bytes
    assert b"Nobody" not in gzip.decompress(part.reading.picture)


def test_masks_that_overlap_are_kept_side_by_side(slices):
    mask = np.zeros((6, 32, 32, 2), dtype=bool)
    mask[2, 4:8, 4:8] = True
    image = kept_mask(read(made.segmentation(mask, slices)))
    assert image.shape == (32, 32, 6, 2)
    assert np.asarray(image.dataobj).sum(axis=(0, 1, 2)).tolist() == [16, 16]


def test_a_mask_of_another_frame_of_reference_is_refused(slices):
    mask = np.ones((6, 32, 32), dtype=bool)
    part = read(made.segmentation(mask, slices), frames_of_reference={made.STUDY: "1.2.3"})
    assert part.refusal.code == "other_frame_of_reference"


def test_a_rigid_registration_gives_its_angle_and_length():
    angle = np.radians(30)
    matrix = np.eye(4)
    matrix[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    matrix[:3, 3] = (3, 4, 12)
    part = read(made.rigid_registration(matrix))
    assert part.values["rotation_deg"] == pytest.approx(30)
    assert part.values["translation_mm"] == pytest.approx(13)


def linear_field(gradient, shape=(7, 8, 9), spacing=(1.5, 2.0, 3.0)):
    """u(x) = G x on a grid with its spacing along x, y, z."""
    z, y, x = np.meshgrid(*[np.arange(n) * s for n, s in zip(shape, spacing[::-1], strict=True)], indexing="ij")
    return np.stack([x, y, z], axis=-1) @ np.asarray(gradient).T, spacing


def test_a_linear_deformation_has_the_determinant_of_its_matrix_everywhere():
    from monitoring.intake.dicom.registration import _determinants

    gradient = np.array([[0.1, 0.3, -0.2], [0.05, -0.4, 0.1], [0.2, 0.1, 0.3]])
    field, spacing = linear_field(gradient)
    determinants = _determinants(field, spacing[::-1], np.eye(3)[::-1])
    assert determinants == pytest.approx(np.linalg.det(np.eye(3) + gradient))


def test_folding_and_spread_are_those_of_a_known_field():
    """Half of the volume is mirrored along x (det −1), the other half stretched (det 2)."""
    field, spacing = linear_field(np.zeros((3, 3)), shape=(5, 5, 41))
    x = np.arange(41) * spacing[0]
    field[..., 0] = np.where(np.arange(41) <= 20, -2 * x, -2 * x[20] + (x - x[20]))
    part = read(made.deformable_registration(field, spacing))
    # interior points 1..39: 19 have det −1, point 20 sees the mean slope −0.5 (det 0.5), 19 have det 2
    assert part.values["folding_share"] == pytest.approx(19 / 39)
    logs = np.log([0.5] + [2.0] * 19)
    assert part.values["sdlogj"] == pytest.approx(logs.std(), abs=1e-5)
    assert part.values["displacement_max_mm"] == pytest.approx(np.abs(field[..., 0]).max(), rel=1e-6)


def test_a_grid_whose_bytes_do_not_fit_is_refused():
    registration = made.deformable_registration(np.zeros((4, 4, 4, 3)), (1, 1, 1))
    grid = registration.DeformableRegistrationSequence[0].DeformableRegistrationGridSequence[0]
    grid.VectorGridData = grid.VectorGridData[:-12]
    assert read(registration).refusal.code == "bad_grid"


def test_an_image_gives_listed_tags_alone_and_counts_the_rest():
    part = read(made.ct_slice())
    assert part.values["meta_manufacturer"] == "Acme"
    assert part.values["study_time"] == "2026-03-01T08:15:00+01:00"
    assert part.values["meta_kvp"] == 120
    assert part.values["meta_age"] == 66
    assert part.values["meta_pixel_spacing"] == 0.8
    assert part.reading.removed["private tags"] == 1
    assert "Nobody" not in repr(part.values)
    assert "ACC-1" not in repr(part.values)


@pytest.mark.parametrize(("burned", "kept"), [("NO", True), ("YES", False), ("", False)])
def test_a_capture_is_kept_as_a_picture_only_when_nothing_is_burned_in(burned, kept):
    part = read(made.secondary_capture(np.full((8, 9, 3), 7, dtype=np.uint8), burned=burned))
    assert (part.reading.picture is not None) == kept
    assert bool(part.reading.removed.get("captures that may show names")) == (burned == "")


def test_an_image_without_pixel_data_gives_its_header_and_says_so():
    image = made.ct_slice()
    del image.PixelData
    part = read(image)
    assert part.refusal is None
    assert codes(part) == {"no_pixel_data"}
    assert part.values["meta_modality"] == "CT"


@pytest.mark.parametrize("content", [b"", b"nothing", b"\0" * 128 + b"DICM", b"\0" * 128 + b"DICM" + b"\xff" * 200])
def test_what_is_no_dicom_is_refused_with_a_sentence(content):
    part = read_object(io.BytesIO(content))
    assert part.refusal.code in ("not_dicom", "damaged", "no_instance")
    assert part.refusal.message
