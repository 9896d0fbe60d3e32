"""Linear heads: the probability of each act in a sentence, from what is known of it.

The weights are trained by `training/heads.py` on labeled sentences (`training/corpus.py`), and
shipped beside this module; they say on which. A probability of 0.5 is where a head decides.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

from callscope.types import ModelInfo
from services.score import features
from services.score.branch import Changes
from services.score.features import Context
from services.score.rereading import Correction
from services.score.weights import unpack

__all__ = ["AGAIN", "BRANCH", "SHIPPED", "Customer", "HeadGroup", "Heads", "Said", "Speaker"]

SHIPPED = Path(__file__).parent / "heads.safetensors"
BRANCH = "branch."  # begins the names of the branch's tensors
AGAIN = "again."  # and of the second reading's

Array = npt.NDArray[np.float64]
Floats = npt.NDArray[np.float32]
Speaker = Literal["agent", "customer"]
Customer = tuple[str, Floats]
"""What a customer said in a turn, and the vectors of its sentences, none for nothing."""


@dataclass(frozen=True, slots=True, eq=False)
class Said:
    """Sentences as the heads see them; the rows of all fields go together.

    `vectors` are the encoder's, `tuned` its branch's, `before` the mean vector of what the customer
    said before, zeros for nothing.
    """

    texts: Sequence[str]
    vectors: Floats
    tuned: Floats
    before: Floats
    contexts: Sequence[Context]

    @classmethod
    def after(
        cls, texts: Sequence[str], vectors: Floats, tuned: Floats, before: Sequence[Customer]
    ) -> "Said":
        """Sentences, each with the customer's words before it."""
        contexts = [
            Context(words, float((spoken @ vector).max())) if len(spoken) else Context()
            for (words, spoken), vector in zip(before, vectors, strict=True)
        ]
        means = np.zeros_like(vectors)
        for mean, (_, spoken) in zip(means, before, strict=True):
            if len(spoken):
                mean += spoken.mean(axis=0)
        return cls(texts, vectors, tuned, means, contexts)

    def dense(self) -> Floats:
        """(sentences, features).

        The features are the vector, the tuned one, its product with what was said before, that
        itself, and those made by hand.
        """
        hand = features.hand_matrix(self.texts, self.contexts)
        parts = [self.vectors, self.tuned, self.tuned * self.before, self.before, hand]
        return np.hstack(parts)


@dataclass(frozen=True, slots=True, eq=False)
class HeadGroup:
    """The heads for one speaker's sentences.

    `weights` is (dense features, acts), `grams` (n-grams, acts), `bias` (acts,).
    """

    acts: tuple[str, ...]
    vocabulary: dict[str, int]
    weights: Array
    grams: Array
    bias: Array

    def probabilities(self, said: Said) -> Floats:
        """(sentences, acts), each the probability that the act is in the sentence."""
        logits = said.dense().astype(np.float64) @ self.weights + self.bias
        logits += features.gram_sums(said.texts, self.vocabulary, self.grams)
        found: Floats = (1 / (1 + np.exp(-logits))).astype(np.float32)
        return found


@dataclass(frozen=True, slots=True, eq=False)
class Heads:
    """All heads of a weights file, and the encoder and the corpus that they were trained on.

    `changes` make the encoder's branch, see `services.score.branch`. `correction` is what the
    second reading does.
    """

    groups: dict[Speaker, HeadGroup]
    changes: Changes
    correction: Correction
    encoder: str
    encoder_digest: str
    corpus_digest: str
    model: ModelInfo

    @classmethod
    def read(cls, path: Path = SHIPPED) -> "Heads":
        """Read a weights file that `training/heads.py` wrote."""
        content = path.read_bytes()
        tensors, described = unpack(content)
        groups: dict[Speaker, HeadGroup] = {
            speaker: HeadGroup(
                acts=tuple(described[speaker]["acts"]),
                vocabulary={gram: i for i, gram in enumerate(described[speaker]["vocabulary"])},
                weights=tensors[f"{speaker}.weights"].astype(np.float64),
                grams=tensors[f"{speaker}.grams"].astype(np.float64),
                bias=tensors[f"{speaker}.bias"].astype(np.float64),
            )
            for speaker in ("agent", "customer")
        }
        digest = hashlib.sha256(content).hexdigest()
        changes = {
            name.removeprefix(BRANCH): tensor
            for name, tensor in tensors.items()
            if name.startswith(BRANCH)
        }
        correction = Correction(
            **{
                name.removeprefix(AGAIN): tensor.astype(np.float64)
                for name, tensor in tensors.items()
                if name.startswith(AGAIN)
            }
        )
        return cls(
            groups,
            changes,
            correction,
            described["encoder"],
            described["encoder_digest"],
            described["corpus_digest"],
            ModelInfo("score", "act-heads", digest),
        )
