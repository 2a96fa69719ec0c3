"""Maps of generators: graded by what really changes when a word or a mask is taken away, over several seeds."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray

from assurance.adapters.protocol import LoadedModel, Prompt
from assurance.evidence.errors import NotComputable, Refusal
from explainability.attribution.attribution import Attribution
from explainability.attribution.generation import drawn_without, token_maps, words_of
from explainability.attribution.question import Question
from explainability.faithfulness.case_card import grade
from explainability.faithfulness.drawing_facts import change_fact
from explainability.faithfulness.graded import Graded
from explainability.faithfulness.perturbation_facts import PerturbationFact, strongest
from explainability.services.graded_map import GradedMap

SEEDS = 4
CHECKS_OF_DRAWINGS = (
    "randomisation", "pointing_game", "relevance_mass", "relevance_rank", "leakage", "reproducibility",
)  # fmt: skip
"""The others perturb a given image, and a generator is given none."""

Explain = Callable[..., Attribution]


class Drawing:
    """What a generator's map asks about, as the checks see a question: its model may be exchanged, its start is noise.

    ``inputs`` (1, 1, ...) is the drawn image, which only names the case.
    """

    unit = "1"

    def __init__(self, model: LoadedModel, attribution: Attribution) -> None:
        self.model = model
        self.inputs = torch.as_tensor(np.asarray(attribution.layers["drawn"], dtype=np.float32))[None, None]
        self.f_x = attribution.f_x

    def of(self, network: torch.nn.Module) -> Drawing:
        other = copy.copy(self)
        other.model = self.model.with_network(network)
        return other


def graded_drawing(
    model: LoadedModel, given: Any, *, method: str, explain: Explain, settings: Mapping[str, Any],
    target: int | None, prompt: Prompt | None, seed: int, spacing_mm: tuple[float, ...] | None,
    other: Attribution | None, other_name: str, overlay: Callable[[Attribution], bytes],
    progress: Callable[[str], None],
) -> GradedMap:  # fmt: skip
    """Draw, map, grade.

    The region where relevance is expected is the tenth of the image that changes most when the word is left out (for
    token maps), that where the word's token map is strongest (for token ablation), or both organ masks.
    """
    attribution = explain(model, given, target=target, prompt=prompt, seed=seed, **settings)
    warnings: list[str] = []
    region: NDArray[np.bool_] | None = None
    region_name, statements = "", list[PerturbationFact]()
    progress("perturbation facts")
    try:
        region, region_name, statements = _FACTS[method](
            model, given, attribution, prompt or Prompt(), seed, dict(settings), explain
        )
    except Refusal as reason:
        if not isinstance(reason, NotComputable) and reason.code not in ("prompt_short", "no_target"):
            raise
        warnings.append(reason.message)

    def again(question: Any) -> Attribution:
        return explain(question.model, given, target=target, prompt=prompt, seed=seed, **settings)

    graded = Graded(
        cast(Question, Drawing(model, attribution)), attribution, again, region=region, region_name=region_name,
        spacing_mm=spacing_mm, other=other, other_name=other_name,
    )  # fmt: skip
    findings = grade(graded, checks=CHECKS_OF_DRAWINGS, seed=seed, progress=progress)
    progress("overlay")
    return GradedMap(
        attribution=attribution, report_card=findings, statements=statements, signals={}, mask=None,
        overlay=overlay(attribution), warnings=warnings,
        prediction={"quantity": attribution.target, "value": attribution.f_x, "target": attribution.target,
                    "f_x": attribution.f_x, "unit": attribution.target_unit},
    )  # fmt: skip


Facts = tuple[NDArray[np.bool_] | None, str, list[PerturbationFact]]


def _token_map_facts(
    model: LoadedModel, given: Any, made: Attribution, prompt: Prompt, seed: int, settings: dict[str, Any],
    explain: Explain,
) -> Facts:  # fmt: skip
    text = str(made.method.parameters["text"])
    place, word = _word_of_places(model, text, made.method.parameters["places"])
    steps = {key: made.method.parameters[key] for key in ("steps", "guidance")}
    inside, outside, first = [], [], None
    for number in range(SEEDS):
        same = made if not number else explain(
            model, given, target=None, prompt=prompt, seed=seed + number, **{**settings, "word": word}
        )  # fmt: skip
        without = drawn_without(model, text, place, seed=seed + number, **steps)
        change = np.abs(same.layers["drawn"] - without)
        where = strongest(same.values)
        inside.append(float(change[where].mean()))
        outside.append(float(change[~where].mean()))
        first = change if first is None else first
    fact = change_fact(
        inside, outside, doing=f"Leaving out “{word}” under the same noise", where="in the strongest tenth of its map",
        elsewhere="elsewhere", unit="grey value 0..1", area=0.1, seed=seed,
    )  # fmt: skip
    if first is None or not first.any():
        raise NotComputable("no_change", f"leaving out “{word}” changes nothing: there is no region to compare with")
    return strongest(first), f"the tenth of the image that changes most without “{word}”", [fact]


def _token_ablation_facts(
    model: LoadedModel, given: Any, made: Attribution, prompt: Prompt, seed: int, settings: dict[str, Any],
    explain: Explain,
) -> Facts:  # fmt: skip
    parameters = made.method.parameters
    text, place = str(parameters["text"]), int(parameters["place"])
    steps = {key: parameters[key] for key in ("steps", "guidance")}
    word = text.split()[place]
    own = [made.f_x]
    for number in range(1, SEEDS):
        whole = model.generate(text, seed=seed + number, **steps).image  # type: ignore[attr-defined]
        without = drawn_without(model, text, place, seed=seed + number, **steps)
        own.append(float(np.abs(whole - without).mean()))
    others = [row["mean_change"] for number, row in enumerate(made.extras["words"]) if number != place]
    fact = change_fact(
        own, others, doing=f"Leaving out “{word}” under the same noise", where="on average over the image",
        elsewhere="where another word is left out", unit="grey value 0..1", area=1.0, seed=seed, of_others="words",
    )  # fmt: skip
    recorded = token_maps(model, given, prompt=prompt, seed=seed, word=word, **steps)
    return strongest(recorded.values), f"the strongest tenth of the token map of “{word}”", [fact]


def _mask_facts(
    model: LoadedModel, given: Any, made: Attribution, prompt: Prompt, seed: int, settings: dict[str, Any],
    explain: Explain,
) -> Facts:  # fmt: skip
    both = np.asarray(made.layers["organ"] | made.layers["organ_changed"])
    inside, outside = [], []
    for number in range(SEEDS):
        same = made if not number else explain(model, given, prompt=prompt, seed=seed + number, **settings)
        inside.append(float(same.values[both].mean()))
        outside.append(float(same.values[~both].mean()))
    verb = {"moved": "Moving", "eroded": "Eroding"}[str(made.method.parameters["change"])]
    fact = change_fact(
        inside, outside, doing=f"{verb} the organ mask under the same noise", where="inside both masks",
        elsewhere="outside them", unit=made.unit, area=float(both.mean()), seed=seed,
    )  # fmt: skip
    return both, "both organ masks", [fact]


def _word_of_places(model: LoadedModel, text: str, places: list[int]) -> tuple[int, str]:
    """The word of ``text`` (its number and itself) that holds the tokens at ``places``."""
    groups = words_of(model.tokens(text))  # type: ignore[attr-defined]
    number = next((n for n, (_, own) in enumerate(groups) if set(places) <= set(own)), None)
    words = text.split()
    if number is None:
        raise NotComputable("no_word", "this token belongs to no word: none can be left out")
    if len(groups) != len(words):  # the tokeniser parts punctuation from words
        number = next((n for n, word in enumerate(words) if groups[number][0] in word.lower()), None)
        if number is None:
            raise NotComputable("no_word", "the tokeniser changed this word: it cannot be found in the text")
    return number, words[number]


_FACTS = {"token_maps": _token_map_facts, "token_ablation": _token_ablation_facts, "mask_conditioning": _mask_facts}
