"""The classifier of acts: how likely each act is in a sentence, given what was said before it.

A small encoder reads the pair (the customer's words, the sentence). A linear layer sees the first
token's state, the mean state of the sentence, and the hand-made features, which carry the form of
an act where punctuation is missing. What ships is little: low-rank updates of the encoder (LoRA,
Hu et al., ICLR 2022), the layer, and a slope and a shift for each act that make its probability
calibrated (Platt 1999). `python -m training.export` writes it.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from safetensors.torch import load as read_tensors

from callscope.errors import ModelDamaged
from callscope.models import ModelStore
from callscope.types import ModelInfo
from services.score.encoder import load
from services.score.features import Context, hand_features

__all__ = ["LENGTHS", "SHIPPED", "ActClassifier", "Lengths", "Pair", "collate", "pool"]

SHIPPED = Path(__file__).parent / "acts.safetensors"
BATCH = 32  # pairs; larger ones are no faster on a CPU

Floats = npt.NDArray[np.float32]
Batch = dict[str, torch.Tensor]


@dataclass(frozen=True, slots=True)
class Pair:
    """`before` is what the customer said, "" for none; `text` is judged."""

    before: str
    text: str


@dataclass(frozen=True, slots=True)
class Lengths:
    """Most tokens of each half; of `before` its end is kept, of `text` its beginning."""

    before: int
    text: int


LENGTHS = Lengths(before=32, text=72)


def collate(pairs: Sequence[Pair], tokenizer: Any, most: Lengths) -> Batch:
    """A batch: token ids of both halves, padded, and the hand-made features."""
    before = [ids[-most.before :] for ids in _ids(tokenizer, [pair.before for pair in pairs])]
    text = [ids[: most.text] for ids in _ids(tokenizer, [pair.text for pair in pairs])]
    first, end = tokenizer.cls_token_id, tokenizer.sep_token_id
    rows = [[first, *b, end, *t, end] for b, t in zip(before, text, strict=True)]
    shape = len(rows), max(map(len, rows))
    ids, mask, kinds = (np.zeros(shape, dtype=np.int64) for _ in range(3))
    for place, (row, judged) in enumerate(zip(rows, text, strict=True)):
        ids[place, : len(row)] = row
        mask[place, : len(row)] = 1
        kinds[place, len(row) - len(judged) - 1 : len(row)] = 1
    hand = [[*hand_features(pair.text, Context(pair.before)).values()] for pair in pairs]
    return {
        "input_ids": torch.from_numpy(ids),
        "attention_mask": torch.from_numpy(mask),
        "token_type_ids": torch.from_numpy(kinds),
        "hand": torch.tensor(hand, dtype=torch.float32),
    }


def pool(encoder: torch.nn.Module, batch: Batch) -> torch.Tensor:
    """The first token's state and the mean state of the judged text: (pairs, 2 x width)."""
    tokens = {name: batch[name] for name in ("input_ids", "attention_mask", "token_type_ids")}
    states = encoder(**tokens).last_hidden_state.float()  # (pairs, tokens, width)
    judged = (batch["token_type_ids"] * batch["attention_mask"]).unsqueeze(-1).float()
    mean = (states * judged).sum(dim=1) / judged.sum(dim=1)
    return torch.cat([states[:, 0], mean], dim=1)


class ActClassifier:
    """The classifier of a weights file, on the encoder it was trained for.

    Raises:
        ModelMissing, ModelDamaged: the encoder's files, or weights for other ones.
    """

    def __init__(
        self,
        models: ModelStore,
        path: Path = SHIPPED,
        device: torch.device = torch.device("cpu"),  # noqa: B008 - a constant
    ) -> None:
        content = path.read_bytes()
        tensors = read_tensors(content)
        self.description: dict[str, Any] = json.loads(bytes(tensors["description"].tolist()))
        located = models.locate(self.description["encoder"])
        if located.digest != self.description["encoder_digest"]:
            raise ModelDamaged(
                f"the act classifier was trained on another {located.name} than the one installed"
            )
        self.acts: tuple[str, ...] = tuple(self.description["acts"])
        self.model = ModelInfo("score", "act-classifier", hashlib.sha256(content).hexdigest())
        self._device = device
        self._tokenizer, encoder = load(located.folder)
        _update(encoder, tensors, self.description["scale"])
        self._encoder = encoder.to(device).eval()
        self._weight, self._bias, self._slope, self._shift = (
            tensors[name].to(device) for name in ("weight", "bias", "slope", "shift")
        )

    def probabilities(self, pairs: Sequence[Pair]) -> Floats:
        """(pairs, acts), each the probability that the act is in the pair's text.

        The same pairs give the same bytes: pairs of like length share a batch, in an order that
        hangs on nothing but the pairs.
        """
        unique = sorted(set(pairs), key=lambda pair: (_size(pair), pair.text, pair.before))
        rows: dict[Pair, Floats] = {}
        for start in range(0, len(unique), BATCH):
            chosen = unique[start : start + BATCH]
            rows.update(zip(chosen, self._judge(chosen), strict=True))
        found = [rows[pair] for pair in pairs]
        return np.array(found, dtype=np.float32).reshape(len(pairs), len(self.acts))

    def logits(self, pairs: Sequence[Pair]) -> Floats:
        """What is behind `probabilities` before calibration: (pairs, acts)."""
        chunks = [pairs[start : start + BATCH] for start in range(0, len(pairs), BATCH)]
        return np.vstack([self._raw(chunk).cpu().numpy() for chunk in chunks])

    def _judge(self, pairs: Sequence[Pair]) -> Floats:
        logits = self._raw(pairs) * self._slope + self._shift
        found: Floats = torch.sigmoid(logits).cpu().numpy()
        return found

    @torch.inference_mode()
    def _raw(self, pairs: Sequence[Pair]) -> torch.Tensor:
        batch = collate(pairs, self._tokenizer, LENGTHS)
        batch = {name: tensor.to(self._device) for name, tensor in batch.items()}
        seen = torch.cat([pool(self._encoder, batch), batch["hand"]], dim=1)
        return seen @ self._weight.T + self._bias


def _update(encoder: torch.nn.Module, tensors: dict[str, torch.Tensor], scale: float) -> None:
    """Add the low-rank updates to the encoder's weights."""
    with torch.no_grad():
        for name in sorted(tensors):
            if name.endswith(".down"):
                module = name.removesuffix(".down")
                up, down = tensors[f"{module}.up"].float(), tensors[name].float()
                encoder.get_submodule(module).weight += scale * (up @ down)  # type: ignore[operator]


def _ids(tokenizer: Any, texts: list[str]) -> list[list[int]]:
    ids: list[list[int]] = tokenizer(texts, add_special_tokens=False, verbose=False)["input_ids"]
    return ids


def _size(pair: Pair) -> int:
    return len(pair.before) + len(pair.text)
