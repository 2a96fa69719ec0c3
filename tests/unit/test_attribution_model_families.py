"""Methods for registration, localization, generation and large volumes, on small models of each family."""

from functools import partial

import numpy as np
import pytest
import torch
from torch import nn

from assurance.adapters.catalogue import ADAPTERS
from assurance.adapters.images import Pair, Volume
from assurance.adapters.prompts import Prompt
from assurance.adapters.protocol import Prediction
from assurance.adapters.registration import RegistrationModel
from assurance.evidence.errors import InvalidInput, NotComputable
from explainability.attribution.attention_rollout import attention_rollout
from explainability.attribution.generation import changed_mask, mask_conditioning, token_ablation, token_maps
from explainability.attribution.localization import CoordinateQuestion, coordinate_gradient, start_jitter
from explainability.attribution.registration import (
    DisplacementQuestion,
    SimilarityQuestion,
    displacement_gradient,
    displacement_occlusion,
    similarity_gradient,
)
from explainability.attribution.tiled import grown, tiled_occlusion, tiled_saliency, tiles
from tests import small_models
from tests.toy_models import Function, Toy


class ToyRegistration(RegistrationModel):
    """Displacement (in cells, along L, I and A) = 1, 2 and 3 times the fixed image: its place and axes are on paper."""

    key = "toy-registration"
    modalities = ("MR",)
    licence = "Apache-2.0"
    source = "tests"
    axes = "LIA"

    def __init__(self):
        super().__init__(
            Function(lambda x: torch.cat([x[:, 1:2], 2 * x[:, 1:2], 3 * x[:, 1:2]], dim=1)), weights_sha256="0" * 64
        )

    @property
    def contract(self):
        raise NotImplementedError

    def scaled(self, volume, *, name):
        return volume.array.astype(np.float32)

    def network_shape(self, shape):
        return shape

    def forward(self, inputs, prompt=None):
        return self.network(inputs)


def pair(shape=(16, 20, 24)):
    rng = np.random.default_rng(2)
    return Pair(*(Volume(rng.uniform(0, 1, shape).astype(np.float32), (1.0, 2.0, 3.0), "RAS") for _ in range(2)))


def test_a_displacement_is_read_at_its_landmark_along_the_fixed_volumes_axes_in_mm():
    images = pair()
    place = (6, 9, 13)
    block = images.fixed.array[4:9, 7:12, 11:16].mean()
    values = {
        c: DisplacementQuestion(ToyRegistration(), images, landmark="6,9,13", component=c, crop=0).f_x for c in "012"
    }
    # R is against L, S against I: their signs turn; A is A. Cells of 1 mm (R), 2 mm (A), 3 mm (S).
    assert values["0"] == pytest.approx(-1 * 1.0 * block, rel=1e-5)
    assert values["1"] == pytest.approx(3 * 2.0 * block, rel=1e-5)
    assert values["2"] == pytest.approx(-2 * 3.0 * block, rel=1e-5)
    length = DisplacementQuestion(ToyRegistration(), images, landmark="6,9,13", crop=0).f_x
    assert length == pytest.approx(block * np.sqrt(1 + 36 + 36), rel=1e-5)
    found = displacement_gradient(ToyRegistration(), images, landmark="6,9,13", component="1", crop=0)
    inside = np.zeros((16, 20, 24), bool)
    inside[4:9, 7:12, 11:16] = True
    assert found.values[inside] == pytest.approx(6 / 125, rel=1e-4)
    assert found.values[~inside].max() == 0
    assert found.extras["share_fixed"] == 1
    assert inside[place]


def test_a_crop_around_the_landmark_gives_the_same_where_the_network_sees_no_farther():
    images = pair((48, 48, 48))
    whole, cropped = (
        displacement_gradient(ToyRegistration(), images, landmark="30,20,25", crop=crop).values for crop in (0, 16)
    )
    assert cropped == pytest.approx(whole, abs=1e-6)


def test_occlusion_of_a_displacement_is_the_length_of_its_change():
    images = pair((16, 16, 16))
    question = DisplacementQuestion(ToyRegistration(), images, landmark="4,4,4", crop=0)
    found = displacement_occlusion(ToyRegistration(), images, question=question, blocks=2)
    fill = question.baseline("blurred")
    covered = question.inputs.clone()
    place = np.unravel_index(found.grid_values.argmax(), found.grid_values.shape)
    part = tuple(slice(0, 8) if each < 8 else slice(8, 16) for each in place)
    covered[(slice(None), slice(None), *part)] = fill[(slice(None), slice(None), *part)]
    moved = (question.vectors(covered) - question.vectors(question.inputs))[0].norm()
    assert float(found.grid_values.max()) == pytest.approx(float(moved), rel=1e-5)
    assert (found.grid_values > 0).sum() <= 8**3 * 8


