"""The network that is trained: the encoder and linear layer of `services.score.classifier`."""

from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, get_peft_model
from torch import nn

from services.score.classifier import Lengths, Pair, collate, pool
from services.score.encoder import load
from services.score.features import HAND_FEATURES

__all__ = ["RANK", "SCALE", "Lengths", "Network", "Pair", "collate", "tokenizer"]

RANK = 16
SCALE = 2.0
LORA_LAYERS = ["query", "key", "value", "dense"]
FROZEN = 2  # layers at the bottom that get no update: nothing is to be learned about words as such
DROPOUT = 0.1


class Network(nn.Module):
    """Encoder, pooling and a linear layer; `outputs` logits for each pair.

    With `lora` only low-rank updates of the encoder (Hu et al., ICLR 2022) and the layer are
    trained.
    """

    def __init__(self, folder: Path, outputs: int, lora: bool) -> None:
        super().__init__()
        _, encoder = load(folder)
        width = encoder.config.hidden_size
        if lora:
            alpha = int(SCALE * RANK)
            encoder = get_peft_model(
                encoder,
                LoraConfig(
                    r=RANK,
                    lora_alpha=alpha,
                    lora_dropout=DROPOUT,
                    target_modules=LORA_LAYERS,
                    layers_to_transform=[*range(FROZEN, encoder.config.num_hidden_layers)],
                ),
            )
        self.encoder = encoder
        self.dropout = nn.Dropout(DROPOUT)
        self.norm = nn.BatchNorm1d(HAND_FEATURES, affine=False)
        self.layer = nn.Linear(2 * width + HAND_FEATURES, outputs)

    def forward(self, batch: dict[str, torch.Tensor]) -> torch.Tensor:
        """Logits, (pairs, outputs)."""
        pooled = self.dropout(pool(self.encoder, batch))
        logits: torch.Tensor = self.layer(torch.cat([pooled, self.norm(batch["hand"])], dim=1))
        return logits


def tokenizer(folder: Path) -> Any:
    """The tokenizer of the encoder in `folder`."""
    return load(folder)[0]
