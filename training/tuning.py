"""Tuning the encoder's last layers to acts, with a linear layer for each speaker's acts on them.

The layers below stay as they are, so what enters the tuned ones is computed once. A network learns
from the sentences of both speakers; the customer's words come in as the vector of the encoder as
it was published. Each epoch sees an item once, as written or bare by chance.
"""

import copy
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
import numpy.typing as npt
import torch
from torch import nn
from torch.nn.functional import binary_cross_entropy_with_logits

from services.score.branch import Branch, pooled
from services.score.features import HAND_FEATURES
from services.score.heads import Speaker
from services.score.layers import Layer, Packing
from training.precision import fastest

__all__ = ["FIRST", "RECIPE", "Lines", "Network", "Recipe", "average", "logits", "tune"]

FIRST = 2  # the first layer that is tuned, of six
DROPOUT = 0.1
RARE = -3.0  # the logit of an act before anything is learned
# How loudly the network's features may speak: the tuned vector, where it meets the customer's, and
# the customer's.
TUNED, MET, BEFORE = 4.0, 32.0, 2.0
AT_ONCE = 128  # sentences, where nothing is learned

Array = npt.NDArray[np.float64]
Floats = npt.NDArray[np.float32]
Places = npt.NDArray[np.int64]
States = Mapping[str, torch.Tensor]


@dataclass(frozen=True, slots=True)
class Recipe:
    """How to train. Rates are peaks: they rise for a tenth of the steps, then fall to zero."""

    epochs: int = 3
    batch: int = 48
    rate: float = 2e-4  # of the encoder's layers
    layer_rate: float = 5e-3  # of the linear layers
    decay: float = 0.01


RECIPE = Recipe()


@dataclass(frozen=True, slots=True, eq=False)
class Lines:
    """One speaker's sentences; rows go together, two for an item: as written, and bare.

    `before` is the mean vector of what the customer said before, `hand` the hand-made features,
    `labels` (sentences, acts), NaN for unknown.
    """

    texts: Sequence[str]
    before: Floats
    hand: Floats
    labels: Array


class Network(nn.Module):
    """The tuned layers, and a linear layer for each speaker's acts."""

    def __init__(self, branch: Branch, lines: Mapping[Speaker, Lines]) -> None:
        super().__init__()
        layers = copy.deepcopy(branch.layers)
        self.layers = nn.ModuleList(fastest(cast(Layer, each)) for each in layers)
        self.dropout = nn.Dropout(DROPOUT)
        self.heads = nn.ModuleDict()
        self.standards = nn.ModuleDict()
        for speaker, each in lines.items():
            width = 3 * each.before.shape[1] + HAND_FEATURES
            head = nn.Linear(width, each.labels.shape[1])
            nn.init.zeros_(head.weight)
            nn.init.constant_(head.bias, RARE)
            self.heads[speaker] = head
            self.standards[speaker] = _Standard(each.hand)

    def forward(
        self, states: Sequence[torch.Tensor], before: torch.Tensor, hand: torch.Tensor, speaker: str
    ) -> torch.Tensor:
        """Logits, (sentences, acts); `states` are each sentence's, before the tuned layers."""
        packing = Packing.of([len(each) for each in states], torch.device("cpu"))
        found = self.dropout(torch.cat(list(states)).float())
        for layer in self.layers:
            found = layer(found, packing)
        tuned = pooled(found, packing)
        meaning = torch.cat([TUNED * tuned, MET * tuned * before, BEFORE * before], dim=1)
        features = torch.cat([self.dropout(meaning), self.standards[speaker](hand)], dim=1)
        logits: torch.Tensor = self.heads[speaker](features)
        return logits

    def linear(self, speaker: Speaker) -> tuple[Array, Array]:
        """Weights and bias on the features as `Said.dense` has them, the plain vector left out."""
        state = {name: value.double().numpy() for name, value in self.state_dict().items()}
        weights = state[f"heads.{speaker}.weight"].T.copy()
        width = (len(weights) - HAND_FEATURES) // 3
        for place, loudness in enumerate((TUNED, MET, BEFORE)):
            weights[place * width : (place + 1) * width] *= loudness
        weights[3 * width :] *= state[f"standards.{speaker}.scale"][:, np.newaxis]
        shift = state[f"standards.{speaker}.mean"] @ weights[3 * width :]
        return weights, state[f"heads.{speaker}.bias"] - shift


