"""Generic adapters against the libraries' own forward, and MeshNet on a real head."""

import json

import numpy as np
import pytest
import torch

from assurance.adapters import hf_image_classifier, meshnet, monai_bundle, monai_networks, onnx_program
from assurance.adapters.images import Volume, read_volume
from assurance.evidence.errors import InvalidInput, NotComputable
from tests import small_models
from tests.small_models import plane


def test_a_vit_gives_what_transformers_gives(tmp_path):
    from transformers import ViTForImageClassification

    example = small_models.hf_image_classifier(tmp_path)
    model = hf_image_classifier.load(example.weights)
    image = plane(shape=(32, 32))
    upstream = ViTForImageClassification.from_pretrained(example.weights, local_files_only=True).eval()
    colour = torch.from_numpy(image / 255)[None].expand(3, 32, 32)
    mean, sd = torch.tensor([0.5, 0.4, 0.3]).view(3, 1, 1), torch.tensor([0.2, 0.25, 0.3]).view(3, 1, 1)
    with torch.no_grad():
        expected = upstream(pixel_values=((colour - mean) / sd)[None]).logits.softmax(dim=1)[0]
    found = model.predict(image).scores
    assert list(found) == ["normal", "effusion", "mass"]
    assert list(found.values()) == pytest.approx(expected.tolist(), abs=1e-6)


def test_attention_of_a_vit_has_its_class_token_before_the_grid(tmp_path):
    model = hf_image_classifier.load(small_models.hf_image_classifier(tmp_path).weights)
    inputs = model.prepare(plane()).requires_grad_(True)
    with model.recorded_attention() as found:
        output = model.forward(inputs)[0, 1]
    layers = model.attention_layers()
    assert len(found) == len(layers) == 2
    for name, weights in found.items():
        layer = layers[name]
        assert (layer.grid, layer.heads, layer.prefix_tokens, layer.window) == ((4, 4), 4, 1, 0)
        assert weights.shape == (1, 4, 17, 17)
        assert torch.allclose(weights.sum(dim=-1), torch.ones(()), atol=1e-5)
    assert all(gradient.abs().max() > 0 for gradient in torch.autograd.grad(output, list(found.values())))
    with pytest.raises(NotComputable, match="no grid"):
        model.feature_layer()


def test_a_convolutional_classifier_offers_its_last_grid(tmp_path):
    from transformers import ResNetConfig, ResNetForImageClassification

    torch.manual_seed(0)
    config = ResNetConfig(embedding_size=8, hidden_sizes=[8, 16], depths=[1, 1], layer_type="basic")
    ResNetForImageClassification(config).save_pretrained(tmp_path)
    (tmp_path / "preprocessor_config.json").write_text(json.dumps({"size": 64}))
    model = hf_image_classifier.load(tmp_path)
    assert model.attention_layers() == {}
    kept = []
    handle = model.feature_layer().register_forward_hook(lambda _m, _i, output: kept.append(output))
    model.predict(plane())
    handle.remove()
    assert kept[0].dim() == 4
    assert 1 < kept[0].shape[-1] < 64
    assert model.embed(plane()).shape == (16,)


def test_a_classifier_with_code_of_its_own_is_refused(tmp_path):
    example = small_models.hf_image_classifier(tmp_path)
    path = example.weights / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "auto_map": {"AutoModel": "mine.Model"}}))
    with pytest.raises(InvalidInput, match="auto_map") as refusal:
        hf_image_classifier.load(example.weights)
    assert refusal.value.code == "unsafe_weights"


def test_a_folder_of_another_kind_is_refused(tmp_path):
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "bert", "architectures": ["BertModel"]}))
    (tmp_path / "model.safetensors").write_bytes(b"")
    with pytest.raises(InvalidInput, match="BertModel"):
        hf_image_classifier.load(tmp_path)


