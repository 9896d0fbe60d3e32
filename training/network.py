"""The network for the field's tables: layers of an encoder over a pair of texts, linear layers.

One layer marks the words of the text on which a label rests, where the table says which those are
(Sharma et al., EMNLP 2020). The other decides: it sees the first token's state, the mean state of
the text, the hand-made features, which carry the form of an act where punctuation is missing, and
how much was marked. What enters the layers is made once, see `training.states`.
"""

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.nn.functional import linear

from services.score.branch import Branch
from services.score.features import HAND_FEATURES
from services.score.layers import Layer

__all__ = ["Batch", "Network", "Output", "State", "collate", "marking_loss"]

DROPOUT = 0.1
NOWHERE = -1e4  # the logit of a token to which attention may not go


@dataclass(frozen=True, slots=True, eq=False)
class State:
    """What a network sees of a pair.

    `entering` is (tokens, width), in 16 bits, what enters the layers; `judged` (tokens,), which
    tokens are of the judged text; `marks` (tokens, marks), where labels rest; `hand` (features,).
    """

    entering: torch.Tensor
    judged: torch.Tensor
    marks: torch.Tensor
    hand: torch.Tensor


@dataclass(frozen=True, slots=True, eq=False)
class Padding:
    """Where tokens that follow each other are in a padded table, a text a row.

    Batches are of like lengths, so little of the table is empty. `places` (tokens,) is each token's
    place in the flattened table, `mask` (texts, longest) says where there is one.
    """

    places: torch.Tensor
    mask: torch.Tensor

    @classmethod
    def of(cls, lengths: Sequence[int]) -> "Padding":
        """The padding of texts with so many tokens each."""
        mask = torch.arange(max(lengths)) < torch.tensor(lengths).unsqueeze(1)
        return cls(mask.flatten().nonzero().squeeze(1), mask)

    def padded(self, states: torch.Tensor) -> torch.Tensor:
        """(tokens, width) as (texts, longest, width), zeros where no token is."""
        table = states.new_zeros(self.mask.numel(), states.shape[1])
        return table.index_copy(0, self.places, states).view(*self.mask.shape, -1)

    def packed(self, table: torch.Tensor) -> torch.Tensor:
        """The reverse of `padded`."""
        return table.flatten(0, 1)[self.places]


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """States of some pairs, token after token; `hand` is (pairs, features)."""

    padding: Padding
    entering: torch.Tensor
    judged: torch.Tensor
    marks: torch.Tensor
    hand: torch.Tensor


@dataclass(frozen=True, slots=True, eq=False)
class Output:
    """`logits` is (pairs, outputs), `marked` (tokens, marks): that a token is marked."""

    logits: torch.Tensor
    marked: torch.Tensor


class Network(nn.Module):
    """Layers, pooling and linear layers; `outputs` logits for each pair, `marks` a token.

    `layers` are transformers' `BertLayer`s; their weights are copied.
    """

    def __init__(self, layers: Sequence[Any], outputs: int, marks: int = 0) -> None:
        super().__init__()
        width = layers[0].output.dense.out_features
        self.layers = nn.ModuleList([_Layer(layer) for layer in layers])
        self.dropout = nn.Dropout(DROPOUT)
        self.norm = nn.BatchNorm1d(HAND_FEATURES, affine=False)
        self.marker = nn.Linear(width, marks) if marks else _Nothing()
        self.layer = nn.Linear(2 * width + HAND_FEATURES + 2 * marks, outputs)

    def begin(self, branch: Branch) -> None:
        """Let the last layers begin as those of a branch, tuned to acts, and not as published."""
        for mine, tuned in zip(self.layers[-len(branch.layers) :], branch.layers, strict=True):
            mine.load_state_dict(tuned.state_dict())

    def forward(self, batch: Batch) -> Output:
        """What is found in every pair. Matrices are multiplied in 16 bits."""
        states = batch.entering.float()
        with torch.autocast("cpu", torch.bfloat16):
            for layer in self.layers:
                states = layer(states, batch.padding)
        marked = self.marker(self.dropout(states))
        judged = batch.padding.padded(batch.judged.float().unsqueeze(1))  # (pairs, longest, 1)
        table = batch.padding.padded(states)
        seen = batch.padding.padded(marked.sigmoid()) * judged
        parts = [
            self.dropout(torch.cat([table[:, 0], _mean(table, judged)], dim=1)),
            self.norm(batch.hand),
            seen.amax(dim=1),
            _mean(seen, judged),
        ]
        return Output(self.layer(torch.cat(parts, dim=1)), marked)


class _Layer(Layer):
    """Attends by plain products, in a table of batches of like lengths rather than in shared rows.

    The gradient of the fused kernel takes eight times as long in 16 bits where heads are small.
    """

    def __init__(self, layer: Any) -> None:
        super().__init__(copy.deepcopy(layer))

    def _attend(self, states: torch.Tensor, packing: Padding) -> torch.Tensor:  # type: ignore[override]
        table = packing.padded(linear(states, self.seen, self.seen_bias))
        split = table.view(*table.shape[:2], 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        query, key, value = split.unbind()  # (texts, heads, longest, width of a head)
        logits = (query * query.shape[-1] ** -0.5) @ key.transpose(2, 3)
        logits = logits.masked_fill(~packing.mask[:, None, None, :], NOWHERE)
        with torch.autocast("cpu", enabled=False):
            shares = logits.softmax(dim=-1)
        return packing.packed((shares @ value).transpose(1, 2).flatten(2))


class _Nothing(nn.Module):
    """Marks of a table that has none."""

    def forward(self, states: torch.Tensor) -> torch.Tensor:
        return states[..., :0]


def collate(states: Sequence[State]) -> Batch:
    """A batch of them."""
    return Batch(
        Padding.of([len(each.judged) for each in states]),
        torch.cat([each.entering for each in states]),
        torch.cat([each.judged for each in states]),
        torch.cat([each.marks for each in states]),
        torch.stack([each.hand for each in states]),
    )


def marking_loss(marked: torch.Tensor, batch: Batch) -> torch.Tensor:
    """Cross-entropy of the marks of the judged text's tokens, the mean over tokens and marks."""
    if not marked.shape[-1]:
        return marked.sum()
    return nn.functional.binary_cross_entropy_with_logits(
        marked[batch.judged], batch.marks[batch.judged]
    )


def _mean(values: torch.Tensor, judged: torch.Tensor) -> torch.Tensor:
    return (values * judged).sum(dim=1) / judged.sum(dim=1)
