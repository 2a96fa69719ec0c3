"""Which model families run here, as data. ``.load(key)`` gives the function that reads weights."""

from pathlib import Path
from typing import Any

from assurance.evidence.catalogue import Catalogue, Entry
from assurance.evidence.errors import InvalidInput

_ROOM = "assurance.adapters"
_MODELS = Path(__file__).parent.parent / "data" / "models"
PACKAGED = {
    "monai-densenet": _MODELS / "pneumonia_densenet_monai.safetensors",
    "ddpm-classconditional": _MODELS / "pneumonia_ddpm32",
    "lite-medsam": None,
}
"""Keys that need no path: weights that come with Vigil, or with a package that the loader finds."""


def _entry(
    title: str, target: str, source: str, *, task: str, licence: str, layout: str, extra: str = "",
    prompts: tuple[str, ...] = (), image: str = "plane",
) -> Entry:  # fmt: skip
    facts = {"task": task, "licence": licence, "extra": extra, "prompts": prompts, "image": image, "layout": layout}
    return Entry(title, f"{_ROOM}.{target}", source, facts)


ADAPTERS = Catalogue(
    "adapter",
    **{
        "medsam": _entry(
            "MedSAM", "medsam:load", "Ma et al. 2024, Nature Communications 15:654",
            task="segmentation", licence="Apache-2.0", extra="medsam", prompts=("box", "points"),
            layout="medsam_vit_b.pth, or a transformers SamModel folder",
        ),
        "lite-medsam": _entry(
            "LiteMedSAM", "lite_medsam:load", "Ma et al. 2024, Nature Communications 15:654; arXiv:2412.16085",
            task="segmentation", licence="Apache-2.0", extra="medsam", prompts=("box",), layout="lite_medsam.pth",
        ),
        "unigradicon": _entry(
            "uniGradICON", "unigradicon:load", "Tian et al. 2024, MICCAI; arXiv:2403.05780",
            task="registration", licence="Apache-2.0", image="pair", layout="Step_2_final.trch",
        ),
        "voxelmorph": _entry(
            "VoxelMorph-2 (CVPR 2018)", "voxelmorph:load", "Balakrishnan et al. 2018, CVPR; arXiv:1802.02604",
            task="registration", licence="GPL-3.0 (weights)", image="pair", layout="c.0 … c.10, flow",
        ),
        "medlsam": _entry(
            "MedLSAM", "medlsam:load", "Lei et al. 2023, arXiv:2306.14752",
            task="localization", licence="Apache-2.0 file, CC BY-NC 4.0 readme", image="volume",
            layout="localizer folder with supports, or the configuration of a checkout (VIGIL_MEDLSAM_HOME)",
        ),
        "roentgen": _entry(
            "RoentGen", "text_to_image:load_roentgen", "Chambon et al. 2022, arXiv:2211.12737",
            task="generation", licence="CreativeML OpenRAIL-M, gated", extra="diffusion", prompts=("text",),
            image="none", layout="diffusers StableDiffusionPipeline folder",
        ),
        "minim": _entry(
            "MINIM", "text_to_image:load_minim", "Wang et al. 2024, Nature Medicine",
            task="generation", licence="none given", extra="diffusion", prompts=("text",), image="none",
            layout="unet/ of one modality, beside base/, a StableDiffusionPipeline folder",
        ),
        "difftumor": _entry(
            "DiffTumor", "difftumor:load", "Chen et al. 2024, CVPR; arXiv:2402.19470",
            task="generation", licence="CC BY-NC-ND 4.0", prompts=("mask", "label"), image="volume",
            layout="AutoencoderModel/, DiffusionModel/ of the hub, with a checkout (VIGIL_DIFFTUMOR_HOME)",
        ),
        "ddpm-classconditional": _entry(
            "Class-conditional DDPM", "class_conditional_ddpm:load",
            "Ho et al. 2020, arXiv:2006.11239; Ho & Salimans 2022, arXiv:2207.12598",
            task="generation", licence="CC BY 4.0", extra="diffusion", prompts=("label",), image="none",
            layout="diffusers folder with unet/ and scheduler/",
        ),
        "monai-densenet": _entry(
            "MONAI DenseNet classifier", "monai_densenet:load", "Huang et al. 2017, CVPR; MONAI",
            task="classification", licence="by its weights", layout="state dict with <name>.json",
        ),
        "monai-unet": _entry(
            "MONAI U-Net", "monai_networks:load_unet", "Ronneberger et al. 2015, MICCAI; MONAI",
            task="segmentation", licence="by its weights", image="plane or volume",
            layout="state dict with <name>.json",
        ),
        "monai-swinunetr": _entry(
            "MONAI SwinUNETR", "monai_networks:load_swinunetr", "Hatamizadeh et al. 2022, arXiv:2201.01266",
            task="segmentation", licence="by its weights", image="volume", layout="state dict with <name>.json",
        ),
        "monai-bundle": _entry(
            "MONAI bundle", "monai_bundle:load", "Cardoso et al. 2022, arXiv:2211.02701",
            task="segmentation", licence="by its weights", image="plane or volume", layout="bundle folder",
        ),
        "meshnet": _entry(
            "MeshNet", "meshnet:load", "Fedorov et al. 2017, IJCNN; arXiv:1612.00940",
            task="segmentation", licence="MIT", image="volume", layout="sequence of Conv3d with <name>.json",
        ),
        "hf-image-classifier": _entry(
            "Transformers image classifier", "hf_image_classifier:load", "Dosovitskiy et al. 2021, ICLR; transformers",
            task="classification", licence="by its weights", extra="medsam", layout="transformers folder",
        ),
        "torchscript": _entry(
            "TorchScript program", "programs:load_torchscript", "PyTorch TorchScript",
            task="classification", licence="by its weights", image="plane or volume", layout="archive with <name>.json",
        ),
        "torch-export": _entry(
            "torch.export program", "programs:load_torch_export", "PyTorch torch.export",
            task="classification", licence="by its weights", image="plane or volume", layout="archive with <name>.json",
        ),
        "onnx": _entry(
            "ONNX graph", "onnx_program:load", "ONNX; onnxruntime",
            task="classification", licence="by its weights", extra="onnx", image="plane or volume",
            layout="graph with <name>.json",
        ),
    },
)  # fmt: skip


def load_spec(spec: str, *, device: str = "cpu") -> Any:
    """``KEY`` or ``KEY:/path/to/weights``: the loaded model. The key alone takes packaged weights."""
    key, _, path = spec.partition(":")
    load = ADAPTERS.load(key)
    if path:
        return load(Path(path).expanduser(), device=device)
    if key not in PACKAGED:
        raise InvalidInput("no_weights", f"{key} has no packaged weights: give {key}:/path/to/weights")
    return load(PACKAGED[key], device=device)
