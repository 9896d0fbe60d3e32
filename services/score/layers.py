"""BERT's layers over the tokens of many texts, one text after the other, without padding.

Sentences of a call are so uneven that padded together most of what is computed is padding. Only
attention, a small part of the work, needs texts apart, in rows that short ones share behind a mask;
everything else sees tokens.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.nn.functional import gelu, linear, scaled_dot_product_attention

__all__ = ["Layer", "Packing", "embed"]

DROPOUT = 0.1  # while it is trained
ROW = 32  # tokens that attention looks at together, at least: over fewer it takes longer


@dataclass(frozen=True, slots=True, eq=False)
class Packing:
    """Where each token is, in its text and in the table of rows that attention looks at.

    A row holds as many texts as fit. `positions` (tokens,) is each token's place in its text,
    `places` (tokens,) its place in the flattened table, `sources` (rows * longest,) the token at
    each place, any where none is. `mask` (rows, longest, longest) says which tokens of a row are of
    the same text, `shares` (texts, tokens) what each token counts in its text's mean.
    """

    positions: torch.Tensor
    places: torch.Tensor
    sources: torch.Tensor
    mask: torch.Tensor
    shares: torch.Tensor

    @classmethod
    def of(cls, lengths: Sequence[int], device: torch.device) -> "Packing":
        """The packing of texts with so many tokens each."""
        longest = max(*lengths, ROW)
        begins = torch.tensor(list(_begins(lengths, longest)))
        counts = torch.tensor(lengths)
        texts = torch.arange(len(lengths)).repeat_interleave(counts)
        positions = torch.arange(len(texts)) - (counts.cumsum(0) - counts)[texts]
        places = begins[texts] + positions
        size = -(-(int(places[-1]) + 1) // longest) * longest
        sources = torch.zeros(size, dtype=torch.long).index_copy(
            0, places, torch.arange(len(texts))
        )
        owners = torch.full((size,), -1).index_copy(0, places, texts).view(-1, longest)
        mask = owners.unsqueeze(2) == owners.unsqueeze(1)
        shares = (texts == torch.arange(len(lengths)).unsqueeze(1)) / counts.unsqueeze(1)
        return cls(*(each.to(device) for each in (positions, places, sources, mask, shares)))

    def rows(self, states: torch.Tensor) -> torch.Tensor:
        """(tokens, width) as (rows, longest, width)."""
        return states.index_select(0, self.sources).view(*self.mask.shape[:2], -1)

    def packed(self, rows: torch.Tensor) -> torch.Tensor:
        """The reverse of `rows`."""
        return rows.flatten(0, 1).index_select(0, self.places)

    def means(self, states: torch.Tensor) -> torch.Tensor:
        """Each text's mean over its tokens: (texts, width)."""
        return self.shares @ states


def _begins(lengths: Sequence[int], longest: int) -> Iterator[int]:
    """Where in the flattened table each text begins: in the row of the one before, if it fits."""
    at = 0
    for length in lengths:
        if at % longest + length > longest:
            at += -at % longest
        yield at
        at += length


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
        seen = packing.rows(linear(states, self.seen, self.seen_bias))
        split = seen.view(*seen.shape[:2], 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        query, key, value = split.unbind()  # (rows, heads, longest, width of a head)
        mask = packing.mask.unsqueeze(1)
        found = scaled_dot_product_attention(query, key, value, attn_mask=mask)
        return packing.packed(found.transpose(1, 2).flatten(2))
