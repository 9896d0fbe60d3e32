"""BERT's layers over the tokens of many texts, one text after the other, without padding.

Sentences of a call are so uneven that padded together most of what is computed is padding. Only
attention, a small part of the work, needs texts apart; everything else sees tokens.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.nn.functional import gelu, linear, scaled_dot_product_attention

__all__ = ["Layer", "Packing", "embed"]

DROPOUT = 0.1  # while it is trained


@dataclass(frozen=True, slots=True, eq=False)
class Packing:
    """Where each token is: `places` (tokens,) in a padded table, `mask` (texts, longest).

    `positions` (tokens,) is each token's place in its text.
    """

    places: torch.Tensor
    positions: torch.Tensor
    mask: torch.Tensor

    @classmethod
    def of(cls, lengths: Sequence[int], device: torch.device) -> "Packing":
        """The packing of texts with so many tokens each."""
        positions = torch.arange(max(lengths), device=device)
        mask = positions < torch.tensor(lengths, device=device).unsqueeze(1)
        places = mask.flatten().nonzero().squeeze(1)
        return cls(places, places % len(positions), mask)

    def padded(self, states: torch.Tensor) -> torch.Tensor:
        """(tokens, width) as (texts, longest, width), zeros where no token is."""
        table = states.new_zeros(self.mask.numel(), states.shape[1])
        return table.index_copy(0, self.places, states).view(*self.mask.shape, -1)

    def packed(self, table: torch.Tensor) -> torch.Tensor:
        """The reverse of `padded`."""
        return table.flatten(0, 1)[self.places]

    def means(self, states: torch.Tensor) -> torch.Tensor:
        """Each text's mean over its tokens: (texts, width)."""
        return self.padded(states).sum(dim=1) / self.mask.sum(dim=1, keepdim=True)


def embed(embeddings: Any, ids: torch.Tensor, packing: Packing) -> torch.Tensor:
    """What enters the first layer: (tokens, width). `embeddings` is transformers' module."""
    states = embeddings.word_embeddings(ids) + embeddings.position_embeddings(packing.positions)
    normed: torch.Tensor = embeddings.LayerNorm(states + embeddings.token_type_embeddings.weight[0])
    return normed


class Layer(nn.Module):
    """One layer, from transformers' `BertLayer`. Queries, keys and values are computed as one.

    Matrices may be multiplied in 16 bits; what goes from layer to layer has 32.
    """

    def __init__(self, layer: Any) -> None:
        super().__init__()
        attention = layer.attention.self
        parts = attention.query, attention.key, attention.value
        self.heads = int(attention.num_attention_heads)
        self.seen = nn.Parameter(torch.cat([part.weight.detach() for part in parts]))
        self.seen_bias = nn.Parameter(torch.cat([part.bias.detach() for part in parts]))
        self.attended: nn.Linear = layer.attention.output.dense
        self.attended_norm: nn.LayerNorm = layer.attention.output.LayerNorm
        self.wide: nn.Linear = layer.intermediate.dense
        self.narrow: nn.Linear = layer.output.dense
        self.norm: nn.LayerNorm = layer.output.LayerNorm
        self.dropout = nn.Dropout(DROPOUT)

    def multiply_in(self, precision: torch.dtype) -> None:
        """Keep the matrices in this precision."""
        for parameter in (self.seen, self.seen_bias):
            parameter.data = parameter.data.to(precision)
        for part in (self.attended, self.wide, self.narrow):
            part.to(precision)

    def forward(self, states: torch.Tensor, packing: Packing) -> torch.Tensor:
        """(tokens, width) to (tokens, width)."""
        precision = self.seen.dtype
        attended = self.attended(self._attend(states.to(precision), packing))
        states = self.attended_norm(states + self.dropout(attended))
        thought = self.narrow(gelu(self.wide(states.to(precision))))
        normed: torch.Tensor = self.norm(states + self.dropout(thought))
        return normed

    def _attend(self, states: torch.Tensor, packing: Packing) -> torch.Tensor:
        table = packing.padded(linear(states, self.seen, self.seen_bias))
        split = table.view(*table.shape[:2], 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        query, key, value = split.unbind()  # (texts, heads, longest, width of a head)
        mask = packing.mask[:, None, None, :]
        found = scaled_dot_product_attention(query, key, value, attn_mask=mask)
        return packing.packed(found.transpose(1, 2).flatten(2))
