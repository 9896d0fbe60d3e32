"""Who is active when, within a few seconds: pyannote's segmentation model over sliding windows.

The model (Plaquet and Bredin, "Powerset multi-class cross entropy loss for neural speaker
diarization", Interspeech 2023) tells up to three speakers apart within ten seconds, at most two
of them at a time. Its speakers have no names: what one window calls the first, the next may call
the second. `stitch` renames them so that overlapping windows agree, and averages.
"""

import os
import warnings
from collections.abc import Iterable, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from scipy.optimize import linear_sum_assignment
from torch.nn import functional

from callscope.audio import SAMPLE_RATE
from callscope.pipeline import Progress
from services.diarize.filterbank import Filterbank
from services.diarize.workers import Workers

__all__ = ["Activity", "Samples", "Segmenter", "frame_at", "runs", "time_of"]

Samples = npt.NDArray[np.float32]
Activity = npt.NDArray[np.float32]
"""(frames, slots): share of the windows that hear the slot's speaker in the frame, 0 to 1."""

WINDOW = 10 * SAMPLE_RATE  # samples
WINDOW_FRAMES = 589
SLOTS = 3  # speakers a window can tell apart
FRAME_STEP = 270  # samples
_FRAME_WIDTH = 991  # samples that a frame sees

_BATCH = 8  # windows
_SILENCE = 1e-4  # -80 dBFS: below any audible sound, above a codec's idle noise
_TAPER = np.hamming(WINDOW_FRAMES).astype(np.float32)[:, None]
"""Weights of a window's frames: they are surer in the middle, where they see both sides."""


def time_of(frame: int) -> float:
    """Seconds at which the frame begins: half a step before the center of what it sees."""
    return (frame * FRAME_STEP + (_FRAME_WIDTH - FRAME_STEP) / 2) / SAMPLE_RATE


def frame_at(seconds: float) -> int:
    """The frame that begins nearest to that time; the inverse of `time_of`."""
    return round((seconds * SAMPLE_RATE - (_FRAME_WIDTH - FRAME_STEP) / 2) / FRAME_STEP)


def runs(mask: npt.NDArray[np.bool_]) -> list[tuple[int, int]]:
    """The stretches of True in a (frames,) mask, as (first, one past the last)."""
    edges = np.flatnonzero(np.diff(mask, prepend=False, append=False))
    return [(int(first), int(end)) for first, end in edges.reshape(-1, 2)]


class Segmenter:
    """The segmentation model, loaded.

    Args:
        weights: the model's checkpoint.
        device: where it computes.
        precision: of the recurrent layers.
        workers: who computes.
    """

    def __init__(
        self, weights: Path, device: torch.device, precision: torch.dtype, workers: Workers
    ) -> None:
        os.environ["PYANNOTE_METRICS_ENABLED"] = "0"  # it reports home unless told before import
        with warnings.catch_warnings():
            # It misses torchcodec, which would decode files; we hand it waveforms.
            warnings.filterwarnings("ignore", r"\s*torchcodec is not installed", UserWarning)
            from pyannote.audio import Model
            from pyannote.audio.utils.powerset import Powerset

        model: Any = Model.from_pretrained(weights)
        self._model = model.eval().to(device)
        self._model.lstm.to(precision)
        self._filterbank = Filterbank(model.sincnet, WINDOW)
        self._powerset = Powerset(SLOTS, model.specifications.powerset_max_classes).to(device)
        self._device = device
        self._precision = precision
        self._workers = workers

    def activity(self, samples: Samples, step: float, progress: Progress) -> Activity:
        """Listen to (samples,) at 16 kHz in windows every `step` seconds, and stitch them."""
        hop = round(step * SAMPLE_RATE / FRAME_STEP)  # whole frames, so that windows line up
        starts = range(0, max(1, len(samples) - WINDOW + hop * FRAME_STEP), hop * FRAME_STEP)
        batches = [starts[at : at + _BATCH] for at in range(0, len(starts), _BATCH)]
        windows = chain.from_iterable(
            self._workers.map(lambda batch: self._infer(samples, batch), batches, progress)
        )
        frames = frame_at(len(samples) / SAMPLE_RATE) + 1
        return stitch(windows, len(starts), hop)[:frames]

    def _infer(self, samples: Samples, starts: Sequence[int]) -> Activity:
        """(windows, frames, slots) of one batch, as 0 and 1."""
        first, last = starts[0], starts[-1]
        audio = samples[first : last + WINDOW]
        active = np.zeros((len(starts), WINDOW_FRAMES, SLOTS), dtype=np.float32)
        audible = [
            number
            for number, start in enumerate(starts)
            if np.abs(samples[start : start + WINDOW]).max() > _SILENCE
        ]
        if audible:
            heard = torch.zeros(last + WINDOW - first, device=self._device)
            heard[: len(audio)] = torch.from_numpy(audio)
            classes = self._classes(heard, [starts[number] - first for number in audible])
            active[audible] = self._powerset(classes).cpu().numpy()
        return active

    def _classes(self, heard: torch.Tensor, starts: Sequence[int]) -> torch.Tensor:
        """The model's forward pass over the windows at `starts`: (windows, frames, classes)."""
        hidden = self._filterbank.features(heard, starts).transpose(1, 2)
        hidden = self._model.lstm(hidden.to(self._precision))[0].float()
        for layer in self._model.linear:
            hidden = functional.leaky_relu(layer(hidden))
        classes: torch.Tensor = self._model.activation(self._model.classifier(hidden))
        return classes


def stitch(windows: Iterable[Activity], count: int, hop: int) -> Activity:
    """Join `count` (frames, slots) windows, `hop` frames apart, into one timeline.

    Each window's slots are put in the order that agrees best with what was joined so far.
    """
    frames = (count - 1) * hop + WINDOW_FRAMES
    heard = np.zeros((frames, SLOTS), dtype=np.float32)
    weight = np.zeros((frames, 1), dtype=np.float32)
    for number, window in enumerate(windows):
        here = slice(number * hop, number * hop + WINDOW_FRAMES)
        known = heard[here] / np.maximum(weight[here], _TAPER.min())
        heard[here] += _TAPER * window[:, _agreeing_order(known, window)]
        weight[here] += _TAPER
    return heard / weight


def _agreeing_order(known: Activity, window: Activity) -> npt.NDArray[np.intp]:
    """For each slot of `known`, the slot of `window` that is active at the same times."""
    return np.asarray(linear_sum_assignment(known.T @ window, maximize=True)[1])
