"""What a classifier of acts looks at in a sentence, beside its embedding.

An embedding carries topic and feeling, not the form of the act: word n-grams and a few hand-made
features carry the form (question words, inversion, who is spoken of) and the tie to what the
customer said before. None relies on punctuation alone, which recognizers drop.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from callscope.tokens import tokens
from services.score import lexicon

__all__ = [
    "HAND_FEATURES",
    "NO_CONTEXT",
    "STEM",
    "Context",
    "content_words",
    "hand_features",
    "hand_matrix",
    "matrix",
    "ngrams",
    "places",
]

STEM = 5  # letters of a word in which its inflections meet

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Context:
    """What the customer said just before a sentence, and how close in meaning the two are.

    `similarity` is the largest cosine of the sentence with one of the customer's, 0 for none.
    """

    customer: str = ""
    similarity: float = 0.0


NO_CONTEXT = Context()


def matrix(
    vectors: Floats,
    texts: Sequence[str],
    contexts: Sequence[Context],
    vocabulary: Mapping[str, int],
) -> Floats:
    """The features of sentences, one row each: embedding, hand-made features, n-grams."""
    grams = np.zeros((len(texts), len(vocabulary)), dtype=np.float32)
    for row, text in zip(grams, texts, strict=True):
        if found := places(text, vocabulary):
            row[found] = 1 / math.sqrt(len(found))
    return np.hstack([vectors, hand_matrix(texts, contexts), grams])


def hand_matrix(texts: Sequence[str], contexts: Sequence[Context]) -> Floats:
    """The hand-made features of sentences, one row each."""
    rows = [
        [*hand_features(text, near).values()] for text, near in zip(texts, contexts, strict=True)
    ]
    return np.array(rows, dtype=np.float32).reshape(len(texts), HAND_FEATURES)


def places(text: str, vocabulary: Mapping[str, int]) -> list[int]:
    """Which n-grams of `vocabulary` the text holds."""
    return sorted(vocabulary[gram] for gram in ngrams(text) if gram in vocabulary)


def gram_sums(
    texts: Sequence[str], vocabulary: Mapping[str, int], weights: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """What the n-grams of each text add to its logits.

    `weights` is (n-grams,) or (n-grams, acts), what is returned (texts,) or (texts, acts).
    """
    sums = np.zeros((len(texts), *weights.shape[1:]))
    for row, text in enumerate(texts):
        if found := places(text, vocabulary):
            sums[row] = weights[found].sum(axis=0) / math.sqrt(len(found))
    return sums


# A customer's turn comes before many sentences, and may be as long as the call.
@lru_cache(maxsize=10_000)
def content_words(text: str) -> frozenset[str]:
    """The words that carry meaning, cut so that inflections meet."""
    return frozenset(word[:STEM] for word in tokens(text) if word not in lexicon.STOP)


@lru_cache(maxsize=10_000)
def _feeling(text: str) -> float:
    return min(sum(word in lexicon.FEELINGS for word in tokens(text)), 2) / 2


def hand_features(text: str, context: Context) -> dict[str, float]:
    """The hand-made features of one sentence by name, each between 0 and about 1."""
    words = tokens(text)
    return {
        **_form(words),
        **_signs(text, words),
        **_tie(text, context.customer),
        "customer_feeling": _feeling(context.customer),
        "customer_similarity": context.similarity,
    }


def _form(words: tuple[str, ...]) -> dict[str, float]:
    """How the sentence is built: question words, inversion, who is spoken of."""
    start = next((i for i, word in enumerate(words) if word not in lexicon.LEAD_INS), 0)
    body = words[start:]
    inverted = [a in lexicon.AUXILIARIES and b in lexicon.SUBJECTS for a, b in pairwise(body)]
    return {
        "wh_first": float(bool(body) and body[0] in lexicon.WH),
        "wh_early": float(any(word in lexicon.WH for word in body[:4])),
        "inversion_first": float(inverted[:1] == [True]),
        "inversion": float(any(inverted)),
        "imperative": float(any(word in lexicon.IMPERATIVES for word in body[:3])),
        "so_first": float(words[:1] == ("so",)),
        "i": float(any(word.split("'")[0] == "i" for word in words)),
        "we": float(any(word.split("'")[0] == "we" for word in words)),
        "you": float(any(word.startswith("you") for word in words)),
        "length": math.log1p(len(words)) / 4,
    }


def _signs(text: str, words: Sequence[str]) -> dict[str, float]:
    """Words and patterns that hint at an act."""
    plain = " ".join(words)
    numbers = sum(word.isdigit() or word in lexicon.NUMBERS for word in words)
    return {
        "question_mark": float(text.rstrip("\"' ").endswith("?")),
        "tag": float(bool(lexicon.TAG.search(text.lower()))),
        "negation": min(sum(word in lexicon.NEGATIONS for word in words), 3) / 3,
        "but": float("but" in words),
        "feeling": _feeling(text),
        "future": float(bool(lexicon.FUTURE.search(plain))),
        "sorry": float("sorry" in words or any(word.startswith("apolog") for word in words)),
        "procedural_sorry": float(bool(lexicon.PROCEDURAL_SORRY.search(plain))),
        "numbers": numbers / max(len(words), 1),
    }


def _tie(text: str, before: str) -> dict[str, float]:
    """How much of it is what the customer just said."""
    said = content_words(text)
    shared = len(said & content_words(before))
    return {
        "overlap": shared / max(len(said), 1),
        "overlap_count": min(shared, 5) / 5,
        "has_customer": float(bool(tokens(before))),
    }


@lru_cache(maxsize=1000)
def ngrams(text: str) -> frozenset[str]:
    """Words, pairs and triples of words, with marks for the sentence's ends."""
    words = ["<", *tokens(text), ">"]
    grams = (
        " ".join(words[start : start + size])
        for size in (1, 2, 3)
        for start in range(len(words) - size + 1)
    )
    return frozenset(grams) - {"<", ">"}


HAND_FEATURES = len(hand_features("", NO_CONTEXT))
