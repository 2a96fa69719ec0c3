"""MedSAM and LiteMedSAM against the published code, transformers and real lungs."""

import csv
import importlib.util
import sys
import types

import numpy as np
import pytest
import torch
from PIL import Image

from assurance.adapters import lite_medsam, medsam
from assurance.adapters.prompts import Prompt
from assurance.evidence.errors import InvalidInput
from tests.small_models import drawn, plane, sam_table

BOX = (20.0, 30.0, 90.0, 100.0)
POINTS, LABELS = ((40.0, 50.0), (80.0, 20.0)), (1, 0)


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    """Random weights under the names of ``medsam_vit_b.pth``, and the model read from them."""
    path = tmp_path_factory.mktemp("sam") / "medsam_vit_b.pth"
    tensors = drawn(sam_table())
    torch.save(tensors, path)
    return tensors, medsam.load(path)


@pytest.fixture(scope="module")
def published(original):
    """segment-anything's own classes with the same weights. Its package imports torchvision at the top: gone around."""
    spec = importlib.util.find_spec("segment_anything")
    if spec is None:
        pytest.skip("needs the package segment-anything")
    if "segment_anything" not in sys.modules:
        package = types.ModuleType("segment_anything")
        package.__path__ = list(spec.submodule_search_locations)
        sys.modules["segment_anything"] = package
    from functools import partial

    from segment_anything.modeling import ImageEncoderViT, MaskDecoder, PromptEncoder, Sam, TwoWayTransformer

    encoder = ImageEncoderViT(
        depth=3, embed_dim=64, img_size=128, mlp_ratio=4, norm_layer=partial(torch.nn.LayerNorm, eps=1e-6), num_heads=2,
        patch_size=16, qkv_bias=True, use_rel_pos=True, global_attn_indexes=[1], window_size=3, out_chans=256,
    )  # fmt: skip
    prompts = PromptEncoder(
        embed_dim=256, image_embedding_size=(8, 8), input_image_size=(128, 128), mask_in_chans=16
    )  # fmt: skip
    transformer = TwoWayTransformer(depth=2, embedding_dim=256, mlp_dim=2048, num_heads=8)
    decoder = MaskDecoder(
        num_multimask_outputs=3, transformer=transformer, transformer_dim=256, iou_head_depth=3, iou_head_hidden_dim=256
    )
    network = Sam(image_encoder=encoder, prompt_encoder=prompts, mask_decoder=decoder).eval()
    network.load_state_dict(original[0])
    return network


@pytest.mark.parametrize("prompt", [Prompt(box=BOX), Prompt(points=POINTS, point_labels=LABELS),
                                    Prompt(box=BOX, points=POINTS, point_labels=LABELS)])  # fmt: skip
@torch.no_grad()
def test_the_original_layout_answers_as_the_published_code(prompt, original, published):
    _, model = original
    inputs = torch.rand((1, 3, 128, 128), generator=torch.Generator().manual_seed(1))
    points = (torch.tensor([POINTS]), torch.tensor([LABELS])) if prompt.points else None
    boxes = None if prompt.box is None else torch.tensor([prompt.box])
    sparse, dense = published.prompt_encoder(points=points, boxes=boxes, masks=None)
    expected, _ = published.mask_decoder(
        image_embeddings=published.image_encoder(inputs), image_pe=published.prompt_encoder.get_dense_pe(),
        sparse_prompt_embeddings=sparse, dense_prompt_embeddings=dense, multimask_output=False,
    )  # fmt: skip
    found = model.forward(inputs, prompt)
    assert found.shape == (1, 1, 32, 32)
    assert float(expected.std()) > 0.05
    assert torch.allclose(found, expected, atol=1e-4 * float(expected.abs().max()))


@torch.no_grad()
def test_the_folder_of_transformers_answers_as_transformers(original, tmp_path):
    _, model = original
    model.network.save_pretrained(tmp_path)
    from transformers import SamModel

    upstream = SamModel.from_pretrained(tmp_path, local_files_only=True).eval()
    inputs = torch.rand((2, 3, 128, 128))
    boxes = torch.tensor([[BOX], [BOX]])
    expected = upstream(pixel_values=inputs, input_boxes=boxes, multimask_output=False).pred_masks[:, 0]
    found = medsam.load(tmp_path).forward(inputs, Prompt(box=BOX))
    assert torch.allclose(found, expected, atol=1e-5)


