"""How exactly networks multiply while they learn.

A processor with tiles (Intel's AMX) multiplies bfloat16 four times as fast as float32. Weights,
sums and all else stay float32 (Micikevicius et al., "Mixed precision training", ICLR 2018), and so
does attention, which is slower in bfloat16. Without tiles everything is float32.
"""

import torch
from torch import nn
from torch.nn.functional import linear

from services.diarize.precision import find_precision
from services.score.layers import Layer

__all__ = ["fastest"]


def fastest(layer: Layer) -> Layer:
    """The layer as this processor trains it fastest, with the same names of weights."""
    tiles = find_precision("auto", torch.device("cpu")) is torch.bfloat16
    return layer.multiplying(_Coarse) if tiles else layer


class _Coarse(nn.Linear):
    """A linear layer that multiplies in bfloat16."""

    def __init__(self, layer: nn.Linear) -> None:
        super().__init__(layer.in_features, layer.out_features)
        self.load_state_dict(layer.state_dict())

    def forward(self, states: torch.Tensor) -> torch.Tensor:
        """(tokens, inputs) to (tokens, outputs), in float32."""
        coarse = (each.bfloat16() for each in (states, self.weight, self.bias))
        return linear(*coarse).float()
