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

from services.score.branch import Branch
from services.score.features import HAND_FEATURES
from services.score.layers import Layer, Packing
from training.precision import fastest

__all__ = ["Batch", "Network", "Output", "State", "collate", "marking_loss"]

DROPOUT = 0.1


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
class Batch:
    """States of some pairs, token after token; `hand` is (pairs, features)."""

    packing: Packing
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
        self.layers = nn.ModuleList([fastest(Layer(copy.deepcopy(each))) for each in layers])
        self.dropout = nn.Dropout(DROPOUT)
        self.norm = nn.BatchNorm1d(HAND_FEATURES, affine=False)
        self.marker = nn.Linear(width, marks) if marks else _Nothing()
        self.layer = nn.Linear(2 * width + HAND_FEATURES + 2 * marks, outputs)

    def begin(self, branch: Branch) -> None:
        """Let the last layers begin as those of a branch, tuned to acts, and not as published."""
        for mine, tuned in zip(self.layers[-len(branch.layers) :], branch.layers, strict=True):
            mine.load_state_dict(tuned.state_dict())

    def forward(self, batch: Batch) -> Output:
        """What is found in every pair."""
        states = batch.entering.float()
        for layer in self.layers:
            states = layer(states, batch.packing)
        marked = self.marker(self.dropout(states))
        judged = (batch.packing.shares > 0) & batch.judged  # (pairs, tokens)
        shares = judged / judged.sum(dim=1, keepdim=True)
        seen = marked.sigmoid()
        parts = [
            self.dropout(torch.cat([states[batch.packing.positions == 0], shares @ states], dim=1)),
            self.norm(batch.hand),
            (judged.unsqueeze(2) * seen).amax(dim=1),
            shares @ seen,
        ]
        return Output(self.layer(torch.cat(parts, dim=1)), marked)


class _Nothing(nn.Module):
    """Marks of a table that has none."""

    def forward(self, states: torch.Tensor) -> torch.Tensor:
        return states[..., :0]


def collate(states: Sequence[State]) -> Batch:
    """A batch of them."""
    return Batch(
        Packing.of([len(each.judged) for each in states], torch.device("cpu")),
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
