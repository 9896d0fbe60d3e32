"""What each said in one go: words cut at changes of speaker and at long pauses.

Passages of different speakers may overlap in time. A back channel inside or beside the other's
talk is a passage of its own, and does not cut the other's.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

from callscope.conversation.attribution import SpokenWord, ends_sentence
from callscope.conversation.listening import is_answer, is_listening
from callscope.types import Word

__all__ = ["Passage", "cut"]

PAUSE = 1.5
"""A silence of this many seconds ends a passage. Pauses within a speaker's turn are rarely longer
than one second (Heldner & Edlund, "Pauses, gaps and overlaps in conversations", 2010)."""

BETWEEN_SENTENCES = 0.2
WITHIN_SENTENCE = 0.5
"""Another's words cut a passage only in a gap of this many seconds: talk that runs on while
another talks, too, is one passage."""

LISTENER_SECONDS = 1.3
LISTENER_WORDS = 3
"""A back channel lasts about a second (recognizers stretch short words) and has few words."""

FLOOR_BEFORE = 1.0
FLOOR_AFTER = 1.5
"""The other keeps the floor where their talk ended at most this many seconds before a back
channel, and goes on at most this many after it."""

LISTENER_PAUSE = 0.7
"""Who goes on within this many seconds has opened a turn of their own."""


@dataclass(frozen=True, slots=True)
class Passage:
    """Words of one speaker in one go, at least one."""

    speaker: str
    words: tuple[Word, ...]
    backchannel: bool = False

    @property
    def start(self) -> float:
        """When the first word starts."""
        return self.words[0].start

    @property
    def end(self) -> float:
        """When the last word to end ends."""
        return max(word.end for word in self.words)

    @property
    def text(self) -> str:
        """The words as written."""
        return " ".join(word.text for word in self.words)


def cut(spoken: Sequence[SpokenWord]) -> tuple[Passage, ...]:
    """Cut words (in order of start) into passages, in order of start."""
    pieces = _pieces(spoken)
    floors = _Floors(spoken)
    listening = [piece for piece in pieces if _is_backchannel(piece, floors)]
    taken = {id(word) for piece in listening for word in piece.words}
    talk = _pieces([each for each in spoken if id(each.word) not in taken])
    passages = [Passage(piece.speaker, piece.words, True) for piece in listening] + talk
    return tuple(sorted(passages, key=lambda each: (each.start, each.end, each.speaker)))


def _pieces(spoken: Sequence[SpokenWord]) -> list[Passage]:
    """Cut each speaker's words at pauses and where another's word lies between."""
    middles = sorted((each.word.start + each.word.end) / 2 for each in spoken)
    pieces: list[Passage] = []
    for speaker, words in _by_speaker(spoken).items():
        piece = [words[0]]
        for word in words[1:]:
            gap = word.start - piece[-1].end
            between = bisect_left(middles, word.start) - bisect_right(middles, piece[-1].end)
            room = BETWEEN_SENTENCES if ends_sentence(piece[-1]) else WITHIN_SENTENCE
            if gap >= PAUSE or (gap >= room and between > 0):
                pieces.append(Passage(speaker, tuple(piece)))
                piece = []
            piece.append(word)
        pieces.append(Passage(speaker, tuple(piece)))
    return pieces


def _by_speaker(spoken: Sequence[SpokenWord]) -> dict[str, list[Word]]:
    words: dict[str, list[Word]] = {}
    for each in spoken:
        words.setdefault(each.speaker, []).append(each.word)
    return words


class _Floors:
    """Each speaker's words with their starts, to ask who talks around a moment."""

    def __init__(self, spoken: Sequence[SpokenWord]) -> None:
        self.words = _by_speaker(spoken)
        self._starts = {s: [word.start for word in words] for s, words in self.words.items()}

    def around(self, speaker: str, time: float) -> tuple[Word | None, Word | None]:
        """The speaker's last word to start before `time`, and the next."""
        at = bisect_left(self._starts[speaker], time)
        words = self.words[speaker]
        return (words[at - 1] if at else None), (words[at] if at < len(words) else None)


def _is_backchannel(piece: Passage, floors: _Floors) -> bool:
    texts = [word.text for word in piece.words]
    return (
        len(texts) <= LISTENER_WORDS
        and piece.end - piece.start <= LISTENER_SECONDS
        and is_listening(texts)
        and any(
            _keeps_floor(other, piece, floors) for other in floors.words if other != piece.speaker
        )
    )


def _keeps_floor(other: str, piece: Passage, floors: _Floors) -> bool:
    """Whether `other` talked before the piece and goes on after it, having asked nothing."""
    middle = (piece.start + piece.end) / 2
    before, after = floors.around(other, middle)
    _, own_next = floors.around(piece.speaker, piece.end)
    if before is None or after is None or before.text.endswith("?"):
        return False
    if piece.start - before.end > FLOOR_BEFORE or after.start - piece.end > FLOOR_AFTER:
        return False
    if own_next is not None and own_next.start < max(after.start, piece.end + LISTENER_PAUSE):
        return False
    if is_answer(word.text for word in piece.words):
        return before.end > piece.start or not ends_sentence(before)
    return True
