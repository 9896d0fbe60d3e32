"""The sentence encoder: text to unit vectors.

Mean pooling over token embeddings, then L2 normalization, as all-MiniLM-L6-v2 was trained
(Reimers & Gurevych, "Sentence-BERT", EMNLP 2019). Float32 throughout: bfloat16 is twice as fast
but moves cosines in the third decimal, enough to flip a judgement at a threshold.
"""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

os.environ.setdefault("HF_HUB_OFFLINE", "1")  # read by transformers on import: never look online

import torch
from transformers import AutoModel, AutoTokenizer
from transformers.utils import logging

from callscope.errors import InvalidSetting
from callscope.pipeline import Progress

__all__ = ["Encoder", "load"]

BATCH = 64
LONGEST = 128  # tokens; what the model was trained on

Floats = npt.NDArray[np.float32]


def load(folder: Path) -> tuple[Any, Any]:
    """The tokenizer and the model of a local folder, in float32, without its unused pooler."""
    logging.disable_progress_bar()  # type: ignore[no-untyped-call] # it draws on stderr
    tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    before = logging.get_verbosity()
    logging.set_verbosity_error()  # type: ignore[no-untyped-call] # it reports the pooler
    model = AutoModel.from_pretrained(
        folder, local_files_only=True, dtype=torch.float32, add_pooling_layer=False
    )
    logging.set_verbosity(before)
    return tokenizer, model


class Encoder:
    """A transformers encoder from a local folder.

    Raises:
        InvalidSetting: a GPU is asked for and there is none.
    """

    def __init__(self, folder: Path, device: Literal["auto", "cpu", "cuda"] = "auto") -> None:
        if device == "cuda" and not torch.cuda.is_available():
            raise InvalidSetting(
                "CALLSCOPE_DEVICE is cuda, but PyTorch sees no GPU",
                remedy="Install the CUDA build of PyTorch and NVIDIA's driver, or set it to auto.",
            )
        use_gpu = device != "cpu" and torch.cuda.is_available()
        self._device = torch.device("cuda" if use_gpu else "cpu")
        self._tokenizer, model = load(folder)
        self._model = model.to(self._device).eval()

    @property
    def dimensions(self) -> int:
        """Length of a vector."""
        return int(self._model.config.hidden_size)

    def encode(self, texts: Sequence[str], progress: Progress) -> Floats:
        """Unit vectors, one row a text: (texts, dimensions).

        Texts of similar length share a batch, so that little is padding. The order does not
        depend on anything but the texts: the same texts give the same bytes.
        """
        unique = sorted(set(texts), key=lambda text: (len(text), text))
        rows: dict[str, Floats] = {}
        for start in range(0, len(unique), BATCH):
            progress(start / len(unique))
            batch = unique[start : start + BATCH]
            rows.update(zip(batch, self._embed(batch), strict=True))
        progress(1.0)
        return np.array([rows[text] for text in texts], dtype=np.float32).reshape(
            len(texts), self.dimensions
        )

    @torch.inference_mode()
    def _embed(self, texts: list[str]) -> Floats:
        tokens = self._tokenizer(
            texts, padding=True, truncation=True, max_length=LONGEST, return_tensors="pt"
        ).to(self._device)
        states = self._model(**tokens).last_hidden_state  # (texts, tokens, dimensions)
        mask = tokens["attention_mask"].unsqueeze(-1).to(states.dtype)
        means = (states * mask).sum(dim=1) / mask.sum(dim=1)
        vectors: Floats = torch.nn.functional.normalize(means, dim=1).cpu().numpy()
        return vectors
