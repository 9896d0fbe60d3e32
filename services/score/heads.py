"""Linear heads: the probability of each act in a sentence, from its features.

The weights are trained by `training/heads.py` on labeled sentences (`training/corpus.py`), and
shipped beside this module; they say on which. A probability of 0.5 is where a head decides.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
from safetensors.numpy import load

from callscope.types import ModelInfo
from services.score import features

__all__ = ["SHIPPED", "HeadGroup", "Heads", "Speaker"]

SHIPPED = Path(__file__).parent / "heads.safetensors"

Floats = npt.NDArray[np.float32]
Speaker = Literal["agent", "customer"]


@dataclass(frozen=True, slots=True, eq=False)
class HeadGroup:
    """The heads for one speaker's sentences: `weights` is (features, acts), `bias` (acts,)."""

    acts: tuple[str, ...]
    vocabulary: dict[str, int]
    weights: Floats
    bias: Floats

    def probabilities(
        self, vectors: Floats, texts: Sequence[str], contexts: Sequence[features.Context]
    ) -> Floats:
        """(sentences, acts), each the probability that the act is in the sentence."""
        rows = features.matrix(vectors, texts, contexts, self.vocabulary)
        logits = rows.astype(np.float64) @ self.weights.astype(np.float64) + self.bias
        return (1 / (1 + np.exp(-logits))).astype(np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class Heads:
    """All heads of a weights file, and the encoder and the corpus that they were trained on."""

    groups: dict[Speaker, HeadGroup]
    encoder: str
    encoder_digest: str
    corpus_digest: str
    model: ModelInfo

    @classmethod
    def read(cls, path: Path = SHIPPED) -> "Heads":
        """Read a weights file that `training/heads.py` wrote."""
        content = path.read_bytes()
        tensors = load(content)
        described = json.loads(bytes(tensors["description"]))
        groups: dict[Speaker, HeadGroup] = {
            speaker: HeadGroup(
                acts=tuple(described[speaker]["acts"]),
                vocabulary={gram: i for i, gram in enumerate(described[speaker]["vocabulary"])},
                weights=tensors[f"{speaker}.weights"],
                bias=tensors[f"{speaker}.bias"],
            )
            for speaker in ("agent", "customer")
        }
        digest = hashlib.sha256(content).hexdigest()
        return cls(
            groups,
            described["encoder"],
            described["encoder_digest"],
            described["corpus_digest"],
            ModelInfo("score", "act-heads", digest),
        )
