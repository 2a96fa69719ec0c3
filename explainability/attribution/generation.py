"""Generation: where each word of the prompt is drawn, what its removal changes, and what the organ mask decides."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage

from assurance.adapters.protocol import LoadedModel, Prompt, Volume, memory_refused
from assurance.evidence.errors import InvalidInput
from assurance.evidence.finding import Method
from explainability.attribution.attribution import VERSION, Attribution, not_zero


def token_maps(
    model: LoadedModel, image: Any = None, *, target: int | None = None, prompt: Prompt | None = None, seed: int = 0,
    question: None = None, word: str = "", steps: int = 20, guidance: float = 4.0,
) -> Attribution:  # fmt: skip
    """Cross-attention of one word (DAAM): enlarged, added over layers, heads, steps and the word's tokens.

    Only the conditional half of the batch counts. ``word`` is a word of the text; ``target`` instead is one token's
    place in it (1 is the first; 0, the start token, draws nothing). By default the word with the most concentrated map.
    Unsigned, share of the attention. ``extras`` hold all tokens with the peak of their maps, ``layers`` the image that
    was ``drawn``.

    Raises
    ------
    InvalidInput
        ``other_task``, ``prompt_missing``, ``no_target``.

    References
    ----------
    Tang et al. (2023), What the DAAM: interpreting Stable Diffusion using cross attention, ACL, arXiv:2210.04885.
    """
    text, tokens = _text(model, prompt)
    with model.recorded_cross_attention() as found, memory_refused("token_maps"):  # type: ignore[attr-defined]
        drawn = model.generate(text, seed=seed, steps=steps, guidance=guidance)  # type: ignore[attr-defined]
    heat = _heat(found, len(tokens))
    words = words_of(tokens)
    if target is not None:
        if not 0 <= target < len(tokens):
            raise InvalidInput("no_target", f"target {target}: give 0 to {len(tokens) - 1} ({' '.join(tokens)})")
        places, name = [target], f"token {tokens[target]!r}"
    else:
        chosen = _word(words, word) if word else max(words, key=lambda each: _concentration(heat[each[1]].sum(axis=0)))
        places, name = chosen[1], f"word {chosen[0]!r}"
    own = heat[places].sum(axis=0)
    values = _enlarged(own, drawn.image.shape)
    not_zero(values, key="token_maps")
    rows = [
        {"token": token, "mean_share": float(heat[place].mean()), "concentration": _concentration(heat[place])}
        for place, token in enumerate(tokens)
    ]
    return Attribution(
        values=values, grid_values=own.astype(np.float32),
        method=Method("token_maps", "explainability.attribution.generation", VERSION,
                      {"steps": steps, "guidance": guidance, "layers": len(found), "text": text, "places": places},
                      seed),
        target=name, unit="share of attention", signed=False, f_x=float(own.mean()), target_unit="1",
        extras={"tokens": rows, "words_of_text": [each for each, _ in words]}, layers={"drawn": drawn.image},
    )  # fmt: skip


def token_ablation(
    model: LoadedModel, image: Any = None, *, target: int | None = None, prompt: Prompt | None = None, seed: int = 0,
    question: None = None, word: str = "", steps: int = 20, guidance: float = 4.0,
) -> Attribution:  # fmt: skip
    """|change of the image| when one word is left out of the prompt under the same noise; unsigned, grey value 0..1.

    ``word`` is a word of the text, ``target`` instead its place (0 is the first); by default the one that changes most.
    ``extras`` list all words with the mean absolute change, ``layers`` hold the image that was ``drawn`` and the one
    ``without`` the word.

    Raises
    ------
    InvalidInput
        ``other_task``, ``prompt_missing``, ``prompt_short``, ``no_target``.

    References
    ----------
    Hertz et al. (2023), Prompt-to-prompt image editing with cross attention control, ICLR, arXiv:2208.01626 (words
    exchanged under fixed noise).
    """
    text, _ = _text(model, prompt)
    words = text.split()
    if target is None and word:
        target = _word([(each, [place]) for place, each in enumerate(words)], word)[1][0]
    if target is not None and not 0 <= target < len(words):
        raise InvalidInput("no_target", f"target {target}: give 0 to {len(words) - 1} ({' '.join(words)})")
    with memory_refused("token_ablation"):
        whole = model.generate(text, seed=seed, steps=steps, guidance=guidance).image  # type: ignore[attr-defined]
        without = [
            drawn_without(model, text, place, seed=seed, steps=steps, guidance=guidance) for place in range(len(words))
        ]
    changes = np.abs(np.stack(without) - whole)
    means = changes.mean(axis=(1, 2))
    index = int(means.argmax()) if target is None else target
    grid = changes[index].astype(np.float32)
    not_zero(grid, key="token_ablation")
    rows = [{"word": word, "mean_change": float(mean)} for word, mean in zip(words, means, strict=True)]
    return Attribution(
        values=grid, grid_values=grid,
        method=Method("token_ablation", "explainability.attribution.generation", VERSION,
                      {"steps": steps, "guidance": guidance, "text": text, "place": index}, seed),
        target=f"word {words[index]!r}", unit="grey value 0..1", signed=False, f_x=float(means[index]),
        target_unit="grey value", extras={"words": rows}, layers={"drawn": whole, "without": without[index]},
    )  # fmt: skip


def drawn_without(
    model: LoadedModel, text: str, place: int, *, seed: int, steps: int, guidance: float
) -> NDArray[np.float32]:
    """The image of ``text`` without its word number ``place``, from the same noise.

    Raises
    ------
    InvalidInput
        ``prompt_short``: the text has one word only.
    """
    words = text.split()
    if len(words) < 2:
        raise InvalidInput("prompt_short", f"the prompt {text!r} has one word: leaving it out leaves no prompt")
    rest = " ".join(words[:place] + words[place + 1 :])
    found: NDArray[np.float32] = model.generate(rest, seed=seed, steps=steps, guidance=guidance).image  # type: ignore[attr-defined]
    return found


def words_of(tokens: list[str]) -> list[tuple[str, list[int]]]:
    """Words of a tokenised text with the places of their tokens; start and end tokens belong to none."""
    found: list[tuple[str, list[int]]] = []
    open_word = False
    for place, token in enumerate(tokens):
        if token.startswith("<|"):
            continue
        if not open_word:
            found.append(("", []))
        name, places = found[-1]
        found[-1] = (name + token.removesuffix("</w>"), [*places, place])
        open_word = not token.endswith("</w>")
    return found


def _word(words: list[tuple[str, list[int]]], word: str) -> tuple[str, list[int]]:
    for name, places in words:
        if name.lower() == word.strip().lower():
            return name, places
    raise InvalidInput("no_target", f"word {word!r}: choose one of {', '.join(name for name, _ in words)}")


def _heat(found: dict[str, list[torch.Tensor]], n_tokens: int) -> NDArray[np.float32]:
    side = int(max(np.sqrt(maps[0].shape[-1]) for maps in found.values()))
    total = torch.zeros(n_tokens, side, side)
    for maps in found.values():
        for step_map in maps:
            cells = int(np.sqrt(step_map.shape[-1]))
            # the batch holds the empty text first, the prompt last
            plane = step_map[-1, :n_tokens].reshape(n_tokens, 1, cells, cells).float().cpu()
            large = torch.nn.functional.interpolate(plane, size=(side, side), mode="bicubic", align_corners=False)
            total += large[:, 0]
    heat: NDArray[np.float32] = total.clamp(min=0).numpy()
    return heat / heat.sum(axis=0, keepdims=True).clip(1e-12)


def mask_conditioning(
    model: LoadedModel, image: Any, *, target: int | None = None, prompt: Prompt | None = None, seed: int = 0,
    question: None = None, change: str = "moved",
) -> Attribution:  # fmt: skip
    """|change of the drawn volume| when the organ mask is ``moved`` by half its size or ``eroded`` by a quarter.

    Unsigned, in the volume's unit. The seed is held fixed, so that only the mask differs. ``extras`` give the share of
    the change inside the union of both masks, and the shares of the drawn lesion inside each.

    References
    ----------
    Chen et al. (2024), Towards generalizable tumor synthesis, CVPR, arXiv:2402.19470 (conditioning on the organ mask).
    """
    if model.task != "generation" or "mask" not in model.prompt_types or not isinstance(image, Volume):
        raise InvalidInput("other_task", f"{model.key} draws nothing from an organ mask: choose token_maps for a text")
    asked = prompt or Prompt()
    mask = asked.checked_mask(tuple(np.asarray(image.array).shape))
    other = changed_mask(mask, change)
    with memory_refused("mask_conditioning"):
        draw = model.generate  # type: ignore[attr-defined]
        first = draw(image, asked, seed=seed)
        second = draw(image, Prompt(mask=other, label=asked.label, text=asked.text), seed=seed)
    grid = np.abs(first.image - second.image).astype(np.float32)
    not_zero(grid, key="mask_conditioning")
    both = mask | other
    extras: dict[str, Any] = {
        "change": change,
        "share_in_masks": float(grid[both].sum() / grid.sum()),
        "volume_share": float(both.mean()),
    }
    for name, drawn, where in (("own", first, mask), ("changed", second, other)):
        if drawn.mask is not None and drawn.mask.any():
            extras[f"lesion_in_{name}_mask"] = float(where[drawn.mask].mean())
    return Attribution(
        values=grid, grid_values=grid,
        method=Method("mask_conditioning", "explainability.attribution.generation", VERSION, {"change": change}, seed),
        target="the drawn volume", unit=image.unit or "grey value", signed=False, f_x=float(grid.mean()),
        target_unit=image.unit or "grey value", extras=extras,
        layers={"drawn": first.image, "without": second.image, "organ": mask, "organ_changed": other,
                **({"lesion": first.mask} if first.mask is not None else {})},
    )  # fmt: skip


def changed_mask(mask: NDArray[np.bool_], change: str) -> NDArray[np.bool_]:
    places = np.argwhere(mask)
    extent = places.max(axis=0) - places.min(axis=0) + 1
    if change == "moved":
        axis = int(extent.argmax())
        return np.asarray(np.roll(mask, int(extent[axis]) // 2, axis=axis))
    if change == "eroded":
        eroded = ndimage.binary_erosion(mask, iterations=max(int(extent.min()) // 8, 1))
        return np.asarray(eroded if eroded.any() else mask & (np.cumsum(mask).reshape(mask.shape) <= mask.sum() // 2))
    raise InvalidInput("bad_change", f"change {change!r}: choose moved or eroded")


def _text(model: LoadedModel, prompt: Prompt | None) -> tuple[str, list[str]]:
    if model.task != "generation" or "text" not in model.prompt_types:
        raise InvalidInput("other_task", f"{model.key} draws nothing from a text: choose another method")
    text = (prompt or Prompt()).checked_text()
    return text, model.tokens(text)  # type: ignore[attr-defined]


def _concentration(heat: NDArray[Any]) -> float:
    """Largest over mean: 1 for a flat map."""
    return float(heat.max() / max(float(heat.mean()), 1e-12))


def _enlarged(heat: NDArray[Any], shape: tuple[int, ...]) -> NDArray[np.float32]:
    plane = torch.as_tensor(heat, dtype=torch.float32)[None, None]
    found = torch.nn.functional.interpolate(plane, size=shape, mode="bilinear", align_corners=False)
    return np.asarray(found[0, 0].numpy(), dtype=np.float32)
