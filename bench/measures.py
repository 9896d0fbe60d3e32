"""How far an account of a recording is from the truth.

Words are compared as Whisper's authors do, after their English normalizer (arXiv 2212.04356,
appendix C; here without its table of British spellings), where words are counted; as written,
without case and punctuation, where a word's speaker, role or time is asked. Each function returns
counts, which add up over recordings, and None where the truth does not say.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache

import jiwer
import numpy as np
from pyannote.core import Annotation, Segment, Timeline
from pyannote.metrics.diarization import DiarizationErrorRate
from rapidfuzz.distance import Levenshtein
from scipy.optimize import linear_sum_assignment
from transformers.models.whisper.english_normalizer import EnglishTextNormalizer

from bench.references import Account, Said
from callscope.conversation.spans import difference, total, union
from callscope.types import Role, Span, Turn

__all__ = [
    "Share",
    "Speakers",
    "der",
    "invented",
    "parties",
    "role_errors",
    "speaker_errors",
    "speaker_word_errors",
    "speakers",
    "time_errors",
    "uncovered",
    "word_errors",
]

_NEAR = 0.5  # seconds around speech in which a word is no invention: word times are that rough
_REACH = 1.0  # seconds around a word that it covers: pauses of a turn are no dropped speech


@dataclass(frozen=True, slots=True)
class Share:
    """So much of so much: errors of words, seconds of seconds."""

    part: float
    whole: float


@dataclass(frozen=True, slots=True)
class Speakers:
    """How many speakers there are, and how many were found."""

    true: int
    found: int


def word_errors(truth: Account, heard: Account) -> Share | None:
    """Substitutions, insertions and deletions, of the words of the truth.

    Where truth and account both know the channels, each channel is compared by itself.
    """
    if truth.words is None or heard.words is None:
        return None
    pairs: list[tuple[Sequence[Said], Sequence[Said]]] = [(truth.words, heard.words)]
    true, found = ({word.channel for word in words} for words in pairs[0])
    if len(true) > 1 and len(found) > 1:
        pairs = [(_on(truth.words, channel), _on(heard.words, channel)) for channel in true | found]
    counts = []
    for said, recognized in pairs:
        right = _normalized(said)
        counts.append((_distance(right, _normalized(recognized)), len(right)))
    return Share(sum(errors for errors, _ in counts), sum(words for _, words in counts))


def speaker_word_errors(truth: Account, heard: Account) -> Share | None:
    """Word errors of each speaker's words in one row, speakers matched as well as can be (cpWER).

    Concatenated minimum-permutation word error rate: Watanabe et al., "CHiME-6 challenge"
    (arXiv 2004.09249), section 4.1. A speaker without a counterpart is all errors.
    """
    if not truth.words or heard.words is None or any(w.speaker is None for w in truth.words):
        return None
    true, found = list(_by_speaker(truth.words).values()), list(_by_speaker(heard.words).values())
    most = max(len(true), len(found))
    true += [[] for _ in range(most - len(true))]
    found += [[] for _ in range(most - len(found))]
    costs = np.array([[_distance(one, other) for other in found] for one in true])
    return Share(float(costs[linear_sum_assignment(costs)].sum()), sum(map(len, true)))


def speaker_errors(truth: Account, heard: Account) -> Share | None:
    """Recognized words given to the wrong speaker, of those that the truth has, too (WDER).

    Word diarization error rate: Shafey, Soltau and Shafran, "Joint speech recognition and speaker
    diarization via sequence transduction" (arXiv 1907.05337), equation 6. Words that were
    misheard count as well; those only one side has do not.
    """
    if not truth.words or not heard.words or truth.words[0].speaker is None:
        return None
    pairs = [(one.speaker, other.speaker) for one, other in _aligned(truth.words, heard.words)]
    true, found = sorted({str(t) for t, _ in pairs}), sorted({str(f) for _, f in pairs})
    counts = Counter((str(one), str(other)) for one, other in pairs)
    table = np.array([[counts[one, other] for other in found] for one in true]).reshape(
        len(true), len(found)
    )
    right = table[linear_sum_assignment(table, maximize=True)].sum()
    return Share(float(len(pairs) - right), len(pairs))


def role_errors(truth: Account, heard: Account) -> Share | None:
    """Recognized words given to the wrong role, or to none, of those whose role is known."""
    if not truth.words or not heard.words or all(word.role is None for word in heard.words):
        return None
    pairs = [pair for pair in _aligned(truth.words, heard.words) if pair[0].role is not None]
    wrong = sum(true.role != found.role for true, found in pairs)
    return Share(wrong, len(pairs)) if pairs else None


def parties(truth: Account, heard: Account) -> Share | None:
    """Roles whose words mostly got another role, of the roles in the call."""
    if role_errors(truth, heard) is None:
        return None
    given: dict[Role, Counter[Role | None]] = {}
    for true, found in _aligned(truth.words or (), heard.words or ()):
        if true.role is not None:
            given.setdefault(true.role, Counter())[found.role] += 1
    wrong = sum(counts.most_common(1)[0][0] is not role for role, counts in given.items())
    return Share(wrong, len(given))


def time_errors(truth: Account, heard: Account) -> list[float] | None:
    """Seconds by which starts and ends of the words that were recognized right are off."""
    if not truth.words or not heard.words or truth.words[0].start is None:
        return None
    return [
        abs(found - true)
        for one, other in _aligned(truth.words, heard.words)
        if _plain(one.text) == _plain(other.text)
        for true, found in ((one.start, other.start), (one.end, other.end))
        if true is not None and found is not None
    ]


def der(truth: Account, heard: Account, duration: float, collar: float) -> Share | None:
    """Seconds missed, falsely alarmed and confused, of the seconds of speech, overlaps included.

    Args:
        truth: what is right.
        heard: what was found.
        duration: of the recording, all of which counts.
        collar: seconds to each side of a true boundary that do not count.
    """
    if not truth.turns or heard.turns is None:
        return None
    metric = DiarizationErrorRate(collar=2 * collar)  # pyannote.metrics gives each side half
    whole = Timeline([Segment(0.0, max([duration, *(turn.end for turn in truth.turns)]))])
    parts = metric(_annotation(truth.turns), _annotation(heard.turns), uem=whole, detailed=True)
    wrong = parts["missed detection"] + parts["false alarm"] + parts["confusion"]
    return Share(float(wrong), float(parts["total"]))


def speakers(truth: Account, heard: Account) -> Speakers | None:
    """How many speak."""
    if truth.turns is None or heard.turns is None:
        return None
    return Speakers(
        *(len({turn.speaker for turn in turns}) for turns in (truth.turns, heard.turns))
    )


def invented(truth: Account, heard: Account, duration: float) -> Share | None:
    """Words where nobody speaks, and the minutes in which nobody does."""
    if truth.turns is None or heard.words is None:
        return None
    everything = (Span(0.0, duration),)
    speech = union(Span(turn.start - _NEAR, turn.end + _NEAR) for turn in truth.turns)
    quiet = difference(everything, speech)
    middles = [
        (word.start + word.end) / 2
        for word in heard.words
        if word.start is not None and word.end is not None
    ]
    words = sum(any(span.start <= at < span.end for span in quiet) for at in middles)
    return Share(words, total(quiet) / 60)


def uncovered(truth: Account, heard: Account) -> Share | None:
    """Seconds of speech with no word near, of the seconds of speech."""
    if not truth.turns or heard.words is None:
        return None
    speech = union(Span(turn.start, turn.end) for turn in truth.turns)
    words = union(
        Span(word.start - _REACH, word.end + _REACH)
        for word in heard.words
        if word.start is not None and word.end is not None
    )
    return Share(total(difference(speech, words)), total(speech))


def _aligned(truth: Sequence[Said], heard: Sequence[Said]) -> Iterator[tuple[Said, Said]]:
    """Pairs of words that the least number of edits makes of each other."""
    true = [word for word in truth if _plain(word.text)]
    found = [word for word in heard if _plain(word.text)]
    edits = Levenshtein.opcodes([_plain(w.text) for w in true], [_plain(w.text) for w in found])
    for edit in edits:
        if edit.tag in ("equal", "replace"):
            yield from zip(
                true[edit.src_start : edit.src_end],
                found[edit.dest_start : edit.dest_end],
                strict=True,
            )


def _on(words: Sequence[Said], channel: int | None) -> list[Said]:
    return [word for word in words if word.channel == channel]


def _by_speaker(words: Iterable[Said]) -> dict[str | None, list[str]]:
    rows: dict[str | None, list[Said]] = {}
    for word in words:
        rows.setdefault(word.speaker, []).append(word)
    return {speaker: _normalized(row) for speaker, row in rows.items()}


def _distance(truth: Sequence[str], heard: Sequence[str]) -> int:
    if not truth or not heard:
        return len(truth) + len(heard)
    counted = jiwer.process_words(" ".join(truth), " ".join(heard))
    return counted.substitutions + counted.insertions + counted.deletions


def _normalized(words: Sequence[Said]) -> list[str]:
    return str(_normalizer()(" ".join(word.text for word in words))).split()


@cache
def _normalizer() -> EnglishTextNormalizer:
    return EnglishTextNormalizer({})  # type: ignore[no-untyped-call]


def _plain(text: str) -> str:
    return re.sub(r"[^\w']+", "", text.lower().replace("\u2019", "'"))


def _annotation(turns: Iterable[Turn]) -> Annotation:
    annotation = Annotation()
    for number, turn in enumerate(turns):
        annotation[Segment(turn.start, turn.end), number] = turn.speaker
    return annotation
