"""Child: runs one TorchScript or torch.export program, and its vector-Jacobian product where it has one."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import torch
from frames import Refused, serve

PROGRAM: dict = {}


def setup(settings, arrays):
    path = settings["path"]
    try:
        if settings["kind"] == "torchscript":
            network = torch.jit.load(path, map_location="cpu").eval()
        else:
            network = torch.export.load(path).module()
    except MemoryError:
        raise
    except Exception as error:
        first = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise Refused("other_model", f"{Path(path).name} is no {settings['kind']} program: {first[:200]}") from error
    for parameter in network.parameters():
        parameter.requires_grad_(False)
        if not torch.isfinite(parameter).all():
            raise Refused("broken_weights", "the weights of this program hold NaN or infinity")
    PROGRAM["network"] = network
    return {"parameters": sum(parameter.numel() for parameter in network.parameters())}, {}


def tensor_of(output):
    """Programs may return a tensor, a sequence or a mapping: the first tensor is the answer."""
    while not isinstance(output, torch.Tensor):
        output = next(iter(output.values())) if isinstance(output, dict) else output[0]
    return output


def forward(settings, arrays):
    with torch.no_grad():
        return {}, {"output": tensor_of(PROGRAM["network"](torch.from_numpy(arrays["input"]))).float().numpy()}


def vjp(settings, arrays):
    inputs = torch.from_numpy(arrays["input"]).requires_grad_(True)
    output = tensor_of(PROGRAM["network"](inputs)).float()
    (gradient,) = torch.autograd.grad(output, inputs, torch.from_numpy(arrays["direction"]))
    return {}, {"gradient": gradient.numpy()}


if __name__ == "__main__":
    serve({"setup": setup, "forward": forward, "vjp": vjp})