def test_a_monai_unet_gives_what_monai_gives(tmp_path):
    from monai.networks.nets import UNet
    from safetensors.torch import load_file

    example = small_models.monai_unet(tmp_path)
    model = monai_networks.load_unet(example.weights)
    upstream = UNet(**small_models.UNET).eval()
    upstream.load_state_dict(load_file(example.weights))
    values = np.random.default_rng(0).uniform(0, 255, (16, 20, 24)).astype(np.float32)
    found = model.predict(Volume(values, (2.0, 2.0, 2.0), "RAS")).labels
    with torch.no_grad():
        expected = upstream(torch.from_numpy(values / 255)[None, None])[0].argmax(dim=0)
    assert np.array_equal(found, expected.numpy())
    assert len(np.unique(found)) > 1


def test_a_swinunetr_gives_what_monai_gives(tmp_path):
    from monai.networks.nets import SwinUNETR
    from safetensors.torch import load_file

    example = small_models.monai_swinunetr(tmp_path)
    model = monai_networks.load_swinunetr(example.weights)
    upstream = SwinUNETR(**small_models.SWIN).eval()
    upstream.load_state_dict(load_file(example.weights))
    values = np.random.default_rng(0).uniform(0, 1, (64, 32, 32)).astype(np.float32)
    values.flat[:2] = 0, 1
    with torch.no_grad():
        expected = upstream(torch.from_numpy(values)[None, None])
        found = model.forward(model.prepare(Volume(values, (1.0, 1.0, 1.0), "RAS")))
    assert torch.allclose(found, expected, atol=1e-5)


def test_a_swinunetr_of_other_sides_is_refused(tmp_path):
    example = small_models.monai_swinunetr(tmp_path)
    small_models.described(example.weights, task="segmentation", classes=["a", "b"], dims=3, kwargs=small_models.SWIN)
    with pytest.raises(InvalidInput, match="multiple of 32"):
        monai_networks.load_swinunetr(example.weights)


