"""The sentence encoder: text to unit vectors.

Mean pooling over token embeddings, then L2 normalization, as all-MiniLM-L6-v2 was trained
(Reimers & Gurevych, "Sentence-BERT", EMNLP 2019). Matrices are multiplied in 8 bits, which moves
the cosine of two sentences by 0.009 (standard deviation); what ships was trained on that.
"""

import copy
import os
from collections.abc import Iterator, Mapping, Sequence, Set
from itertools import chain
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

os.environ.setdefault("HF_HUB_OFFLINE", "1")  # read by transformers on import: never look online

import torch
from torch import nn
from transformers import AutoModel, AutoTokenizer
from transformers.utils import logging

from callscope.errors import InvalidSetting
from callscope.pipeline import Progress
from services.score.branch import Branch, Changes, changed, count, pooled
from services.score.layers import Layer, Packing, embed

__all__ = ["Encoder", "load"]

BATCH = 512  # tokens
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
    """A BERT encoder from a local folder.

    Raises:
        InvalidSetting: a GPU is asked for and there is none.
    """

    def __init__(
        self,
        folder: Path,
        device: Literal["auto", "cpu", "cuda"] = "auto",
    ) -> None:
        if device == "cuda" and not torch.cuda.is_available():
            raise InvalidSetting(
                "CALLSCOPE_DEVICE is cuda, but PyTorch sees no GPU",
                remedy="Install the CUDA build of PyTorch and NVIDIA's driver, or set it to auto.",
            )
        use_gpu = device != "cpu" and torch.cuda.is_available()
        self._device = torch.device("cuda" if use_gpu else "cpu")
        self._tokenizer, model = load(folder)
        model = model.to(self._device).eval()
        self.dimensions = int(model.config.hidden_size)
        """Length of a vector."""
        self._embeddings = model.embeddings
        self._published = nn.ModuleList([Layer(each) for each in model.encoder.layer]).eval()
        self._layers = self.branch_from(0).in_eight_bits().layers

    def encode(self, texts: Sequence[str], progress: Progress) -> Floats:
        """Unit vectors, one row a text: (texts, dimensions)."""
        (vectors,) = self._encode(texts, [Branch(0, self._layers)], progress)
        return vectors

    def encode_both(
        self, texts: Sequence[str], branch: Branch, progress: Progress
    ) -> tuple[Floats, Floats]:
        """The vectors of `encode`, and those of `branch`, for little more than the first."""
        published = Branch(branch.first, self._layers[branch.first :])
        plain, tuned = self._encode(texts, [published, branch], progress)
        return plain, tuned

    def branch(self, changes: Changes) -> Branch:
        """The last layers once more, changed, in 32 bits."""
        first = len(self._published) - count(changes)
        return Branch(first, changed(copy.deepcopy(self.branch_from(first).layers), changes))

    def branch_from(self, first: int) -> Branch:
        """The layers from `first` on, as they were published, in 32 bits."""
        return Branch(first, self._published[first:])

    def states(self, texts: Sequence[str], first: int) -> dict[str, torch.Tensor]:
        """What of each text enters layer `first`: (tokens, dimensions), in 16 bits."""
        found: dict[str, torch.Tensor] = {}
        for batch in _batches(self._tokens(set(texts))):
            with torch.no_grad():
                states, packing = self._enter(list(batch.values()))
                for layer in self._layers[:first]:
                    states = layer(states, packing)
            lengths = [len(ids) for ids in batch.values()]
            found.update(zip(batch, torch.split(states.half(), lengths), strict=True))
        return found

    @torch.inference_mode()
    def word_states(
        self, texts: Sequence[Sequence[str]], layers: Sequence[int]
    ) -> list[torch.Tensor]:
        """What of each word enters each of `layers`: (words, layers * dimensions) for a text.

        A text is its words, each of which has tokens; a word is known by its last. Words beyond
        `LONGEST` tokens are left out.
        """
        tokens = self._tokenizer(
            [[*words] for words in texts],
            is_split_into_words=True,
            truncation=True,
            max_length=LONGEST,
        )
        states, packing = self._enter(tokens["input_ids"])
        entering = [states]
        for layer in self._layers[: max(layers)]:
            entering.append(layer(entering[-1], packing))
        wide = torch.cat([entering[layer] for layer in layers], dim=1)
        lengths = [len(ids) for ids in tokens["input_ids"]]
        return [
            each[_last_tokens(tokens.word_ids(place))].cpu()
            for place, each in enumerate(torch.split(wide, lengths))
        ]

    def _encode(
        self, texts: Sequence[str], branches: Sequence[Branch], progress: Progress
    ) -> list[Floats]:
        """For each branch, unit vectors of all texts. All branches begin at the same layer.

        The order of the work does not depend on anything but the texts: the same texts give the
        same bytes.
        """
        batches = list(_batches(self._tokens(set(texts))))
        rows: dict[str, list[Floats]] = {}
        for done, batch in enumerate(batches):
            progress(done / len(batches))
            vectors = self._embed(list(batch.values()), branches)
            rows.update(zip(batch, map(list, zip(*vectors, strict=True)), strict=True))
        progress(1.0)
        return [
            np.array([rows[text][place] for text in texts], dtype=np.float32).reshape(
                len(texts), self.dimensions
            )
            for place in range(len(branches))
        ]

    def _tokens(self, texts: Set[str]) -> dict[str, list[int]]:
        """The tokens of each text, from the shortest to the longest."""
        known = sorted(texts)
        if not known:
            return {}
        ids = self._tokenizer(known, truncation=True, max_length=LONGEST)["input_ids"]
        pairs = zip(known, ids, strict=True)
        return dict(sorted(pairs, key=lambda pair: len(pair[1])))

    @torch.inference_mode()
    def _embed(self, tokens: Sequence[Sequence[int]], branches: Sequence[Branch]) -> list[Floats]:
        states, packing = self._enter(tokens)
        for layer in self._layers[: branches[0].first]:
            states = layer(states, packing)
        return [pooled(branch(states, packing), packing).cpu().numpy() for branch in branches]

    def _enter(self, tokens: Sequence[Sequence[int]]) -> tuple[torch.Tensor, Packing]:
        packing = Packing.of([len(each) for each in tokens], self._device)
        ids = torch.tensor([*chain(*tokens)], device=self._device)
        return embed(self._embeddings, ids, packing), packing


def _last_tokens(words: Sequence[int | None]) -> list[int]:
    """Where the last token of each word is, by the word that each token is of."""
    return [*{word: token for token, word in enumerate(words) if word is not None}.values()]


def _batches(tokens: Mapping[str, list[int]]) -> Iterator[dict[str, list[int]]]:
    """Consecutive texts with at most `BATCH` tokens together, but at least one text."""
    batch: dict[str, list[int]] = {}
    count = 0
    for text, ids in tokens.items():
        if batch and count + len(ids) > BATCH:
            yield batch
            batch, count = {}, 0
        batch[text] = ids
        count += len(ids)
    if batch:
        yield batch
