"""The corpus as classifiers of acts learn it: features and labels of every sentence.

Each item is there as written and without punctuation and case, so that nothing leans on what
recognizers drop; agent sentences without a customer's words before them borrow some, so that
unrelated words before a sentence mean nothing.
"""

import hashlib
import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import torch

from services.score import features
from services.score.encoder import Encoder
from services.score.heads import Customer, Said, Speaker
from services.score.sentences import split_text
from training import corpus
from training.corpus import Item, Part
from training.examples import bare
from training.tuning import Lines, Places

__all__ = ["Data", "customers", "prepare"]

SEED = 2024
RARE = 3  # an n-gram in fewer items is left out
BORROWED = 0.5  # share of agent items without a customer's words that borrow some

Array = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Data:
    """What is fitted; a row is a sentence.

    `dense` is (sentences, embedding and hand-made features), `grams` are the places of each
    sentence's n-grams in the vocabulary. `lines` are the same sentences as the tuned layers see
    them. `fold` says in which fold each sentence is held out, `dimensions` where the embedding
    ends. `items` are where in the corpus the sentences come from.
    """

    acts: tuple[str, ...]
    vocabulary: dict[str, int]
    dense: Array
    grams: Sequence[Sequence[int]]
    lines: Lines
    fold: Places
    dimensions: int
    items: Sequence[Item]

    @property
    def labels(self) -> Array:
        """(sentences, acts), NaN for unknown."""
        return self.lines.labels

    @property
    def vectors(self) -> Array:
        """(sentences, dimensions): the encoder's."""
        return self.dense[:, : self.dimensions]

    def sparse(self, chosen: npt.NDArray[np.bool_]) -> torch.Tensor:
        """(chosen sentences, n-grams), sparse: few of them are in a sentence."""
        grams = [self.grams[row] for row in np.flatnonzero(chosen).tolist()]
        rows = np.repeat(np.arange(len(grams)), [len(each) for each in grams])
        values = np.concatenate([np.full(len(each), len(each) ** -0.5) for each in grams if each])
        places = np.vstack([rows, [place for each in grams for place in each]])
        return torch.sparse_coo_tensor(
            torch.from_numpy(places.astype(np.int64)),
            torch.from_numpy(values),
            (len(grams), len(self.vocabulary)),
            check_invariants=True,
        ).coalesce()


def prepare(speaker: Speaker, encoder: Encoder, folds: int) -> Data:
    """The features and labels of one speaker's items, each as written and bare."""
    columns = corpus.PLACES[speaker]
    items = [
        item
        for item in corpus.load()
        if corpus.part_of(item) is not Part.TEST and item.by_agent == (speaker == "agent")
    ]
    pairs = [pair for item in _with_context(items) for pair in (item, _bare(item))]
    counts = Counter(gram for item in items for gram in features.ngrams(item.text))
    grams = sorted(gram for gram, count in counts.items() if count >= RARE)
    vocabulary = {gram: place for place, gram in enumerate(grams)}
    texts = [pair.text for pair in pairs]
    vectors = encoder.encode(texts, lambda _: None)
    before = customers(encoder, [pair.customer for pair in pairs])
    said = Said.after(texts, vectors, vectors, before)
    hand = features.hand_matrix(texts, said.contexts)
    labels = np.array([pair.labels for pair in pairs])[:, columns]
    return Data(
        tuple(corpus.ACTS[place] for place in columns),
        vocabulary,
        np.hstack([vectors, hand]).astype(np.float64),
        [features.places(text, vocabulary) for text in texts],
        Lines(texts, said.before, hand, labels),
        np.repeat(np.array([_fold(item, folds) for item in items]), 2),
        encoder.dimensions,
        [item for item in items for _ in range(2)],
    )


def customers(encoder: Encoder, said: Sequence[str]) -> list[Customer]:
    """What customers said, "" for nothing, with the vectors of its sentences."""
    parts = [split_text(text) for text in said]
    flat = encoder.encode([part for each in parts for part in each], lambda _: None)
    ends = np.cumsum([len(each) for each in parts], dtype=np.int64)
    return [
        (text, flat[end - len(each) : end])
        for text, each, end in zip(said, parts, ends, strict=True)
    ]


def _with_context(items: Sequence[Item]) -> list[Item]:
    chance = random.Random(SEED)  # noqa: S311 - nothing secret
    lenders = sorted({item.customer for item in items if item.customer})
    return [
        item
        if item.customer or not item.by_agent or chance.random() > BORROWED
        else replace(item, customer=chance.choice(lenders))
        for item in items
    ]


def _bare(item: Item) -> Item:
    return replace(item, text=bare(item.text), customer=bare(item.customer))


def _fold(item: Item, folds: int) -> int:
    """By the call, or the customer's words, so that what answers them is held out together."""
    key = f"fold {item.call or item.customer or item.text}".lower()
    return hashlib.sha256(key.encode()).digest()[0] % folds