@pytest.mark.parametrize(
    "network",
    [
        {"_target_": "os.system", "command": "touch harmed"},
        {"_target_": "UNet", "spatial_dims": "$__import__('os').system('touch harmed')"},
        {"_target_": "UNet", "spatial_dims": "@dims"},
        {"_target_": "UNet", "act": {"_target_": "torch.nn.ReLU"}},
        {"_target_": "monai.networks.nets.UNet", "channels": ["$1"]},
    ],
)
def test_a_bundle_with_code_is_refused_and_not_run(network, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    example = small_models.monai_bundle(tmp_path)
    (example.weights / "configs" / "inference.json").write_text(json.dumps({"network_def": network}))
    with pytest.raises(InvalidInput) as refusal:
        monai_bundle.load(example.weights)
    assert refusal.value.code == "code_in_bundle"
    assert not (tmp_path / "harmed").exists()


def test_a_bundle_of_an_unknown_network_or_wrong_arguments_is_refused(tmp_path):
    example = small_models.monai_bundle(tmp_path)
    path = example.weights / "configs" / "inference.json"
    for network in ({"_target_": "NoSuchNet"}, {"_target_": "UNet", "colour": 3}, {"_target_": "load_pretrained"}):
        path.write_text(json.dumps({"network_def": network}))
        with pytest.raises(InvalidInput) as refusal:
            monai_bundle.load(example.weights)
        assert refusal.value.code == "bad_description"


def test_a_bundle_takes_its_classes_from_its_metadata(tmp_path):
    model = monai_bundle.load(small_models.monai_bundle(tmp_path).weights)
    assert model.contract.classes == ("background", "spleen")
    assert model.contract.input_shape == (1, 32, 32)


def test_an_onnx_graph_gives_what_the_network_gives(tmp_path):
    model = onnx_program.load(small_models.onnx(tmp_path).weights)
    inputs = torch.rand(5, 1, 16, 16)
    with torch.no_grad():
        expected = small_models.classifier()(inputs)
        assert torch.allclose(model.forward(inputs), expected, atol=1e-5)
    with pytest.raises(NotComputable, match="no gradients") as outcome:
        model.forward(inputs.requires_grad_(True))
    assert outcome.value.code == "no_gradient"
    assert model.differentiable is False


def test_what_is_no_graph_or_another_input_is_refused(tmp_path):
    example = small_models.onnx(tmp_path)
    small_models.described(example.weights, **{**small_models.CLASSIFIER, "channels": 3})
    with pytest.raises(InvalidInput, match="takes 1 channels, its description says 3"):
        onnx_program.load(example.weights)
    example.weights.write_bytes(b"\x08\x07 torn")
    with pytest.raises(InvalidInput) as refusal:
        onnx_program.load(example.weights)
    assert refusal.value.code == "other_model"


def test_a_meshnet_gives_what_a_plain_sequence_gives(tmp_path):
    from safetensors.torch import load_file

    example = small_models.meshnet(tmp_path)
    model = meshnet.load(example.weights)
    tensors = load_file(example.weights)
    x = model.prepare(example.image)
    expected = x
    for place in range(7):
        if f"{place}.weight" in tensors:
            pad = (1, 0, 2, 0, 4, 0, 0)[place]
            expected = torch.nn.functional.conv3d(
                expected, tensors[f"{place}.weight"], tensors[f"{place}.bias"], padding=pad, dilation=max(pad, 1)
            )
        else:
            expected = expected.clamp(min=0)
    assert torch.allclose(model.forward(x), expected, atol=1e-4)
    low, high = np.quantile(example.image.array, [0.05, 0.95])
    scaled = np.clip((example.image.array - low) / (high - low), 0, 1)
    turned = Volume(scaled, (1.0, 1.0, 1.0), "RAS").turned("LIA").array
    assert np.allclose(x[0, 0].numpy(), turned, atol=1e-6)


@pytest.mark.parametrize(
    "layers",
    [
        [],
        [{"type": "Conv3d", "in": 1}],
        [{"type": "ReLU"}, {"type": "ReLU"}],
        [{"type": "Exec", "code": "1"}],
        ["Conv3d"],
    ],
)
def test_layers_that_cannot_be_meant_are_refused(layers, tmp_path):
    example = small_models.meshnet(tmp_path)
    small_models.described(example.weights, layers=layers)
    with pytest.raises(InvalidInput) as refusal:
        meshnet.load(example.weights)
    assert refusal.value.code == "bad_description"


@pytest.mark.slow
def test_meshnet_finds_the_tissues_of_a_real_head(shared_data):
    volume = read_volume(shared_data / "brain" / "t1_crop_256.nii.gz")
    model = meshnet.load(shared_data / "weights" / "meshnet_model5_gw_ae.safetensors")
    labels = model.predict(volume).labels
    millilitres = [np.prod(volume.spacing_mm) * (labels == tissue).sum() / 1000 for tissue in (1, 2)]
    assert millilitres == pytest.approx([518, 735], abs=1)


def test_meshnet_tells_tissues_apart_in_the_middle_of_a_real_head(shared_data):
    # The network sees 46 voxels far, so the middle of a crop is that of the whole head, if both are scaled alike.
    whole = read_volume(shared_data / "brain" / "t1_crop_256.nii.gz")
    crop = np.ascontiguousarray(whole.array[76:184, 60:168, 76:184])
    assert (whole.array.min(), whole.array.max()) == (0, 255)
    crop.flat[:2] = 0, 255
    model = meshnet.load(shared_data / "weights" / "meshnet_model5_gw_ae.safetensors")
    labels = model.predict(Volume(crop, whole.spacing_mm, whole.axes)).labels[46:-46, 46:-46, 46:-46]
    means = [crop[46:-46, 46:-46, 46:-46][labels == tissue].mean() for tissue in range(3)]
    counts = np.bincount(labels.ravel(), minlength=3)
    assert (counts > 200).all()
    # On T1 the fluid is dark, grey matter is grey and white matter is bright.
    assert means[0] < means[2] < means[1]
