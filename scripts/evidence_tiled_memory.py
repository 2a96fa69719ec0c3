"""Peak memory of tiled maps on a volume of 256 × 256 × 256 voxels, each method in a process of its own.

    python -m scripts.evidence_tiled_memory [--side 256]

A MONAI U-Net of three levels with random weights and MeshNet's shape of network; the volume is smooth noise. Writes
docs/evidence/maps_tiled_memory.{json,md}. ``--one METHOD NETWORK`` measures one and prints it.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
LIMIT_GIB = 4.0
RUNS: tuple[tuple[str, str, dict[str, Any]], ...] = (
    ("tiled_saliency", "monai-unet", {"tile": 96, "margin": 16}),
    ("tiled_occlusion", "meshnet", {"block": 128, "margin": 16, "refine": 0.01}),
)


def measure(method: str, network: str, parameters: dict[str, Any], side: int) -> dict[str, Any]:
    import numpy as np
    import torch
    from scipy import ndimage

    from assurance.adapters.catalogue import ADAPTERS
    from assurance.adapters.images import Volume
    from explainability.attribution.catalogue import EXPLAINERS

    rng = np.random.default_rng(0)
    coarse = rng.normal(0, 1, (side // 8,) * 3)
    values = ndimage.zoom(coarse, 8, order=1).astype(np.float32)
    before = peak_gib()
    torch.manual_seed(0)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "weights.safetensors"
        described = _write(network, path)
        path.with_suffix(".json").write_text(json.dumps(described))
        model = ADAPTERS.load(network)(path)
    steps: list[str] = []
    image = Volume(values, (1.0, 1.0, 1.0), "LIA")
    started = time.perf_counter()
    found = EXPLAINERS.load(method)(model, image, progress=steps.append, **parameters)
    return {
        "method": method, "network": network, "parameters": parameters, "shape": list(found.values.shape),
        "model_parameters": sum(each.numel() for each in model.network.parameters()), "steps": len(steps),
        "seconds": round(time.perf_counter() - started, 1), "peak_gib": round(peak_gib(), 3),
        "before_gib": round(before, 3), "threads": torch.get_num_threads(),
        "nonzero": float((found.values != 0).mean()),
    }  # fmt: skip


def _write(network: str, path: Path) -> dict[str, Any]:
    import torch
    from monai.networks.nets import UNet
    from safetensors.torch import save_file
    from torch import nn

    if network == "monai-unet":
        kwargs: dict[str, Any] = {
            "spatial_dims": 3,
            "in_channels": 1,
            "out_channels": 2,
            "channels": [8, 16, 32],
            "strides": [2, 2],
        }
        save_file(UNet(**kwargs).state_dict(), path)
        return {"task": "segmentation", "classes": ["none", "inside"], "dims": 3, "multiple_of": 4, "kwargs": kwargs,
                "axes": "LIA", "tile": [96, 96, 96]}  # fmt: skip
    layers: list[dict[str, Any]] = []
    modules: list[nn.Module] = []
    for inputs, dilation in ((1, 1), (5, 2), (5, 4), (5, 2)):
        layers += [{"type": "Conv3d", "in": inputs, "out": 5, "kernel": 3, "dilation": dilation, "padding": dilation},
                   {"type": "ELU"}]  # fmt: skip
        modules += [nn.Conv3d(inputs, 5, 3, padding=dilation, dilation=dilation), nn.ELU()]
    layers.append({"type": "Conv3d", "in": 5, "out": 3, "kernel": 1, "dilation": 1, "padding": 0})
    last = nn.Conv3d(5, 3, 1)
    with torch.no_grad():
        last.bias.copy_(torch.tensor([-10.0, 0.0, 0.0]))  # random weights may else call everything background
    save_file(nn.Sequential(*modules, last).state_dict(), path)
    return {"layers": layers}


def peak_gib() -> float:
    """The largest resident set of this process so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def page(document: dict[str, Any]) -> str:
    lines = [
        "# Memory of tiled maps", "",
        f"A volume of {document['side']}³ voxels; the largest resident set of the whole process (Python, torch, MONAI, "
        "the volume and the map included), written by `python -m scripts.evidence_tiled_memory`. The budget is "
        f"{LIMIT_GIB:g} GiB.", "",
        "| method | network | parameters | steps | seconds | before the map | peak |", "|---|---|---|---|---|---|---|",
    ]  # fmt: skip
    for row in document["rows"]:
        settings = ", ".join(f"{name} {value}" for name, value in row["parameters"].items())
        network = f"{row['network']}, {row['model_parameters']:,} weights"
        lines.append(
            f"| {row['method']} | {network} | {settings} | {row['steps']} | "
            f"{row['seconds']:g} | {row['before_gib']:.2f} GiB | **{row['peak_gib']:.2f} GiB** |"
        )
    lines += ["", "Seconds are of a shared machine with one thread and say little; memory does not depend on that.", ""]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--side", type=int, default=256)
    parser.add_argument("--one", type=int, help="the number of one run, measured here")
    options = parser.parse_args()
    if options.one is not None:
        method, network, parameters = RUNS[options.one]
        print(json.dumps(measure(method, network, parameters, options.side)))
        return
    rows = []
    for number in range(len(RUNS)):
        command = [
            sys.executable,
            "-m",
            "scripts.evidence_tiled_memory",
            "--side",
            str(options.side),
            "--one",
            str(number),
        ]
        answer = subprocess.run(command, capture_output=True, text=True, check=True, env=os.environ, cwd=ROOT)
        rows.append(json.loads(answer.stdout.splitlines()[-1]))
        print(rows[-1], flush=True)
    over = [row for row in rows if row["peak_gib"] >= LIMIT_GIB]
    document = {"side": options.side, "limit_gib": LIMIT_GIB, "rows": rows}
    out = ROOT / "docs" / "evidence" / "maps_tiled_memory.json"
    out.write_text(json.dumps(document, indent=1) + "\n")
    out.with_suffix(".md").write_text(page(document))
    if over:
        sys.exit(f"{len(over)} runs took {LIMIT_GIB:g} GiB or more")


if __name__ == "__main__":
    main()
