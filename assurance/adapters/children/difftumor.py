"""Child: asks a user's own checkout of DiffTumor to draw a tumour. Its code is called, never copied."""

import random
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import numpy as np
import torch
from frames import Refused, serve

STATE: dict = {}


def setup(settings, arrays):
    read = torch.load

    def read_here(*args, **kwargs):
        # Its autoencoder is a pickled training checkpoint; nothing but this process, without network, unpickles it.
        kwargs["weights_only"] = False
        kwargs.setdefault("map_location", settings["device"])
        return read(*args, **kwargs)

    torch.load = read_here
    try:
        from TumorGeneration import utils
    except ImportError as error:
        raise Refused("other_model", f"{sys.argv[2]} is no checkout of DiffTumor that runs here: {error}") from error
    device = torch.device(settings["device"])
    STATE["utils"], STATE["device"] = utils, device
    # The checkout joins this path and a file name without a separator.
    folder = settings["diffusion"].rstrip("/") + "/"
    STATE["models"] = utils.synt_model_prepare(
        device, vqgan_ckpt=settings["autoencoder"], diffusion_ckpt=folder, organ=settings["organ"]
    )
    return {}, {}


def draw(settings, arrays):
    seed = settings["seed"]
    random.seed(seed)
    np.random.seed(seed % 2**32)  # noqa: NPY002, the checkout draws from this generator
    torch.manual_seed(seed)
    utils, device = STATE["utils"], STATE["device"]
    autoencoder, early, sampler = STATE["models"]
    ct, organ = (torch.from_numpy(arrays[name].copy()).to(device) for name in ("ct", "organ"))
    with torch.no_grad():
        if settings["size"] == "early":
            out, mask = utils.synthesize_early_tumor(ct, organ, settings["organ"], autoencoder, early)
        else:
            synthesize = getattr(utils, f"synthesize_{settings['size']}_tumor")
            out, mask = synthesize(ct, organ, settings["organ"], autoencoder, sampler)
    # The mask it gives is organ plus tumour, so that 2 is a tumour.
    return {"steps": 4 if settings["size"] == "early" else 50}, {
        "ct": out.float().cpu().numpy(),
        "tumour": (mask >= 2).to(torch.uint8).cpu().numpy(),
    }


if __name__ == "__main__":
    serve({"setup": setup, "draw": draw})
