"""Set slope and shift of each act on sentences not trained on: `python -m training.calibrate`.

Platt scaling (1999): the pair that makes the labels of the calibration part likeliest, each
sentence as written and without punctuation. Few sentences show a rare act, so both are held near
1 and 0 by a penalty: an act with no evidence keeps what training gave it.
"""

import argparse
import json
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load, save

from callscope.models import ModelStore
from services.score.classifier import SHIPPED, ActClassifier, Pair
from training import corpus, metrics
from training.corpus import ACTS, Part
from training.examples import bare
from training.export import describe
from training.train import THREADS

__all__ = ["main", "platt"]

HOLD = 1.0  # strength of the penalty, in sentences
CUTS = [cut / 20 for cut in range(3, 15)]


def main(arguments: list[str] | None = None) -> None:
    """Calibrate a weights file in place."""
    parser = argparse.ArgumentParser(description="Calibrate the classifier of acts.")
    parser.add_argument("--weights", type=Path, default=SHIPPED)
    parser.add_argument("--models", type=Path, default=Path(".models"))
    options = parser.parse_args(arguments)
    torch.set_num_threads(THREADS)
    items = [item for item in corpus.load() if corpus.part_of(item) is Part.CALIBRATE]
    pairs = [Pair(item.customer, item.text) for item in items]
    pairs += [Pair(bare(pair.before), bare(pair.text)) for pair in pairs]
    labels = torch.tensor([item.labels for item in items]).repeat(2, 1)
    logits = torch.from_numpy(
        ActClassifier(ModelStore(options.models), options.weights).logits(pairs)
    )
    tensors = load(options.weights.read_bytes())
    known = ~torch.isnan(labels)
    fitted = [
        platt(logits[known[:, act], act], labels[known[:, act], act]) for act in range(len(ACTS))
    ]
    tensors["slope"] = torch.tensor([slope for slope, _ in fitted])
    tensors["shift"] = torch.tensor([shift for _, shift in fitted])
    description = json.loads(bytes(tensors.pop("description").tolist()))
    description["calibrated_on"] = len(items)
    options.weights.write_bytes(save({**tensors, "description": describe(description)}))
    for act, (slope, shift) in zip(ACTS, fitted, strict=True):
        print(f"{act:28} slope {slope:.2f}  shift {shift:+.2f}")
    likely = torch.sigmoid(logits * tensors["slope"] + tensors["shift"])[known].numpy()
    truth = labels[known].numpy() == 1
    best = max(CUTS, key=lambda cut: metrics.f1(truth, likely >= cut)["f1"])
    print(f"F1 of all acts together is best from probability {best:.2f}")


def platt(logits: torch.Tensor, labels: torch.Tensor) -> tuple[float, float]:
    """Slope and shift."""
    x, y = logits.double(), labels.double()
    slope = torch.ones((), dtype=torch.float64, requires_grad=True)
    shift = torch.zeros((), dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS([slope, shift], max_iter=100, line_search_fn="strong_wolfe")

    def loss() -> torch.Tensor:
        optimizer.zero_grad()
        each = torch.nn.functional.binary_cross_entropy_with_logits(
            slope * x + shift, y, reduction="sum"
        )
        total = each + HOLD * ((slope - 1).square() * 4 + shift.square())
        total.backward()  # type: ignore[no-untyped-call]
        return total

    optimizer.step(loss)  # type: ignore[no-untyped-call]
    return float(np.float32(slope.detach())), float(np.float32(shift.detach()))


if __name__ == "__main__":
    main()
