"""Speech to words: the stage from a recording to a transcript.

Channels are checked first; of those that carry a party's own speech, the stretches where
somebody speaks are packed into clips, and clips of all channels are decoded in the same batches.
"""

import os
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import ctranslate2
import numpy as np
import numpy.typing as npt

from callscope.audio import SAMPLE_RATE, AudioReader
from callscope.channels import ChannelCheck, check_channels, frame_levels
from callscope.errors import InvalidSetting
from callscope.models import ModelStore
from callscope.pipeline import Progress, TranscribeOptions
from callscope.types import AudioSource, ModelInfo, Span, Transcript, Word
from services.transcribe.recognizer import Decoding, Encoded, Heard, Recognizer
from services.transcribe.speech import find_speech
from services.transcribe.windows import Window, pack

__all__ = ["Compute", "Engine"]

Samples = npt.NDArray[np.float32]

_CLIP = 15 * SAMPLE_RATE  # longer ones repeat themselves more often with little context
_SPEECH_SHARE = 0.1  # of the time a call takes, to find its speech
_NOBODY = -120.0  # dBFS: the level of parties that do not exist

# Whisper's own bounds (arXiv 2212.04356, section 4.5): beyond, the text is a loop, or invented.
_LOOP = 2.4
_UNLIKELY = -1.0  # mean log probability of a token
_SILENT = 0.6


@dataclass(frozen=True, slots=True)
class Compute:
    """Where and how finely to compute; `threads` 0 takes the cores that this process may use."""

    device: Literal["auto", "cpu", "cuda"] = "auto"
    compute_type: str = "auto"
    threads: int = 0
    batch_size: int = 8
    beam_size: int = 1


class Engine:
    """The recognizers, loaded when first asked for, and what they need to read recordings.

    Args:
        reader: fetches and decodes recordings.
        store: where the models are.
        default: name of the model for requests that name none; loaded at once.
        compute: where and how finely to compute.

    Raises:
        UnknownModel, ModelMissing, ModelDamaged: the default model cannot be used.
        InvalidSetting: a GPU is asked for and there is none.
    """

    def __init__(
        self, reader: AudioReader, store: ModelStore, default: str, compute: Compute
    ) -> None:
        self._reader = reader
        self._store = store
        self._default = default
        self._compute = compute
        self._device = _device(compute.device)
        self._loading = threading.Lock()
        self._loaded: dict[str, tuple[Recognizer, ModelInfo]] = {}
        self._recognizer(default)

    @property
    def models(self) -> tuple[ModelInfo, ...]:
        """The models loaded so far."""
        return tuple(info for _, info in self._loaded.values())

    def warm_up(self) -> None:
        """Decode a second of noise, so that the first call finds the model ready."""
        recognizer, _ = self._recognizer(self._default)
        noise = np.random.default_rng(0).normal(0, 0.01, SAMPLE_RATE).astype(np.float32)
        recognizer.decode(recognizer.encode([noise]), Decoding("en"))

    def transcribe(
        self, audio: AudioSource, options: TranscribeOptions, progress: Progress
    ) -> Transcript:
        """Transcribe every channel that carries speech of its own; silence has no words.

        Raises:
            UnknownModel, ModelMissing, ModelDamaged: the model asked for cannot be used.
            InvalidInput: the model does not know the language.
            CallscopeError: what `AudioReader.read` raises, and whatever `progress` raises.
        """
        recognizer, info = self._recognizer(options.model or self._default)
        samples = self._reader.read(audio).samples
        progress(0.0)
        clips = _clips(samples, check_channels(samples), progress)
        work = _Work(recognizer, samples, self._compute)
        language, probability = options.language, None
        words: list[Word] = []
        if clips:
            if language is None:
                language, probability = work.language(clips)
            decoding = Decoding(language, options.hotwords, self._compute.beam_size)
            for done, (clip, heard) in enumerate(work.decode(clips, decoding, progress), 1):
                words += _placed(clip, heard)
                progress(_SPEECH_SHARE + (1 - _SPEECH_SHARE) * done / len(clips))
        progress(1.0)
        return Transcript(
            duration=samples.shape[1] / SAMPLE_RATE,
            language=language if words else options.language,
            language_probability=probability if words else None,
            words=tuple(sorted(words, key=lambda word: (word.start, word.channel, word.end))),
            speech=_speech(clips),
            model=info,
        )

    def _recognizer(self, name: str) -> tuple[Recognizer, ModelInfo]:
        with self._loading:
            if name not in self._loaded:
                local = self._store.locate(name)
                recognizer = Recognizer(
                    local.folder,
                    device=self._device,
                    compute_type=_precision(self._compute.compute_type, self._device),
                    threads=self._compute.threads or len(os.sched_getaffinity(0)),
                )
                info = ModelInfo("transcribe", name, local.digest)
                self._loaded[name] = recognizer, info
            return self._loaded[name]


