"""Who said which word.

Where each party has a channel, the channel says it. On a shared channel each word goes to the
speaker whose turn covers most of it; a word always has a speaker. Two repairs follow, because a
diarizer's boundaries are only good to a few tenths of a second and fall anywhere in a sentence:
single words that flip to the other speaker inside a sentence flip back, and a change of speaker
moves to the nearest sentence end or pause.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from callscope.conversation.listening import is_listening
from callscope.types import ChannelLayout, Diarization, Turn, Word

__all__ = ["SpokenWord", "attribute", "ends_sentence"]

AMBIGUOUS = 0.4
"""Seconds of words over which a change of speaker may move. A diarizer's boundaries are off by
some tenths of a second; scoring customarily forgives 0.25 s to each side (NIST Rich
Transcription)."""

SAME_SENTENCE = 0.3
"""Words no further apart (seconds), without a full stop between, are one flow."""

SHORT_TURN = 1.2
"""A turn of at most this many seconds inside the other's is a listener's."""

NEARLY_EQUAL = 0.1
"""Turns that cover a word equally but for this share of it are equally good."""

_SHORTEST_WORD = 0.02  # recognizers return words of no length


@dataclass(frozen=True, slots=True)
class SpokenWord:
    """A word and its speaker's label."""

    word: Word
    speaker: str


def attribute(words: Sequence[Word], diarization: Diarization) -> tuple[SpokenWord, ...]:
    """Give every word its speaker; the result is in order of start."""
    ordered = sorted(words, key=lambda word: (word.start, word.end, word.channel))
    if diarization.layout is ChannelLayout.TWO_PARTY:
        speakers = _by_channel(ordered, diarization.turns)
    elif len({turn.speaker for turn in diarization.turns}) < 2:
        only = diarization.turns[0].speaker if diarization.turns else "speaker_0"
        speakers = [only] * len(ordered)
    else:
        speakers = _by_turns(ordered, diarization.turns)
        _flip_back(ordered, speakers)
        _settle(ordered, speakers)
    return tuple(map(SpokenWord, ordered, speakers))


def _by_channel(words: Sequence[Word], turns: Sequence[Turn]) -> list[str]:
    labels = {turn.channel: turn.speaker for turn in turns if turn.channel is not None}
    return [labels.get(word.channel, f"channel_{word.channel}") for word in words]


def _by_turns(words: Sequence[Word], turns: Sequence[Turn]) -> list[str]:
    speakers: list[str] = []
    said_until: dict[str, float] = {}  # by speaker: the end of their last word
    floor: str | None = None  # who talks, listeners aside
    for word, near in zip(words, _turns_near(words, turns), strict=True):
        speaker = _listener(word, near)
        if speaker is None:
            speaker = floor = _choose(word, near, floor, said_until)
        said_until[speaker] = max(word.end, said_until.get(speaker, 0.0))
        speakers.append(speaker)
    return speakers


def _turns_near(words: Sequence[Word], turns: Sequence[Turn]) -> Iterator[list[Turn]]:
    """For each word the turns it lies in, or where there are none its neighbors in time."""
    coming = sorted(turns, key=lambda turn: (turn.start, turn.end, turn.speaker))
    reached = 0
    active: list[Turn] = []
    latest: Turn | None = None  # the turn that ended last, of those gone by
    for word in words:
        while reached < len(coming) and coming[reached].start < word.start + _length(word):
            active.append(coming[reached])
            reached += 1
        for gone in (turn for turn in active if turn.end <= word.start):
            if latest is None or gone.end > latest.end:
                latest = gone
        active = [turn for turn in active if turn.end > word.start]
        if active:
            yield list(active)
        else:
            following = coming[reached : reached + 1]
            yield ([latest] if latest else []) + following


