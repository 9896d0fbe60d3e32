"""Evidence: literal quotes from the transcript, with the seconds of their words."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from callscope.rubric import ActPoints
from callscope.types import Evidence, Polarity, Word
from services.score.reading import Finding

__all__ = ["Grounds", "clock", "in_order", "listed", "quote", "quote_words"]


@dataclass(frozen=True, slots=True)
class Grounds:
    """What a judgement rests on, the weightiest of each kind first.

    `talked` are moments of how the agent talked, `missed` what the customer did and got no answer,
    `lacking` are the rules that were not met, each with how many sentences met it.
    `late` tells that the agent's next turn after the window was looked at, too.
    """

    shown: tuple[Evidence, ...]
    against: tuple[Evidence, ...]
    talked: tuple[Evidence, ...]
    missed: tuple[Evidence, ...]
    late: bool = False
    lacking: tuple[tuple[ActPoints, int], ...] = ()

    @property
    def evidence(self) -> tuple[Evidence, ...]:
        """All of it, by time."""
        return in_order((*self.shown, *self.against, *self.talked, *self.missed))


def quote(finding: Finding, label: str, probability: float, polarity: Polarity) -> Evidence:
    """A whole sentence as evidence."""
    sentence = finding.sentence
    return quote_words(sentence.utterance, sentence.words, label, probability, polarity)


def quote_words(
    utterance: int, words: Sequence[Word], label: str, probability: float, polarity: Polarity
) -> Evidence:
    """Consecutive words of an utterance as evidence."""
    return Evidence(
        utterance=utterance,
        start=words[0].start,
        end=max(word.end for word in words),
        quote=" ".join(word.text for word in words),
        label=label,
        probability=probability,
        polarity=polarity,
    )


def in_order(evidence: Iterable[Evidence]) -> tuple[Evidence, ...]:
    """By time."""
    return tuple(sorted(evidence, key=lambda each: (each.start or 0, each.end or 0, each.label)))


def clock(seconds: float) -> str:
    """`83.2` as `1:23`."""
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"


def listed(parts: Iterable[str]) -> str:
    """`a, b and c`."""
    *first, last = parts
    return f"{', '.join(first)} and {last}" if first else last
