"""A linear layer over a text's n-grams and hand-made features, fitted beside the network.

An encoder tuned on a few thousand rows learns topic and tone better than set phrases ("what else",
"I hear you"), which a linear layer learns from a handful. Their mistakes differ, so the two
together decide better than either (n-grams beside richer models: Wang & Manning, ACL 2012).
"""

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from services.score.features import Context, hand_features, ngrams
from training.network import Pair

__all__ = ["WordModel"]

OFTEN = 3  # rows in which an n-gram must be to count
DECAY = 0.2  # of the squared weights, beside the loss summed over the rows
STEPS = 60

Loss = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


@dataclass(frozen=True, slots=True, eq=False)
class WordModel:
    """`weights` is (n-grams and hand-made features and 1, outputs)."""

    vocabulary: Mapping[str, int]
    weights: torch.Tensor

    @classmethod
    def fit(
        cls, pairs: Sequence[Pair], targets: torch.Tensor, outputs: int, loss: Loss
    ) -> "WordModel":
        """Fit by full batches; the same rows give the same weights."""
        counts = Counter(gram for pair in pairs for gram in ngrams(pair.text))
        often = sorted(gram for gram, count in counts.items() if count >= OFTEN)
        vocabulary = {gram: place for place, gram in enumerate(often)}
        features = _features(pairs, vocabulary)
        weights = torch.zeros(features.shape[1], outputs, requires_grad=True)
        optimizer = torch.optim.LBFGS([weights], max_iter=STEPS, line_search_fn="strong_wolfe")

        def step() -> torch.Tensor:
            optimizer.zero_grad()
            value = len(pairs) * loss(torch.sparse.mm(features, weights), targets)
            value = value + DECAY * weights[:-1].square().sum()
            value.backward()  # type: ignore[no-untyped-call]
            return value

        optimizer.step(step)  # type: ignore[no-untyped-call]
        return cls(vocabulary, weights.detach())

    @classmethod
    def of(cls, state: Mapping[str, Any]) -> "WordModel":
        """What `state` kept."""
        return cls({gram: place for place, gram in enumerate(state["ngrams"])}, state["weights"])

    def state(self) -> dict[str, Any]:
        """All of it, for a checkpoint."""
        return {"ngrams": [*self.vocabulary], "weights": self.weights}

    def predict(self, pairs: Sequence[Pair]) -> torch.Tensor:
        """Logits of every pair: (pairs, outputs)."""
        logits: torch.Tensor = torch.sparse.mm(_features(pairs, self.vocabulary), self.weights)
        return logits


def _features(pairs: Sequence[Pair], vocabulary: Mapping[str, int]) -> torch.Tensor:
    """(pairs, n-grams and hand-made features and 1), sparse; a row's n-grams have length 1."""
    places: list[tuple[int, int]] = []
    values: list[float] = []
    for row, pair in enumerate(pairs):
        known = [vocabulary[gram] for gram in sorted(ngrams(pair.text)) if gram in vocabulary]
        hand = [*hand_features(pair.text, Context(pair.before)).values(), 1.0]
        places += [(row, place) for place in known]
        places += [(row, len(vocabulary) + place) for place in range(len(hand))]
        values += [1 / math.sqrt(max(len(known), 1))] * len(known) + hand
    width = len(vocabulary) + len(hand_features("", Context())) + 1
    indices = torch.tensor(places, dtype=torch.int64).reshape(-1, 2).T
    return torch.sparse_coo_tensor(
        indices, values, (len(pairs), width), dtype=torch.float32, check_invariants=True
    ).coalesce()
