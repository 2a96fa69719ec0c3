"""Every model family, small and with random weights, written as its official checkpoint is laid out.

Each maker writes into a folder and gives the path that the adapter takes, an image of its kind and a prompt.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file

from assurance.adapters.images import Pair, Volume
from assurance.adapters.prompts import Prompt


@dataclass(frozen=True)
class Small:
    weights: Path
    image: Any
    prompt: Prompt | None = None
    options: dict[str, Any] | None = None
    tensors: Path | None = None
    """The file that holds the tensors, where they can be broken from outside."""


def plane(seed: int = 3, shape: tuple[int, int] = (48, 40)) -> np.ndarray:
    return np.random.default_rng(seed).uniform(0, 255, shape).astype(np.float32)


def volume(seed: int = 3, shape: tuple[int, int, int] = (16, 16, 16), *, axes: str = "RAS", unit: str = "") -> Volume:
    values = np.random.default_rng(seed).uniform(0, 255, shape).astype(np.float32)
    return Volume(values, (1.0, 1.0, 1.0), axes, unit)


def shaken(network: torch.nn.Module, *, seed: int = 0) -> torch.nn.Module:
    """Random weights and statistics everywhere, also where a network starts with zeros, in evaluation mode."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.05 * torch.randn(parameter.shape, generator=generator))
        for name, buffer in network.named_buffers():
            if name.endswith("running_mean"):
                buffer.copy_(0.1 * torch.randn(buffer.shape, generator=generator))
            elif name.endswith("running_var"):
                buffer.copy_(0.5 + torch.rand(buffer.shape, generator=generator))
    return network.eval()


def described(path: Path, **fields: Any) -> None:
    path.with_suffix(".json").write_text(json.dumps(fields), encoding="utf-8")


def sam_table(*, width: int = 64, depth: int = 3, grid: int = 8, window: int = 3, whole: tuple[int, ...] = (1,),
              patch: int = 16, head: int = 32) -> dict[str, tuple[int, ...]]:  # fmt: skip
    """Names and shapes of ``medsam_vit_b.pth``, in small: those of the published segment-anything code."""
    table: dict[str, tuple[int, ...]] = {"image_encoder.pos_embed": (1, grid, grid, width)}

    def layer(name: str, *shape: int, bias: bool = True) -> None:
        table[f"{name}.weight"] = shape
        if bias:
            table[f"{name}.bias"] = shape[:1]

    layer("image_encoder.patch_embed.proj", width, 3, patch, patch)
    for place in range(depth):
        block = f"image_encoder.blocks.{place}"
        reach = 2 * (grid if place in whole else window) - 1
        for name in ("norm1", "norm2"):
            layer(f"{block}.{name}", width)
        table[f"{block}.attn.rel_pos_h"] = table[f"{block}.attn.rel_pos_w"] = (reach, head)
        layer(f"{block}.attn.qkv", 3 * width, width)
        layer(f"{block}.attn.proj", width, width)
        layer(f"{block}.mlp.lin1", 4 * width, width)
        layer(f"{block}.mlp.lin2", width, 4 * width)
    layer("image_encoder.neck.0", 256, width, 1, 1, bias=False)
    layer("image_encoder.neck.1", 256)
    layer("image_encoder.neck.2", 256, 256, 3, 3, bias=False)
    layer("image_encoder.neck.3", 256)
    table |= sam_decoder_table()
    return table


