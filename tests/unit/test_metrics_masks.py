"""Mask metrics against the worked example, MONAI and geometry."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis.extra.numpy import arrays
from scipy import ndimage

from assurance.evidence.errors import InvalidInput
from assurance.metrics.mask_overlap import dice, iou
from assurance.metrics.surface_dice import nsd
from assurance.metrics.surface_distance import assd, hausdorff, hd95

masks = arrays(bool, (7, 6))


def square(first_column):
    mask = np.zeros((20, 20), dtype=bool)
    mask[5:15, first_column : first_column + 10] = True
    return mask


def test_the_worked_example():
    reference, prediction = square(5), square(8)
    assert dice(reference, prediction).value == pytest.approx(0.7)
    assert iou(reference, prediction).value == pytest.approx(0.5384615384615384)
    assert hausdorff(reference, prediction, spacing_mm=(1, 1)).value == pytest.approx(3)
    assert hd95(reference, prediction, spacing_mm=(1, 1)).value == pytest.approx(3)
    assert nsd(reference, prediction, spacing_mm=(1, 1), tolerance_mm=1).value == pytest.approx(0.5)
    assert nsd(reference, prediction, spacing_mm=(1, 1), tolerance_mm=3).value == pytest.approx(1)


@given(masks, masks)
@settings(deadline=None)
def test_metrics_do_not_care_which_mask_comes_first(first, second):
    for metric in (dice, iou):
        assert metric(first, second).value == metric(second, first).value
    for metric in (hausdorff, hd95, assd):
        forward = metric(first, second, spacing_mm=(2, 1)).value
        assert forward == pytest.approx(metric(second, first, spacing_mm=(2, 1)).value)
    assert 0 <= nsd(first, second, spacing_mm=(2, 1), tolerance_mm=1).value <= 1


@given(masks)
@settings(deadline=None)
def test_a_mask_agrees_with_itself(mask):
    assert dice(mask, mask).value == iou(mask, mask).value == 1
    assert hd95(mask, mask, spacing_mm=(1, 1)).value == 0
    assert nsd(mask, mask, spacing_mm=(1, 1), tolerance_mm=0).value == pytest.approx(1)


def test_spacing_is_in_millimetres_along_each_axis():
    assert hausdorff(square(5), square(8), spacing_mm=(1, 2.5)).value == pytest.approx(7.5)
    assert assd(square(5), square(5), spacing_mm=(1, 2.5)).value == 0


def test_a_missed_structure_counts_with_the_diagonal_and_is_never_dropped():
    empty = np.zeros((20, 20), dtype=bool)
    missed = hd95(square(5), empty, spacing_mm=(3, 4))
    assert missed.value == pytest.approx(100)  # 60 by 80 mm
    assert missed.details["empty"] == "prediction"
    assert dice(square(5), empty).value == nsd(square(5), empty, spacing_mm=(1, 1), tolerance_mm=1).value == 0
    both = dice(empty, empty)
    assert both.value == 1
    assert both.details["empty"] == "both"
    assert hd95(empty, empty, spacing_mm=(1, 1)).value == 0


@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), (3.0, 0.5, 0.5)])
def test_volumes_agree_with_monai(spacing):
    torch = pytest.importorskip("torch")
    monai = pytest.importorskip("monai.metrics")
    rng = np.random.default_rng(2)
    field = ndimage.gaussian_filter(rng.normal(size=(16, 24, 24)), 3)
    first, second = field > 0.03, field + 0.3 * ndimage.gaussian_filter(rng.normal(size=field.shape), 3) > 0.03

    def tensor(mask):
        return torch.tensor(mask[None, None].astype(np.float32))

    pair = (tensor(second), tensor(first))
    shared = {"include_background": True, "spacing": spacing}
    theirs = monai.compute_hausdorff_distance(*pair, percentile=95, **shared)
    assert hd95(first, second, spacing_mm=spacing).value == pytest.approx(float(theirs), rel=1e-5)
    theirs = monai.compute_average_surface_distance(*pair, symmetric=True, **shared)
    assert assd(first, second, spacing_mm=spacing).value == pytest.approx(float(theirs), rel=1e-5)
    for subvoxels, tolerance in ((True, 1e-3), (False, 1e-6)):  # triangles of saddle cells may be cut another way
        theirs = float(monai.compute_surface_dice(*pair, [1.0], use_subvoxels=subvoxels, **shared))
        ours = nsd(first, second, spacing_mm=spacing, tolerance_mm=1, subvoxels=subvoxels).value
        assert ours == pytest.approx(theirs, abs=tolerance)


def test_input_that_is_no_pair_of_masks_is_refused():
    with pytest.raises(InvalidInput, match="other than 0 and 1"):
        dice([[0, 2]], [[0, 1]])
    with pytest.raises(InvalidInput, match="give one grid"):
        dice(np.zeros((3, 3)), np.zeros((3, 4)))
    with pytest.raises(InvalidInput, match="give \\(H, W\\)"):
        dice(np.zeros(3), np.zeros(3))
    with pytest.raises(InvalidInput, match="2 positive sizes"):
        hd95(square(5), square(5), spacing_mm=(1,))
    with pytest.raises(InvalidInput, match="tolerance_mm"):
        nsd(square(5), square(5), spacing_mm=(1, 1), tolerance_mm=-1)