def test_similarity_of_a_volume_with_itself_is_one():
    volume = pair().fixed
    model = ToyRegistration()
    model.network = Function(lambda x: torch.zeros(len(x), 3, *x.shape[2:]))
    assert SimilarityQuestion(model, Pair(volume, volume), landmark="8,8,8", crop=0).f_x == pytest.approx(1, abs=1e-4)
    assert abs(SimilarityQuestion(model, pair(), landmark="8,8,8", crop=0).f_x) < 0.3
    assert similarity_gradient(model, pair(), landmark="8,8,8", crop=0).values.shape == (16, 20, 24)


def test_registration_of_a_small_voxelmorph(tmp_path):
    small = small_models.voxelmorph(tmp_path)
    model = ADAPTERS.load("voxelmorph")(small.weights)
    shape = np.asarray(small.image.fixed.array).shape
    found = displacement_gradient(model, small.image, crop=0)
    assert found.values.shape == shape
    assert 0 < found.extras["share_moving"] < 1
    for landmark in ("1,2", "a,b,c", f"0,0,{shape[2]}"):
        with pytest.raises(InvalidInput, match="landmark"):
            displacement_gradient(model, small.image, landmark=landmark)
    with pytest.raises(InvalidInput, match="multiple of 16"):
        displacement_gradient(model, small.image, crop=20)


def test_localization_of_a_small_relative_distance_model(tmp_path):
    small = small_models.medlsam(tmp_path)
    model = ADAPTERS.load("medlsam")(small.weights)
    asked = CoordinateQuestion(model, small.image, target=1)
    assert asked.name.endswith("edge")
    found = coordinate_gradient(model, small.image, question=asked)
    assert found.values.shape == np.asarray(small.image.array).shape
    # the gradient agrees with a finite difference at its strongest voxel
    place = np.unravel_index(found.grid_values.argmax(), found.grid_values.shape)
    ends = []
    for step in (-1e-4, 1e-4):
        moved = asked.inputs.clone()
        moved[(0, 0, *place)] += step
        with torch.no_grad():
            ends.append(float(asked(moved)[0]))
    slope = abs(ends[1] - ends[0]) / 2e-4
    assert slope == pytest.approx(float(found.grid_values.max()), rel=0.1)
    jitter = start_jitter(model, small.image, target=1, starts=2)
    assert jitter.extras["spread_mm"] == pytest.approx(np.std(jitter.extras["ends_mm"], ddof=1), rel=1e-3)
    assert len(jitter.extras["ends_mm"]) == 8
    with pytest.raises(InvalidInput, match="give 0 to"):
        coordinate_gradient(model, small.image, target=999)


@pytest.fixture(scope="module")
def drawer(tmp_path_factory):
    small = small_models.roentgen(tmp_path_factory.mktemp("sd"))
    return ADAPTERS.load("roentgen")(small.weights)


def test_token_maps_of_a_tiny_stable_diffusion(drawer):
    prompt = Prompt(text="big left effusion")
    found = token_maps(drawer, prompt=prompt, steps=3, seed=4)
    image = drawer.generate("big left effusion", seed=4, steps=3, guidance=4.0).image
    assert found.values.shape == image.shape
    assert [row["token"] for row in found.extras["tokens"]] == drawer.tokens("big left effusion")
    # all tokens together share the attention of each place
    assert sum(row["mean_share"] for row in found.extras["tokens"]) == pytest.approx(1, abs=1e-4)
    one, two = (token_maps(drawer, prompt=prompt, steps=3, seed=4, target=target).values for target in (1, 2))
    assert not np.allclose(one, two)
    processors = {type(each).__name__ for each in drawer.network.attn_processors.values()}
    assert "RecordingCrossAttention" not in processors  # left as found


def test_token_ablation_is_the_change_under_the_same_noise(drawer):
    found = token_ablation(drawer, prompt=Prompt(text="left effusion"), steps=2, seed=1)
    whole, without = (
        drawer.generate(text, seed=1, steps=2, guidance=4.0).image for text in ("left effusion", "effusion")
    )
    assert found.extras["words"][0]["mean_change"] == pytest.approx(float(np.abs(whole - without).mean()), rel=1e-4)
    with pytest.raises(InvalidInput, match="no prompt"):
        token_ablation(drawer, prompt=Prompt(text="effusion"), steps=2)
    with pytest.raises(InvalidInput, match="give one"):
        token_maps(drawer, prompt=Prompt(text=" "), steps=2)


class MaskDrawer(Toy):
    """Draws 50 inside the mask, and a lesion in its middle voxel."""

    def generate(self, image, prompt, *, seed):
        mask = np.asarray(prompt.mask, bool)
        lesion = np.zeros_like(mask)
        lesion[tuple(np.argwhere(mask).mean(0).round().astype(int))] = True
        return Prediction(image=(np.asarray(image.array) + 50 * mask).astype(np.float32), mask=lesion)


