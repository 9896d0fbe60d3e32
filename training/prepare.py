"""Get public turns ready to be labeled, and see how well two labelings agree.

    python -m training.prepare sample ../shared/data/text/star_agent_turns.tsv --count 200
    python -m training.prepare agreement training/second_pass.tsv

`sample` writes blocks in the format of `training/corpus`, one turn a dialogue, with `?` where the
codes belong; turns that the corpus has already are left out. `agreement` prints, for each group of
acts, Cohen's kappa and Krippendorff's alpha of the columns `first` and `second`.
"""

import argparse
import csv
import json
import random
from collections.abc import Sequence
from pathlib import Path

from training import corpus, metrics
from training.examples import bare

__all__ = ["GROUPS", "agreement", "main", "sample"]

SHORTEST, LONGEST = 3, 45  # words of a turn
GROUPS = {
    "empathy": "euar",
    "question": "oc",
    "open_question": "o",
    "closed_question": "c",
    "discovery_question": "d",
    "paraphrase_check": "p",
    "rapport": "t",
    "proposal": "P",
    "next_steps": "n",
    "confirm_resolved": "k",
    "emotional_acknowledgement": "e",
    "understanding": "u",
    "reassurance": "r",
    "reflection": "fF",
    "complex_reflection": "F",
    "dismissive": "D",
    "blaming": "B",
}

Row = dict[str, str]


def main(arguments: list[str] | None = None) -> None:
    """Print the blocks or the agreement."""
    parser = argparse.ArgumentParser(description="Turns to label, and how labelings agree.")
    commands = parser.add_subparsers(dest="command", required=True)
    sampling = commands.add_parser("sample", help="turns to label")
    sampling.add_argument("table", type=Path, help="TSV with columns dialog, ctx and text")
    sampling.add_argument("--count", type=int, default=100)
    sampling.add_argument("--seed", type=int, default=1)
    agreeing = commands.add_parser("agreement", help="of two labelings")
    agreeing.add_argument("table", type=Path, help="TSV with columns first and second")
    options = parser.parse_args(arguments)
    rows = _rows(options.table)
    if options.command == "agreement":
        print(json.dumps(agreement(rows), indent=2))
    else:
        print("\n\n".join(sample(rows, options.count, options.seed)))


def sample(rows: Sequence[Row], count: int, seed: int) -> list[str]:
    """Blocks of one turn each, from `count` different dialogues."""
    taken = {bare(item.text) for item in corpus.load()}
    dialogues: set[str] = set()
    blocks: list[str] = []
    for row in random.Random(seed).sample(rows, len(rows)):  # noqa: S311 - nothing secret
        if len(blocks) == count:
            break
        fits = SHORTEST <= len(row["text"].split()) <= LONGEST
        if fits and row["dialog"] not in dialogues and bare(row["text"]) not in taken:
            dialogues.add(row["dialog"])
            taken.add(bare(row["text"]))
            blocks.append(f">? {' '.join(row['ctx'].split())}\n? {' '.join(row['text'].split())}")
    return blocks


def agreement(rows: Sequence[Row]) -> dict[str, dict[str, float]]:
    """Of each group of acts: in how many rows each labeling sees one, kappa and alpha."""
    figures: dict[str, dict[str, float]] = {}
    for name, codes in GROUPS.items():
        first, second = (
            [bool(set(row[column]) & set(codes)) for row in rows] for column in ("first", "second")
        )
        figures[name] = {
            "first": sum(first),
            "second": sum(second),
            "kappa": round(metrics.kappa(first, second), 3),
            "alpha": round(metrics.alpha(first, second), 3),
        }
    return figures


def _rows(path: Path) -> list[Row]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))


if __name__ == "__main__":
    main()
