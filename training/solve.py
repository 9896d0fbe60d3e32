"""Solve the last layer to its optimum: `python -m training.solve`, after `training.train`.

Training moves the encoder and the layer together and stops early; with the encoder fixed the layer
is a convex problem (logistic regression with an L2 penalty), solved here by L-BFGS. Each sentence
is seen once, every other without punctuation and case. States are kept in `build/training` in
pieces, so that this too can stop and go on.
"""

import argparse
import random
from collections.abc import Sequence
from pathlib import Path

import torch

from callscope.models import ModelStore
from services.score.classifier import LENGTHS, Pair, collate, pool
from training import corpus
from training.corpus import Item, Part
from training.examples import bare
from training.network import Network, tokenizer
from training.train import BUILD, ENCODER, THREADS, build

__all__ = ["main", "solve"]

PIECE = 500  # sentences
PENALTY = 3.0
SEED = 5


def main(arguments: list[str] | None = None) -> None:
    """Write the solved network beside the trained one."""
    parser = argparse.ArgumentParser(description="Solve the last layer of the classifier of acts.")
    parser.add_argument("--checkpoint", type=Path, default=BUILD / "acts-1.pt")
    parser.add_argument("--models", type=Path, default=Path(".models"))
    parser.add_argument("--encoder", default=ENCODER)
    parser.add_argument("--pieces", type=int, help="only the first so many of 500 sentences")
    parser.add_argument("--penalty", type=float, default=PENALTY)
    options = parser.parse_args(arguments)
    torch.set_num_threads(THREADS)
    folder = ModelStore(options.models).locate(options.encoder).folder
    network = build("acts", folder)
    network.load_state_dict(torch.load(options.checkpoint, weights_only=True)["network"])
    items = _seen()
    items = items[: options.pieces * PIECE] if options.pieces else items
    pieces = [items[start : start + PIECE] for start in range(0, len(items), PIECE)]
    files = [options.checkpoint.with_suffix(f".states{i}.pt") for i in range(len(pieces))]
    network.encoder.merge_adapter()
    for place, file in enumerate(files):
        if not file.exists():
            torch.save(_states(network, tokenizer(folder), pieces[place]), file)
        print(f"piece {place + 1} of {len(pieces)}", flush=True)
    network.encoder.unmerge_adapter()
    seen = torch.cat([torch.load(file, weights_only=True) for file in files])
    solve(network, seen, torch.tensor([item.labels for item in items]), options.penalty)
    target = options.checkpoint.with_suffix(".solved.pt")
    torch.save({"network": network.state_dict()}, target)
    print(target)


def solve(network: Network, seen: torch.Tensor, labels: torch.Tensor, penalty: float) -> None:
    """Set the network's layer, and the statistics of the hand-made features, in place.

    `seen` is (sentences, states and hand-made features), `labels` (sentences, acts), NaN unknown.
    """
    width = seen.shape[1] - network.norm.num_features
    hand = seen[:, width:]
    network.norm.running_mean = hand.mean(dim=0)
    network.norm.running_var = hand.var(dim=0)
    x = torch.cat([seen[:, :width], network.norm.eval()(hand)], dim=1).double()
    known = ~torch.isnan(labels)
    target = torch.nan_to_num(labels).double()
    weight = torch.zeros(labels.shape[1], x.shape[1], dtype=torch.float64, requires_grad=True)
    bias = torch.full((labels.shape[1],), -2.0, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS(
        [weight, bias], max_iter=150, history_size=10, line_search_fn="strong_wolfe"
    )

    def loss() -> torch.Tensor:
        optimizer.zero_grad()
        logits = x @ weight.T + bias
        each = torch.nn.functional.softplus(logits) - target * logits
        total = (each * known).sum() + penalty * 0.5 * weight.square().sum()
        total.backward()  # type: ignore[no-untyped-call]
        return total

    optimizer.step(loss)  # type: ignore[no-untyped-call]
    with torch.no_grad():
        network.layer.weight.copy_(weight)
        network.layer.bias.copy_(bias)


def _seen() -> list[Item]:
    """What the layer is solved on: first what we wrote, then turns of others, then the lists."""
    items = [item for item in corpus.load() if corpus.part_of(item) is Part.TRAIN]
    random.Random(SEED).shuffle(items)  # noqa: S311 - nothing secret
    later = {"star": 1, "taskmaster": 1, "acts": 2}
    return sorted(items, key=lambda item: later.get(item.source, 0))


@torch.inference_mode()
def _states(network: Network, tokens: object, items: Sequence[Item]) -> torch.Tensor:
    network.eval()
    pairs = [
        Pair(bare(item.customer), bare(item.text)) if i % 2 else Pair(item.customer, item.text)
        for i, item in enumerate(items)
    ]
    order = sorted(range(len(pairs)), key=lambda i: len(pairs[i].before) + len(pairs[i].text))
    rows = []
    for start in range(0, len(order), 32):
        batch = collate([pairs[i] for i in order[start : start + 32]], tokens, LENGTHS)
        with torch.autocast("cpu", torch.bfloat16):
            states = pool(network.encoder, batch)
        rows.append(torch.cat([states, batch["hand"]], dim=1))
    return torch.cat(rows)[torch.argsort(torch.tensor(order))].clone()


if __name__ == "__main__":
    main()