def sam_decoder_table() -> dict[str, tuple[int, ...]]:
    table: dict[str, tuple[int, ...]] = {"prompt_encoder.pe_layer.positional_encoding_gaussian_matrix": (2, 128)}

    def layer(name: str, *shape: int, bias: bool = True) -> None:
        table[f"{name}.weight"] = shape
        if bias:
            table[f"{name}.bias"] = shape[:1]

    for name in (*(f"point_embeddings.{place}" for place in range(4)), "not_a_point_embed", "no_mask_embed"):
        layer(f"prompt_encoder.{name}", 1, 256, bias=False)
    for place, shape in ((0, (4, 1, 2, 2)), (1, (4,)), (3, (16, 4, 2, 2)), (4, (16,)), (6, (256, 16, 1, 1))):
        layer(f"prompt_encoder.mask_downscaling.{place}", *shape)

    def attention(name: str, inner: int) -> None:
        for part in ("q_proj", "k_proj", "v_proj"):
            layer(f"{name}.{part}", inner, 256)
        table[f"{name}.out_proj.weight"], table[f"{name}.out_proj.bias"] = (256, inner), (256,)

    for place in range(2):
        block = f"mask_decoder.transformer.layers.{place}"
        attention(f"{block}.self_attn", 256)
        attention(f"{block}.cross_attn_token_to_image", 128)
        attention(f"{block}.cross_attn_image_to_token", 128)
        for norm in range(1, 5):
            layer(f"{block}.norm{norm}", 256)
        layer(f"{block}.mlp.lin1", 2048, 256)
        layer(f"{block}.mlp.lin2", 256, 2048)
    attention("mask_decoder.transformer.final_attn_token_to_image", 128)
    layer("mask_decoder.transformer.norm_final_attn", 256)
    layer("mask_decoder.iou_token", 1, 256, bias=False)
    layer("mask_decoder.mask_tokens", 4, 256, bias=False)
    table["mask_decoder.output_upscaling.0.weight"], table["mask_decoder.output_upscaling.0.bias"] = (
        (256, 64, 2, 2),
        (64,),
    )
    layer("mask_decoder.output_upscaling.1", 64)
    table["mask_decoder.output_upscaling.3.weight"], table["mask_decoder.output_upscaling.3.bias"] = (
        (64, 32, 2, 2),
        (32,),
    )
    for head, last in (*((f"output_hypernetworks_mlps.{place}", 32) for place in range(4)), ("iou_prediction_head", 0)):
        for place, outputs in enumerate((256, 256, last or 4)):
            layer(f"mask_decoder.{head}.layers.{place}", outputs, 256)
    return table


def drawn(table: dict[str, tuple[int, ...]], *, seed: int = 0) -> dict[str, torch.Tensor]:
    """Random tensors of a table; norms around one, so that values keep their size through the network."""
    generator = torch.Generator().manual_seed(seed)
    out = {}
    for name, shape in table.items():
        tensor = torch.randn(shape, generator=generator)
        is_scale = len(shape) == 1 and name.endswith("weight")
        fan = int(np.prod(shape[1:])) if len(shape) > 1 else 400
        out[name] = 1 + 0.1 * tensor if is_scale else tensor / fan**0.5 if "gaussian" not in name else tensor
    return out


def medsam(folder: Path) -> Small:
    path = folder / "medsam_vit_b.pth"
    torch.save(drawn(sam_table()), path)
    return Small(path, plane(), Prompt(box=(5, 8, 30, 40)), tensors=path)


def lite_medsam(folder: Path) -> Small:
    from assurance.adapters.tiny_vit import TinyViT

    encoder = shaken(TinyViT())
    tensors = {f"image_encoder.{name}": tensor for name, tensor in encoder.state_dict().items()}
    path = folder / "lite_medsam.pth"
    torch.save({"model": tensors | drawn(sam_decoder_table())}, path)
    return Small(path, plane(), Prompt(box=(5, 8, 30, 40)), options={"side": 64}, tensors=path)


def unigradicon(folder: Path) -> Small:
    from assurance.adapters.gradicon_network import GradIconNetwork

    network = shaken(GradIconNetwork((2, 4, 6, 8, 10, 12), (4, 6, 8, 10, 12)))
    path = folder / "Step_2_final.trch"
    torch.save(network.regis_net.state_dict(), path)
    return Small(path, Pair(volume(1), volume(2)), options={"side": 66}, tensors=path)


