"""Voices as vectors: one CAM++ embedding for each short piece of one person's speech."""

from collections.abc import Callable, Iterator, Sequence
from itertools import groupby
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torchaudio.compliance.kaldi import fbank

from callscope.audio import SAMPLE_RATE
from callscope.errors import ModelDamaged
from callscope.pipeline import Progress
from services.diarize.campplus import EMBEDDING_SIZE, MEL_BINS, CamPlusPlus
from services.diarize.segmentation import Samples
from services.diarize.workers import Workers

__all__ = ["SHORTEST", "Embedder", "Embeddings"]

Embeddings = npt.NDArray[np.float32]
"""(pieces, 192), each row of unit length."""

_STEP = 160  # samples: 10 ms
_WIDTH = 400  # samples: 25 ms
_GRID = 20  # frames; pieces are trimmed to a multiple, so that some are equally long
_ENOUGH = 300  # frames that tell a voice as well as more do; with 200, voices that are alike mix
_BATCH = 8
SHORTEST = (_WIDTH + (_GRID - 1) * _STEP) / SAMPLE_RATE
"""Seconds below which a piece cannot be embedded."""


class Embedder:
    """The embedding model, loaded.

    Args:
        weights: its state dict.
        device: where it computes.
        precision: of the network.
        workers: who computes.

    Raises:
        ModelDamaged: the file holds something else.
    """

    def __init__(
        self, weights: Path, device: torch.device, precision: torch.dtype, workers: Workers
    ) -> None:
        network = CamPlusPlus()
        try:
            network.load_state_dict(torch.load(weights, map_location="cpu", weights_only=True))
        except RuntimeError as error:
            raise ModelDamaged(f"{weights} does not hold a CAM++ network") from error
        self._network = network.eval().fused().to(device, precision)
        self._device = device
        self._precision = precision
        self._workers = workers

    def embed(
        self, samples: Samples, pieces: Sequence[tuple[float, float]], progress: Progress
    ) -> Embeddings:
        """Embed the pieces, (start, end) in seconds, of (samples,) at 16 kHz.

        Every piece must last `SHORTEST` at least.
        """
        embeddings = np.zeros((len(pieces), EMBEDDING_SIZE), dtype=np.float32)
        batches = list(_batches(pieces))
        computed = self._workers.map(
            lambda batch: self._infer(samples, [pieces[each] for each in batch]), batches, progress
        )
        for batch, vectors in zip(batches, computed, strict=True):
            embeddings[batch] = vectors
        return embeddings

    def _infer(self, samples: Samples, pieces: Sequence[tuple[float, float]]) -> Embeddings:
        frames = _frames(pieces[0])
        features = torch.stack([_features(samples, piece, frames) for piece in pieces])
        vectors = self._network(features.to(self._device, self._precision)).float()
        return np.asarray(torch.nn.functional.normalize(vectors, dim=1).cpu().numpy())


def _batches(pieces: Sequence[tuple[float, float]]) -> Iterator[list[int]]:
    """Indices of pieces that are equally long after trimming, a few at a time."""
    length: Callable[[int], int] = lambda index: _frames(pieces[index])  # noqa: E731
    for _, group in groupby(sorted(range(len(pieces)), key=length), key=length):
        equal = list(group)
        yield from (equal[at : at + _BATCH] for at in range(0, len(equal), _BATCH))


def _frames(piece: tuple[float, float]) -> int:
    """Frames of a piece after trimming."""
    start, end = piece
    whole = 1 + (round((end - start) * SAMPLE_RATE) - _WIDTH) // _STEP
    return min(whole // _GRID * _GRID, _ENOUGH)


def _features(samples: Samples, piece: tuple[float, float], frames: int) -> torch.Tensor:
    """Kaldi's log mel filterbank of the middle of a piece, (frames, 80), without its mean."""
    length = _WIDTH + (frames - 1) * _STEP
    first = round(sum(piece) / 2 * SAMPLE_RATE - length / 2)
    first = max(0, min(first, len(samples) - length))
    waveform = torch.from_numpy(samples[None, first : first + length])
    features: torch.Tensor = fbank(
        waveform, num_mel_bins=MEL_BINS, sample_frequency=SAMPLE_RATE, dither=0.0
    )
    return features - features.mean(dim=0)
