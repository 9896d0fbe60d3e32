"""How strongly single sentences of a text show what its labels ask for, taught by rationales.

A text's level is mostly that of its strongest sentence, and rationales say which that is
(Sharma et al., EMNLP 2020). A linear layer over sentences has more rows to learn from than one over
texts, and in each of them little but what counts.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise

import torch

from services.score.sentences import split_text
from training.states import Pair, Span
from training.words import Loss, WordModel

__all__ = ["Losses", "Passages", "crossed"]

FOLDS = 4
Losses = Callable[[torch.Tensor], Loss]
"""Makes a loss for targets such as these."""

HELD = 0.5  # of a rationale or a sentence, whichever is shorter, for the one to be in the other


@dataclass(frozen=True, slots=True, eq=False)
class Passages:
    """A model of sentences; `levels` are the values of each label, 0 first, which marks nothing."""

    words: WordModel
    levels: list[int]

    @classmethod
    def fit(
        cls, pairs: Sequence[Pair], targets: torch.Tensor, levels: list[int], losses: Losses
    ) -> "Passages":
        """Learn from texts with marks; `targets` is (pairs, labels)."""
        parts = [sentence for pair in pairs for sentence in _sentences(pair)]
        counts = torch.tensor([len(_sentences(pair)) for pair in pairs])
        held = torch.tensor([[bool(spans) for spans in part.marks] for part in parts])
        shown = targets.repeat_interleave(counts, dim=0) * held
        nothing = torch.zeros(len(parts), 0)
        words = WordModel.fit(parts, nothing, shown, sum(levels), losses(shown))
        return cls(words, levels)

    def evidence(self, pairs: Sequence[Pair]) -> torch.Tensor:
        """Of each level but 0, the log-odds to 0 in the likeliest sentence: (pairs, levels)."""
        parts = [_sentences(pair) for pair in pairs]
        every = [sentence for each in parts for sentence in each]
        logits = self.words.predict(every, torch.zeros(len(every), 0))
        odds = [each[:, 1:] - each[:, :1] for each in torch.split(logits, self.levels, dim=1)]
        of_texts = torch.split(torch.cat(odds, dim=1), [len(each) for each in parts])
        return torch.stack([sentences.amax(dim=0) for sentences in of_texts])


def crossed(
    pairs: Sequence[Pair], targets: torch.Tensor, levels: list[int], losses: Losses
) -> torch.Tensor:
    """The evidence in each text by a model that has not seen it: (pairs, levels)."""
    folds = torch.arange(len(pairs)) % FOLDS
    evidence = torch.zeros(len(pairs), sum(levels) - len(levels))
    for fold in range(FOLDS):
        others = (folds != fold).nonzero().flatten().tolist()
        mine = (folds == fold).nonzero().flatten().tolist()
        if not others or not mine:
            continue
        model = Passages.fit([pairs[i] for i in others], targets[others], levels, losses)
        evidence[mine] = model.evidence([pairs[i] for i in mine])
    return evidence


def _sentences(pair: Pair) -> list[Pair]:
    """Each sentence with its marks: the parts of the text that are in it, as far as they count.

    Places are counted without white space, which splitting changes.
    """
    texts = split_text(pair.text) or (pair.text,)
    ends = accumulate((_solid(text) for text in texts), initial=0)
    spans = [
        [(_solid(pair.text[:start]), _solid(pair.text[:end])) for start, end in each]
        for each in pair.marks
    ]
    return [
        Pair(
            pair.before,
            text,
            pair.heard,
            tuple(tuple(span for span in each if _holds(place, span)) for each in spans),
        )
        for text, place in zip(texts, pairwise(ends), strict=True)
    ]


def _holds(sentence: Span, mark: Span) -> bool:
    both = min(sentence[1], mark[1]) - max(sentence[0], mark[0])
    return both > 0 and both >= HELD * min(sentence[1] - sentence[0], mark[1] - mark[0])


def _solid(text: str) -> int:
    """Characters that are no white space."""
    return len("".join(text.split()))