def test_the_architecture_is_read_from_the_shapes_of_vit_b():
    from assurance.adapters.sam_layouts import in_transformers_layout, sam_shape

    table = sam_table(width=768, depth=12, grid=64, window=14, whole=(2, 5, 8, 11), head=64)
    shape = sam_shape(in_transformers_layout({name: torch.empty(size, device="meta") for name, size in table.items()}))
    assert (shape.side, shape.patch, shape.width, shape.depth, shape.heads) == (1024, 16, 768, 12, 12)
    assert (shape.mlp, shape.window, shape.whole_grid_layers) == (3072, 14, (2, 5, 8, 11))
    count = sum(int(np.prod(size)) for size in table.values())
    assert count == pytest.approx(93.7e6, abs=0.05e6)


def test_prepare_resizes_without_padding_and_scales_after_it(original):
    _, model = original
    inputs = model.prepare(plane(shape=(60, 90)))
    assert inputs.shape == (1, 3, 128, 128)
    assert float(inputs.min()) == 0
    assert float(inputs.max()) == 1


def test_attention_of_every_layer_sums_to_one_and_has_a_gradient(original):
    _, model = original
    inputs = model.prepare(plane()).requires_grad_(True)
    with model.recorded_attention() as found:
        output = model.forward(inputs, Prompt(box=BOX)).sum()
    layers = model.attention_layers()
    assert list(found) == list(layers)
    assert [layer.window for layer in layers.values()] == [3, 0, 3]
    for name, weights in found.items():
        tokens = (layers[name].window or 8) ** 2
        assert weights.shape[1:] == (tokens, tokens)
        assert torch.allclose(weights.sum(dim=-1), torch.ones(()), atol=1e-5)
    assert all(gradient.abs().max() > 0 for gradient in torch.autograd.grad(output, list(found.values())))
    with model.recorded_attention() as again:
        pass
    model.forward(inputs, Prompt(box=BOX))
    assert again == {}


@pytest.mark.parametrize(
    ("prompt", "code"),
    [
        (Prompt(points=((50.0, 10.0),)), "prompt_outside"),
        (Prompt(points=((5.0, 10.0),), point_labels=(1, 0)), "prompt_labels"),
        (Prompt(points=((5.0, 10.0),), point_labels=(2,)), "prompt_labels"),
        (Prompt(), "prompt_missing"),
    ],
)
def test_points_that_cannot_be_meant_are_refused(prompt, code, original):
    with pytest.raises(InvalidInput) as refusal:
        original[1].predict(plane(), prompt)
    assert refusal.value.code == code


def test_weights_of_lite_medsam_are_no_medsam(tmp_path):
    path = tmp_path / "x.pth"
    torch.save({"image_encoder.patch_embed.seq.0.c.weight": torch.zeros(2)}, path)
    with pytest.raises(InvalidInput, match="not a MedSAM checkpoint"):
        medsam.load(path)


def lungs(folder):
    """(image, [(mask of one lung, its box grown by 5 pixels)]) for each radiograph with lung masks."""
    from scipy.ndimage import label

    with (folder / "cxr" / "metadata.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["lung_mask"]]
    for row in rows:
        image = np.asarray(Image.open(folder / "cxr" / row["file"]).convert("L"))
        mask = np.asarray(Image.open(folder / "cxr" / row["lung_mask"]).convert("L")) > 127
        parts, count = label(mask)
        found = []
        for part in sorted(range(1, count + 1), key=lambda part: -(parts == part).sum())[:2]:
            lung = parts == part
            down, across = np.flatnonzero(lung.any(axis=1)), np.flatnonzero(lung.any(axis=0))
            low = (max(across[0] - 5, 0), max(down[0] - 5, 0))
            high = (min(across[-1] + 6, image.shape[1]), min(down[-1] + 6, image.shape[0]))
            found.append((lung, tuple(float(edge) for edge in (*low, *high))))
        yield image, found


@pytest.mark.parametrize("count", [3, pytest.param(11, marks=pytest.mark.slow)])
def test_lite_medsam_segments_real_lungs(count, shared_data):
    model = lite_medsam.load(shared_data / "weights" / "lite_medsam_fp16.safetensors")
    scores = []
    for image, found in list(lungs(shared_data))[:count]:
        predictions = model.predict_many([image] * len(found), [Prompt(box=box) for _, box in found])
        for prediction, (lung, _) in zip(predictions, found, strict=True):
            scores.append(2 * (prediction.mask & lung).sum() / (prediction.mask.sum() + lung.sum()))
    assert len(scores) >= 2 * count - 1
    assert np.mean(scores) > 0.85, np.round(scores, 3)
    assert np.min(scores) > 0.5, np.round(scores, 3)
