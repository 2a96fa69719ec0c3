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
SPARE_DRAWS = 4


def map_entropy(values: Plane, *, bins: int = BINS) -> float:
    """Entropy in bits of the histogram of |map| over its own range: 0 where all values fall into one bin."""
    size = np.abs(np.asarray(values, dtype=np.float64)).ravel()
    if not size.max() > size.min():
        return 0.0
    counts = np.histogram(size, bins=bins)[0]
    shares = counts[counts > 0] / size.size
    return float(-(shares * np.log2(shares)).sum())


def randomisation(graded: Graded, *, seed: int = 0, draws: int = 3) -> Finding:
    """Efficient model-parameter randomisation: (H(map of a random model) − H(map)) / H(map); passes above 0.

    H is the entropy of the 100-bin histogram of |map|, for random models its mean over ``draws`` of them: between two
    random models it varies so much that one draw alone fails good maps. A map that rests on what was learned becomes
    less structured when every weight is drawn anew, other weights for each image. They are asked about the same class
    or fixed mask.

    Raises
    ------
    NotComputable
        ``no_entropy`` where the map has one value only; ``no_random_map`` where no random model has one;
        ``no_network`` where the weights lie in another process or format and cannot be drawn anew.

    References
    ----------
    Hedström, Weber, Lapuschkin & Höhne (2024), A fresh look at sanity checks for saliency maps, arXiv:2405.02383.
    """
    own = map_entropy(graded.attribution.grid_values)
    if own == 0:
        raise NotComputable("no_entropy", "the map has one value only: its entropy is 0")
    network = _own_network(graded)
    first = graded.case_seed(seed)
    found: list[float] = []
    for attempt in range(draws + SPARE_DRAWS):
        redraw(list(network.modules()), seed=first + attempt)
        try:
            found.append(map_entropy(graded.again(graded.question.of(network)).grid_values))
        except NotComputable:
            continue  # a random model may have no map at all (every unit dead); draw another
        if len(found) == draws:
            break
    if not found:
        raise NotComputable("no_random_map", f"{draws + SPARE_DRAWS} models with random weights gave no map")
    other = float(np.mean(found))
    value = (other - own) / own
    return answer(graded, "randomisation", value, passed=value > 0, seed=first,
                  details={"entropy": own, "entropy_random": other, "each": found},
                  parameters={"bins": BINS, "draws": len(found)})  # fmt: skip


def cascading_randomisation(graded: Graded, *, seed: int = 0, stages: int = 4, limit: float = 0.5) -> Finding:
    """Weights drawn anew from the output inwards, in ``stages``: Spearman's ρ of |map| with the own map at the end.

    Passes where |ρ| of the last stage, all weights random, lies below ``limit``. ``details`` gives ρ at each stage.

    References
    ----------
    Adebayo et al. (2018), Sanity checks for saliency maps, NeurIPS, arXiv:1810.03292.
    """
    network = _own_network(graded)
    layers = [module for module in network.modules() if has_own_weights(module)]
    parts = np.array_split(np.arange(len(layers)), min(stages, len(layers)))[::-1]
    own = np.abs(graded.attribution.grid_values).ravel()
    path: list[float | None] = []
    first = graded.case_seed(seed)
    for number, part in enumerate(parts):
        last = number == len(parts) - 1
        path.append(None)
        for attempt in range(1 + SPARE_DRAWS if last else 1):
            # at the end every weight is random, so another try draws all of them again
            redraw(layers if attempt else [layers[index] for index in part[::-1]], seed=first + number + attempt)
            try:
                other = np.abs(graded.again(graded.question.of(network)).grid_values).ravel()
            except NotComputable:
                continue  # a random model may give a map of zeros; it agrees with nothing
            path[-1] = float(stats.spearmanr(own, other).statistic)
            break
    end = path[-1]
    if end is None or not np.isfinite(end):
        raise NotComputable("no_random_map", "the model with random weights gives no map to compare with")
    return answer(graded, "cascading_randomisation", end, passed=abs(end) < limit, seed=first,
                  details={"rho_by_stage": path, "layers": len(layers)},
                  parameters={"stages": len(parts), "limit": limit})  # fmt: skip


def _own_network(graded: Graded) -> torch.nn.Module:
    model = graded.question.model
    if not any(True for _ in model.network.parameters()):
        raise NotComputable("no_network", f"{model.key} keeps its weights out of reach here: they cannot be drawn anew")
    return copy.deepcopy(model.network)


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
