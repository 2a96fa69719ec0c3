"""Volumes: axes against nibabel, checks at the door, maps back onto the voxels they came from."""

import json

import nibabel
import numpy as np
import pytest
import torch

from assurance.adapters.described_model import DescribedModel
from assurance.adapters.description import Description, description_of, read_description
from assurance.adapters.images import Volume, checked_plane, read_volume, turn
from assurance.evidence.errors import InvalidInput

VALUES = np.arange(9 * 10 * 11, dtype=np.float32).reshape(9, 10, 11)
AXES = ["RAS", "LPS", "SPL", "AIR", "LIA", "IPL"]


@pytest.mark.parametrize("start", AXES)
@pytest.mark.parametrize("end", AXES)
def test_turning_agrees_with_nibabel(start, end):
    code = nibabel.orientations.axcodes2ornt
    change = nibabel.orientations.ornt_transform(code(tuple(start)), code(tuple(end)))
    turned = Volume(VALUES, (1.0, 2.0, 3.0), start).turned(end)
    assert np.array_equal(turned.array, nibabel.orientations.apply_orientation(VALUES, change))
    back = turned.turned(start)
    assert np.array_equal(back.array, VALUES)
    assert back.spacing_mm == (1.0, 2.0, 3.0)


@pytest.mark.parametrize("end", AXES)
def test_spacing_goes_with_its_axis(end):
    turned = Volume(VALUES, (1.0, 2.0, 3.0), "RAS").turned(end)
    order, _ = turn("RAS", end)
    assert turned.spacing_mm == tuple((1.0, 2.0, 3.0)[axis] for axis in order)
    assert turned.array.shape == tuple((9, 10, 11)[axis] for axis in order)


def test_a_nifti_file_keeps_its_spacing_and_axes(tmp_path):
    affine = np.array([[0, 0, 3.0, 0], [-1.5, 0, 0, 0], [0, -2.0, 0, 0], [0, 0, 0, 1]])
    nibabel.save(nibabel.Nifti1Image(VALUES, affine), tmp_path / "a.nii.gz")
    volume = read_volume(tmp_path / "a.nii.gz", unit="HU")
    assert volume.axes == "PIR"
    assert volume.spacing_mm == (1.5, 2.0, 3.0)
    assert np.array_equal(volume.array, VALUES)


@pytest.mark.parametrize(
    ("volume", "code"),
    [
        (Volume(VALUES[0], (1.0, 1.0, 1.0)), "bad_shape"),
        (Volume(VALUES[:4], (1.0, 1.0, 1.0)), "bad_shape"),
        (Volume(VALUES, None), "spacing_missing"),
        (Volume(VALUES, (1.0, 0.0, 1.0)), "bad_spacing"),
        (Volume(VALUES, (1.0, float("nan"), 1.0)), "bad_spacing"),
        (Volume(VALUES, (1.0, 1.0)), "bad_spacing"),
        (Volume(VALUES, (1.0, 1.0, 1.0), "RAX"), "bad_axes"),
        (Volume(VALUES, (1.0, 1.0, 1.0), "RLS"), "bad_axes"),
        (Volume(VALUES.astype(str), (1.0, 1.0, 1.0)), "not_numeric"),
        (Volume(np.where(VALUES == 5, np.inf, VALUES), (1.0, 1.0, 1.0)), "not_finite"),
        (Volume(np.ones((9, 9, 9)), (1.0, 1.0, 1.0)), "flat_image"),
    ],
)
def test_a_volume_that_cannot_be_meant_is_refused(volume, code):
    with pytest.raises(InvalidInput) as refusal:
        volume.checked()
    assert refusal.value.code == code


def test_a_file_that_is_no_image_is_refused(tmp_path):
    (tmp_path / "a.nii.gz").write_bytes(b"no image")
    for path, code in ((tmp_path / "a.nii.gz", "not_an_image"), (tmp_path / "b.nii", "no_image")):
        with pytest.raises(InvalidInput) as refusal:
            read_volume(path)
        assert refusal.value.code == code


def test_a_colour_image_becomes_the_mean_of_its_channels():
    colour = np.random.default_rng(0).uniform(size=(9, 10, 3))
    assert np.allclose(checked_plane(colour), colour.mean(axis=2))


class Halved(torch.nn.Module):
    """Logits 0 and x − 0.5: a voxel belongs to class 1 where the scaled value is above a half."""

    def forward(self, x):
        return torch.cat([torch.zeros_like(x), x - 0.5], dim=1)


def halving(**fields):
    description = Description(task="segmentation", classes=("dark", "bright"), dims=3, **fields)
    return DescribedModel(Halved(), description, weights_sha256="0" * 64)


@pytest.mark.parametrize("axes", AXES)
@pytest.mark.parametrize("wanted", ["RAS", "LIA", "SPL"])
def test_labels_lie_on_the_voxels_they_came_from(axes, wanted):
    values = np.random.default_rng(1).uniform(size=(9, 10, 11)).astype(np.float32)
    model = halving(axes=wanted, multiple_of=8)
    inputs = model.prepare(Volume(values, (1.0, 1.0, 1.0), axes))
    assert all(length % 8 == 0 for length in inputs.shape[2:])
    labels = model.predict(Volume(values, (1.0, 1.0, 1.0), axes)).labels
    scaled = (values - values.min()) / (values.max() - values.min())
    assert np.array_equal(labels, scaled > 0.5)