def voxelmorph(folder: Path) -> Small:
    from assurance.adapters.voxelmorph import VoxelMorphNetwork

    inputs, outputs = (2, 4, 6, 6, 6, 12, 12, 10, 6, 8, 4), (4, 6, 6, 6, 6, 6, 6, 6, 6, 4, 4)
    shapes = {f"c.{place}.weight": (b, a, 3, 3, 3) for place, (a, b) in enumerate(zip(inputs, outputs, strict=True))}
    network = shaken(VoxelMorphNetwork(shapes | {"flow.weight": (3, 4, 3, 3, 3)}))
    path = folder / "vm2.safetensors"
    save_file(network.state_dict(), path)
    return Small(path, Pair(volume(1, (32, 16, 32), axes="LIA"), volume(2, (32, 16, 32), axes="LIA")), tensors=path)


def ct(seed: int = 3, shape: tuple[int, int, int] = (40, 36, 32)) -> Volume:
    values = np.random.default_rng(seed).normal(0, 300, shape).astype(np.float32)
    return Volume(values, (1.5, 1.5, 3.0), "LPS", "HU")


def medlsam(folder: Path) -> Small:
    import nibabel

    from assurance.adapters.relative_distance import RelativePositionNet

    home = folder / "localizer"
    (home / "supports").mkdir(parents=True)
    network = shaken(RelativePositionNet(width=4, patch=16))
    path = home / "relative_distance.safetensors"
    save_file(network.state_dict(), path)
    described(path, width=4, patch=16, structures={"1": "liver", "2": "spleen"})
    image = ct(8)
    label = np.zeros(image.array.shape, dtype=np.float32)
    label[5:15, 6:20, 4:12], label[22:30, 6:20, 14:20] = 1, 2
    affine = np.diag([-1.5, -1.5, 3.0, 1.0])
    nibabel.save(nibabel.Nifti1Image(image.array, affine), home / "supports" / "a_image.nii.gz")
    nibabel.save(nibabel.Nifti1Image(label, affine), home / "supports" / "a_label.nii.gz")
    return Small(home, ct(), tensors=path)


def stable_diffusion(folder: Path) -> Path:
    """A ``StableDiffusionPipeline`` with a vocabulary of single letters, saved as diffusers saves it."""
    from diffusers import AutoencoderKL, DDIMScheduler, StableDiffusionPipeline
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

    letters = [chr(code) for code in range(33, 127)]
    words = [*letters, *(f"{letter}</w>" for letter in letters), "<|startoftext|>", "<|endoftext|>"]
    (folder / "vocab.json").write_text(json.dumps({word: place for place, word in enumerate(words)}))
    (folder / "merges.txt").write_text("#version: 0.2\n")
    tokenizer = CLIPTokenizer(str(folder / "vocab.json"), str(folder / "merges.txt"))
    tokenizer.model_max_length = 77
    torch.manual_seed(0)
    text = CLIPTextModel(CLIPTextConfig(
        vocab_size=len(words), hidden_size=32, intermediate_size=37, num_hidden_layers=2, num_attention_heads=4,
        max_position_embeddings=77, bos_token_id=len(words) - 2, eos_token_id=len(words) - 1,
        pad_token_id=len(words) - 1,
    ))  # fmt: skip
    unet = small_unet()
    vae = AutoencoderKL(
        block_out_channels=(16, 32), in_channels=3, out_channels=3, latent_channels=4, sample_size=16,
        norm_num_groups=8, down_block_types=("DownEncoderBlock2D",) * 2, up_block_types=("UpDecoderBlock2D",) * 2,
    )  # fmt: skip
    pipeline = StableDiffusionPipeline(
        vae=vae, text_encoder=text, tokenizer=tokenizer, unet=unet,
        scheduler=DDIMScheduler(clip_sample=False, steps_offset=1), safety_checker=None,
        feature_extractor=None, requires_safety_checker=False,
    )  # fmt: skip
    pipeline.save_pretrained(folder / "pipeline")
    return folder / "pipeline"


def small_unet(*, seed: int = 0) -> Any:
    from diffusers import UNet2DConditionModel

    torch.manual_seed(seed)
    return UNet2DConditionModel(
        block_out_channels=(16, 32), layers_per_block=1, sample_size=8, in_channels=4, out_channels=4,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"), up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        cross_attention_dim=32, norm_num_groups=8, attention_head_dim=4,
    )  # fmt: skip


