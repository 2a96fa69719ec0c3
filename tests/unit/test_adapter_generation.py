"""RoentGen, MINIM, the packaged generator and DiffTumor."""

import shutil

import numpy as np
import pytest
import torch

from assurance.adapters import class_conditional_ddpm, difftumor, text_to_image
from assurance.adapters.catalogue import load_spec
from assurance.adapters.prompts import Prompt
from assurance.evidence.errors import InvalidInput, Unavailable
from tests import small_models


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return small_models.stable_diffusion(tmp_path_factory.mktemp("sd"))


@pytest.fixture(scope="module")
def model(folder):
    loaded = text_to_image.load_roentgen(folder)
    loaded.steps = 3
    return loaded


def upstream(folder, **options):
    from diffusers import StableDiffusionPipeline

    pipeline = StableDiffusionPipeline.from_pretrained(
        folder, safety_checker=None, requires_safety_checker=False, local_files_only=True, **options
    )
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def test_an_image_is_that_of_diffusers_own_call(folder, model):
    found = model.generate("effusion", seed=11, steps=3, guidance=4.0)
    expected = upstream(folder)(
        "effusion", num_inference_steps=3, guidance_scale=4.0, output_type="np",
        generator=torch.Generator().manual_seed(11),
    ).images[0]  # fmt: skip
    assert found.image.shape == (16, 16)
    assert found.image.std() > 0
    assert np.allclose(found.image, expected.mean(axis=2), atol=1e-5)


def test_what_repeats_an_image_is_stored_with_it(model):
    first = model.generate("effusion", seed=3, steps=2, guidance=2.0)
    stored = first.settings
    assert stored["scheduler"] == "DDIMScheduler"
    assert stored["scheduler_config"]["num_train_timesteps"] == 1000
    again = model.generate(stored["text"], seed=stored["seed"], steps=stored["steps"], guidance=stored["guidance"])
    other = model.generate(stored["text"], seed=4, steps=2, guidance=2.0)
    assert np.array_equal(first.image, again.image)
    assert not np.allclose(first.image, other.image)


def test_a_word_changes_the_image(model):
    assert not np.allclose(
        model.predict(1, Prompt(text="effusion")).image, model.predict(1, Prompt(text="normal")).image
    )


def test_minim_draws_with_the_other_unet(folder, tmp_path):
    from diffusers import UNet2DConditionModel

    shutil.copytree(folder, tmp_path / "base")
    small_models.small_unet(seed=9).save_pretrained(tmp_path / "unet")
    minim = text_to_image.load_minim(tmp_path)
    unet = UNet2DConditionModel.from_pretrained(tmp_path / "unet", local_files_only=True)
    expected = upstream(folder, unet=unet)(
        "oct", num_inference_steps=2, output_type="np", generator=torch.Generator().manual_seed(1)
    ).images[0]
    found = minim.generate("oct", seed=1, steps=2).image
    base = text_to_image.load_roentgen(folder).generate("oct", seed=1, steps=2, guidance=7.5).image
    assert np.allclose(found, expected.mean(axis=2), atol=1e-5)
    assert not np.allclose(found, base, atol=1e-3)


def test_cross_attention_is_a_share_for_each_token_and_changes_nothing(model):
    plain = model.generate("ab", seed=1, steps=2, guidance=3.0).image
    with model.recorded_cross_attention() as found:
        recorded = model.generate("ab", seed=1, steps=2, guidance=3.0).image
    assert np.allclose(plain, recorded, atol=1e-5)
    assert model.tokens("ab") == ["<|startoftext|>", "a", "b</w>", "<|endoftext|>"]
    assert found
    for name, maps in found.items():
        assert "attn2" in name
        assert len(maps) == 2  # one for each step; the batch holds the empty text and the prompt
        assert maps[0].shape[:2] == (2, 77)
        assert torch.allclose(maps[0].sum(dim=1), torch.ones(()), atol=1e-4)
    assert model.generate("ab", seed=1, steps=2, guidance=3.0).settings["n_tokens"] == 4
    with model.recorded_cross_attention() as empty:
        pass
    assert empty == {}


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"steps": 0}, "bad_steps"),
        ({"steps": 5000}, "bad_steps"),
        ({"guidance": -1}, "bad_guidance"),
        ({"seed": -3}, "bad_seed"),
        ({"text": "  "}, "prompt_missing"),
        ({"text": "x" * 3000}, "prompt_long"),
    ],
)
def test_settings_that_cannot_be_meant_are_refused(change, code, model):
    wanted = {"text": "effusion", "seed": 1, "steps": 2, **change}
    with pytest.raises(InvalidInput) as refusal:
        model.generate(wanted.pop("text"), **wanted)
    assert refusal.value.code == code


