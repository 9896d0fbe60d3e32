"""Who spoke when: the stage from a recording to turns.

Channels are checked first. Where each carries a party, a turn is speech on it. Where several
people share one: segmentation tells who is active within seconds of each other, each clean piece
of speech becomes an embedding, embeddings are clustered into speakers, and stretches of activity
go to the speaker they sound like.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch

from callscope.audio import SAMPLE_RATE, AudioReader
from callscope.channels import check_channels
from callscope.errors import InvalidInput, InvalidSetting
from callscope.models import ModelStore
from callscope.pipeline import DiarizeOptions, Progress
from callscope.types import AudioSource, ChannelLayout, Diarization, ModelInfo, Turn
from services.diarize.clustering import SpeakerRange
from services.diarize.embedding import Embedder
from services.diarize.precision import Precision, find_precision
from services.diarize.segmentation import Samples, Segmenter
from services.diarize.speakers import name_turns, telling_pieces
from services.diarize.stretches import find_stretches
from services.diarize.voice_activity import channel_turns
from services.diarize.workers import Workers

__all__ = ["Compute", "Engine"]

_SEGMENTATION = "segmentation-3.0"
_EMBEDDING = "campplus"
_SEGMENTATION_SHARE = 0.6  # of the time a mono call takes


@dataclass(frozen=True, slots=True)
class Compute:
    """Where and how finely to compute.

    `threads` 0 takes the cores that this process may use; `step` is in seconds.
    """

    device: Literal["auto", "cpu", "cuda"] = "auto"
    precision: Precision = "auto"
    threads: int = 0
    step: float = 2.5


class Engine:
    """The models, loaded, and what they need to read recordings.

    Args:
        reader: fetches and decodes recordings.
        store: where the models are.
        compute: where and how finely to compute.
        expected: how many speakers to expect where a request does not say.
        heard: told the seconds of each recording that was diarized.

    Raises:
        ModelMissing, ModelDamaged: a model cannot be used.
        InvalidSetting: a GPU is asked for and there is none.
    """

    def __init__(
        self,
        reader: AudioReader,
        store: ModelStore,
        compute: Compute,
        expected: SpeakerRange,
        heard: Callable[[float], object] | None = None,
    ) -> None:
        segmentation, embedding = store.locate(_SEGMENTATION), store.locate(_EMBEDDING)
        self.models = tuple(
            ModelInfo("diarize", model.name, model.digest) for model in (segmentation, embedding)
        )
        device = _device(compute.device)
        workers = Workers(1 if device.type == "cuda" else compute.threads or _cores())
        precision = find_precision(compute.precision, device)
        self._segmenter = Segmenter(
            segmentation.folder / "pytorch_model.bin", device, precision, workers
        )
        self._embedder = Embedder(
            embedding.folder / "campplus_cn_en_common.pt", device, precision, workers
        )
        self._reader = reader
        self._step = compute.step
        self._expected = expected
        self._heard = heard or _ignore

    def warm_up(self) -> None:
        """Run both models once, on noise, so that the first call finds them ready."""
        noise = np.random.default_rng(0).normal(0, 0.1, SAMPLE_RATE).astype(np.float32)
        self._segmenter.activity(noise, self._step, _ignore)
        self._embedder.embed(noise, [(0.0, 1.0)], _ignore)

    def diarize(
        self, audio: AudioSource, options: DiarizeOptions, progress: Progress
    ) -> Diarization:
        """Find who spoke when; silence has no turns.

        Raises:
            InvalidInput: the numbers of speakers contradict each other.
            CallscopeError: what `AudioReader.read` raises, and whatever `progress` raises.
        """
        expected = self._speakers(options)
        samples = self._reader.read(audio).samples
        progress(0.0)
        check = check_channels(samples)
        turns: tuple[Turn, ...] = ()
        if check.layout is ChannelLayout.TWO_PARTY:
            turns = channel_turns(samples, check.active, self._segmenter, progress)
        elif check.active:
            turns = self._tell_apart(samples[check.active[0]], expected, progress)
        progress(1.0)
        self._heard(samples.shape[-1] / SAMPLE_RATE)
        return Diarization(check.layout, turns, check.reports, self.models)

    def _tell_apart(
        self, samples: Samples, expected: SpeakerRange, progress: Progress
    ) -> tuple[Turn, ...]:
        activity = self._segmenter.activity(
            samples, self._step, lambda done: progress(done * _SEGMENTATION_SHARE)
        )
        stretches = find_stretches(activity)
        embeddings = self._embedder.embed(
            samples,
            [(piece.start, piece.end) for _, piece in telling_pieces(stretches)],
            lambda done: progress(_SEGMENTATION_SHARE + done * (1 - _SEGMENTATION_SHARE)),
        )
        return name_turns(stretches, embeddings, expected)

    def _speakers(self, options: DiarizeOptions) -> SpeakerRange:
        """The range asked for; where only one bound is, the default of the other gives way."""
        least, most = options.min_speakers, options.max_speakers
        if any(bound is not None and bound < 1 for bound in (least, most)):
            raise InvalidInput("the number of speakers must be 1 at least")
        if least is not None and most is not None and least > most:
            raise InvalidInput(f"at least {least} and at most {most} speakers are no range")
        if least is None:
            least = min(self._expected.least, most or self._expected.least)
        return SpeakerRange(least, most or max(self._expected.most, least))


def _device(wanted: str) -> torch.device:
    if wanted == "cuda" and not torch.cuda.is_available():
        raise InvalidSetting(
            "CALLSCOPE_DEVICE is cuda, but PyTorch sees no GPU",
            remedy="Install the CUDA build of PyTorch and NVIDIA's driver, or set it to auto.",
        )
    use_gpu = wanted != "cpu" and torch.cuda.is_available()
    return torch.device("cuda" if use_gpu else "cpu")


def _ignore(_: float) -> None:
    """What interests nobody, such as a warm-up's progress."""


def _cores() -> int:
    return len(os.sched_getaffinity(0))