def roentgen(folder: Path) -> Small:
    path = stable_diffusion(folder)
    return Small(path, 7, Prompt(text="effusion"), tensors=path / "unet" / "diffusion_pytorch_model.safetensors")


def minim(folder: Path) -> Small:
    home = folder / "minim"
    shutil.copytree(stable_diffusion(folder), home / "base")
    small_unet(seed=5).save_pretrained(home / "unet")
    return Small(home, 7, Prompt(text="oct"), tensors=home / "unet" / "diffusion_pytorch_model.safetensors")


def ddpm(folder: Path) -> Small:
    from diffusers import DDIMScheduler, UNet2DModel

    home = folder / "ddpm"
    torch.manual_seed(0)
    UNet2DModel(
        sample_size=16, in_channels=1, out_channels=1, layers_per_block=1, block_out_channels=(8, 16),
        norm_num_groups=4, down_block_types=("DownBlock2D",) * 2, up_block_types=("UpBlock2D",) * 2,
        num_class_embeds=3, attention_head_dim=8,
    ).save_pretrained(home / "unet")  # fmt: skip
    DDIMScheduler().save_pretrained(home / "scheduler")
    path = home / "unet" / "diffusion_pytorch_model.safetensors"
    return Small(home, 7, Prompt(label="pneumonia"), tensors=path)


def monai_densenet(folder: Path) -> Small:
    from monai.networks.nets import DenseNet

    kwargs = {"spatial_dims": 2, "in_channels": 1, "out_channels": 2, "init_features": 8, "growth_rate": 4,
              "block_config": [2, 2, 2, 2], "bn_size": 2}  # fmt: skip
    path = folder / "densenet.safetensors"
    save_file(shaken(DenseNet(**kwargs)).state_dict(), path)
    described(path, kwargs=kwargs, classes=["normal", "pneumonia"])
    return Small(path, plane(), tensors=path)


UNET = {"spatial_dims": 3, "in_channels": 1, "out_channels": 3, "channels": [4, 8, 16], "strides": [2, 2]}


def monai_unet(folder: Path) -> Small:
    from monai.networks.nets import UNet

    path = folder / "unet.safetensors"
    save_file(shaken(UNet(**UNET)).state_dict(), path)
    described(path, task="segmentation", classes=["none", "liver", "tumour"], dims=3, multiple_of=4,
              spacing_mm=[2, 2, 2], scale="window", low=0, high=255, kwargs=UNET)  # fmt: skip
    return Small(path, volume(shape=(17, 20, 18), axes="LPS"), tensors=path)


SWIN = {"in_channels": 1, "out_channels": 2, "feature_size": 12, "depths": [1, 1, 1, 1], "num_heads": [2, 2, 2, 2]}


def monai_swinunetr(folder: Path) -> Small:
    from monai.networks.nets import SwinUNETR

    path = folder / "swin.safetensors"
    save_file(shaken(SwinUNETR(**SWIN)).state_dict(), path)
    described(path, task="segmentation", classes=["none", "tumour"], dims=3, size=[64, 32, 32], kwargs=SWIN)
    return Small(path, volume(shape=(24, 20, 18)), tensors=path)


def monai_bundle(folder: Path) -> Small:
    from monai.networks.nets import UNet

    home = folder / "bundle"
    (home / "configs").mkdir(parents=True)
    (home / "models").mkdir()
    kwargs = {**UNET, "spatial_dims": 2, "out_channels": 2}
    torch.save(shaken(UNet(**kwargs)).state_dict(), home / "models" / "model.pt")
    form = {
        "inputs": {"image": {"num_channels": 1, "spatial_shape": [32, 32]}},
        "outputs": {"pred": {"num_channels": 2, "channel_def": {"0": "background", "1": "spleen"}}},
    }
    metadata = {"name": "spleen", "version": "0.1.0", "network_data_format": form}
    (home / "configs" / "metadata.json").write_text(json.dumps(metadata))
    network = {"_target_": "UNet", **kwargs}
    (home / "configs" / "inference.json").write_text(json.dumps({"network_def": network}))
    return Small(home, plane(), tensors=home / "models" / "model.pt")


