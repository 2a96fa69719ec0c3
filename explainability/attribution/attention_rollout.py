"""Gradient-weighted attention rollout: which patches the answer was gathered from, through all layers."""

from __future__ import annotations

from typing import Any

import torch

from assurance.adapters.protocol import AttentionLayer, LoadedModel, Prompt, memory_refused
from assurance.evidence.errors import NotComputable
from assurance.evidence.finding import Method
from explainability.attribution.attribution import VERSION, Attribution, not_zero
from explainability.attribution.question import Question, question_for


def attention_rollout(
    model: LoadedModel, image: Any, *, target: int | None = None, prompt: Prompt | None = None, seed: int = 0,
    question: Question | None = None,
) -> Attribution:  # fmt: skip
    """Product over layers of Â = rownorm(A + I), A the mean over heads of attention × its positive gradient.

    Unsigned, on the patch grid, enlarged bilinearly. A classifier's rollout starts from its class token (or from all
    patches where it has none), a segmentation's from the patches of its predicted mask. ``seed`` is not used.

    Raises
    ------
    NotComputable
        ``no_attention`` where the network has no self-attention over patches; ``zero_map``.

    References
    ----------
    Abnar & Zuidema (2020), Quantifying attention flow in transformers, ACL, arXiv:2005.00928; Chefer, Gur & Wolf
    (2021), Transformer interpretability beyond attention visualization, CVPR, arXiv:2012.09838 (gradient weighting).
    """
    question = question_for(model, image, target=target, prompt=prompt, question=question)
    layers = question.model.attention_layers()
    if not layers:
        raise NotComputable("no_attention", f"{question.model.key} has no self-attention over patches: choose grad_cam")
    inputs = question.inputs.clone().requires_grad_(True)
    with memory_refused("attention_rollout"), question.model.recorded_attention() as weights:
        score = question(inputs)[0]
        used = [name for name in layers if name in weights]
        gradients = torch.autograd.grad(score, [weights[name] for name in used], allow_unused=True)
    last = layers[used[-1]]
    row = _start(question, last)
    for name, gradient in zip(reversed(used), reversed(gradients), strict=True):
        if gradient is not None:
            row = _through(row, layers[name], (weights[name].detach() * gradient).clamp(min=0))
    relevance = row[last.prefix_tokens :].reshape(last.grid)
    grid_tensor = torch.nn.functional.interpolate(
        relevance[None, None], size=question.inputs.shape[2:], mode="bilinear", align_corners=False
    )
    grid = grid_tensor[0, 0].cpu().numpy().astype("float32")
    not_zero(grid, key="attention_rollout")
    return Attribution(
        values=question.on_image(grid), grid_values=grid,
        method=Method("attention_rollout", "explainability.attribution.attention_rollout", VERSION,
                      {"layers": len(used), "grid": list(last.grid)}, seed),
        target=question.name, unit="share", signed=False, f_x=question.f_x, layer=used[-1],
    )  # fmt: skip


def rollout(attentions: list[torch.Tensor], row: torch.Tensor) -> torch.Tensor:
    """``row`` (tokens) times the product of rownorm(A + I) over ``attentions`` (tokens, tokens), first layer first."""
    for attention in reversed(attentions):
        row = row @ _normed(attention)
    return row


def _normed(attention: torch.Tensor) -> torch.Tensor:
    size = attention.shape[-1]
    mixed = attention + torch.eye(size, dtype=attention.dtype, device=attention.device)
    return mixed / mixed.sum(dim=-1, keepdim=True)


def _start(question: Question, layer: AttentionLayer) -> torch.Tensor:
    cells = layer.grid[0] * layer.grid[1]
    row = torch.zeros(layer.prefix_tokens + cells)
    if question.mask is not None:
        share = torch.nn.functional.interpolate(question.mask[None, None], size=layer.grid, mode="area")[0, 0]
        row[layer.prefix_tokens :] = share.flatten().cpu()
    elif layer.prefix_tokens:
        row[0] = 1.0
    else:
        row[:] = 1.0
    return (row / row.sum()).to(question.inputs)


def _through(row: torch.Tensor, layer: AttentionLayer, weighted: torch.Tensor) -> torch.Tensor:
    tokens = weighted.shape[-1]
    heads = weighted.reshape(-1, layer.heads, tokens, tokens).mean(dim=1)
    if not layer.window:
        return row @ _normed(heads[0])
    rows, columns = layer.grid
    side = layer.window
    down, across = -(-rows // side) * side, -(-columns // side) * side
    plane = torch.nn.functional.pad(row.reshape(rows, columns), (0, across - columns, 0, down - rows))
    windows = plane.reshape(down // side, side, across // side, side).permute(0, 2, 1, 3).reshape(-1, 1, side * side)
    moved = (windows @ _normed(heads)).reshape(down // side, across // side, side, side).permute(0, 2, 1, 3)
    return moved.reshape(down, across)[:rows, :columns].reshape(-1)
