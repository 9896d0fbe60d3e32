"""The segmentation model's first layers over overlapping windows, what they share computed once.

The model begins with SincNet (Ravanelli and Bengio, "Speaker recognition from raw waveform with
SincNet", 2018): 80 band-pass filters, their rectified maxima over three steps, normalized within
the window; then two more convolutions. A window is first brought to unit variance, so its filtered
signal is that of the recording, scaled and shifted. The filters, most of the work, therefore run
over the recording; a window takes its part, scales and shifts it, and goes on by itself. Results
are the model's own up to rounding.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

__all__ = ["Filterbank"]


class Filterbank:
    """A SincNet of pyannote's, as part of a loaded model.

    Args:
        sincnet: the module.
        window: samples in a window.
    """

    def __init__(self, sincnet: Any, window: int) -> None:
        self._norm = sincnet.wav_norm1d
        self._filters, *self._convolutions = sincnet.conv1d
        self._pool, *self._pools = sincnet.pool1d
        self._band_norm, *self._norms = sincnet.norm1d
        self._window = window
        self._grid = self._filters.stride * self._pool.stride
        steps = (window - self._filters.filterbank.kernel_size) // self._filters.stride + 1
        self._steps = steps // self._pool.stride

    @torch.inference_mode()
    def features(self, samples: Tensor, starts: Sequence[int]) -> Tensor:
        """(windows, channels, frames) of the windows that begin at `starts` in (samples,).

        Starts are multiples of 30 samples, the step of the pooled filters.
        """
        bands = self._filters(samples[None, None])
        highest = self._pool(bands)[0]
        lowest = -self._pool(bands.neg_())[0]
        gain = self._filters.filterbank.filters().sum(dim=-1)  # of a constant, (80, 1)
        windows = []
        for start in starts:
            first = start // self._grid
            here = slice(first, first + self._steps)
            scale, shift = self._normalization(samples[start : start + self._window])
            offset = gain * shift
            # The largest magnitude is the highest value's or the lowest's.
            windows.append(
                torch.maximum(highest[:, here] + offset, -lowest[:, here] - offset).mul_(scale)
            )
        features = functional.leaky_relu_(self._band_norm(torch.stack(windows)))
        for convolve, pool, norm in zip(self._convolutions, self._pools, self._norms, strict=True):
            features = functional.leaky_relu_(norm(pool(convolve(features))))
        return features

    def _normalization(self, window: Tensor) -> tuple[Tensor, Tensor]:
        """By what to shift the window, then by what to scale it, for unit variance."""
        variance, mean = torch.var_mean(window, correction=0)
        scale = self._norm.weight * torch.rsqrt(variance + self._norm.eps)
        return scale, self._norm.bias / scale - mean
