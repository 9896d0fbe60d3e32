"""Finds acts in texts as the score service does in the sentences of a call."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from callscope.models import ModelStore
from services.score.branch import Branch
from services.score.encoder import Encoder
from services.score.heads import SHIPPED, Heads, Said, Speaker
from services.score.reading import settled
from services.score.sentences import split_text
from training.corpus import ACTS
from training.data import customers
from training.states import Pair

__all__ = ["ActFinder"]

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class ActFinder:
    """The heads, on the encoder that they were trained for."""

    encoder: Encoder
    branch: Branch
    heads: Heads

    @classmethod
    def of(cls, models: ModelStore, weights: Path = SHIPPED) -> "ActFinder":
        """Those of a weights file."""
        heads = Heads.read(weights)
        encoder = Encoder(models.locate(heads.encoder).folder, "cpu")
        return cls(encoder, encoder.branch(heads.changes).in_eight_bits(), heads)

    def probabilities(self, pairs: Sequence[Pair]) -> Floats:
        """(pairs, `ACTS`): of each act, the likeliest of a text's sentences."""
        parts = [split_text(pair.text) or (pair.text,) for pair in pairs]
        texts = [part for each in parts for part in each]
        said = [pair.before for pair, each in zip(pairs, parts, strict=True) for _ in each]
        both = self.encoder.encode_both(texts, self.branch, lambda _: None)
        nobody = [""] * len(texts)  # before a customer's own sentences
        rows: list[dict[str, float]] = [{} for _ in texts]
        # A cue that both tell of is an agent's, who comes last.
        heard: tuple[tuple[Speaker, Sequence[str]], ...] = (("customer", nobody), ("agent", said))
        for speaker, before in heard:
            group = self.heads.groups[speaker]
            found = group.probabilities(Said.after(texts, *both, customers(self.encoder, before)))
            for row, each in zip(rows, found, strict=True):
                row |= zip(group.acts, map(float, each), strict=True)
        settled_rows = [settled(row, text) for row, text in zip(rows, texts, strict=True)]
        values = np.array([[row[act] for act in ACTS] for row in settled_rows]).reshape(
            len(rows), len(ACTS)
        )
        ends = np.cumsum([len(each) for each in parts])
        bounds = zip(ends - [len(each) for each in parts], ends, strict=True)
        likeliest = [values[start:end].max(axis=0) for start, end in bounds]
        return np.array(likeliest).reshape(len(pairs), len(ACTS))