def test_a_missing_tensor_is_refused_and_not_filled_with_random_numbers(folder, tmp_path):
    from safetensors.torch import load_file, save_file

    shutil.copytree(folder, tmp_path / "p")
    path = tmp_path / "p" / "text_encoder" / "model.safetensors"
    tensors = load_file(path)
    name = sorted(tensors)[0]
    del tensors[name]
    save_file(tensors, path, metadata={"format": "pt"})
    with pytest.raises(InvalidInput, match="1 missing") as refusal:
        text_to_image.load_roentgen(tmp_path / "p")
    assert refusal.value.code == "other_model"


def test_a_folder_of_another_pipeline_is_refused(folder, tmp_path):
    shutil.copytree(folder, tmp_path / "p")
    index = (tmp_path / "p" / "model_index.json").read_text()
    (tmp_path / "p" / "model_index.json").write_text(index.replace("StableDiffusionPipeline", "FluxPipeline"))
    with pytest.raises(InvalidInput, match="FluxPipeline"):
        text_to_image.load_roentgen(tmp_path / "p")


def test_the_packaged_generator_draws_what_the_classifier_sees():
    model = class_conditional_ddpm.load()
    classify = load_spec("monai-densenet")
    shares = {}
    for label in class_conditional_ddpm.CLASSES:
        images = model.generate(label, count=4, seed=1, steps=12)
        assert all(image.image.shape == (32, 32) for image in images)
        shares[label] = [classify.predict(image.image * 255).scores["pneumonia"] for image in images]
    assert max(shares["normal"]) < 0.5 < min(shares["pneumonia"])


def test_guidance_of_one_is_the_prediction_with_its_class():
    from diffusers import DDIMScheduler

    model = class_conditional_ddpm.load()
    found = model.generate("pneumonia", seed=5, steps=2, guidance=1.0)[0].image
    scheduler = DDIMScheduler.from_config(model.scheduler.config)
    scheduler.set_timesteps(2)
    x = model.prepare(5)
    with torch.no_grad():
        for time in scheduler.timesteps:
            predicted = model.network(x, time, class_labels=torch.tensor([1])).sample
            x = scheduler.step(predicted, time, x).prev_sample
    assert np.allclose(found, (x[0, 0].clamp(-1, 1) + 1).numpy() / 2, atol=1e-4)


def test_a_class_that_the_generator_does_not_know_is_refused():
    with pytest.raises(InvalidInput, match="normal, pneumonia"):
        class_conditional_ddpm.load().generate("fracture")


@pytest.fixture(scope="module")
def tumours(tmp_path_factory):
    home = tmp_path_factory.mktemp("difftumor")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(difftumor.HOME, str(small_models.difftumor_checkout(home)))
        example = small_models.difftumor(home)
        yield difftumor.load(example.weights), example


def test_a_tumour_lies_in_the_organ_and_the_rest_stays(tumours):
    model, example = tumours
    one, again, other = (model.generate(example.image, example.prompt, seed=seed) for seed in (1, 1, 2))
    organ = example.prompt.mask > 0
    assert 0 < one.mask.sum() < organ.sum()
    assert not (one.mask & ~organ).any()
    low, high = difftumor.WINDOW
    assert np.allclose(one.image[~one.mask], np.clip(example.image.array, low, high)[~one.mask], atol=0.01)
    assert np.abs(one.image - np.clip(example.image.array, low, high))[one.mask].mean() > 1
    assert np.array_equal(one.image, again.image)
    assert np.array_equal(one.mask, again.mask)
    assert not np.array_equal(one.mask, other.mask)
    assert one.settings["label"] == "liver early"
    assert one.settings["seed"] == 1


@pytest.mark.parametrize(
    ("prompt", "code"),
    [
        (Prompt(mask=np.zeros((96, 96, 96)), label="liver early"), "empty_mask"),
        (Prompt(mask=np.ones((9, 9, 9)), label="liver early"), "bad_shape"),
        (Prompt(mask=np.ones((96, 96, 96)), label="heart early"), "prompt_missing"),
        (Prompt(mask=np.ones((96, 96, 96)), label="liver huge"), "prompt_missing"),
        (Prompt(label="liver"), "prompt_missing"),
    ],
)
def test_masks_and_labels_that_cannot_be_meant_are_refused(prompt, code, tumours):
    model, example = tumours
    with pytest.raises(InvalidInput) as refusal:
        model.predict(example.image, prompt)
    assert refusal.value.code == code


def test_a_patch_of_another_size_or_unit_is_refused(tumours):
    model, example = tumours
    small = small_models.ct()
    for image, code in ((small, "bad_shape"), (small_models.volume(shape=(96, 96, 96)), "bad_unit")):
        with pytest.raises(InvalidInput) as refusal:
            model.predict(image, example.prompt)
        assert refusal.value.code == code


def test_without_a_checkout_the_sentence_says_what_to_do(tumours, monkeypatch):
    monkeypatch.delenv(difftumor.HOME)
    with pytest.raises(Unavailable, match=r"VIGIL_DIFFTUMOR_HOME.*CC BY-NC-ND") as refusal:
        difftumor.load(tumours[1].weights)
    assert refusal.value.code == "no_checkout"
