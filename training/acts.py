"""The task of the classifiers that ship: every act of the corpus, several at once.

Each time a sentence is learned it is varied as calls vary: without punctuation and case, a word
dropped, without the customer's words or with those of another customer where its own are not
known, or two sentences of an agent in one.
"""

import random
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch

from callscope.acts import AgentAct
from training.corpus import ACTS, AGENT_CODES, Item
from training.examples import bare
from training.network import Pair

__all__ = ["ActExamples", "loss"]

BARE = 0.5  # shares
NOISY = 0.15
FORGET = 0.15
BORROW = 0.5
JOIN = 0.25

_HURTING = [ACTS.index(act) for act in (AgentAct.DISMISSIVE, AgentAct.BLAMING)]


@dataclass(frozen=True, slots=True, eq=False)
class ActExamples:
    """Items to learn from, with what varies them."""

    items: Sequence[Item]
    beside: dict[str, list[int]]
    lenders: Sequence[str]

    @classmethod
    def of(cls, items: Sequence[Item]) -> "ActExamples":
        """Examples of `items`; only what they themselves hold varies them."""
        beside: defaultdict[str, list[int]] = defaultdict(list)
        for place, item in enumerate(items):
            if item.customer and _joins(item):
                beside[item.customer].append(place)
        lenders = sorted({item.customer for item in items if item.customer})
        return cls(items, dict(beside), lenders)

    @property
    def pairs(self) -> list[Pair]:
        """Every item as it is written."""
        return [Pair(item.customer, item.text) for item in self.items]

    def batch(
        self, places: Sequence[int], chance: random.Random
    ) -> tuple[list[Pair], torch.Tensor]:
        """The items at `places`, each varied by chance, and its labels."""
        items = [self._varied(self.items[place], chance) for place in places]
        pairs = [Pair(item.customer, item.text) for item in items]
        return pairs, torch.tensor([item.labels for item in items])

    def _varied(self, item: Item, chance: random.Random) -> Item:
        if item.by_agent:
            item = self._joined(item, chance)
            item = self._in_context(item, chance)
        if chance.random() < NOISY:
            item = replace(item, text=_misheard(item.text, chance))
        if chance.random() < BARE:
            item = replace(item, text=bare(item.text), customer=bare(item.customer))
        return item

    def _joined(self, item: Item, chance: random.Random) -> Item:
        others = self.beside.get(item.customer, [])
        if not _joins(item) or len(others) < 2 or chance.random() >= JOIN:
            return item
        other = self.items[chance.choice(others)]
        if other.text == item.text:
            return item
        labels = tuple(max(pair) for pair in zip(item.labels, other.labels, strict=True))
        return replace(item, text=f"{item.text} {other.text}", labels=labels)

    def _in_context(self, item: Item, chance: random.Random) -> Item:
        if item.customer:
            return replace(item, customer="") if chance.random() < FORGET else item
        return (
            replace(item, customer=chance.choice(self.lenders))
            if (self.lenders and chance.random() < BORROW)
            else item
        )


def loss(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Binary cross-entropy of every act that is decided, summed over acts."""
    known = ~torch.isnan(labels)
    target = torch.nan_to_num(labels)
    each = torch.nn.functional.binary_cross_entropy_with_logits(logits, target, reduction="none")
    return (each * known).sum() / len(labels)


def _joins(item: Item) -> bool:
    """Whether it can stand beside another: every act decided, and none that hurts."""
    decided = all(label == label for label in item.labels[: len(AGENT_CODES)])
    return decided and not any(item.labels[place] == 1 for place in _HURTING)


def _misheard(text: str, chance: random.Random) -> str:
    """One word dropped, or said twice."""
    words = text.split()
    if len(words) < 4:
        return text
    place = chance.randrange(len(words))
    return " ".join(words[:place] + chance.choice([[], [words[place]] * 2]) + words[place + 1 :])
