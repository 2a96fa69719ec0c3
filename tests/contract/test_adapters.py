"""Every adapter keeps one contract, on small networks with random weights in the official checkpoint's layout."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from assurance.adapters.catalogue import ADAPTERS
from assurance.adapters.digests import checked_sha256
from assurance.adapters.images import Pair, Volume
from assurance.adapters.prompts import Prompt
from assurance.evidence.errors import InvalidInput, NotComputable, Unavailable
from tests.small_models import MAKERS, difftumor_checkout

ROOT = Path(__file__).resolve().parent.parent.parent
PROMPTED = [key for key in ADAPTERS if "box" in ADAPTERS[key].facts["prompts"]]
WITH_IMAGE = [key for key in ADAPTERS if ADAPTERS[key].facts["image"] != "none"]
WITH_TENSORS = [key for key in MAKERS if key not in ("torchscript", "torch-export", "onnx", "difftumor")]


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """``small(key)`` gives the loaded small model and what to ask it; each is made once."""
    made = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VIGIL_DIFFTUMOR_HOME", str(difftumor_checkout(tmp_path_factory.mktemp("checkout"))))

        def get(key):
            if key not in made:
                example = MAKERS[key](tmp_path_factory.mktemp(key))
                model = ADAPTERS.load(key)(example.weights, **(example.options or {}))
                if hasattr(model, "steps"):
                    model.steps = 2
                made[key] = model, example
            return made[key]

        yield get


def arrays_of(prediction):
    found = {
        name: getattr(prediction, name) for name in ("mask", "logits", "labels", "displacement_mm", "warped", "image")
    }
    return {name: array for name, array in found.items() if array is not None}


def test_listing_adapters_imports_no_heavy_library():
    code = (
        "import sys, assurance.adapters.catalogue, assurance.adapters.official_weights\n"
        "heavy = ('torch', 'transformers', 'diffusers', 'monai', 'onnxruntime')\n"
        "print([name for name in heavy if name in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    assert run.stdout.strip() == "[]"


def test_every_adapter_has_a_small_model_here():
    assert set(MAKERS) == set(ADAPTERS)


@pytest.mark.parametrize("key", ADAPTERS)
def test_an_adapter_has_its_page_source_licence_and_layout(key):
    entry = ADAPTERS[key]
    assert entry.source
    assert all(entry.facts[name] for name in ("task", "licence", "layout", "image"))
    page = (ROOT / "docs" / "models" / f"{key}.md").read_text(encoding="utf-8")
    for heading in ("## Source and licence", "## Checkpoint", "## Input", "## Output", "## Limits"):
        assert heading in page, heading


@pytest.mark.parametrize("key", MAKERS)
def test_a_model_says_what_it_is_and_takes(key, small):
    model, _ = small(key)
    assert model.key == key
    assert model.task in ("classification", "segmentation", "registration", "localization", "generation")
    assert model.licence
    assert model.source
    assert model.checkpoint_layout
    assert model.contract.inputs
    assert model.contract.outputs
    assert model.contract.input_shape
    assert len(model.weights_sha256) == 64
    assert not model.network.training
    assert not any(parameter.requires_grad for parameter in model.network.parameters())


@pytest.mark.parametrize("key", [key for key in MAKERS if key != "difftumor"])
def test_a_prediction_has_the_shape_of_its_task_and_comes_twice(key, small):
    # DiffTumor, whose child takes seconds to start, repeats itself in its own test.
    model, example = small(key)
    before = _copy(example.image)
    first, second = (model.predict(example.image, example.prompt) for _ in range(2))
    if model.task == "classification":
        assert set(first.scores) == set(model.contract.classes)
        assert all(0 <= score <= 1 for score in first.scores.values())
        assert first.scores == second.scores
    elif model.task == "segmentation":
        shape = _array(example.image).shape
        assert first.mask.shape == shape
        assert first.mask.dtype == bool
    elif model.task == "registration":
        shape = example.image.fixed.array.shape
        assert first.displacement_mm.shape == (3, *shape)
        assert first.warped.shape == shape
    elif model.task == "localization":
        assert set(first.boxes) == {"liver", "spleen"}
        assert all(low <= high for box in first.boxes.values() for low, high in zip(*box, strict=True))
        assert first.boxes == second.boxes
    else:
        assert first.image.ndim in (2, 3)
        assert "seed" in first.settings
    for name, array in arrays_of(first).items():
        assert np.isfinite(array).all(), name
        assert np.array_equal(array, arrays_of(second)[name]), name
    assert np.array_equal(_array(before), _array(example.image))


@pytest.mark.parametrize("key", [key for key in MAKERS if key not in ("difftumor", "onnx", "medlsam")])
def test_a_differentiable_forward_has_a_gradient_that_finite_differences_confirm(key, small):
    # MedLSAM's patches move by whole voxels; its own test holds them still.
    model, example = small(key)
    assert model.differentiable
    inputs = model.prepare(example.image)
    shape = _array(example.image).shape if model.input_kind in ("plane", "volume") else ()
    prompt = model.network_prompt(example.prompt, shape)
    leaf = inputs.clone().requires_grad_(True)
    output = model.forward(leaf, prompt)
    weights = torch.randn(output.shape, generator=torch.Generator().manual_seed(5))
    (gradient,) = torch.autograd.grad((output * weights).sum(), leaf)
    length = float(gradient.norm())
    assert length > 0
    # Along the gradient the slope is its length; rounding spoils short steps and kinks long ones, so three are tried.
    direction = gradient / length
    slopes = []
    for share in (0.3, 0.03, 0.003):
        step = share * float(inputs.std())
        with torch.no_grad():
            ahead, behind = (model.forward(inputs + sign * step * direction, prompt) for sign in (1, -1))
        slopes.append(float(((ahead - behind).double() * weights).sum()) / (2 * step))
    assert min(abs(slope / length - 1) for slope in slopes) < 0.05, (slopes, length)


@pytest.mark.parametrize(
    "key", [key for key in MAKERS if key not in ("torchscript", "torch-export", "onnx", "difftumor")]
)
def test_an_embedding_is_one_finite_vector_that_tells_images_apart(key, small):
    model, example = small(key)
    if model.input_kind == "none":
        pytest.skip("a generator sees no image")
    vector = model.embed(example.image)
    other = model.embed(_changed(example.image))
    assert vector.ndim == 1
    assert vector.dtype == np.float32
    assert np.isfinite(vector).all()
    assert not np.allclose(vector, other)


@pytest.mark.parametrize("key", MAKERS)
def test_layers_belong_to_the_network_and_hold_a_grid(key, small):
    model, _ = small(key)
    modules = dict(model.network.named_modules())
    for name, layer in model.layers().items():
        assert any(layer is module for module in modules.values()), name
    for name, layer in model.attention_layers().items():
        assert modules[name] is layer.module


@pytest.mark.parametrize("key", WITH_IMAGE)
def test_an_image_with_nan_is_refused(key, small):
    model, example = small(key)
    with pytest.raises(InvalidInput, match="NaN"):
        model.predict(_with_nan(example.image), example.prompt)


@pytest.mark.parametrize("key", WITH_IMAGE)
@pytest.mark.parametrize(
    "wrong", [np.zeros((4, 5, 6, 7)), np.array([["a"] * 20] * 20), np.ones((30, 30), dtype=complex)]
)
def test_an_image_of_another_shape_or_type_is_refused(key, wrong, small):
    model, example = small(key)
    with pytest.raises(InvalidInput):
        model.predict(wrong, example.prompt)


@pytest.mark.parametrize("key", [key for key in WITH_IMAGE if "volume" in ADAPTERS[key].facts["image"]])
def test_a_volume_without_spacing_is_refused(key, small):
    model, example = small(key)
    if model.input_kind != "volume":
        pytest.skip("this small model takes planes")
    bare = Volume(example.image.array, None, example.image.axes, example.image.unit)
    with pytest.raises(InvalidInput, match="spacing"):
        model.predict(bare, example.prompt)
    with pytest.raises(InvalidInput, match="spacing"):
        model.predict(example.image.array, example.prompt)


@pytest.mark.parametrize("key", PROMPTED)
@pytest.mark.parametrize("box", [(-1, 0, 5, 5), (0, 0, 41, 10), (0, 0, 10, 49), (9, 9, 9, 20), (20, 5, 10, 30)])
def test_a_box_outside_the_image_or_empty_is_refused(key, box, small):
    model, example = small(key)
    with pytest.raises(InvalidInput, match=r"does not lie inside the image of 40 × 48"):
        model.predict(example.image, Prompt(box=box))


@pytest.mark.parametrize("key", [key for key in ADAPTERS if ADAPTERS[key].facts["prompts"]])
def test_a_missing_prompt_is_refused(key, small):
    model, example = small(key)
    with pytest.raises(InvalidInput) as refusal:
        model.predict(example.image, None)
    assert refusal.value.code == "prompt_missing"


@pytest.mark.parametrize("key", WITH_TENSORS)
def test_weights_of_another_model_are_refused_by_name(key, tmp_path):
    example = MAKERS[key](tmp_path)
    _rewrite(example.tensors, lambda tensors: {f"other.{name}": tensor for name, tensor in tensors.items()})
    with pytest.raises(InvalidInput) as refusal:
        ADAPTERS.load(key)(example.weights, **(example.options or {}))
    assert refusal.value.code == "other_model", refusal.value.message


@pytest.mark.parametrize("key", WITH_TENSORS)
def test_weights_with_nan_are_refused(key, tmp_path):
    def broken(tensors):
        name = max(tensors, key=lambda name: tensors[name].numel() if tensors[name].is_floating_point() else 0)
        tensors[name] = tensors[name].clone()
        tensors[name].view(-1)[0] = float("nan")
        return tensors

    example = MAKERS[key](tmp_path)
    _rewrite(example.tensors, broken)
    with pytest.raises(InvalidInput) as refusal:
        ADAPTERS.load(key)(example.weights, **(example.options or {}))
    assert refusal.value.code == "broken_weights", refusal.value.message


@pytest.mark.parametrize("key", MAKERS)
def test_weights_with_another_hash_are_refused(key, small):
    model, example = small(key)
    load = ADAPTERS.load(key)
    with pytest.raises(InvalidInput) as refusal:
        load(example.weights, sha256="0" * 64, **(example.options or {}))
    assert refusal.value.code == "other_weights"
    assert model.weights_sha256 == checked_sha256(example.weights, model.weights_sha256)


@pytest.mark.parametrize("key", ADAPTERS)
def test_a_path_without_weights_is_refused(key, tmp_path):
    with pytest.raises(InvalidInput) as refusal:
        ADAPTERS.load(key)(tmp_path / "nothing.safetensors")
    assert "nothing" in refusal.value.message


@pytest.mark.parametrize(
    "error", [torch.OutOfMemoryError("CUDA out of memory"), MemoryError(), RuntimeError("CPU: can't allocate memory")]
)
@pytest.mark.parametrize("key", MAKERS)
def test_running_out_of_memory_is_an_outcome_with_a_reason(key, error, small, monkeypatch):
    model, example = small(key)

    def raises(*args, **kwargs):
        raise error

    monkeypatch.setattr(model, "prepare", raises)
    with pytest.raises(NotComputable) as outcome:
        model.predict(example.image, example.prompt)
    assert outcome.value.code == "out_of_memory"
    assert key in outcome.value.message


@pytest.mark.parametrize("key", WITH_TENSORS)
def test_a_device_that_is_not_there_is_refused(key, small):
    if torch.cuda.device_count() > 7:
        pytest.skip("this machine has that many devices")
    _, example = small(key)
    with pytest.raises(Unavailable, match="cuda:7"):
        ADAPTERS.load(key)(example.weights, device="cuda:7", **(example.options or {}))


def _array(image):
    if isinstance(image, Volume):
        return image.array
    return image.moving.array if isinstance(image, Pair) else image


def _copy(image):
    return image if isinstance(image, int) else _mapped(image, lambda array: array.copy())


def _changed(image):
    return _mapped(image, lambda array: np.flip(array, 0).copy() * np.float32(0.5))


def _with_nan(image):
    def broken(array):
        array = array.copy()
        array.flat[array.size // 2] = np.nan
        return array

    return _mapped(image, broken)


def _mapped(image, change):
    if isinstance(image, Volume):
        return Volume(change(image.array), image.spacing_mm, image.axes, image.unit)
    if isinstance(image, Pair):
        return Pair(_mapped(image.moving, change), image.fixed)
    return change(image)


def _rewrite(path, change):
    from safetensors.torch import load_file, save_file

    if path.suffix == ".safetensors":
        save_file(change(load_file(path)), path, metadata={"format": "pt"})
        return
    content = torch.load(path, weights_only=True)
    inner = content.get("model", content)
    torch.save({"model": change(inner)} if "model" in content else change(inner), path)