class _Standard(nn.Module):
    """Takes the mean from each feature, and makes its spread about one."""

    mean: torch.Tensor
    scale: torch.Tensor

    def __init__(self, rows: Floats) -> None:
        super().__init__()
        self.register_buffer("mean", torch.from_numpy(rows.mean(axis=0)))
        self.register_buffer("scale", torch.from_numpy(1 / (rows.std(axis=0) + 0.05)))

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        return (rows - self.mean) * self.scale


def tune(
    network: Network,
    states: States,
    lines: Mapping[Speaker, Lines],
    chosen: Mapping[Speaker, Places],
    seed: int,
    recipe: Recipe = RECIPE,
) -> None:
    """Train the network on the `chosen` items of each speaker."""
    optimizer = _optimizer(network, recipe)
    plan = list(_plan(chosen, recipe, seed))
    torch.manual_seed(seed)  # of dropout
    network.train()
    for step, (speaker, rows) in enumerate(plan):
        for group in optimizer.param_groups:
            group["lr"] = group["peak"] * _share(step, len(plan))
        target = torch.from_numpy(lines[speaker].labels[rows]).float()
        found = _seen(network, states, lines[speaker], rows, speaker)
        losses = binary_cross_entropy_with_logits(found, target.nan_to_num(), reduction="none")
        loss = (losses * ~target.isnan()).sum() / len(rows)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        if step % 50 == 0:
            print(f"seed {seed}: step {step} of {len(plan)}, loss {loss.item():.2f}", flush=True)


@torch.inference_mode()
def logits(network: Network, states: States, lines: Lines, rows: Places, speaker: Speaker) -> Array:
    """Logits of some rows of one speaker, (rows, acts)."""
    network.eval()
    order = np.argsort([len(states[lines.texts[row]]) for row in rows.tolist()], kind="stable")
    found = np.zeros((len(rows), lines.labels.shape[1]))
    for start in range(0, len(order), AT_ONCE):
        places = order[start : start + AT_ONCE]
        found[places] = _seen(network, states, lines, rows[places], speaker).numpy()
    return found


def average(networks: Sequence[Network]) -> Network:
    """The network whose weights are the mean of theirs (Wortsman et al., "Model soups", 2022)."""
    made = copy.deepcopy(networks[0])
    each = [network.state_dict() for network in networks]
    made.load_state_dict(
        {name: torch.stack([state[name] for state in each]).mean(dim=0) for name in each[0]}
    )
    return made


def _seen(
    network: Network, states: States, lines: Lines, rows: Places, speaker: Speaker
) -> torch.Tensor:
    found: torch.Tensor = network(
        [states[lines.texts[row]] for row in rows.tolist()],
        torch.from_numpy(lines.before[rows]),
        torch.from_numpy(lines.hand[rows]),
        speaker,
    )
    return found


def _optimizer(network: Network, recipe: Recipe) -> torch.optim.Optimizer:
    layers = {
        "params": [*network.layers.parameters()],
        "peak": recipe.rate,
        "weight_decay": recipe.decay,
    }
    heads = {
        "params": [*network.heads.parameters()],
        "peak": recipe.layer_rate,
        "weight_decay": 0.0,
    }
    return torch.optim.AdamW([layers, heads], lr=0.0, fused=True)


def _plan(
    chosen: Mapping[Speaker, Places], recipe: Recipe, seed: int
) -> Iterator[tuple[Speaker, Places]]:
    """The rows of each step: of an item as it was written, or bare."""
    chance = np.random.default_rng(seed)
    for _ in range(recipe.epochs):
        batches = [
            (speaker, 2 * part + chance.integers(0, 2, len(part)))
            for speaker, items in chosen.items()
            for part in _parts(chance.permutation(items), recipe.batch)
        ]
        yield from (batches[place] for place in chance.permutation(len(batches)))


def _parts(items: Places, size: int) -> Iterator[Places]:
    yield from (items[start : start + size] for start in range(0, len(items), size))


def _share(step: int, steps: int) -> float:
    """Of the peak rate."""
    return min((step + 1) / (0.1 * steps), (steps - step) / (0.9 * steps), 1.0)
