"""What a map costs: Integrated Gradients with 50 steps against its floor and against plain Captum, in one run.

The floor is steps × (one forward and one backward pass to the input), measured here with parameter gradients off.
"""

from __future__ import annotations

import json
import resource
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from captum.attr import IntegratedGradients

from assurance.adapters.catalogue import load_spec
from explainability.attribution.catalogue import EXPLAINERS
from explainability.attribution.question import Question, batch_for

STEPS, ROUNDS = 50, 3
SHARED = ("saliency", "smoothgrad", "integrated_gradients")


def best(work: Callable[[], Any]) -> float:
    """Seconds of the quickest of three runs: the others carry the machine's noise."""
    found = []
    for _ in range(ROUNDS):
        started = time.perf_counter()
        work()
        found.append(time.perf_counter() - started)
    return min(found)


def results() -> Iterator[dict[str, Any]]:
    model = load_spec("monai-densenet")
    down, across = np.mgrid[-1:1:128j, -1:1:128j]
    image = (100 + 80 * np.cos(3 * down) * np.cos(4 * across)).astype(np.float32)
    question = Question(model, image, target=1)
    start = question.baseline("black")
    size = min(batch_for(question.inputs, 0), STEPS)
    batch = question.inputs.expand(size, -1, -1, -1)

    def one_pass() -> None:
        inputs = batch.clone().requires_grad_(True)
        torch.autograd.grad(question(inputs).sum(), inputs)

    def ours() -> None:
        EXPLAINERS.load("integrated_gradients")(model, image, question=question, steps=STEPS, most_steps=STEPS)

    def plain() -> None:
        IntegratedGradients(lambda x: model.network(x)[:, 1]).attribute(
            question.inputs, baselines=start, n_steps=STEPS, method="gausslegendre"
        )

    one_pass()
    floor = best(one_pass) * STEPS / size
    seconds, captum = best(ours), best(plain)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    about = {"value": seconds, "unit": "s", "n": STEPS, "batch": size, "threads": torch.get_num_threads(),
             "peak_mib": peak, "model": model.key}  # fmt: skip
    for peer, other in (("steps x (forward + backward)", floor), ("captum, default batch", captum)):
        yield {"name": "integrated_gradients_50", "peer": peer, "ratio": seconds / other, "peer_value": other, **about}

    def alone() -> None:
        for key in SHARED:
            EXPLAINERS.load(key)(model, image, target=1)

    def shared() -> None:
        asked = Question(model, image, target=1)
        for key in SHARED:
            EXPLAINERS.load(key)(model, image, question=asked)

    apart, together = best(alone), best(shared)
    yield {
        "name": "maps_of_one_case", "value": together, "unit": "s", "n": len(SHARED), "peer": "each method alone",
        "peer_value": apart, "ratio": together / apart, "methods": list(SHARED),
    }  # fmt: skip


if __name__ == "__main__":
    for row in results():
        print(json.dumps(row), flush=True)
