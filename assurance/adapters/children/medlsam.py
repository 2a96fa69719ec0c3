"""Child: asks a user's own checkout of MedLSAM for the boxes of a volume. Its code is called, never copied."""

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import numpy as np
import torch
from frames import Refused, serve

STATE: dict = {}


def on_this_machine():
    """The published code asks for a GPU and half precision everywhere; without a GPU these calls do nothing."""
    read = torch.load

    def read_here(*args, **kwargs):
        kwargs.setdefault("map_location", "cuda" if torch.cuda.is_available() else "cpu")
        kwargs["weights_only"] = True
        return read(*args, **kwargs)

    torch.load = read_here
    if torch.cuda.is_available():
        return
    torch.nn.Module.cuda = torch.Tensor.cuda = lambda self, *args, **kwargs: self
    torch.nn.Module.half = torch.Tensor.half = lambda self, *args, **kwargs: self.float()


def setup(settings, arrays):
    on_this_machine()
    home = sys.argv[2]
    try:
        from MedLAM.Anatomy_detection import AnatomyDetection
    except ImportError as error:
        raise Refused("other_model", f"{home} is no checkout of MedLSAM that runs here: {error}") from error
    # Paths in its configuration are relative to the checkout.
    os.chdir(home)
    STATE["detect"] = AnatomyDetection(settings["configuration"])
    return {"structures": [str(name) for name in getattr(STATE["detect"], "fg_classes", [])]}, {}


def locate(settings, arrays):
    import nibabel

    path = Path(os.environ["TMPDIR"]) / "query.nii.gz"
    # Axes L, A, S: the first one runs against nibabel's x.
    affine = np.diag([-settings["spacing_mm"][0], settings["spacing_mm"][1], settings["spacing_mm"][2], 1.0])
    nibabel.save(nibabel.Nifti1Image(arrays["volume"].astype(np.float32), affine), path)
    try:
        _, corners, _ = STATE["detect"].get_extreme_corner(path)
    finally:
        path.unlink()
    boxes = {}
    for name, corner in corners.items():
        edges = np.asarray(corner, dtype=float).reshape(2, 3)
        boxes[str(name)] = [edges.min(axis=0).tolist(), edges.max(axis=0).tolist()]
    return {"boxes": boxes, "checkout": sys.argv[2]}, {}


if __name__ == "__main__":
    serve({"setup": setup, "locate": locate})
