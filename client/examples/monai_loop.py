"""A MONAI inference loop that logs every score: ``python monai_loop.py URL DEPLOYMENT TOKEN [IMAGES.npz]``.

The file holds ``images`` (n, H, W) in 0..255; without one the loop scores noise: enough to see rows arrive.
"""

import sys
from datetime import UTC, datetime

import numpy as np
import torch
from monai.networks.nets import DenseNet
from vigil_client import Vigil


def main(url: str, deployment: str, token: str, file: str = "") -> None:
    images = np.load(file)["images"] if file else np.random.default_rng(0).integers(0, 256, (32, 64, 64))
    model = DenseNet(spatial_dims=2, in_channels=1, out_channels=1, init_features=16, block_config=(2, 2)).eval()
    now = datetime.now(UTC).isoformat()
    with Vigil(url, deployment=deployment, token=token) as vigil, torch.inference_mode():
        for start in range(0, len(images), 16):
            batch = torch.from_numpy(images[start : start + 16]).float().div(255).unsqueeze(1)
            scores = torch.sigmoid(model(batch)).squeeze(1).tolist()
            rows = [{"case_id": f"example-{start + at}", "study_time": now, "score": s} for at, s in enumerate(scores)]
            print(vigil.log_predictions(rows) or "the server is away: kept in the spool")


if __name__ == "__main__":
    main(*sys.argv[1:])