def _listener(word: Word, near: Sequence[Turn]) -> str | None:
    """Who says "mm-hmm", if it is mostly in a short turn that lies inside another's."""
    if not is_listening((word.text,)):
        return None
    for turn in near:
        short = turn.end - turn.start <= SHORT_TURN
        if short and _overlap(word, turn) >= _length(word) / 2:
            for other in near:
                inside = other.start < turn.start and turn.end < other.end
                if inside and other.speaker != turn.speaker:
                    return turn.speaker
    return None


def _choose(
    word: Word, near: Sequence[Turn], floor: str | None, said_until: dict[str, float]
) -> str:
    shares: dict[str, float] = {}
    for turn in near:
        shares[turn.speaker] = shares.get(turn.speaker, 0.0) + _overlap(word, turn)
    most = max(shares.values())
    if most <= 0:
        return min(near, key=lambda turn: (_distance(word, turn), turn.start)).speaker
    equal = NEARLY_EQUAL * _length(word)
    candidates = [speaker for speaker, share in shares.items() if share >= most - equal]
    middle = (word.start + word.end) / 2
    # Nobody says two words at once: words that overlap belong to different speakers.
    free = [each for each in candidates if said_until.get(each, 0.0) <= middle] or candidates
    return floor if floor in free else free[0]  # who talks longest comes first


def _length(word: Word) -> float:
    return max(word.end - word.start, _SHORTEST_WORD)


def _overlap(word: Word, turn: Turn) -> float:
    return max(0.0, min(word.start + _length(word), turn.end) - max(word.start, turn.start))


def _distance(word: Word, turn: Turn) -> float:
    middle = (word.start + word.end) / 2
    return max(turn.start - middle, middle - turn.end, 0.0)


def _flip_back(words: Sequence[Word], speakers: list[str]) -> None:
    """Undo changes of speaker for a single word in the middle of a sentence."""
    for i in range(1, len(words) - 1):
        if speakers[i] == speakers[i - 1] or speakers[i - 1] != speakers[i + 1]:
            continue
        flows = (
            not ends_sentence(words[i - 1])
            and not ends_sentence(words[i])
            and words[i].start - words[i - 1].end < SAME_SENTENCE
            and words[i + 1].start - words[i].end < SAME_SENTENCE
        )
        if flows and not is_listening((words[i].text,)):
            speakers[i] = speakers[i - 1]


def _settle(words: Sequence[Word], speakers: list[str]) -> None:
    """Move each change of speaker to the best place within the diarizer's error."""
    at = 0
    while at < len(words) - 1:
        sure = ends_sentence(words[at]) or is_listening((words[at + 1].text,))
        if speakers[at] == speakers[at + 1] or sure:
            at += 1
            continue
        best = max(_places(words, speakers, at), key=lambda place: _merit(words, place, at))
        left, right = speakers[at], speakers[at + 1]
        for i in range(min(best, at) + 1, max(best, at) + 1):
            speakers[i] = left if best > at else right
        at = max(best, at) + 1


def _places(words: Sequence[Word], speakers: Sequence[str], last: int) -> list[int]:
    """Indices of words after which the change may fall, each run keeping a word at least."""
    places = [last]
    for step in (-1, 1):
        at = last + step
        while (
            0 <= at < len(words) - 1
            and speakers[at] == speakers[at + 1]
            and _shift(words, at, last) <= AMBIGUOUS
        ):
            places.append(at)
            at += step
    return places


def _shift(words: Sequence[Word], at: int, last: int) -> float:
    """Seconds of words that change sides where the change moves from after `last` to `at`."""
    if at > last:
        return words[at].end - words[last + 1].start
    return words[last].end - words[at + 1].start if at < last else 0.0


def _merit(words: Sequence[Word], at: int, last: int) -> float:
    """Sentence ends first, then pauses, and rather near than far."""
    pause = min(max(words[at + 1].start - words[at].end, 0.0), 0.6) / 0.6
    return ends_sentence(words[at]) + pause - 0.5 * _shift(words, at, last) / AMBIGUOUS


def ends_sentence(word: Word) -> bool:
    """Whether the word, as written, ends a sentence."""
    return word.text.rstrip("\"')").endswith((".", "?", "!"))
