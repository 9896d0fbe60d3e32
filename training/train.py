"""Train on a table of the field: `python -m training.train --task epitome|annomi`.

    python -m training.train --task annomi --data annomi.csv --seed 2 [--minutes 5]

For benchmarks alone: what ships is fitted by `training.heads`. Two networks, one begun from the
encoder as published and one from its branch tuned to acts, decide together with a linear layer over
n-grams and acts. What was reached is kept in `build/training/TASK-PART-SEED`, and all of it in
`TASK-PART-SEED.pt`; when the minutes are over, the same command goes on from there. A fifth of the
rows is left out, to be measured on, unless `--all` says that another file will test it.
"""

import argparse
import math
import shutil
import time
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch

from callscope.models import ModelStore
from training import field, loop
from training.finder import ActFinder
from training.loop import Data, Recipe
from training.network import Network
from training.passages import Passages, crossed
from training.states import Lower, Pair
from training.words import WordModel

__all__ = [
    "BUILD",
    "ENCODER",
    "MEMBERS",
    "THREADS",
    "acts",
    "fit_words",
    "main",
    "networks",
    "read_words",
]

ENCODER = "minilm-l6"
BUILD = Path("build/training")
MEMBERS = 2  # networks that decide together; every other one begins tuned to acts
THREADS = 1  # threads that wait for each other on shared cores cost more than they give
UNSURE = 1e-4  # least probability of an act, and of none


def main(arguments: list[str] | None = None) -> None:
    """Train, or go on training, and say whether it is done."""
    options = _options(arguments)
    torch.set_num_threads(THREADS)
    ends = time.monotonic() + 60 * options.minutes
    task = field.FIELD[options.task]
    models = ModelStore(options.models)
    part = None if options.all else options.part
    name = f"{options.task}-{'all' if part is None else part}-{options.seed}"
    out = options.out or BUILD / f"{name}.pt"
    if out.exists():
        print(f"{out}: done")
        return
    pairs, targets = _learned(field.read(task, options.data), part)
    objective = field.balanced_loss(task, targets)
    lower, finder = Lower(models.locate(options.encoder).folder), ActFinder.of(models)
    data = Data(lower.states(pairs, task.lengths), targets)
    for member in range(MEMBERS):
        seed = 100 * options.seed + member
        torch.manual_seed(seed)
        network = Network(lower.upper, task.outputs, len(task.marks))
        if member % 2 and options.encoder == finder.heads.encoder:
            network.begin(finder.encoder.branch(finder.heads.changes))
        recipe = Recipe(task.epochs, 1e-4, 1e-3, 32, seed)
        minutes = (ends - time.monotonic()) / 60
        if not loop.run(network, data, objective, recipe, _member(out, member), minutes):
            print(f"{out}: not done yet; run the same command again")
            return
    _keep(out, {"part": part, **fit_words(task, finder, pairs, targets)})
    print(f"{out}: done")


def acts(finder: ActFinder, pairs: Sequence[Pair]) -> torch.Tensor:
    """The acts that the service's heads find in the texts, as logits: (pairs, acts)."""
    heard = [Pair(pair.context.customer, pair.text) for pair in pairs]
    found = torch.from_numpy(finder.probabilities(heard))
    return found.clamp(UNSURE, 1 - UNSURE).logit().float()


def networks(kept: Mapping[str, Any], task: field.Task, lower: Lower) -> list[Network]:
    """Those of a run that is done."""
    members = []
    for state in kept["networks"]:
        members.append(Network(lower.upper, task.outputs, len(task.marks)))
        members[-1].load_state_dict(state)
    return members


def fit_words(
    task: field.Task, finder: ActFinder, pairs: Sequence[Pair], targets: torch.Tensor
) -> dict[str, Any]:
    """What `read_words` needs of the models beside the networks."""
    losses = partial(field.balanced_loss, task)
    found = acts(finder, pairs)
    kept: dict[str, Any] = {"heads": finder.heads.model.digest}
    if task.marks:
        found = torch.hstack([found, crossed(pairs, targets, task.sizes, losses)])
        passages = Passages.fit(pairs, targets, task.sizes, losses)
        kept["passages"] = passages.words.state()
    words = WordModel.fit(pairs, found, targets, task.outputs, losses(targets))
    return kept | {"words": words.state()}


def read_words(
    kept: Mapping[str, Any], task: field.Task, finder: ActFinder, pairs: Sequence[Pair]
) -> torch.Tensor:
    """Their logits of every pair, by what a run kept: (pairs, outputs).

    Raises:
        ValueError: other heads found the acts that they learned from.
    """
    if kept["heads"] != finder.heads.model.digest:
        raise ValueError("the heads that find acts have changed since: train again")
    found = acts(finder, pairs)
    if task.marks:
        passages = Passages(WordModel.of(kept["passages"]), task.sizes)
        found = torch.hstack([found, passages.evidence(pairs)])
    return WordModel.of(kept["words"]).predict(pairs, found)


def _member(out: Path, member: int) -> Path:
    return out.with_suffix("") / f"{member}.pt"


def _keep(out: Path, beside: Mapping[str, Any]) -> None:
    """Put the networks and what goes with them into one file."""
    members = [
        torch.load(_member(out, member), weights_only=True)["network"] for member in range(MEMBERS)
    ]
    torch.save({"networks": members, **beside}, out)
    shutil.rmtree(out.with_suffix(""))


def _learned(table: field.Table, left_out: int | None) -> tuple[list[Pair], torch.Tensor]:
    kept = [i for i, part in enumerate(table.part.tolist()) if part != left_out]
    return [table.pairs[i] for i in kept], table.targets[kept]


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Train an encoder on a table of the field.")
    parser.add_argument("--task", choices=list(field.FIELD), required=True)
    parser.add_argument("--data", type=Path, required=True, help="the table, as CSV")
    parser.add_argument("--all", action="store_true", help="learn from the held out rows too")
    parser.add_argument(
        "--part", type=int, choices=range(field.PARTS), default=0, help="which fifth is left out"
    )
    parser.add_argument("--models", type=Path, default=Path(".models"))
    parser.add_argument("--encoder", default=ENCODER, help="any encoder of the model store")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--minutes", type=float, default=math.inf, help="stop after so many")
    parser.add_argument("--out", type=Path, help="where the progress is kept")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main()
