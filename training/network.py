"""The network for the field's tables: an encoder that reads a pair of texts, and a linear layer.

The layer sees the first token's state, the mean state of the text, and the hand-made features,
which carry the form of an act where punctuation is missing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from services.score.encoder import load
from services.score.features import HAND_FEATURES, Context, hand_features

__all__ = ["Lengths", "Network", "Pair", "collate", "tokenizer"]

DROPOUT = 0.1

Batch = dict[str, torch.Tensor]


@dataclass(frozen=True, slots=True)
class Pair:
    """`before` is what the other one said, "" for none; `text` is judged."""

    before: str
    text: str


@dataclass(frozen=True, slots=True)
class Lengths:
    """Most tokens of each half; of `before` its end is kept, of `text` its beginning."""

    before: int
    text: int


class Network(nn.Module):
    """Encoder, pooling and a linear layer; `outputs` logits for each pair."""

    def __init__(self, folder: Path, outputs: int) -> None:
        super().__init__()
        _, self.encoder = load(folder)
        self.dropout = nn.Dropout(DROPOUT)
        self.norm = nn.BatchNorm1d(HAND_FEATURES, affine=False)
        width = self.encoder.config.hidden_size
        self.layer = nn.Linear(2 * width + HAND_FEATURES, outputs)

    def forward(self, batch: Batch) -> torch.Tensor:
        """Logits, (pairs, outputs)."""
        pooled = self.dropout(_pool(self.encoder, batch))
        logits: torch.Tensor = self.layer(torch.cat([pooled, self.norm(batch["hand"])], dim=1))
        return logits


def tokenizer(folder: Path) -> Any:
    """The tokenizer of the encoder in `folder`."""
    return load(folder)[0]


def collate(pairs: Sequence[Pair], tokens: Any, most: Lengths) -> Batch:
    """A batch: token ids of both halves, padded, and the hand-made features."""
    before = [ids[-most.before :] for ids in _ids(tokens, [pair.before for pair in pairs])]
    text = [ids[: most.text] for ids in _ids(tokens, [pair.text for pair in pairs])]
    first, end = tokens.cls_token_id, tokens.sep_token_id
    rows = [[first, *b, end, *t, end] for b, t in zip(before, text, strict=True)]
    shape = len(rows), max(map(len, rows))
    ids, mask, kinds = (np.zeros(shape, dtype=np.int64) for _ in range(3))
    for place, (row, judged) in enumerate(zip(rows, text, strict=True)):
        ids[place, : len(row)] = row
        mask[place, : len(row)] = 1
        kinds[place, len(row) - len(judged) - 1 : len(row)] = 1
    hand = [[*hand_features(pair.text, Context(pair.before)).values()] for pair in pairs]
    return {
        "input_ids": torch.from_numpy(ids),
        "attention_mask": torch.from_numpy(mask),
        "token_type_ids": torch.from_numpy(kinds),
        "hand": torch.tensor(hand, dtype=torch.float32),
    }


def _pool(encoder: nn.Module, batch: Batch) -> torch.Tensor:
    """The first token's state and the mean state of the judged text: (pairs, 2 x width)."""
    tokens = {name: batch[name] for name in ("input_ids", "attention_mask", "token_type_ids")}
    states = encoder(**tokens).last_hidden_state.float()  # (pairs, tokens, width)
    judged = (batch["token_type_ids"] * batch["attention_mask"]).unsqueeze(-1).float()
    mean = (states * judged).sum(dim=1) / judged.sum(dim=1)
    return torch.cat([states[:, 0], mean], dim=1)


def _ids(tokens: Any, texts: list[str]) -> list[list[int]]:
    ids: list[list[int]] = tokens(texts, add_special_tokens=False, verbose=False)["input_ids"]
    return ids
