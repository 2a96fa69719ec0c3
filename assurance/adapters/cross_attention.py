"""Cross-attention of a diffusers U-Net that keeps its probabilities (for maps of tokens, Tang et al. 2023, DAAM)."""

from __future__ import annotations

from typing import Any

import torch


class RecordingCrossAttention:
    """An attention processor with explicit probabilities, appended to ``found[name]`` at every call."""

    def __init__(self, found: dict[str, list[torch.Tensor]], name: str) -> None:
        self.found, self.name = found, name

    def __call__(
        self, attn: Any, hidden_states: torch.Tensor, encoder_hidden_states: torch.Tensor | None = None,
        attention_mask: torch.Tensor | None = None, **_options: Any,
    ) -> torch.Tensor:  # fmt: skip
        context = hidden_states if encoder_hidden_states is None else encoder_hidden_states
        batch, cells, _ = hidden_states.shape
        query = attn.head_to_batch_dim(attn.to_q(hidden_states))
        key = attn.head_to_batch_dim(attn.to_k(context))
        value = attn.head_to_batch_dim(attn.to_v(context))
        probabilities = attn.get_attention_scores(query, key, attention_mask)
        by_head = probabilities.view(batch, attn.heads, cells, context.shape[1])
        self.found.setdefault(self.name, []).append(by_head.mean(dim=1).transpose(1, 2))
        mixed = attn.batch_to_head_dim(torch.bmm(probabilities, value))
        return attn.to_out[1](attn.to_out[0](mixed))  # type: ignore[no-any-return]
