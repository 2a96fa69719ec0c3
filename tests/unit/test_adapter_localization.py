"""MedLSAM: relative distance on a body whose positions are known, slices for SAM, and a user's checkout."""

import json

import nibabel
import numpy as np
import pytest
import torch

from assurance.adapters import medlsam
from assurance.adapters.images import Volume
from assurance.adapters.prompts import Prompt
from assurance.adapters.protocol import Prediction
from assurance.adapters.relative_distance import (
    REACH_MM,
    Landmark,
    RelativePositionNet,
    extreme_points,
    localise,
    most_similar,
    patches_at,
    step,
)
from assurance.evidence.errors import InvalidInput, Unavailable
from tests import small_models

SHAPE = (40, 48, 56)


def body():
    """A volume whose values tell where they lie: z + 100 y + 10,000 x."""
    z, y, x = np.indices(SHAPE)
    return torch.from_numpy((z + 100.0 * y + 10_000.0 * x).astype(np.float64))[None, None]


def known_position(patches):
    """Positions of patch centres such that reach · tanh(difference) is nearly the way in mm, at 3 mm."""
    middle = patches[:, 0, patches.shape[2] // 2, patches.shape[3] // 2, patches.shape[4] // 2]
    x = torch.div(middle, 10_000, rounding_mode="floor")
    y = torch.div(middle - 10_000 * x, 100, rounding_mode="floor")
    z = middle - 10_000 * x - 100 * y
    return torch.stack([z, y, x], dim=1).float() * 3 / torch.tensor(REACH_MM)


def landmarks(points):
    position = torch.tensor(points) * 3 / torch.tensor(REACH_MM)
    return [Landmark("liver", axis % 3, axis % 2 == 1, row) for axis, row in enumerate(position)]


def test_landmarks_are_found_where_positions_are_known():
    points = [[5.0, 9.0, 44.0], [33.0, 40.0, 8.0], [20.0, 24.0, 28.0]]
    found = localise(known_position, body(), landmarks(points), spacing_mm=3.0, size=8)
    # tanh bends the first, long step; the second one starts near.
    assert torch.allclose(found, torch.tensor(points), atol=0.05)


def test_one_step_is_reach_times_tanh_of_the_difference():
    centre = torch.tensor([[20.0, 20.0, 20.0]])
    wanted = torch.tensor([[0.2, -0.1, 0.05]])
    here = known_position(patches_at(body(), centre, 8))
    expected = centre + torch.tensor(REACH_MM) / 3 * torch.tanh(wanted - here)
    assert torch.allclose(step(known_position, body(), centre, wanted, spacing_mm=3.0, size=8), expected, atol=1e-4)


def test_patches_keep_their_centre_and_hold_the_border():
    volume = body()
    patch = patches_at(volume, torch.tensor([[0.0, 47.0, 10.4]]), 8)
    assert patch.shape == (1, 1, 8, 8, 8)
    assert float(patch[0, 0, 4, 4, 4]) == float(volume[0, 0, 0, 47, 10])
    assert float(patch[0, 0, 0, 4, 4]) == float(volume[0, 0, 0, 47, 10])


def test_extreme_points_are_those_of_the_mask():
    mask = np.zeros((9, 9, 9), dtype=bool)
    mask[2:5, 3:8, 4] = True
    points = {(axis, high): point[axis] for axis, high, point in extreme_points(mask)}
    assert points == {(0, False): 2, (0, True): 4, (1, False): 3, (1, True): 7, (2, False): 4, (2, True): 4}
    with pytest.raises(InvalidInput, match="marks no voxel"):
        extreme_points(np.zeros((9, 9, 9), dtype=bool))


def test_similarity_finds_the_voxel_with_the_landmarks_features():
    maps = [torch.zeros(1, 3, 8, 8, 8), torch.zeros(1, 2, 16, 16, 16)]
    maps[0][0, :, 3, 2, 6] = torch.tensor([1.0, 2.0, -1.0])
    maps[1][0, :, 6, 5, 13] = torch.tensor([-1.0, 4.0])
    landmark = Landmark("x", 0, False, torch.zeros(3), (torch.tensor([2.0, 4.0, -2.0]), torch.tensor([-1.0, 4.0])))
    found = most_similar(maps, landmark, torch.tensor([30.0, 30.0, 30.0]), 16)
    assert torch.allclose(found, torch.tensor([30.0 - 2, 30 - 3, 30 + 5]), atol=1.01)


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    example = small_models.medlsam(tmp_path_factory.mktemp("medlsam"))
    return medlsam.load(example.weights), example


def test_supports_give_six_landmarks_for_each_structure(small):
    model, _ = small
    assert [(mark.structure, mark.axis, mark.high) for mark in model.landmarks[:3]] == [
        ("liver", 0, False), ("liver", 0, True), ("liver", 1, False),
    ]  # fmt: skip
    assert len(model.landmarks) == 12
    assert [feature.shape for feature in model.landmarks[0].features] == [(16,), (8,), (4,)]


def test_edges_have_gradients_that_finite_differences_confirm(small, monkeypatch):
    model, example = small
    inputs = model.prepare(example.image).double()
    network = RelativePositionNet(width=4, patch=16).eval()
    network.load_state_dict(model.network.state_dict())
    monkeypatch.setattr(model, "network", network.double())
    monkeypatch.setattr(model, "landmarks", [
        Landmark(mark.structure, mark.axis, mark.high, mark.position.double()) for mark in model.landmarks
    ])  # fmt: skip
    # Patches move by whole voxels, so they are held where the undisturbed volume puts them.
    places = localise(network, inputs, model.landmarks, spacing_mm=3.0, size=16, starts=1)
    monkeypatch.setattr(medlsam, "localise", lambda *args, **kwargs: places)
    leaf = inputs.clone().requires_grad_(True)
    edges = model.forward(leaf)
    assert edges.shape == (1, 12)
    (gradient,) = torch.autograd.grad(edges.sum(), leaf)
    direction = gradient / gradient.norm()
    with torch.no_grad():
        ahead, behind = (model.forward(inputs + sign * 1e-4 * direction).sum() for sign in (1, -1))
    assert float((ahead - behind) / 2e-4) == pytest.approx(float(gradient.norm()), rel=1e-3)


def test_only_ct_in_hu_is_read(small):
    model, _ = small
    with pytest.raises(InvalidInput, match="HU"):
        model.predict(small_models.volume(shape=(20, 20, 20)))


def test_grey_values_follow_the_published_line(small):
    values = np.repeat(np.array([-2000, -1000, -600, -200, 0, 200, 850, 1500, 3000, 0], dtype=np.float32), 100)
    volume = Volume(values.reshape(10, 10, 10), (3.0, 3.0, 3.0), medlsam.AXES, "HU")
    found = small[0].prepare(volume)[0, 0, :, 0, 0]
    assert found.tolist() == pytest.approx([0, 0, 0.1, 0.2, 0.5, 0.8, 0.9, 1, 1, 0.5])


class Filler:
    """A promptable model that fills its box, and keeps what it was asked."""

    def __init__(self):
        self.asked = []

    def predict(self, plane, prompt):
        self.asked.append((plane.shape, prompt.box))
        x0, y0, x1, y1 = (round(edge) for edge in prompt.box)
        mask = np.zeros(plane.shape, dtype=bool)
        mask[y0:y1, x0:x1] = True
        return Prediction(mask=mask)


@pytest.mark.parametrize("axes", ["LPS", "SAL", "RAI"])
def test_slices_of_a_box_go_to_the_promptable_model(axes, small, monkeypatch):
    model, _ = small
    volume = Volume(small_models.ct().array, (1.5, 1.5, 3.0), axes, "HU")
    box = ((4.0, 6.0, 8.0), (11.0, 20.0, 19.0))
    monkeypatch.setattr(model, "predict", lambda image: Prediction(boxes={"liver": box}))
    filler = Filler()
    masks = model.segment(volume, filler)
    expected = np.zeros(volume.array.shape, dtype=bool)
    expected[4:12, 6:21, 8:20] = True
    assert np.array_equal(masks["liver"], expected)
    axial = next(place for place, side in enumerate(axes) if side in "SI")
    assert len(filler.asked) == int(box[1][axial] - box[0][axial]) + 1


CHECKOUT = '''
import configparser

import nibabel
import numpy as np
import torch


class AnatomyDetection:
    def __init__(self, config_file):
        reader = configparser.ConfigParser()
        reader.read(config_file)
        self.fg_classes = [int(part) for part in reader["data"]["fg_class"].split(",")]
        self.network = torch.nn.DataParallel(torch.nn.Linear(1, 1)).half().cuda()
        self.network.load_state_dict(torch.load(reader["weight"]["medlam_load_path"]))

    def get_extreme_corner(self, path):
        """The bright block in the file's z, y, x."""
        image = nibabel.load(path)
        assert nibabel.aff2axcodes(image.affine) == ("L", "A", "S")
        assert [round(float(step), 3) for step in image.header.get_zooms()] == [2.0, 1.5, 3.0]
        on = np.argwhere(image.get_fdata().transpose(2, 1, 0) > 500)
        corners = np.stack([on.min(axis=0), on.max(axis=0)])
        return {}, {self.fg_classes[0]: corners}, image.shape[::-1]
'''


@pytest.fixture()
def checkout(tmp_path, monkeypatch):
    """A stand-in for a user's clone: the published calls, and its habit of asking for a GPU and half precision."""
    home = tmp_path / "MedLSAM"
    (home / "MedLAM").mkdir(parents=True)
    (home / "MedLAM" / "__init__.py").write_text("")
    (home / "MedLAM" / "Anatomy_detection.py").write_text(CHECKOUT)
    (home / "checkpoint").mkdir()
    torch.save(torch.nn.DataParallel(torch.nn.Linear(1, 1)).half().state_dict(), home / "checkpoint" / "medlam.pth")
    configuration = tmp_path / "test.txt"
    configuration.write_text("[data]\nfg_class = 6\n[weight]\nmedlam_load_path = checkpoint/medlam.pth\n")
    monkeypatch.setenv(medlsam.HOME, str(home))
    return configuration


@pytest.mark.parametrize("axes", ["RAS"])
def test_a_checkout_is_asked_in_its_own_axes(axes, checkout):
    model = medlsam.load(checkout)
    assert model.structures == ("6",)
    array = np.random.default_rng(0).normal(0, 20, (30, 32, 34)).astype(np.float32)
    array[4:9, 10:21, 7:30] = 900
    found = model.predict(Volume(array, (2.0, 1.5, 3.0), axes, "HU"))
    assert found.boxes == {"6": ((4.0, 10.0, 7.0), (8.0, 20.0, 29.0))}
    assert found.settings["isolation"] in ("whole", "network", "none")
    with pytest.raises(InvalidInput, match="HU"):
        model.predict(small_models.volume(shape=(20, 20, 20)))
    model.child.close()


def test_without_a_checkout_the_sentence_says_what_to_do(checkout, monkeypatch):
    monkeypatch.delenv(medlsam.HOME)
    with pytest.raises(Unavailable, match="VIGIL_MEDLSAM_HOME") as refusal:
        medlsam.load(checkout)
    assert refusal.value.code == "no_checkout"


def test_a_localizer_without_supports_or_structures_is_refused(tmp_path):
    example = small_models.medlsam(tmp_path)
    description = example.tensors.with_suffix(".json")
    content = json.loads(description.read_text())
    description.write_text(json.dumps({**content, "structures": {}}))
    with pytest.raises(InvalidInput) as refusal:
        medlsam.load(example.weights)
    assert refusal.value.code == "bad_description"
    description.write_text(json.dumps(content))
    for path in (example.weights / "supports").glob("*_image.nii.gz"):
        path.unlink()
    with pytest.raises(InvalidInput) as refusal:
        medlsam.load(example.weights)
    assert refusal.value.code == "no_supports"


def test_a_support_found_again_in_itself_lies_at_its_landmarks(tmp_path):
    """With positions that are right, the box of a support volume is the box of its own label."""
    example = small_models.medlsam(tmp_path)
    model = medlsam.load(example.weights)
    image = nibabel.load(example.weights / "supports" / "a_image.nii.gz")
    volume = Volume(np.asarray(image.dataobj), (1.5, 1.5, 3.0), "LPS", "HU")
    shape = model.prepare(volume).shape[2:]
    z, y, x = np.indices(shape)
    places = torch.from_numpy((z + 100.0 * y + 10_000.0 * x).astype(np.float64))[None, None]
    label = Volume(
        np.asarray(nibabel.load(example.weights / "supports" / "a_label.nii.gz").dataobj), (1.5, 1.5, 3.0), "LPS"
    )
    turned = label.turned(medlsam.AXES).array
    ratio = np.asarray(shape) / np.asarray(turned.shape)
    marks = []
    for axis, high, point in extreme_points(turned == 1):
        centre = (point + 0.5) * ratio - 0.5
        marks.append(
            Landmark("liver", axis, high, torch.tensor(centre, dtype=torch.float32) * 3 / torch.tensor(REACH_MM))
        )
    found = localise(known_position, places, marks, spacing_mm=3.0, size=8)
    for mark, point in zip(marks, found, strict=True):
        edge = (point.numpy()[mark.axis] + 0.5) / ratio[mark.axis] - 0.5
        on = np.flatnonzero((turned == 1).any(axis=tuple(other for other in range(3) if other != mark.axis)))
        assert edge == pytest.approx(on[-1] if mark.high else on[0], abs=0.1)


def test_a_box_prompt_reaches_from_edge_to_edge():
    assert Prompt(box=(0, 0, 40, 48)).checked(height=48, width=40) == (0.0, 0.0, 40.0, 48.0)