@dataclass(frozen=True, slots=True)
class _Work:
    """One recording on its way through a recognizer."""

    recognizer: Recognizer
    samples: Samples
    compute: Compute

    def language(self, clips: Sequence[Window]) -> tuple[str, float | None]:
        """The language of the call, by its longest clips; not of each channel by itself."""
        return self.recognizer.detect(self._encode(_longest_first(clips)[:2]))

    def decode(
        self, clips: Sequence[Window], decoding: Decoding, progress: Progress
    ) -> Iterator[tuple[Window, Heard]]:
        """Each clip and what is heard in it: of similar length in a batch, which saves padding."""
        ordered = _longest_first(clips)
        size = self.compute.batch_size
        for at in range(0, len(ordered), size):
            batch = ordered[at : at + size]
            progress(_SPEECH_SHARE + (1 - _SPEECH_SHARE) * at / len(ordered))
            heard = self.recognizer.decode(self._encode(batch), decoding)
            for clip, first in zip(batch, heard, strict=True):
                best = first if _is_sound(first) else self._again(clip, first, decoding)
                if not _is_invented(best):
                    yield clip, best

    def _again(self, clip: Window, first: Heard, decoding: Decoding) -> Heard:
        """A clip that went astray, decoded as Whisper was trained; the sounder result of both."""
        patient = Decoding(decoding.language, decoding.hotwords, decoding.beam, patient=True)
        (second,) = self.recognizer.decode(self._encode([clip], patient=True), patient)
        return max(first, second, key=lambda each: (_is_sound(each), each.confidence))

    def _encode(self, clips: Sequence[Window], *, patient: bool = False) -> Encoded:
        return self.recognizer.encode([c.audio(self.samples) for c in clips], patient=patient)


def _clips(samples: Samples, check: ChannelCheck, progress: Progress) -> list[Window]:
    """The speech of the active channels, packed."""
    levels = {channel: frame_levels(samples[channel]) for channel in check.active}
    clips: list[Window] = []
    for place, channel in enumerate(check.active):
        others = [levels[other] for other in check.active if other != channel]
        nobody = np.full_like(levels[channel], _NOBODY)
        done = _SPEECH_SHARE * place / len(check.active)
        stretches = find_speech(
            samples[channel],
            levels[channel],
            check.reports[channel].level_dbfs or 0.0,
            np.max([nobody, *others], axis=0),
            _CLIP,
            lambda share, done=done: progress(  # type: ignore[misc] # bound at once
                done + _SPEECH_SHARE * share / len(check.active)
            ),
        )
        clips += pack(channel, stretches, _CLIP)
    return clips


def _longest_first(clips: Sequence[Window]) -> list[Window]:
    return sorted(clips, key=lambda clip: (-len(clip), clip.channel, clip.stretches))


def _is_sound(heard: Heard) -> bool:
    return heard.complete and heard.repetition <= _LOOP and heard.confidence >= _UNLIKELY


def _is_invented(heard: Heard) -> bool:
    """Whether nobody said that: a loop, or a guess where the model itself hears no speech."""
    guess = heard.silence > _SILENT and heard.confidence < _UNLIKELY
    return guess or heard.repetition > _LOOP


def _placed(clip: Window, heard: Heard) -> Iterator[Word]:
    for word in heard.words:
        start, end = clip.in_recording(word.start, word.end)
        yield Word(word.text, start, end, word.probability, clip.channel)


def _speech(clips: Sequence[Window]) -> tuple[Span, ...]:
    spans = [
        Span(stretch.start / SAMPLE_RATE, stretch.end / SAMPLE_RATE, clip.channel)
        for clip in clips
        for stretch in clip.stretches
    ]
    return tuple(sorted(spans, key=lambda span: (span.start, span.channel or 0)))


def _device(wanted: str) -> str:
    gpus = ctranslate2.get_cuda_device_count() if wanted != "cpu" else 0
    if wanted == "cuda" and not gpus:
        raise InvalidSetting(
            "CALLSCOPE_DEVICE is cuda, but CTranslate2 sees no GPU",
            remedy="Install NVIDIA's driver, cuBLAS and cuDNN, or set it to auto.",
        )
    return "cuda" if gpus else "cpu"


def _precision(wanted: str, device: str) -> str:
    if wanted != "auto":
        return wanted
    return "float16" if device == "cuda" else "int8"
