"""The encoder's last layers once more, tuned to acts.

Wordings are compared by the encoder as it was published: tuning must not move its cosines. Acts are
read by a branch, whose layers were trained on labeled sentences; the layers below are shared, so a
sentence is encoded once and two thirds. What training changed is kept in 8 bits for each weight,
with a scale for each row, a few megabytes in all.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

import numpy as np
import numpy.typing as npt
import torch
from torch import nn
from torch.nn.functional import normalize

from services.score.layers import Layer, Packing

__all__ = ["Branch", "Changes", "changed", "changes", "count", "pooled"]

Changes = Mapping[str, npt.NDArray[np.generic]]
"""What to add to the weights, by name: int8, and float32 scales by the name with `SCALE`."""

SCALE = ".scale"
LARGEST = 127


@dataclass(frozen=True, slots=True, eq=False)
class Branch:
    """Layers from the encoder's layer `first` to its last."""

    first: int
    layers: nn.ModuleList

    def __call__(self, states: torch.Tensor, packing: Packing) -> torch.Tensor:
        """(tokens, width) to (tokens, width)."""
        for layer in self.layers:
            states = layer(states, packing)
        return states

    def in_eight_bits(self) -> "Branch":
        """The same, which multiplies in 8 bits and cannot be trained."""
        return Branch(
            self.first, nn.ModuleList(cast(Layer, each).in_eight_bits() for each in self.layers)
        )


def pooled(states: torch.Tensor, packing: Packing) -> torch.Tensor:
    """The unit vector of each text: (texts, width)."""
    return normalize(packing.means(states), dim=1)


def changes(before: nn.ModuleList, after: nn.ModuleList) -> dict[str, npt.NDArray[np.generic]]:
    """What makes the one of the other."""
    kept: dict[str, npt.NDArray[np.generic]] = {}
    old = before.state_dict()
    for name, weight in after.state_dict().items():
        change = np.atleast_2d((weight - old[name]).float().numpy())
        scale = np.abs(change).max(axis=1, keepdims=True) / LARGEST
        steps = np.rint(change / np.where(scale > 0, scale, 1))
        kept[name] = steps.astype(np.int8).reshape(weight.shape)
        kept[name + SCALE] = scale.astype(np.float32)
    return kept


def changed(layers: nn.ModuleList, kept: Changes) -> nn.ModuleList:
    """The layers, which are altered, with the changes added."""
    with torch.no_grad():
        for name, weight in layers.state_dict().items():
            steps = np.atleast_2d(kept[name].astype(np.float32))
            change = (steps * kept[name + SCALE].astype(np.float32)).reshape(weight.shape)
            weight += torch.from_numpy(change).to(weight.device)
    return layers


def count(kept: Changes) -> int:
    """How many layers are changed."""
    return len({name.partition(".")[0] for name in kept})