def test_resampling_keeps_a_ball_where_it_is():
    z, y, x = np.meshgrid(*(np.arange(n, dtype=float) for n in (24, 30, 40)), indexing="ij")
    mm = np.stack([z * 2.0 - 20, y * 1.5 - 24, x * 1.0 - 18])
    ball = (np.sqrt((mm**2).sum(axis=0)) < 12).astype(np.float32)
    labels = halving(spacing_mm=(1.0, 1.0, 1.0)).predict(Volume(ball, (2.0, 1.5, 1.0), "RAS")).labels
    assert 2 * (labels * ball).sum() / (labels.sum() + ball.sum()) > 0.98


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"task": "registration"}, "task"),
        ({"scale": "fancy"}, "scale"),
        ({"classes": []}, "classes"),
        ({"size": [4, 4]}, "size"),
        ({"size": [16, 16, 16]}, "size"),
        ({"scale": "window", "low": 3, "high": 3}, "low"),
        ({"sd": 0}, "sd"),
        ({"mean": [1, 2]}, "mean"),
        ({"colour": "red"}, "colour"),
        ({"spacing_mm": [1, 1, 1]}, "spacing_mm"),
    ],
)
def test_a_description_that_cannot_be_meant_is_refused_by_field(fields, field, tmp_path):
    good = {"task": "classification", "classes": ["a", "b"]}
    with pytest.raises(InvalidInput, match=field) as refusal:
        description_of(good | fields, where=tmp_path / "x.json")
    assert refusal.value.code == "bad_description"


def test_a_description_that_is_not_there_or_not_json_is_refused(tmp_path):
    for content in (None, "{", "[1]"):
        if content is not None:
            (tmp_path / "x.json").write_text(content)
        with pytest.raises(InvalidInput) as refusal:
            read_description(tmp_path / "x.safetensors")
        assert refusal.value.code == "no_description"


def test_scales_do_what_they_say():
    values = np.linspace(-100, 300, 401, dtype=np.float32)
    made = {
        "minmax": Description("classification", ("a",)),
        "window": Description("classification", ("a",), scale="window", low=0, high=200),
        "quantiles": Description("classification", ("a",), scale="quantiles", low=0.05, high=0.95),
        "none": Description("classification", ("a",), scale="none"),
    }
    assert made["minmax"].scaled(values)[100] == pytest.approx(0.25)
    assert made["window"].scaled(values)[[0, 100, 200, 400]] == pytest.approx([0, 0, 0.5, 1])
    assert made["quantiles"].scaled(values)[[0, 20, 200, 380, 400]] == pytest.approx([0, 0, 0.5, 1, 1], abs=1e-6)
    assert np.array_equal(made["none"].scaled(values), values)
    with pytest.raises(InvalidInput, match=r"-100\.\.300"):
        Description("classification", ("a",), scale="bytes").scaled(values)


@pytest.mark.parametrize("shape", [(40, 24, 28), (16, 16, 16)])
def test_windows_answer_as_one_pass_where_the_network_sees_no_farther_than_they_overlap(shape, tmp_path):
    from safetensors.torch import save_file

    from assurance.adapters.monai_networks import load_unet

    kwargs = {"spatial_dims": 3, "in_channels": 1, "out_channels": 2, "channels": [4, 4], "strides": [1],
              "kernel_size": 1, "up_kernel_size": 1, "num_res_units": 0, "norm": "batch"}  # fmt: skip
    from monai.networks.nets import UNet

    path = tmp_path / "unet.safetensors"
    torch.manual_seed(0)
    save_file(UNet(**kwargs).state_dict(), path)
    image = Volume(np.random.default_rng(0).uniform(0, 255, shape).astype(np.float32), (1.0, 1.0, 1.0), "RAS")
    found = []
    for tile in ([], [16, 16, 16]):
        described = {"task": "segmentation", "classes": ["none", "liver"], "dims": 3, "kwargs": kwargs, "tile": tile}
        path.with_suffix(".json").write_text(json.dumps(described))
        model = load_unet(path)
        calls = []
        model.network.register_forward_hook(lambda module, inputs, output, seen=calls: seen.append(inputs[0].shape[2:]))
        with torch.inference_mode():
            found.append(model.whole(model.prepare(image)))
    assert torch.allclose(found[0], found[1], atol=1e-5)
    assert found[0].std() > 1e-3
    assert {tuple(each) for each in calls} == {(16, 16, 16)}
    assert (len(calls) > 1) == (shape != (16, 16, 16))


@pytest.mark.parametrize("tile", [[8, 8, 8], [32, 32], [24, 24, 20]])
def test_a_tile_that_does_not_fit_is_refused(tile):
    with pytest.raises(InvalidInput, match="tile"):
        Description(task="segmentation", classes=("a", "b"), dims=3, multiple_of=8, tile=tuple(tile))
