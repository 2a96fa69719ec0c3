"""Does the map depend on what the model has learned?"""

from __future__ import annotations

import copy

import numpy as np
import torch
from scipy import stats

from assurance.evidence.errors import NotComputable
from assurance.evidence.finding import Finding
from explainability.attribution.attribution import Plane
from explainability.faithfulness.graded import Graded, answer

BINS = 100
DRAWS = 5


def map_entropy(values: Plane, *, bins: int = BINS) -> float:
    """Entropy in bits of the histogram of |map| over its own range: 0 where all values fall into one bin."""
    size = np.abs(np.asarray(values, dtype=np.float64)).ravel()
    if not size.max() > size.min():
        return 0.0
    counts = np.histogram(size, bins=bins)[0]
    shares = counts[counts > 0] / size.size
    return float(-(shares * np.log2(shares)).sum())


def randomisation(graded: Graded, *, seed: int = 0) -> Finding:
    """Efficient model-parameter randomisation: (H(map of the random model) − H(map)) / H(map); passes above 0.

    H is the entropy of the 100-bin histogram of |map|. A map that rests on what was learned becomes less structured
    when every weight is drawn anew. The random model is asked about the same class or the same fixed mask.

    Raises
    ------
    NotComputable
        ``no_entropy`` where the map has one value only; ``no_random_map`` where five random models have none.

    References
    ----------
    Hedström, Weber, Lapuschkin & Höhne (2024), A fresh look at sanity checks for saliency maps, arXiv:2405.02383.
    """
    own = map_entropy(graded.attribution.grid_values)
    if own == 0:
        raise NotComputable("no_entropy", "the map has one value only: its entropy is 0")
    network = copy.deepcopy(graded.question.model.network)
    for attempt in range(DRAWS):
        redraw(list(network.modules()), seed=seed + attempt)
        try:
            other = map_entropy(graded.again(graded.question.of(network)).grid_values)
        except NotComputable:
            continue  # a random model may have no map at all (every unit dead); draw another
        value = (other - own) / own
        return answer(graded, "randomisation", value, passed=value > 0, seed=seed + attempt,
                      details={"entropy": own, "entropy_random": other}, parameters={"bins": BINS})  # fmt: skip
    raise NotComputable("no_random_map", f"{DRAWS} models with random weights gave no map to compare with")


def cascading_randomisation(graded: Graded, *, seed: int = 0, stages: int = 4, limit: float = 0.5) -> Finding:
    """Weights drawn anew from the output inwards, in ``stages``: Spearman's ρ of |map| with the own map at the end.

    Passes where |ρ| of the last stage, all weights random, lies below ``limit``. ``details`` gives ρ at each stage.

    References
    ----------
    Adebayo et al. (2018), Sanity checks for saliency maps, NeurIPS, arXiv:1810.03292.
    """
    network = copy.deepcopy(graded.question.model.network)
    layers = [module for module in network.modules() if has_own_weights(module)]
    parts = np.array_split(np.arange(len(layers)), min(stages, len(layers)))[::-1]
    own = np.abs(graded.attribution.grid_values).ravel()
    path: list[float | None] = []
    for number, part in enumerate(parts):
        redraw([layers[index] for index in part[::-1]], seed=seed + number)
        try:
            other = np.abs(graded.again(graded.question.of(network)).grid_values).ravel()
        except NotComputable:
            path.append(None)  # a random model may give a map of zeros; it agrees with nothing
            continue
        path.append(float(stats.spearmanr(own, other).statistic))
    last = path[-1]
    if last is None or not np.isfinite(last):
        raise NotComputable("no_random_map", "the model with random weights gives no map to compare with")
    return answer(graded, "cascading_randomisation", last, passed=abs(last) < limit, seed=seed,
                  details={"rho_by_stage": path, "layers": len(layers)},
                  parameters={"stages": len(parts), "limit": limit})  # fmt: skip


def has_own_weights(module: torch.nn.Module) -> bool:
    return any(True for _ in module.parameters(recurse=False))


def redraw(modules: list[torch.nn.Module], *, seed: int) -> None:
    """Draw the own parameters of ``modules`` anew: their layer's initialisation, else a normal law of the same sd."""
    with torch.random.fork_rng(), torch.no_grad():
        torch.manual_seed(seed)
        for module in modules:
            reset = getattr(module, "reset_parameters", None)
            if callable(reset):
                reset()
                continue
            for parameter in module.parameters(recurse=False):
                sd = float(parameter.float().std(correction=0)) or 0.02
                parameter.copy_(torch.randn_like(parameter) * sd)
