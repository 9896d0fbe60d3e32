"""How many people speak, and what each sounds like: clustering made for two-party calls.

Average-linkage clustering of the pieces' embeddings by cosine distance. Voices of one person
merge below 0.5, those of two mostly above 0.6 (measured on pieces of a second and more of real
and synthetic telephone speech). Most calls have two parties, so the question asked first is which
split of the tree explains most: the one with the largest inertia between its sides, which an odd
cough cannot win. Further speakers (a transfer, a recorded voice) must stand out more clearly, or
lie apart from a voice like theirs by more than the pieces of either lie from each other: the ratio
that the index of Davies and Bouldin is made of (1979, "A cluster separation measure").
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.cluster.hierarchy import linkage

from services.diarize.campplus import EMBEDDING_SIZE
from services.diarize.embedding import Embeddings

__all__ = ["SpeakerRange", "find_voices"]

Vector = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]  # one per embedding
Seconds = npt.NDArray[np.float64]  # of speech, one per embedding

_TWO = 0.5  # distance that makes two speakers of two groups
_TWO_SECONDS = 3.0  # of speech, that the smaller group then has at least
_TWO_CLEARLY = 0.7  # distance at which a single short answer makes a second speaker
_MORE_SECONDS = (4.0, 10.0)  # of speech in a branch, little and plenty
_MORE = (0.72, 0.62)  # distance at which it is a further speaker: the less speech, the more
# Or so many times as far as pieces of one side are from each other: 1.6 times and more in transfers
# put together from synthetic calls, 1.34 at most where one person's speech was split in two.
_APART = 1.5
_APART_DISTANCE = 0.4  # at least
_APART_SECONDS, _APART_PIECES = 6.0, 3  # on the smaller side, or the spread says little


@dataclass(frozen=True, slots=True)
class SpeakerRange:
    """How many speakers may be found."""

    least: int = 1
    most: int = 4


@dataclass(frozen=True, slots=True)
class _Split:
    """A node of the tree: two groups that it merges, at a distance."""

    distance: float
    sides: tuple[Mask, Mask]

    def seconds(self, weights: Seconds) -> float:
        """Of speech on the smaller side."""
        return float(min(weights[side].sum() for side in self.sides))

    def inertia(self, weights: Seconds) -> float:
        """Between the sides: what is explained by calling them two speakers."""
        one, other = (float(weights[side].sum()) for side in self.sides)
        return self.distance * one * other / (one + other)


def find_voices(
    embeddings: Sequence[Vector], seconds: Sequence[float], expected: SpeakerRange
) -> Embeddings:
    """The speakers' mean voices, (speakers, 192), unit length each; none without embeddings.

    Args:
        embeddings: voices of unit length.
        seconds: of speech behind each of them.
        expected: bounds on the number of speakers; too few embeddings give fewer.
    """
    if len(embeddings) == 0:
        return np.zeros((0, EMBEDDING_SIZE), dtype=np.float32)
    vectors, weights = np.stack(embeddings), np.asarray(seconds, dtype=np.float64)
    groups = _groups(vectors, weights, expected)
    voices = np.stack([weights[group] @ vectors[group] for group in groups])
    return np.asarray(voices / np.linalg.norm(voices, axis=1, keepdims=True), dtype=np.float32)


def _groups(embeddings: Embeddings, weights: Seconds, expected: SpeakerRange) -> list[Mask]:
    everything = np.ones(len(embeddings), dtype=bool)
    if len(embeddings) == 1 or expected.most == 1:
        return [everything]
    splits = list(_splits(embeddings))
    main = _main_split(splits, weights, expected)
    if main is None:
        return [everything]
    groups = list(main.sides)
    for split in sorted(splits, key=lambda each: -each.inertia(weights)):
        wanted = len(groups) < expected.least
        if wanted or (
            len(groups) < expected.most
            and (_is_further(split, weights) or _lies_apart(split, embeddings, weights))
        ):
            groups = _with_branch(groups, split)
    return groups


def _splits(embeddings: Embeddings) -> Iterator[_Split]:
    """Every merge of the tree."""
    leaves = len(embeddings)
    members = list(np.eye(leaves, dtype=bool))
    for one, other, distance, _ in linkage(embeddings, method="average", metric="cosine"):
        sides = members[int(one)], members[int(other)]
        members.append(sides[0] | sides[1])
        yield _Split(float(distance), sides)


def _main_split(
    splits: Sequence[_Split], weights: Seconds, expected: SpeakerRange
) -> _Split | None:
    """The split into the two parties, or None where one person speaks alone."""
    best = max(splits, key=lambda split: split.inertia(weights) * (split.distance >= _TWO))
    if best.distance >= _TWO and best.seconds(weights) >= _TWO_SECONDS:
        return best
    last = splits[-1]
    if last.distance >= _TWO_CLEARLY:
        return last
    return max(splits, key=lambda split: split.inertia(weights)) if expected.least > 1 else None


def _is_further(split: _Split, weights: Seconds) -> bool:
    """Whether a split is between speakers, where two were found already."""
    seconds = split.seconds(weights)
    enough = float(np.interp(seconds, _MORE_SECONDS, _MORE))
    return seconds >= _MORE_SECONDS[0] and split.distance >= enough


def _lies_apart(split: _Split, embeddings: Embeddings, weights: Seconds) -> bool:
    """Whether the sides are further from each other than their own pieces are."""
    if split.seconds(weights) < _APART_SECONDS or split.distance < _APART_DISTANCE:
        return False
    if any(side.sum() < _APART_PIECES for side in split.sides):
        return False
    spreads = [_spread(embeddings[side]) for side in split.sides]
    return split.distance >= _APART * sum(spreads) / len(spreads)


def _spread(embeddings: Embeddings) -> float:
    """Mean cosine distance between two of them."""
    count, total = len(embeddings), embeddings.sum(axis=0)
    return 1.0 - float(total @ total - count) / (count * (count - 1))


def _with_branch(groups: list[Mask], split: _Split) -> list[Mask]:
    """The groups with one side of `split` as a further one, if it lies beside or inside them."""
    for side in split.sides:
        holders = [group for group in groups if (group & side).any()]
        if not holders:
            return [*groups, side]
        (holder, *others) = holders
        if not others and not (side & ~holder).any() and (holder & ~side).any():
            return [holder & ~side if group is holder else group for group in groups] + [side]
    return groups
