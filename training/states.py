"""Pairs of texts, and what of them enters the layers that learn.

The encoder's lower layers stay as they are, so what they make of a pair is computed once and not
in every epoch of every network.
"""

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from services.score.encoder import load
from services.score.features import Context, hand_features
from services.score.layers import Layer, Packing
from training.network import State

__all__ = ["Lengths", "Lower", "Pair", "Span", "Tokens"]

FROZEN = 1 / 3  # share of the encoder's layers, from below, that stay as they are
AT_ONCE = 32  # pairs

Span = tuple[int, int]
"""First character, and the one after the last."""


@dataclass(frozen=True, slots=True)
class Pair:
    """`before` is what was said before, "" for nothing; `text` is judged.

    `heard` is what the other one said last, where that is less than `before`;
    `marks` are, for each label that has them, the parts of the text on which it rests.
    """

    before: str
    text: str
    heard: str | None = None
    marks: tuple[tuple[Span, ...], ...] = ()

    @property
    def context(self) -> Context:
        """What hand-made features see of the time before."""
        return Context(self.before if self.heard is None else self.heard)


@dataclass(frozen=True, slots=True)
class Lengths:
    """Most tokens of each half; of `before` its end is kept, of `text` its beginning and its end.

    A question, or a kind word, often ends a long turn.
    """

    before: int
    text: int


@dataclass(frozen=True, slots=True, eq=False)
class Tokens:
    """Of a pair: its token `ids`, which of them are `judged`, and their `marks` (tokens, marks)."""

    ids: list[int]
    judged: torch.Tensor
    marks: torch.Tensor


class Lower:
    """The tokenizer and the lower layers of the encoder in `folder`; `upper` are those to learn."""

    def __init__(self, folder: Path) -> None:
        self.tokenizer, encoder = load(folder)
        layers = encoder.encoder.layer
        frozen = int(FROZEN * len(layers))
        self._embeddings = encoder.embeddings.eval()
        self._layers = [Layer(copy.deepcopy(layer)).eval() for layer in layers[:frozen]]
        self.upper: Sequence[Any] = layers[frozen:]

    @torch.inference_mode()
    def states(self, pairs: Sequence[Pair], most: Lengths) -> list[State]:
        """What of every pair enters the upper layers."""
        tokens = self.tokens(pairs, most)
        found: dict[int, torch.Tensor] = {}
        order = sorted(range(len(pairs)), key=lambda i: len(tokens[i].ids))
        for places in (order[i : i + AT_ONCE] for i in range(0, len(order), AT_ONCE)):
            lengths = [len(tokens[place].ids) for place in places]
            entering = self._entering([tokens[place] for place in places], lengths)
            found.update(zip(places, torch.split(entering.bfloat16(), lengths), strict=True))
        return [
            State(found[place].clone(), each.judged, each.marks, _hand(pair))
            for place, (pair, each) in enumerate(zip(pairs, tokens, strict=True))
        ]

    def tokens(self, pairs: Sequence[Pair], most: Lengths) -> list[Tokens]:
        """The first token, `before`, a separator, the judged text, a separator."""
        befores, _ = self._ids([pair.before for pair in pairs])
        texts, places = self._ids([pair.text for pair in pairs])
        return [
            self._joined(before[-most.before :], _ends(text, most.text), _ends(at, most.text), pair)
            for before, text, at, pair in zip(befores, texts, places, pairs, strict=True)
        ]

    def _joined(self, before: list[int], text: list[int], places: list[Span], pair: Pair) -> Tokens:
        first, end = self.tokenizer.cls_token_id, self.tokenizer.sep_token_id
        ids = [first, *before, end, *text, end]
        begun = len(before) + 2
        marks = torch.zeros(len(ids), len(pair.marks))
        for label, spans in enumerate(pair.marks):
            for token, place in enumerate(places, start=begun):
                marks[token, label] = any(_overlap(place, span) for span in spans)
        return Tokens(ids, torch.arange(len(ids)) >= begun, marks)

    def _entering(self, tokens: Sequence[Tokens], lengths: Sequence[int]) -> torch.Tensor:
        packing = Packing.of(lengths, torch.device("cpu"))
        ids = torch.tensor([token for each in tokens for token in each.ids])
        kinds = torch.cat([each.judged for each in tokens]).long()
        of = self._embeddings
        states: torch.Tensor = of.LayerNorm(
            of.word_embeddings(ids)
            + of.position_embeddings(packing.positions)
            + of.token_type_embeddings(kinds)
        )
        for layer in self._layers:
            states = layer(states, packing)
        return states

    def _ids(self, texts: list[str]) -> tuple[list[list[int]], list[list[Span]]]:
        """Of every text its tokens, and which characters they are."""
        if not texts:
            return [], []
        found = self.tokenizer(
            texts, add_special_tokens=False, return_offsets_mapping=True, verbose=False
        )
        return found["input_ids"], found["offset_mapping"]


def _hand(pair: Pair) -> torch.Tensor:
    return torch.tensor([*hand_features(pair.text, pair.context).values()])


def _overlap(one: Span, other: Span) -> bool:
    return one[0] < other[1] and other[0] < one[1]


def _ends(items: list[Any], most: int) -> list[Any]:
    """The beginning, a third of `most`, and the end; all if they are few enough."""
    return items if len(items) <= most else [*items[: most // 3], *items[most // 3 - most :]]