def meshnet(folder: Path) -> Small:
    layers: list[dict[str, Any]] = []
    for inputs, outputs, dilation in ((1, 5, 1), (5, 5, 2), (5, 5, 4)):
        layers.append(
            {"type": "Conv3d", "in": inputs, "out": outputs, "kernel": 3, "dilation": dilation, "padding": dilation}
        )
        layers.append({"type": "ReLU"})
    layers.append({"type": "Conv3d", "in": 5, "out": 3, "kernel": 1, "dilation": 1, "padding": 0})
    table: dict[str, tuple[int, ...]] = {}
    for place, layer in enumerate(layers):
        if layer["type"] == "Conv3d":
            table[f"{place}.weight"] = (layer["out"], layer["in"], *(layer["kernel"],) * 3)
            table[f"{place}.bias"] = (layer["out"],)
    path = folder / "meshnet.safetensors"
    save_file(drawn(table), path)
    described(path, layers=layers, comment="min = 5% quantile, max = 95% quantile")
    return Small(path, volume(axes="RAS"), tensors=path)


def hf_image_classifier(folder: Path) -> Small:
    from transformers import ViTConfig, ViTForImageClassification

    home = folder / "vit"
    torch.manual_seed(0)
    config = ViTConfig(
        hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=37, image_size=32, patch_size=8,
        id2label={0: "normal", 1: "effusion", 2: "mass"}, label2id={"normal": 0, "effusion": 1, "mass": 2},
    )  # fmt: skip
    ViTForImageClassification(config).save_pretrained(home)
    steps = {"size": {"height": 32, "width": 32}, "image_mean": [0.5, 0.4, 0.3], "image_std": [0.2, 0.25, 0.3],
             "do_normalize": True}  # fmt: skip
    (home / "preprocessor_config.json").write_text(json.dumps(steps))
    return Small(home, plane(), tensors=home / "model.safetensors")


def classifier() -> torch.nn.Module:
    torch.manual_seed(0)
    return torch.nn.Sequential(
        torch.nn.Conv2d(1, 4, 3, stride=2), torch.nn.ReLU(), torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten(),
        torch.nn.Linear(4, 2),
    ).eval()  # fmt: skip


CLASSIFIER = {"task": "classification", "classes": ["normal", "mass"], "size": [16, 16]}


def torchscript(folder: Path) -> Small:
    path = folder / "program.pt"
    torch.jit.trace(classifier(), torch.rand(1, 1, 16, 16)).save(str(path))
    described(path, **CLASSIFIER)
    return Small(path, plane())


def torch_export(folder: Path) -> Small:
    path = folder / "program.pt2"
    torch.export.save(torch.export.export(classifier(), (torch.rand(1, 1, 16, 16),)), path)
    described(path, **CLASSIFIER)
    return Small(path, plane())


def onnx(folder: Path) -> Small:
    import onnx as onnx_format
    from onnx import TensorProto, helper, numpy_helper

    network = classifier()
    weights = [
        numpy_helper.from_array(tensor.numpy(), name.replace(".", "_")) for name, tensor in network.state_dict().items()
    ]
    nodes = [
        helper.make_node("Conv", ["image", "0_weight", "0_bias"], ["a"], strides=[2, 2]),
        helper.make_node("Relu", ["a"], ["b"]),
        helper.make_node("GlobalAveragePool", ["b"], ["c"]),
        helper.make_node("Flatten", ["c"], ["d"]),
        helper.make_node("Gemm", ["d", "4_weight", "4_bias"], ["logits"], transB=1),
    ]
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, ["n", 1, 16, 16])
    logits = helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["n", 2])
    graph = helper.make_graph(nodes, "classifier", [image], [logits], weights)
    path = folder / "classifier.onnx"
    onnx_format.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    described(path, **CLASSIFIER)
    return Small(path, plane())


