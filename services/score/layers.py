"""BERT's layers over the tokens of many texts, one text after the other, without padding.

Sentences of a call are so uneven that padded together most of what is computed is padding. Only
attention, a small part of the work, needs texts apart, in rows that short ones share behind a mask;
everything else sees tokens.
"""

import copy
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.nn.functional import gelu, scaled_dot_product_attention

__all__ = ["Layer", "Packing", "embed"]

DROPOUT = 0.1  # while it is trained
LARGEST = 127  # of 8 bits
NONE = 1e-12  # a token whose states are all smaller has no scale
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
    """One layer, from transformers' `BertLayer`. Queries, keys and values are computed as one."""

    def __init__(self, layer: Any) -> None:
        super().__init__()
        attention = layer.attention.self
        self.heads = int(attention.num_attention_heads)
        self.seen: nn.Module = _together([attention.query, attention.key, attention.value])
        self.attended: nn.Module = layer.attention.output.dense
        self.attended_norm: nn.LayerNorm = layer.attention.output.LayerNorm
        self.wide: nn.Module = layer.intermediate.dense
        self.narrow: nn.Module = layer.output.dense
        self.norm: nn.LayerNorm = layer.output.LayerNorm
        self.dropout = nn.Dropout(DROPOUT)

    def in_eight_bits(self) -> "Layer":
        """The same layer, which multiplies in 8 bits and cannot be trained."""
        return self.multiplying(_Quantized)

    def multiplying(self, how: Callable[[Any], nn.Module]) -> "Layer":
        """The same layer, in which what `how` makes of each linear layer stands for it."""
        made = copy.deepcopy(self)
        for name in ("seen", "attended", "wide", "narrow"):
            setattr(made, name, how(getattr(made, name)))
        return made

    def forward(self, states: torch.Tensor, packing: Packing) -> torch.Tensor:
        """(tokens, width) to (tokens, width)."""
        attended = self.attended(self._attend(states, packing))
        states = self.attended_norm(states + self.dropout(attended))
        thought = self.narrow(gelu(self.wide(states)))
        normed: torch.Tensor = self.norm(states + self.dropout(thought))
        return normed

    def _attend(self, states: torch.Tensor, packing: Packing) -> torch.Tensor:
        seen = packing.rows(self.seen(states))
        split = seen.view(*seen.shape[:2], 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        query, key, value = split.unbind()  # (rows, heads, longest, width of a head)
        mask = packing.mask.unsqueeze(1)
        found = scaled_dot_product_attention(query, key, value, attn_mask=mask)
        return packing.packed(found.transpose(1, 2).flatten(2))


class _Quantized(nn.Module):
    """A linear layer in 8 bits, with a scale for each output and for each token.

    Scales of tokens follow from the token alone (Yao et al., "ZeroQuant", NeurIPS 2022), not from
    the texts beside it. These still move a vector, mostly by 1e-8, since attention sums fractions
    in an order that depends on them; by up to .001 where that carries a number over to the next
    step (in one of 25 texts). Sums of integers do not depend on their order, so that every machine
    finds the same; where the processor has no instructions for them, they are summed as fractions,
    which hold integers to 2^24 exactly, in more time.
    """

    def __init__(self, layer: nn.Linear) -> None:
        super().__init__()
        weights = layer.weight.detach()
        self.scale = _scale(weights).flatten()
        integers = _integers(weights, self.scale.unsqueeze(1)).t()
        native = weights.device.type == "cpu" and _sums_products_of_8_bits()
        self.weights = integers.to(torch.int8) if native else integers
        self.bias = layer.bias.detach()

    def forward(self, states: torch.Tensor) -> torch.Tensor:
        """(tokens, inputs) to (tokens, outputs)."""
        scale = _scale(states)
        steps = _integers(states, scale).to(self.weights.dtype)
        if steps.dtype is torch.int8:
            sums = torch._int_mm(steps, self.weights).float()
        else:
            sums = steps @ self.weights
        return sums.mul_(scale).mul_(self.scale).add_(self.bias)


def _sums_products_of_8_bits() -> bool:
    """Whether the processor has VNNI; without it such sums may overflow 16 bits."""
    found = torch.cpu.get_capabilities()
    return bool(found.get("avx512_vnni") or found.get("avx_vnni"))


def _scale(rows: torch.Tensor) -> torch.Tensor:
    """What a step of 8 bits is worth in each row: (rows, 1)."""
    return rows.abs().amax(dim=1, keepdim=True).clamp_min_(NONE) / LARGEST


def _integers(rows: torch.Tensor, scale: torch.Tensor) -> torch.Tensor:
    """How many steps each number is, from -127 to 127."""
    return (rows / scale).round_()


def _together(parts: Sequence[nn.Linear]) -> nn.Linear:
    """One linear layer that gives what several give, one after the other."""
    made = nn.Linear(parts[0].in_features, sum(part.out_features for part in parts))
    made.weight.data = torch.cat([part.weight.detach() for part in parts])
    made.bias.data = torch.cat([part.bias.detach() for part in parts])
    return made
