"""Which speaker each stretch belongs to, and the turns that follow."""

import math
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from callscope.types import Turn
from services.diarize.clustering import SpeakerRange, find_voices
from services.diarize.embedding import SHORTEST, Embeddings
from services.diarize.stretches import Piece, Stretch
from services.diarize.turns import tidy

__all__ = ["name_turns", "telling_pieces"]

Vector = npt.NDArray[np.float32]

_FOUNDS = 1.0  # seconds; a shorter piece is too vague to find speakers by
_POOL = 2.0  # seconds of a slot's short pieces that together are not
_POOL_REACH = 3.0  # seconds between two such pieces at most
_SURE = 0.6  # seconds; a shorter piece is judged together with its slot's other pieces
_REACH = 8.0  # seconds to such a piece at most; windows overlap so far
_FADE = 1.0  # seconds over which it loses two thirds of its weight
_OWN = 6.0  # weight of the short piece's own voice
_ENOUGH = 3.0  # seconds; a longer piece weighs no more
_BESIDE = 0.3  # seconds around a stretch in which a speaker heard alone cannot be its own


@dataclass(frozen=True, slots=True)
class _Heard:
    """A piece of a slot's speech and its voice: an embedding, or the likeness to each speaker."""

    slot: int
    piece: Piece
    voice: Vector


@dataclass(frozen=True, slots=True)
class _Share:
    """A speaker's part of a stretch, in seconds."""

    speaker: int
    start: float
    end: float


def telling_pieces(stretches: Sequence[Stretch]) -> list[tuple[int, Piece]]:
    """Slots and pieces, of those pieces that are long enough to be embedded, in order."""
    return [
        (stretch.slot, piece)
        for stretch in stretches
        for piece in stretch.pieces
        if piece.duration >= SHORTEST
    ]


def name_turns(
    stretches: Sequence[Stretch], embeddings: Embeddings, expected: SpeakerRange
) -> tuple[Turn, ...]:
    """Turns of `speaker_0`, `speaker_1`, ... in order of first speech; they may overlap.

    Args:
        stretches: where slots are active, in order of start.
        embeddings: of their `telling_pieces`.
        expected: how many speakers there may be.
    """
    heard = [
        _Heard(slot, piece, voice)
        for (slot, piece), voice in zip(telling_pieces(stretches), embeddings, strict=True)
    ]
    pooled = list(_pooled(heard))
    voices = find_voices([voice for voice, _ in pooled], [each for _, each in pooled], expected)
    if len(voices) < 2:
        shares = [_Share(0, stretch.start, stretch.end) for stretch in stretches]
    else:
        known = [_Heard(each.slot, each.piece, voices @ each.voice) for each in heard]
        shares = _attributed(stretches, known)
    return _numbered(tidy(Turn(str(each.speaker), each.start, each.end) for each in shares))


def _pooled(heard: Sequence[_Heard]) -> Iterator[tuple[Vector, float]]:
    """Voices to find speakers by, and their seconds: a slot's short pieces count together."""
    pools: dict[int, list[_Heard]] = {}
    for each in heard:
        if each.piece.duration >= _FOUNDS:
            yield each.voice, each.piece.duration
            continue
        pool = pools.setdefault(each.slot, [])
        far = bool(pool) and each.piece.start - pool[-1].piece.end > _POOL_REACH
        if far or sum(one.piece.duration for one in pool) >= _POOL:
            yield from _together(pool)
            pool.clear()
        pool.append(each)
    for pool in pools.values():
        yield from _together(pool)


def _together(pool: Sequence[_Heard]) -> Iterator[tuple[Vector, float]]:
    """The mean voice of short pieces, if they add up to something."""
    seconds = sum(each.piece.duration for each in pool)
    if seconds >= _FOUNDS:
        mean = np.sum([each.voice * each.piece.duration for each in pool], axis=0)
        yield mean / np.linalg.norm(mean), seconds


def _attributed(stretches: Sequence[Stretch], known: Sequence[_Heard]) -> list[_Share]:
    """Every stretch to its speakers: by its clean pieces where it has any, else by its slot."""
    timeline = _Timeline(known)
    judged = {
        (each.slot, each.piece): each
        if each.piece.duration >= _SURE
        else _Heard(each.slot, each.piece, _verdict(each.slot, each.piece, timeline))
        for each in known
    }
    certain = _Timeline(list(judged.values()))
    shares = []
    for stretch in stretches:
        own = [judged[key] for piece in stretch.pieces if (key := (stretch.slot, piece)) in judged]
        shares += _split(stretch, own) if own else [_guess(stretch, certain)]
    return shares


class _Timeline:
    """Pieces by slot, where they are in order and apart, to find those near a moment."""

    def __init__(self, heard: Sequence[_Heard]) -> None:
        self.slots: dict[int, list[_Heard]] = {}
        for each in heard:
            self.slots.setdefault(each.slot, []).append(each)
        self.speakers = heard[0].voice.size

    def near(self, slot: int, start: float, end: float) -> Sequence[_Heard]:
        """The slot's pieces that touch start to end."""
        pieces = self.slots.get(slot, [])
        first = bisect_left(pieces, start, key=lambda each: each.piece.end)
        return pieces[first : bisect_right(pieces, end, key=lambda each: each.piece.start)]


def _verdict(slot: int, at: Stretch | Piece, known: _Timeline) -> Vector:
    """Likeness to each speaker, from what the slot's pieces nearby say, a piece's own included."""
    verdict = np.zeros(known.speakers, dtype=np.float32)
    for each in known.near(slot, at.start - _REACH, at.end + _REACH):
        gap = max(0.0, each.piece.start - at.end, at.start - each.piece.end)
        weight = _OWN if each.piece == at else math.exp(-gap / _FADE)
        verdict += weight * min(each.piece.duration, _ENOUGH) * each.voice
    return verdict


def _split(stretch: Stretch, own: Sequence[_Heard]) -> list[_Share]:
    """A stretch among the speakers of its pieces; between two pieces in the middle."""
    speakers = [int(np.argmax(each.voice)) for each in own]
    bounds = [(one.piece.end + other.piece.start) / 2 for one, other in pairwise(own)]
    return [
        _Share(speaker, start, end)
        for speaker, start, end in zip(
            speakers, [stretch.start, *bounds], [*bounds, stretch.end], strict=True
        )
    ]


def _guess(stretch: Stretch, known: _Timeline) -> _Share:
    """The speaker of a stretch that is never alone, or too short to tell: not one beside it."""
    verdict = _verdict(stretch.slot, stretch, known)
    for slot in known.slots.keys() - {stretch.slot}:
        for each in known.near(slot, stretch.start - _BESIDE, stretch.end + _BESIDE):
            verdict[np.argmax(each.voice)] = -np.inf
    return _Share(int(np.argmax(verdict)), stretch.start, stretch.end)


def _numbered(turns: Sequence[Turn]) -> tuple[Turn, ...]:
    """The turns with their speakers numbered as they appear."""
    names: dict[str, str] = {}
    for turn in turns:
        names.setdefault(turn.speaker, f"speaker_{len(names)}")
    return tuple(replace(turn, speaker=names[turn.speaker]) for turn in turns)
