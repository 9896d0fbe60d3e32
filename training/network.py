"""The network for the field's tables: an encoder that reads a pair of texts, and linear layers.

One layer marks the words of the text on which a label rests, where the table says which those are
(Sharma et al., EMNLP 2020). The other decides: it sees the first token's state, the mean state of
the text, the hand-made features, which carry the form of an act where punctuation is missing, and
how much was marked.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from torch import nn

from services.score.encoder import load
from services.score.features import HAND_FEATURES, Context, hand_features

__all__ = ["Lengths", "Network", "Output", "Pair", "Span", "collate", "marking_loss", "tokenizer"]

DROPOUT = 0.1
FROZEN = 0.5  # share of the encoder's layers, from below, that stay as they are

Batch = dict[str, torch.Tensor]
Span = tuple[int, int]
"""First character, and the one after the last."""


@dataclass(frozen=True, slots=True)
class Pair:
    """`before` is what the other one said, "" for none; `text` is judged.

    `marks` are, for each label that has them, the parts of the text on which it rests.
    """

    before: str
    text: str
    marks: tuple[tuple[Span, ...], ...] = ()


@dataclass(frozen=True, slots=True)
class Lengths:
    """Most tokens of each half; of `before` its end is kept, of `text` its beginning and its end.

    A question, or a kind word, often ends a long turn.
    """

    before: int
    text: int


@dataclass(frozen=True, slots=True, eq=False)
class Output:
    """`logits` is (pairs, outputs), `marked` (pairs, tokens, marks): that a token is marked."""

    logits: torch.Tensor
    marked: torch.Tensor


class Network(nn.Module):
    """Encoder, pooling and linear layers; `outputs` logits for each pair, `marks` a token.

    Only the upper layers of the encoder learn. Attention is not dropped out: its fast
    kernels cannot do it.
    """

    def __init__(self, folder: Path, outputs: int, marks: int = 0) -> None:
        super().__init__()
        _, self.encoder = load(folder)
        layers = self.encoder.encoder.layer
        self.frozen = [self.encoder.embeddings, *layers[: int(FROZEN * len(layers))]]
        for part in self.frozen:
            part.requires_grad_(False)
        for part in (part for layer in layers for part in layer.attention.modules()):
            if isinstance(part, nn.Dropout):
                part.p = 0.0
        self.dropout = nn.Dropout(DROPOUT)
        self.norm = nn.BatchNorm1d(HAND_FEATURES, affine=False)
        width = self.encoder.config.hidden_size
        self.marker = nn.Linear(width, marks) if marks else _Nothing()
        self.layer = nn.Linear(2 * width + HAND_FEATURES + 2 * marks, outputs)

    def train(self, mode: bool = True) -> Self:
        """As for any module; what is frozen drops nothing out."""
        super().train(mode)
        for part in self.frozen:
            part.eval()
        return self

    def forward(self, batch: Batch) -> Output:
        """What is found in every pair."""
        tokens = {name: batch[name] for name in ("input_ids", "attention_mask", "token_type_ids")}
        states = self.encoder(**tokens).last_hidden_state.float()  # (pairs, tokens, width)
        judged = _judged(batch).unsqueeze(-1)
        marked = self.marker(self.dropout(states))
        seen = marked.sigmoid() * judged
        parts = [
            self.dropout(torch.cat([states[:, 0], _mean(states, judged)], dim=1)),
            self.norm(batch["hand"]),
            seen.amax(dim=1),
            _mean(marked.sigmoid(), judged),
        ]
        return Output(self.layer(torch.cat(parts, dim=1)), marked)


class _Nothing(nn.Module):
    """Marks of a table that has none."""

    def forward(self, states: torch.Tensor) -> torch.Tensor:
        return states[..., :0]


def tokenizer(folder: Path) -> Any:
    """The tokenizer of the encoder in `folder`."""
    return load(folder)[0]


def collate(pairs: Sequence[Pair], tokens: Any, most: Lengths) -> Batch:
    """A batch: token ids of both halves, padded, hand-made features, and what is marked."""
    before = [ids[-most.before :] for ids in _ids(tokens, [pair.before for pair in pairs])[0]]
    texts, places = _ids(tokens, [pair.text for pair in pairs])
    text = [_ends(ids, most.text) for ids in texts]
    first, end = tokens.cls_token_id, tokens.sep_token_id
    rows = [[first, *b, end, *t, end] for b, t in zip(before, text, strict=True)]
    shape = len(rows), max(map(len, rows))
    ids, mask, kinds = (np.zeros(shape, dtype=np.int64) for _ in range(3))
    marks = np.zeros((*shape, max(len(pair.marks) for pair in pairs)), dtype=np.float32)
    for place, (row, judged, pair) in enumerate(zip(rows, text, pairs, strict=True)):
        begun = len(row) - len(judged) - 1
        ids[place, : len(row)] = row
        mask[place, : len(row)] = 1
        kinds[place, begun : len(row)] = 1
        for label, spans in enumerate(pair.marks):
            for token, span in enumerate(_ends(places[place], most.text), start=begun):
                marks[place, token, label] = any(_overlap(span, each) for each in spans)
    hand = [[*hand_features(pair.text, Context(pair.before)).values()] for pair in pairs]
    return {
        "input_ids": torch.from_numpy(ids),
        "attention_mask": torch.from_numpy(mask),
        "token_type_ids": torch.from_numpy(kinds),
        "hand": torch.tensor(hand, dtype=torch.float32),
        "marks": torch.from_numpy(marks),
    }


def marking_loss(marked: torch.Tensor, batch: Batch) -> torch.Tensor:
    """Cross-entropy of the marks of the judged text's tokens, the mean over tokens and marks."""
    if not marked.shape[-1]:
        return marked.sum()
    losses = nn.functional.binary_cross_entropy_with_logits(
        marked, batch["marks"], reduction="none"
    )
    return losses[_judged(batch) > 0].mean()


def _judged(batch: Batch) -> torch.Tensor:
    """Which tokens are of the judged text: (pairs, tokens)."""
    return (batch["token_type_ids"] * batch["attention_mask"]).float()


def _mean(values: torch.Tensor, judged: torch.Tensor) -> torch.Tensor:
    return (values * judged).sum(dim=1) / judged.sum(dim=1)


def _overlap(one: Span, other: Span) -> bool:
    return one[0] < other[1] and other[0] < one[1]


def _ends(items: list[Any], most: int) -> list[Any]:
    """The beginning, a third of `most`, and the end; all if they are few enough."""
    return items if len(items) <= most else [*items[: most // 3], *items[most // 3 - most :]]


def _ids(tokens: Any, texts: list[str]) -> tuple[list[list[int]], list[list[Span]]]:
    """Of every text its tokens, and which characters they are."""
    found = tokens(texts, add_special_tokens=False, return_offsets_mapping=True, verbose=False)
    return found["input_ids"], found["offset_mapping"]
