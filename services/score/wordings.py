"""The wordings of a rubric as vectors, embedded once per rubric."""

from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from threading import Lock

import numpy as np
import numpy.typing as npt

from callscope.pipeline import Progress
from callscope.rubric import Rubric
from services.score.encoder import Encoder
from services.score.everyday import EVERYDAY
from services.score.taught import Taught, taught

__all__ = ["Wordings", "WordingsCache"]

KEPT = 16  # rubrics

Floats = npt.NDArray[np.float32]


class Wordings:
    """Vectors of texts, looked up by the text, and the events that are taught by them."""

    def __init__(self, texts: Sequence[str], vectors: Floats) -> None:
        self._rows = {text: row for row, text in enumerate(texts)}
        self._vectors = vectors
        self.taught: Mapping[str, Taught] = {}

    def matrix(self, texts: Sequence[str]) -> Floats:
        """(texts, dimensions)."""
        return self._vectors[[self._rows[text] for text in texts]]

    def closeness(self, texts: Sequence[str], vectors: Floats) -> Floats:
        """How near each of the vectors comes to the nearest of the texts: (vectors,), -1 for none.

        `vectors` is (vectors, dimensions).
        """
        if not texts:
            return np.full(len(vectors), -1.0, dtype=np.float32)
        found: Floats = (vectors @ self.matrix(texts).T).max(axis=1)
        return found


class WordingsCache:
    """Embeds each rubric's wordings at its first use, and keeps the latest few."""

    def __init__(self, encoder: Encoder) -> None:
        self._encoder = encoder
        self._kept: OrderedDict[str, Wordings] = OrderedDict()
        self._lock = Lock()

    def of(self, rubric: Rubric, progress: Progress) -> Wordings:
        """The wordings of `rubric`."""
        digest = rubric.digest
        with self._lock:
            wordings = self._kept.get(digest)
        if wordings is None:
            texts = list(_texts(rubric))
            wordings = Wordings(texts, self._encoder.encode(texts, progress))
            wordings.taught = taught(rubric, wordings)
        with self._lock:
            self._kept[digest] = wordings
            self._kept.move_to_end(digest)
            while len(self._kept) > KEPT:
                self._kept.popitem(last=False)
        return wordings


def _texts(rubric: Rubric) -> Iterator[str]:
    yield from EVERYDAY
    for event in rubric.events:
        yield from event.wordings
        yield from event.unlike
    for disclosure in rubric.disclosures:
        for element in disclosure.elements:
            yield from element.wordings
            yield from element.unlike