def difftumor(folder: Path) -> Small:
    """Weights in the hub's layout for the stand-in checkout of :func:`difftumor_checkout`."""
    home = folder / "difftumor"
    (home / "AutoencoderModel").mkdir(parents=True)
    (home / "DiffusionModel").mkdir()
    torch.save({"levels": 2}, home / "AutoencoderModel" / "AutoencoderModel.ckpt")
    torch.save({"ema": {}}, home / "DiffusionModel" / "liver_early.pt")
    values = np.random.default_rng(3).normal(60, 40, (96, 96, 96)).astype(np.float32)
    organ = np.zeros((96, 96, 96), dtype=np.uint8)
    organ[20:80, 24:70, 30:76] = 1
    return Small(home, Volume(values, (1.0, 1.0, 1.0), "LPS", "HU"), Prompt(mask=organ, label="liver early"))


DIFFTUMOR_STAND_IN = """
import numpy as np, torch
from monai.inferers import LatentDiffusionInferer
from monai.networks.nets import VQVAE, DiffusionModelUNet
from monai.networks.schedulers import DDIMScheduler


def synt_model_prepare(device, vqgan_ckpt="", diffusion_ckpt="", fold=0, organ="liver"):
    levels = torch.load(vqgan_ckpt)["levels"]
    torch.load(diffusion_ckpt + "{}_early.pt".format(organ))
    torch.manual_seed(0)
    vqgan = VQVAE(3, 1, 1, channels=(4,) * levels, num_res_layers=1, num_res_channels=(4,) * levels,
                  downsample_parameters=((4, 4, 1, 0),) * levels, upsample_parameters=((4, 4, 1, 0, 0),) * levels,
                  num_embeddings=16, embedding_dim=8).to(device).eval()
    unet = DiffusionModelUNet(3, 17, 8, channels=(8, 8), attention_levels=(False, False), num_res_blocks=1,
                              norm_num_groups=4, num_head_channels=4).to(device).eval()
    scheduler = DDIMScheduler(num_train_timesteps=4)
    scheduler.set_timesteps(2)
    return vqgan, (unet, scheduler), None


def synthesize_early_tumor(ct_volume, organ_mask, organ_type, vqgan, tester):
    unet, scheduler = tester
    inside = np.argwhere(organ_mask[0, 0].cpu().numpy() > 0)
    z, y, x = inside[np.random.randint(len(inside))]
    tumour = torch.zeros_like(organ_mask)
    tumour[0, 0, max(z - 4, 0) : z + 4, max(y - 4, 0) : y + 4, max(x - 4, 0) : x + 4] = 1
    tumour = tumour * organ_mask
    volume = ct_volume * 2 - 1
    latent = vqgan.encode_stage_2_inputs(volume * (1 - tumour))
    small = torch.nn.functional.interpolate(tumour * 2 - 1, size=latent.shape[2:])
    inferer = LatentDiffusionInferer(scheduler, scale_factor=1.0)
    drawn = inferer.sample(torch.randn_like(latent), vqgan, unet, scheduler=scheduler, verbose=False, mode="concat",
                           conditioning=torch.cat([latent, small], dim=1))
    out = tumour * ((drawn + 1) / 2).clamp(0, 1) + (1 - tumour) * ct_volume
    return out, organ_mask + tumour
"""


def difftumor_checkout(folder: Path) -> Path:
    """A stand-in for a user's checkout: the same calls, made of MONAI's parts."""
    room = folder / "checkout" / "STEP3.SegmentationModel" / "TumorGeneration"
    room.mkdir(parents=True)
    (room / "__init__.py").write_text("")
    (room / "utils.py").write_text(DIFFTUMOR_STAND_IN)
    return folder / "checkout"


MAKERS: dict[str, Callable[[Path], Small]] = {
    "medsam": medsam, "lite-medsam": lite_medsam, "unigradicon": unigradicon, "voxelmorph": voxelmorph,
    "medlsam": medlsam,
    "roentgen": roentgen, "minim": minim, "difftumor": difftumor, "ddpm-classconditional": ddpm,
    "monai-densenet": monai_densenet, "monai-unet": monai_unet, "monai-swinunetr": monai_swinunetr,
    "monai-bundle": monai_bundle, "meshnet": meshnet, "hf-image-classifier": hf_image_classifier,
    "torchscript": torchscript, "torch-export": torch_export, "onnx": onnx,
}  # fmt: skip
