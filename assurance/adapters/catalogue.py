"""Which model families run here. ``.load(key)`` gives the function that reads weights."""

from pathlib import Path
from typing import Any

from assurance.evidence.catalogue import Catalogue, Entry
from assurance.evidence.errors import InvalidInput

_ROOM = "assurance.adapters"

ADAPTERS = Catalogue(
    "adapter",
    **{
        "lite-medsam": Entry(
            "LiteMedSAM", f"{_ROOM}.lite_medsam:load", "Ma et al. 2024, Nature Communications 15:654; arXiv:2412.16085",
            {"task": "segmentation", "licence": "Apache-2.0", "extra": "medsam", "prompts": ("box",)},
        ),
        "monai-densenet": Entry(
            "MONAI DenseNet classifier", f"{_ROOM}.monai_densenet:load", "Huang et al. 2017, CVPR; MONAI",
            {"task": "classification", "licence": "by its weights", "extra": "", "prompts": ()},
        ),
    },
)  # fmt: skip


def load_spec(spec: str) -> Any:
    """``KEY`` or ``KEY:/path/to/weights``: the loaded model. The key alone takes packaged weights."""
    key, _, path = spec.partition(":")
    load = ADAPTERS.load(key)
    if path:
        return load(Path(path).expanduser())
    if key == "lite-medsam":
        return load()
    if key == "monai-densenet":
        return load(Path(__file__).parent.parent / "data" / "models" / "pneumonia_densenet_monai.safetensors")
    raise InvalidInput("no_weights", f"{key} has no packaged weights: give {key}:/path/to/weights")
