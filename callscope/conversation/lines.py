"""Conversations that come as text: a transcript made elsewhere, or a chat.

What a sender calls an utterance stays one. Its words have their times where those are known, else
its own, which is as fine as it is known. Where there are no times at all, words stand on a reading
clock: one after the other, as read aloud at `WORDS_PER_MINUTE`. That keeps their order and gives
windows such as "the first 30 seconds" a length in words, and is no fact about the call.
"""

from collections.abc import Iterable, Sequence

from callscope.conversation.listening import is_listening
from callscope.conversation.passages import LISTENER_SECONDS, LISTENER_WORDS, Passage
from callscope.types import TextConversation, TextUtterance, TextWord, Timing, Word

__all__ = ["WORDS_PER_MINUTE", "place", "said"]

WORDS_PER_MINUTE = 150
"""Pace of the reading clock: that of relaxed talk and of audiobooks."""

_CERTAIN = 1.0  # nothing was recognized, or nobody says how surely


def said(text: TextConversation) -> tuple[Passage, ...]:
    """A passage per utterance: in order of start, or without times in the order given."""
    if text.timing is Timing.NONE:
        return _read_out(text.utterances)
    passages = [Passage(each.speaker, _words(each)) for each in text.utterances]
    return _with_listeners(sorted(passages, key=lambda each: (each.start, each.end)))


def place(words_before: int) -> float:
    """Where the reading clock stands after so many words, in its seconds."""
    return words_before * 60.0 / WORDS_PER_MINUTE


def _read_out(utterances: Iterable[TextUtterance]) -> tuple[Passage, ...]:
    passages: list[Passage] = []
    read = 0
    for each in utterances:
        numbered = enumerate(each.text.split(), start=read)
        words = tuple(Word(text, place(at), place(at + 1), _CERTAIN, 0) for at, text in numbered)
        passages.append(Passage(each.speaker, words))
        read += len(words)
    return tuple(passages)


def _words(utterance: TextUtterance) -> tuple[Word, ...]:
    if utterance.words:
        return tuple(_word(each) for each in utterance.words)
    start, end = utterance.start, utterance.end
    if start is None or end is None:
        raise ValueError("either all utterances have their times or none")
    return tuple(Word(text, start, end, _CERTAIN, 0) for text in utterance.text.split())


def _word(word: TextWord) -> Word:
    sure = _CERTAIN if word.probability is None else word.probability
    return Word(word.text, word.start, word.end, sure, 0)


def _with_listeners(passages: Sequence[Passage]) -> tuple[Passage, ...]:
    """Mark the back channels: a few small words, said while another talks."""
    marked: list[Passage] = []
    talking: dict[str, float] = {}  # by speaker: until when
    for each in passages:
        during = any(end > each.end for speaker, end in talking.items() if speaker != each.speaker)
        marked.append(Passage(each.speaker, each.words, during and _is_short(each)))
        talking[each.speaker] = max(each.end, talking.get(each.speaker, 0.0))
    return tuple(marked)


def _is_short(passage: Passage) -> bool:
    return (
        len(passage.words) <= LISTENER_WORDS
        and passage.end - passage.start <= LISTENER_SECONDS
        and is_listening(word.text for word in passage.words)
    )
