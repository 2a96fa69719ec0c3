"""uniGradICON and VoxelMorph: physics of displacements, the published package's network, real brains."""

import importlib.util
import sys
from unittest.mock import MagicMock

import numpy as np
import pytest
import torch

from assurance.adapters import unigradicon, voxelmorph
from assurance.adapters.gradicon_network import GradIconNetwork
from assurance.adapters.images import Pair, Volume
from assurance.adapters.protocol import Contract
from assurance.adapters.registration import RegistrationModel, pair_of_labels, warp
from assurance.evidence.errors import InvalidInput
from tests.small_models import shaken, volume

AXES = ["RAS", "LPS", "SPL", "AIR"]


class Shift(RegistrationModel):
    """A model that always says: the match lies ``way`` voxels of its own grid further, along its axes S, P, L."""

    key, modalities, licence, source = "shift", ("MR",), "none", "tests"
    axes = "SPL"
    way = (1.0, -2.0, 3.0)

    @property
    def contract(self):
        return Contract("a pair", "a shift", (2, 0, 0, 0))

    def scaled(self, volume, *, name):
        return volume.array

    def network_shape(self, shape):
        return tuple(2 * length for length in shape)

    def forward(self, inputs, prompt=None):
        return torch.tensor(self.way).view(1, 3, 1, 1, 1).expand(1, 3, *inputs.shape[2:])


@pytest.mark.parametrize("axes", AXES)
def test_a_displacement_is_in_mm_along_the_axes_of_the_fixed_volume(axes):
    # The network's grid is twice as fine, so its (1, -2, 3) voxels are (0.5, -1, 1.5) voxels along S, P, L.
    spacing_by_letter = {"S": 2.0, "P": 1.5, "L": 0.8}
    letters = {"I": "S", "A": "P", "R": "L"}
    spacing = tuple(spacing_by_letter[letters.get(side, side)] for side in axes)
    array = np.random.default_rng(0).uniform(size=(10, 11, 12))
    model = Shift(torch.nn.Module(), weights_sha256="0" * 64)
    pair = Pair(Volume(array, spacing, axes), Volume(array + 1, spacing, axes))
    found = model.predict(pair).displacement_mm[:, 5, 5, 5]
    by_letter = {"S": 0.5 * 2.0, "P": -1 * 1.5, "L": 1.5 * 0.8}
    expected = [by_letter[side] if side in by_letter else -by_letter[letters[side]] for side in axes]
    assert found == pytest.approx(expected, abs=1e-5)


def test_warping_takes_the_moving_value_at_the_match():
    moving = np.random.default_rng(0).uniform(size=(8, 9, 10)).astype(np.float32)
    shift = np.zeros((3, 8, 9, 10), dtype=np.float32)
    shift[0], shift[2] = 2, -1
    warped = warp(moving, shift)
    assert np.allclose(warped[1:5, :, 2:9], moving[3:7, :, 1:8])
    half = np.zeros_like(shift)
    half[1] = 0.5
    assert np.allclose(warp(moving, half)[:, :-1], (moving[:, :-1] + moving[:, 1:]) / 2, atol=1e-6)
    assert set(np.unique(warp((moving > 0.5).astype(int), half, labels=True))) <= {0, 1}


def test_grids_that_differ_are_refused():
    model = Shift(torch.nn.Module(), weights_sha256="0" * 64)
    one, other = volume(1, (10, 10, 10)), volume(2, (10, 10, 11))
    coarse = Volume(one.array, (1.0, 1.0, 2.0))
    for pair in (Pair(one, other), Pair(one, coarse)):
        with pytest.raises(InvalidInput) as refusal:
            model.predict(pair)
        assert refusal.value.code == "other_grid"


@pytest.mark.parametrize(
    ("array", "spacing", "code"),
    [
        (np.random.default_rng(0).uniform(0, 255, (16, 16, 16)), (1.0, 1.0, 2.0), "other_spacing"),
        (np.random.default_rng(0).uniform(0, 255, (16, 16, 20)), (1.0, 1.0, 1.0), "bad_shape"),
        (np.random.default_rng(0).uniform(-9, 255, (16, 16, 16)), (1.0, 1.0, 1.0), "out_of_range"),
        (np.random.default_rng(0).uniform(0, 900, (16, 16, 16)), (1.0, 1.0, 1.0), "out_of_range"),
    ],
)
def test_voxelmorph_refuses_what_it_was_not_made_for(array, spacing, code, tmp_path):
    from tests.small_models import MAKERS

    model = voxelmorph.load(MAKERS["voxelmorph"](tmp_path).weights)
    with pytest.raises(InvalidInput) as refusal:
        model.predict(Pair(Volume(array, spacing, "LIA"), Volume(array + 1, spacing, "LIA")))
    assert refusal.value.code == code