def test_mask_conditioning_finds_the_change_in_the_masks():
    model = MaskDrawer(lambda x: x, task="generation", prompts=("mask",))
    volume = Volume(np.zeros((16, 16, 16), np.float32), (1.0, 1.0, 1.0), "RAS", "HU")
    mask = np.zeros((16, 16, 16), bool)
    mask[2:10, 4:8, 4:8] = True
    found = mask_conditioning(model, volume, prompt=Prompt(mask=mask))
    assert found.extras["share_in_masks"] == 1
    assert found.extras["lesion_in_own_mask"] == found.extras["lesion_in_changed_mask"] == 1
    assert (found.values[mask ^ changed_mask(mask, "moved")] == 50).all()
    assert changed_mask(mask, "eroded").sum() < mask.sum()
    with pytest.raises(InvalidInput, match="moved or eroded"):
        mask_conditioning(model, volume, prompt=Prompt(mask=mask), change="painted")
    with pytest.raises(NotComputable, match="zero everywhere"):
        still = MaskDrawer(lambda x: x, task="generation", prompts=("mask",))
        still.generate = lambda image, prompt, seed: Prediction(image=np.zeros((16, 16, 16), np.float32))
        mask_conditioning(still, volume, prompt=Prompt(mask=mask))


def volume_model():
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv3d(1, 3, 3, padding=1), nn.ELU(), nn.Conv3d(3, 2, 3, padding=2, dilation=2))
    return Toy(network, task="segmentation", classes=("out", "in"))


def noise(shape):
    return Volume(np.random.default_rng(1).normal(0, 1, shape).astype(np.float32), (1.0, 1.0, 1.0), "RAS")


def test_tiles_cover_once_and_grow_within_the_volume():
    count = np.zeros((10, 12, 7), int)
    for part in tiles(count.shape, 4):
        count[part] += 1
    assert (count == 1).all()
    assert grown((slice(0, 4), slice(8, 12)), (10, 12), 3) == (slice(0, 7), slice(5, 12))


def test_saliency_in_tiles_equals_that_of_the_whole_volume():
    image = noise((24, 24, 24))
    model = volume_model()
    whole = tiled_saliency(model, image, tile=32, margin=0)  # one tile: the volume itself
    found = tiled_saliency(model, image, tile=8, margin=3)  # the network sees 1 + 2 voxels far
    assert found.values == pytest.approx(whole.values, abs=1e-6)
    narrow = tiled_saliency(model, image, tile=8, margin=0)
    assert not np.allclose(narrow.values, whole.values, atol=1e-6)


def test_work_that_was_cut_off_goes_on_where_it_ended():
    image = noise((24, 24, 24))
    kept: dict = {}
    steps = []

    def stop_after_five(step):
        steps.append(step)
        if len(steps) == 5:
            raise KeyboardInterrupt

    model = volume_model()
    with pytest.raises(KeyboardInterrupt):
        tiled_saliency(model, image, tile=8, margin=3, kept=kept, progress=stop_after_five)
    assert len(kept) == 5
    calls = []
    model.network.register_forward_hook(lambda *parts: calls.append(1))
    found = tiled_saliency(model, image, tile=8, margin=3, kept=kept)
    assert found.values == pytest.approx(tiled_saliency(volume_model(), image, tile=8, margin=3).values)
    assert len(calls) == 1 + found.method.parameters["tiles"] - 5  # the question's pass, then what was left


def test_occlusion_in_blocks_refines_the_strongest():
    image = noise((16, 16, 16))
    found = tiled_occlusion(volume_model(), image, block=8, margin=4, refine=0.2)
    assert found.values.shape == (16, 16, 16)
    assert len(np.unique(found.values)) > 8
    question_fails = partial(tiled_occlusion, volume_model(), image, block=4)
    with pytest.raises(InvalidInput, match="give 8 to 256"):
        question_fails()


def test_rollout_of_small_transformers(tmp_path):
    small = small_models.medsam(tmp_path)
    model = ADAPTERS.load("medsam")(small.weights)
    try:
        found = attention_rollout(model, small.image, prompt=small.prompt)
    except NotComputable as reason:
        assert reason.code == "empty_mask"  # random weights may see nothing in this image
    else:
        assert found.values.shape == np.asarray(small.image).shape[:2]
        assert found.values.min() >= 0


def test_rollout_of_a_small_vision_transformer(tmp_path):
    small = small_models.hf_image_classifier(tmp_path)
    model = ADAPTERS.load("hf-image-classifier")(small.weights)
    found = attention_rollout(model, small.image)
    assert found.values.shape == np.asarray(small.image).shape[:2]
    assert found.values.max() > 0
    assert not any(module._forward_hooks for module in model.network.modules())
