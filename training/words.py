"""A linear layer over a text's n-grams, hand-made features and acts, fitted beside the networks.

An encoder tuned on a few thousand rows learns topic and tone better than set phrases ("what else",
"I hear you"), which a linear layer learns from a handful. Their mistakes differ, so the two
together decide better than either (n-grams beside richer models: Wang & Manning, ACL 2012). Acts
that the service's heads find in the text say what these rows are too few to teach.
"""

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch

from services.score.features import hand_features, ngrams
from training.states import Pair

__all__ = ["Loss", "WordModel"]

OFTEN = 3  # rows in which an n-gram must be to count
DECAY = 0.2  # of the squared weights, beside the loss summed over the rows
LOUDNESS = 0.15  # of dense features beside n-grams: their weights decay by DECAY / LOUDNESS**2
SPREAD = 0.05  # least spread of a dense feature
STEPS = 60

Loss = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


@dataclass(frozen=True, slots=True, eq=False)
class WordModel:
    """`weights` is (n-grams and dense features and 1, outputs).

    Dense features, hand-made ones and acts, have their `mean` (features,) taken from them and are
    multiplied by `scale`.
    """

    vocabulary: Mapping[str, int]
    mean: torch.Tensor
    scale: torch.Tensor
    weights: torch.Tensor

    @classmethod
    def fit(
        cls,
        pairs: Sequence[Pair],
        acts: torch.Tensor,
        targets: torch.Tensor,
        outputs: int,
        loss: Loss,
    ) -> "WordModel":
        """Fit by full batches; the same rows give the same weights. `acts` is (pairs, acts)."""
        counts = Counter(gram for pair in pairs for gram in ngrams(pair.text))
        often = sorted(gram for gram, count in counts.items() if count >= OFTEN)
        dense = _dense(pairs, acts)
        scale = LOUDNESS / (dense.std(dim=0, correction=0) + SPREAD)
        start = torch.zeros(len(often) + dense.shape[1] + 1, outputs)
        model = cls({gram: i for i, gram in enumerate(often)}, dense.mean(dim=0), scale, start)
        features = model._features(pairs, dense)
        weights = start.requires_grad_()
        optimizer = torch.optim.LBFGS([weights], max_iter=STEPS, line_search_fn="strong_wolfe")

        def step() -> torch.Tensor:
            optimizer.zero_grad()
            value = len(pairs) * loss(torch.sparse.mm(features, weights), targets)
            value = value + DECAY * weights[:-1].square().sum()
            value.backward()  # type: ignore[no-untyped-call]
            return value

        optimizer.step(step)  # type: ignore[no-untyped-call]
        return replace(model, weights=weights.detach())

    @classmethod
    def of(cls, state: Mapping[str, Any]) -> "WordModel":
        """What `state` kept."""
        vocabulary = {gram: place for place, gram in enumerate(state["ngrams"])}
        return cls(vocabulary, state["mean"], state["scale"], state["weights"])

    def state(self) -> dict[str, Any]:
        """All of it, for a checkpoint."""
        return {
            "ngrams": [*self.vocabulary],
            "mean": self.mean,
            "scale": self.scale,
            "weights": self.weights,
        }

    def predict(self, pairs: Sequence[Pair], acts: torch.Tensor) -> torch.Tensor:
        """Logits of every pair: (pairs, outputs)."""
        features = self._features(pairs, _dense(pairs, acts))
        logits: torch.Tensor = torch.sparse.mm(features, self.weights)
        return logits

    def _features(self, pairs: Sequence[Pair], dense: torch.Tensor) -> torch.Tensor:
        """(pairs, n-grams and dense features and 1), sparse; a row's n-grams have length 1."""
        places: list[tuple[int, int]] = []
        values: list[float] = []
        size = len(self.vocabulary)
        for row, (pair, rest) in enumerate(
            zip(pairs, ((dense - self.mean) * self.scale).tolist(), strict=True)
        ):
            known = sorted({self.vocabulary.get(gram, -1) for gram in ngrams(pair.text)} - {-1})
            places += [(row, place) for place in known]
            places += [(row, size + place) for place in range(len(rest) + 1)]
            values += [1 / math.sqrt(max(len(known), 1))] * len(known) + [*rest, 1.0]
        indices = torch.tensor(places, dtype=torch.int64).reshape(-1, 2).T
        shape = len(pairs), size + dense.shape[1] + 1
        return torch.sparse_coo_tensor(
            indices, values, shape, dtype=torch.float32, check_invariants=True
        ).coalesce()


def _dense(pairs: Sequence[Pair], acts: torch.Tensor) -> torch.Tensor:
    """Hand-made features and acts: (pairs, features)."""
    hand = [[*hand_features(pair.text, pair.context).values()] for pair in pairs]
    return torch.hstack([torch.tensor(hand), acts])
