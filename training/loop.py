"""The training loop: every step follows from the seed, so that a run can stop and go on.

`run` saves what it has when its minutes are over and goes on from there the next time, with the
same result as if it had never stopped.
"""

import math
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from training.network import Network, State, collate, marking_loss

__all__ = ["Data", "Recipe", "predict", "run"]

AT_ONCE = 64  # pairs, where nothing is learned

Loss = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


@dataclass(frozen=True, slots=True, eq=False)
class Data:
    """What is learned from; what is in `targets` is between the task and its loss."""

    states: Sequence[State]
    targets: torch.Tensor

    def batch(self, places: Sequence[int]) -> tuple[list[State], torch.Tensor]:
        """The states at `places` and their targets."""
        return [self.states[place] for place in places], self.targets[list(places)]


@dataclass(frozen=True, slots=True)
class Recipe:
    """How to train. Rates are peaks: a tenth of the steps warms up, then they fall to zero."""

    epochs: int
    rate: float  # of the encoder
    layer_rate: float  # of the linear layers
    batch: int
    seed: int


def run(
    network: Network,
    data: Data,
    loss: Loss,
    recipe: Recipe,
    checkpoint: Path,
    minutes: float = math.inf,
) -> bool:
    """Train until done, or for `minutes`; whether it is done. `checkpoint` holds the progress."""
    optimizer = _optimizer(network, recipe)
    step = _resume(network, optimizer, checkpoint)
    plan = _plan(data.states, recipe)
    started, recent = time.monotonic(), 0.0
    network.train()
    while step < len(plan):
        for group in optimizer.param_groups:
            group["lr"] = group["peak"] * _share(step, len(plan))
        torch.manual_seed(recipe.seed * 1_000_003 + step)  # dropout, the same after a resume
        states, targets = data.batch(plan[step])
        batch = collate(states)
        found = network(batch)
        value = loss(found.logits, targets) + marking_loss(found.marked, batch)
        optimizer.zero_grad()
        value.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        step += 1
        recent = 0.95 * recent + 0.05 * value.item()
        elapsed = time.monotonic() - started
        if step % 20 == 0:
            print(f"step {step}/{len(plan)}  loss {recent:.4f}  {elapsed:.0f} s", flush=True)
        if elapsed > 60 * minutes:
            break
    state = {
        "network": network.state_dict(),
        "optimizer": optimizer.state_dict(),
        "step": step,
    }
    checkpoint.parent.mkdir(parents=True, exist_ok=True)
    torch.save(state, checkpoint)
    return step == len(plan)


@torch.inference_mode()
def predict(network: Network, states: Sequence[State]) -> torch.Tensor:
    """Logits of every pair: (pairs, outputs)."""
    network.eval()
    order = sorted(range(len(states)), key=lambda i: len(states[i].judged))
    parts = [
        network(collate([states[i] for i in chosen])).logits for chosen in _chunks(order, AT_ONCE)
    ]
    return torch.cat(parts)[torch.argsort(torch.tensor(order))]


def _optimizer(network: Network, recipe: Recipe) -> torch.optim.Optimizer:
    own = [*network.layer.parameters(), *network.marker.parameters()]
    groups = [
        {"params": [*network.layers.parameters()], "peak": recipe.rate, "weight_decay": 0.01},
        {"params": own, "peak": recipe.layer_rate, "weight_decay": 0.01},
    ]
    return torch.optim.AdamW(groups, lr=0.0, fused=True)


def _resume(network: Network, optimizer: torch.optim.Optimizer, checkpoint: Path) -> int:
    if not checkpoint.exists():
        return 0
    state = torch.load(checkpoint, weights_only=True)
    network.load_state_dict(state["network"])
    optimizer.load_state_dict(state["optimizer"])
    return int(state["step"])


def _plan(states: Sequence[State], recipe: Recipe) -> list[list[int]]:
    """The places of every batch, all epochs: shuffled, but like lengths together."""
    chance = random.Random(recipe.seed)  # noqa: S311 - nothing secret
    plan: list[list[int]] = []
    for _ in range(recipe.epochs):
        order = list(range(len(states)))
        chance.shuffle(order)
        batches: list[list[int]] = []
        for pool in _chunks(order, 16 * recipe.batch):
            pool.sort(key=lambda i: len(states[i].judged))
            batches += _chunks(pool, recipe.batch)
        chance.shuffle(batches)
        plan += [batch for batch in batches if len(batch) > 1]
    return plan


def _chunks(places: list[int], size: int) -> list[list[int]]:
    return [places[start : start + size] for start in range(0, len(places), size)]


def _share(step: int, steps: int) -> float:
    warm = max(1, steps // 10)
    return step / warm if step < warm else (steps - step) / (steps - warm)
