"""MONAI bundles: the network of their configuration, read as data.

A bundle's configuration may hold Python expressions and any callable. None is evaluated: the network must be one of
``monai.networks.nets`` with plain arguments.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from assurance.adapters.description import Description, description_of
from assurance.adapters.monai_networks import MonaiNetwork, built
from assurance.adapters.weights_files import checked_sha256, load_strictly, read_json, read_state_dict, without_prefix
from assurance.evidence.errors import InvalidInput

CONFIGURATIONS = ("inference.json", "evaluate.json", "train.json")
WEIGHTS = ("model.safetensors", "model.pt")
NETWORK_NAMES = ("network_def", "network", "net")


def load(weights: Path, *, sha256: str | None = None, device: str = "cpu") -> MonaiNetwork:
    """Read a bundle's folder: ``configs/metadata.json``, ``configs/inference.json``, ``models/model.pt``.

    ``configs/vigil.json`` may hold a :class:`Description`; without it the preprocessing comes from metadata.json
    (channels, patch size, classes, value range).

    Raises
    ------
    InvalidInput
        ``no_weights``, ``no_description``, ``code_in_bundle`` (an expression or a foreign target), ``other_model``.
    """
    if not weights.is_dir():
        raise InvalidInput("no_weights", f"{weights} is not a folder: give that of a MONAI bundle")
    metadata = read_json(weights / "configs" / "metadata.json", what="the bundle's description")
    configuration = _configuration(weights)
    name, arguments = _network(configuration)
    file = next((weights / "models" / name for name in WEIGHTS if (weights / "models" / name).is_file()), None)
    if file is None:
        raise InvalidInput("no_weights", f"{weights / 'models'} has none of {', '.join(WEIGHTS)}")
    tensors = without_prefix(read_state_dict(file))
    network = built(name, arguments)
    load_strictly(network, tensors, what=f"the bundle's {name}")
    own = weights / "configs" / "vigil.json"
    if own.is_file():
        description = description_of(read_json(own, what="Vigil's description of the bundle"), where=own)
    else:
        description = described(metadata, where=weights / "configs" / "metadata.json")
    model = MonaiNetwork(
        network, description, key="monai-bundle", weights_sha256=checked_sha256(weights, sha256), device=device
    )
    model.checkpoint_layout = "MONAI bundle: configs/metadata.json, configs/inference.json, models/model.pt"  # type: ignore[misc]
    return model


def _configuration(folder: Path) -> dict[str, Any]:
    for name in CONFIGURATIONS:
        if (folder / "configs" / name).is_file():
            return read_json(folder / "configs" / name, what="the bundle's configuration")
    raise InvalidInput("no_description", f"{folder / 'configs'} has none of {', '.join(CONFIGURATIONS)}")


def _network(configuration: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    found = next((configuration[name] for name in NETWORK_NAMES if isinstance(configuration.get(name), dict)), None)
    if found is None or "_target_" not in found:
        raise InvalidInput("no_description", f"the bundle defines no network under {', '.join(NETWORK_NAMES)}")
    target = str(found["_target_"]).removeprefix("monai.networks.nets.")
    if "." in target:
        raise InvalidInput(
            "code_in_bundle", f"the bundle's network is {found['_target_']}: only monai.networks.nets.* is read"
        )
    arguments = {name: value for name, value in found.items() if not name.startswith("_")}
    for name, value in arguments.items():
        text = json.dumps(value)
        if '"$' in text or '"@' in text or '"_target_"' in text:
            raise InvalidInput(
                "code_in_bundle",
                f"the bundle's network has {name} = {text[:80]}: write plain values, nothing is evaluated",
            )
    return target, arguments


def described(metadata: dict[str, Any], *, where: Path) -> Description:
    """What ``network_data_format`` of a bundle's metadata says, in our terms."""
    try:
        form = metadata["network_data_format"]
        (image, *_), (output, *_) = form["inputs"].values(), form["outputs"].values()
        names = {int(place): str(title) for place, title in output.get("channel_def", {}).items()}
        patch = image.get("spatial_shape", [])
        dims = len(patch)
        channels = int(image["num_channels"])
    except (KeyError, ValueError, TypeError, AttributeError) as error:
        raise InvalidInput("no_description", f"{where} tells no input and output format ({error})") from error
    count = int(output.get("num_channels", len(names) or 1))
    whole = all(isinstance(length, int) for length in patch)
    return Description(
        task=str(output.get("type", "")) if output.get("type") == "classification" else "segmentation",
        classes=tuple(names.get(place, f"class {place}") for place in range(count)),
        dims=dims, channels=channels, size=tuple(patch) if whole else (), multiple_of=1 if whole else 32,
        scale="minmax", licence=str(metadata.get("copyright", "by its weights")),
        source=f"MONAI bundle {metadata.get('name', '')} {metadata.get('version', '')}".strip(),
    )  # fmt: skip