@pytest.mark.slow
def test_voxelmorph_brings_real_labels_together(shared_data):
    import nibabel

    def read(name):
        return np.asarray(nibabel.load(shared_data / "brain" / name).dataobj, dtype=np.float32)

    # The headers say RAS, but the arrays run L, I, A: the brain stem lies low on the second axis.
    spacing = (1.0, 1.0, 1.0)
    pair = Pair(
        Volume(read("subject_t1_160x192x224.nii.gz"), spacing, "LIA"),
        Volume(read("atlas_t1_160x192x224.nii.gz"), spacing, "LIA"),
    )
    same = {1: (28, 60), 11: (2, 41), 22: (3, 42), 33: (4, 43), 44: (7, 46), 46: (10, 49), 47: (11, 50), 48: (12, 51),
            49: (13, 52), 50: (16,), 51: (17, 53), 52: (18, 54), 55: (8, 47)}  # fmt: skip
    subject, atlas = read("subject_t1_labels.nii.gz").astype(int), read("atlas_t1_labels14.nii.gz").astype(int)

    def mean_dice(labels):
        parts = [(atlas == key, np.isin(labels, values)) for key, values in same.items()]
        return np.mean([2 * (a & b).sum() / (a.sum() + b.sum()) for a, b in parts])

    model = voxelmorph.load(shared_data / "weights" / "voxelmorph_cvpr2018_vm2_cc.safetensors")
    prediction = model.predict(pair)
    assert np.corrcoef(pair.moving.array.ravel(), pair.fixed.array.ravel())[0, 1] == pytest.approx(0.885, abs=0.001)
    assert np.corrcoef(prediction.warped.ravel(), pair.fixed.array.ravel())[0, 1] == pytest.approx(0.966, abs=0.002)
    assert mean_dice(subject) == pytest.approx(0.700, abs=0.001)
    assert mean_dice(pair_of_labels(subject, pair, prediction)) == pytest.approx(0.787, abs=0.002)


def test_gradicon_of_zero_fields_moves_nothing():
    network = GradIconNetwork((2, 4, 6, 8, 10, 12), (4, 6, 8, 10, 12)).eval()
    for module in network.modules():
        if hasattr(module, "lastConv"):
            torch.nn.init.zeros_(module.lastConv.weight)
            torch.nn.init.zeros_(module.lastConv.bias)
    with torch.no_grad():
        assert float(network(torch.rand(1, 2, 66, 66, 66)).abs().max()) < 1e-3


def test_gradicon_of_constant_fields_adds_them_up():
    # Four stages, each with the constant 0.004/10 of the axis: 0.0016 · 65 voxels.
    network = GradIconNetwork((2, 4, 6, 8, 10, 12), (4, 6, 8, 10, 12)).eval()
    for module in network.modules():
        if hasattr(module, "lastConv"):
            torch.nn.init.zeros_(module.lastConv.weight)
            torch.nn.init.constant_(module.lastConv.bias, 0.004)
    with torch.no_grad():
        field = network(torch.rand(1, 2, 66, 66, 66))
    assert torch.allclose(field, torch.tensor(4 * 0.0004 * 65), atol=1e-3)


def test_the_full_network_has_the_published_size():
    with torch.device("meta"):
        network = GradIconNetwork((2, 16, 32, 64, 256, 512), (16, 32, 64, 128, 256))
    assert sum(parameter.numel() for parameter in network.parameters()) == pytest.approx(70.7e6, abs=0.05e6)
    assert len(network.regis_net.state_dict()) == 188


def test_gradicon_scales_ct_and_mr_as_published():
    network = shaken(GradIconNetwork((2, 4, 6, 8, 10, 12), (4, 6, 8, 10, 12)))
    model = unigradicon.UniGradIcon(network, side=66, weights_sha256="0" * 64)
    values = np.linspace(-2000, 2000, 1000, dtype=np.float32).reshape(10, 10, 10)
    ct = model.scaled(Volume(values, (1.0, 1.0, 1.0), unit="HU"), name="ct")
    assert ct.ravel()[[0, 250, 999]] == pytest.approx([0, (values.ravel()[250] + 1000) / 2000, 1], abs=1e-6)
    mr = model.scaled(Volume(values, (1.0, 1.0, 1.0)), name="mr")
    assert mr.ravel()[[0, 989, 999]] == pytest.approx([0, 1, 1])
    assert mr.ravel()[494] == pytest.approx(494 / 989, abs=1e-6)


def test_gradicon_agrees_with_the_published_package(tmp_path):
    if importlib.util.find_spec("unigradicon") is None:
        pytest.skip("needs the packages unigradicon and icon_registration (installed with --no-deps)")
    for name in ("itk", "footsteps", "torchvision", "torchvision.utils", "torch.utils.tensorboard"):
        sys.modules.setdefault(name, MagicMock())  # imported at its top, not used by the network
    import unigradicon as published

    side = 72
    torch.manual_seed(0)
    upstream = published.make_network([1, 1, side, side, side], include_last_step=True)
    shaken(upstream)
    with torch.no_grad():
        for module in upstream.modules():
            if hasattr(module, "lastConv"):
                module.lastConv.weight.mul_(0.05)  # fields of a few voxels, so that rounding is not blown up
    torch.save(upstream.regis_net.state_dict(), tmp_path / "Step_2_final.trch")
    model = unigradicon.load(tmp_path / "Step_2_final.trch", side=side)
    inputs = torch.nn.functional.avg_pool3d(torch.rand(1, 2, side, side, side), 5, 1, 2)
    with torch.no_grad():
        upstream.identity_map.isIdentity = True
        phi = upstream.regis_net(inputs[:, :1], inputs[:, 1:])(upstream.identity_map)
        expected = (phi - upstream.identity_map) * (side - 1)
        found = model.forward(inputs)
    assert float(expected.std()) > 0.1
    # in voxels, of fields of several voxels: four interpolated stages round differently at a few of them
    away = (found - expected).abs()
    assert float(away.mean()) < 2e-4
    assert float(away.max()) < 1e-2
