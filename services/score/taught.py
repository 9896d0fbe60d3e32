"""Events that a rubric's author teaches, by sentences that tell of it and others that come near.

There are many ways to tell of a fraud, and few of them are near any wording. A linear rule learns
what they have in common: least squares on the vectors of the sentences and their shared n-grams,
both sides weighing the same (Suykens & Vandewalle, "Least squares support vector machine
classifiers", 1999). Counterexamples are the event's own `unlike`, whatever else the rubric listens
for, and what is said in any call. Leaving one out is a closed form, and these judgements set the
slope and the offset of the probabilities. No chance is involved: the same rubric hears the same.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Protocol

import numpy as np
import numpy.typing as npt

from callscope.rubric import Event, Rubric
from services.score import features
from services.score.everyday import EVERYDAY
from services.score.own_acts import calibrated, nearness, sigmoid, vocabulary

__all__ = ["TEACHING", "Taught", "learn", "taught"]

TEACHING = 10
"""Sentences of each kind from which an event is learned from them; fewer are only wordings."""

LOUD, LOUD_NGRAMS = 4.0, 1.0  # how much a vector and n-grams may say
PENALTY = 3.0
FARTHER = 0.05  # how much nearer than an act's a sentence must come: there are many sentences
SAME = 0.85  # cosine from which another wording says the same, and is no counterexample

Array = npt.NDArray[np.float64]
Floats = npt.NDArray[np.float32]


class Vectors(Protocol):
    """Where the vectors of a rubric's wordings are kept."""

    def matrix(self, texts: Sequence[str]) -> Floats:
        """(texts, dimensions)."""

    def closeness(self, texts: Sequence[str], vectors: Floats) -> Floats:
        """How near each of the vectors comes to the nearest of the texts."""


@dataclass(frozen=True, slots=True, eq=False)
class Taught:
    """A learned event. `weights` are of the vector and the n-grams, `known` the vectors it is."""

    vocabulary: Mapping[str, int]
    weights: Array
    bias: float
    known: Floats

    def probabilities(self, vectors: Floats, texts: Sequence[str]) -> Array:
        """(sentences,), each the probability that the event is told in the sentence."""
        meaning, grams = np.split(self.weights, [vectors.shape[1]])
        logits = LOUD * (vectors @ meaning) + self.bias
        logits += LOUD_NGRAMS * features.gram_sums(texts, self.vocabulary, grams)
        return sigmoid(logits) * nearness((vectors @ self.known.T).max(axis=1) - FARTHER)


def taught(rubric: Rubric, wordings: Vectors) -> dict[str, Taught]:
    """What is learned of the rubric's events that are taught, by their ids."""
    return {
        event.id: learn(
            event.wordings, [*event.unlike, *_others(rubric, event, wordings)], wordings
        )
        for event in rubric.events
        if min(len(event.wordings), len(event.unlike)) >= TEACHING
    }


def learn(positive: Sequence[str], negative: Sequence[str], wordings: Vectors) -> Taught:
    """Fit the rule of one event."""
    texts = [*positive, *negative]
    grams = vocabulary(texts)
    vectors = wordings.matrix(texts)
    rows = _rows(vectors, texts, grams)
    truth = np.repeat([1.0, 0.0], [len(positive), len(negative)])
    share = float(truth.mean())
    weigh = np.where(truth == 1, 0.5 / share, 0.5 / (1 - share))
    inverse = np.linalg.inv(rows @ rows.T + 1.0 + PENALTY * np.diag(1 / weigh))
    dual = inverse @ (2 * truth - 1)
    left_out = 2 * truth - 1 - dual / np.diag(inverse)
    slope, offset = calibrated(left_out, truth)
    bias = slope * float(dual.sum()) + offset
    return Taught(grams, slope * (rows.T @ dual), bias, vectors[: len(positive)])


def _others(rubric: Rubric, event: Event, wordings: Vectors) -> list[str]:
    """What the rubric listens for besides, unless it hangs on the event or means the same."""
    texts = list(EVERYDAY)
    texts += [
        text
        for other in rubric.events
        if other is not event
        for text in (*other.wordings, *other.unlike)
    ]
    texts += [
        text
        for disclosure in rubric.disclosures
        if event.id not in disclosure.required_when
        for element in disclosure.elements
        for text in (*element.wordings, *element.unlike)
    ]
    mine = {*event.wordings, *event.unlike}
    texts = [text for text in dict.fromkeys(texts) if text not in mine]
    closest = wordings.closeness(event.wordings, wordings.matrix(texts))
    return [text for text, near in zip(texts, closest, strict=True) if near < SAME]


def _rows(vectors: Floats, texts: Sequence[str], grams: Mapping[str, int]) -> Array:
    """(texts, dimensions and n-grams)."""
    rows = np.zeros((len(texts), vectors.shape[1] + len(grams)))
    rows[:, : vectors.shape[1]] = LOUD * vectors
    for row, text in zip(rows, texts, strict=True):
        if places := features.places(text, grams):
            row[vectors.shape[1] + np.array(places)] = LOUD_NGRAMS / sqrt(len(places))
    return rows
