"""The field's own tables, EPITOME and AnnoMI, for benchmarks alone.

Their licenses do not allow more: no sentence of theirs and no weights trained on them enter the
repository. EPITOME (Sharma et al., EMNLP 2020): how strongly a reply to a post shows emotional
reaction, interpretation and exploration. AnnoMI (Wu et al., ICASSP 2022): what a counselor does,
and of what kind their questions and reflections are.
"""

import csv
import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch

from training.states import Lengths, Pair, Span

__all__ = ["FIELD", "PARTS", "Table", "Task", "balanced_loss", "blended", "read"]

LEVELS = ("0", "1", "2")
TEMPER = 0.5
"""How far rare classes are favored: 1 aims at equal recall, 0 at accuracy."""

WORDS = 0.4  # share of the word model in what is decided; the rest is the networks'
PARTS = 5  # of these, one is held out


@dataclass(frozen=True, slots=True)
class Task:
    """A table's columns, and how it is learned.

    `before` is what was said before, or the columns of which the first that the table has is read;
    `group` is what may not be split. `labels` go with their values, `marks` are columns that hold
    the parts of the text on which a label rests, each ended by `|`.
    """

    before: tuple[str, ...]
    text: str
    group: str
    labels: dict[str, tuple[str, ...]]
    lengths: Lengths
    epochs: int
    marks: tuple[str, ...] = ()
    tempers: Mapping[str, float] = field(default_factory=dict)

    @property
    def sizes(self) -> list[int]:
        """How many values each label has."""
        return [*map(len, self.labels.values())]

    @property
    def outputs(self) -> int:
        """Logits in all."""
        return sum(self.sizes)


FIELD: dict[str, Task] = {
    "epitome": Task(
        ("seeker_post",),
        "response_post",
        "sp_id",
        {"ER": LEVELS, "IP": LEVELS, "EX": LEVELS},
        Lengths(40, 104),
        4,
        ("ER_rat", "IP_rat", "EX_rat"),
        {"IP": 0.75},  # 4% are of its middle level
    ),
    "annomi": Task(
        ("prev_turns", "prev_client"),
        "text",
        "transcript_id",
        {
            "main": ("other", "question", "reflection", "therapist_input"),
            "question": ("none", "open", "closed"),
            "reflection": ("none", "simple", "complex"),
        },
        Lengths(40, 72),
        3,
    ),
}


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """`targets` is (pairs, labels), the place of each label's value; `part` is (pairs,).

    `groups` are the posts or dialogues that the pairs are of.
    """

    pairs: list[Pair]
    targets: torch.Tensor
    part: torch.Tensor
    groups: list[str]


def read(task: Task, path: Path) -> Table:
    """Read a table by the columns of `task`.

    Where `before` holds several turns, `heard` is the last, if the client said it.

    Raises:
        KeyError: a column is missing.
        ValueError: a label has a value that the task does not know.
    """
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    before = next((column for column in task.before if rows and column in rows[0]), task.before[-1])
    return Table(
        [Pair(row[before], row[task.text], _heard(row[before]), _marks(row, task)) for row in rows],
        torch.tensor(
            [[values.index(row[label]) for label, values in task.labels.items()] for row in rows]
        ),
        torch.tensor([_part(row[task.group]) for row in rows]),
        [row[task.group] for row in rows],
    )


def _heard(before: str) -> str:
    last = before.rpartition(" || ")[2]
    return "" if last.startswith("therapist: ") else last.removeprefix("client: ")


def _marks(row: Mapping[str, str], task: Task) -> tuple[tuple[Span, ...], ...]:
    """Where the parts are in the text; those that are not there word for word are left out."""
    text = row[task.text]
    parts = [[part.strip() for part in row.get(c, "").split("|")] for c in task.marks]
    return tuple(
        tuple((text.find(p), text.find(p) + len(p)) for p in each if p and p in text)
        for each in parts
    )


def _part(group: str) -> int:
    """By the group's name, so that one post or dialogue is never in two parts."""
    return hashlib.sha256(group.encode()).digest()[0] % PARTS


def balanced_loss(
    task: Task, targets: torch.Tensor
) -> Callable[[torch.Tensor, torch.Tensor], torch.Tensor]:
    """Cross-entropy with logits adjusted by how rare a class is (Menon et al., ICLR 2021)."""
    sizes = task.sizes
    shifts = [
        task.tempers.get(label, TEMPER)
        * torch.log(torch.bincount(column, minlength=size).float() / len(targets))
        for label, column, size in zip(task.labels, targets.T, sizes, strict=True)
    ]

    def loss(logits: torch.Tensor, batch: torch.Tensor) -> torch.Tensor:
        parts = zip(torch.split(logits, sizes, dim=1), shifts, batch.T, strict=True)
        losses = [
            torch.nn.functional.cross_entropy(part + shift, column) for part, shift, column in parts
        ]
        return torch.stack(losses).sum()

    return loss


def blended(task: Task, networks: Sequence[torch.Tensor], words: torch.Tensor) -> torch.Tensor:
    """Log-probabilities of all of them for each label, weighted: (pairs, outputs)."""
    sizes = task.sizes

    def of(logits: torch.Tensor) -> torch.Tensor:
        parts = torch.split(logits, sizes, dim=1)
        return torch.cat([part.log_softmax(dim=1) for part in parts], dim=1)

    network = torch.stack([of(logits) for logits in networks]).mean(dim=0)
    return (1 - WORDS) * network + WORDS * of(words)
