"""Speech to words: the stage from a recording to a transcript.

Channels are checked first; of those that carry a party's own speech, the stretches where
somebody speaks are packed into clips, and clips of all channels, and of all calls at work, are
decoded in the same batches. What is doubtful or was passed over is listened to once more.
"""

import math
import threading
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from callscope.audio import SAMPLE_RATE, AudioReader
from callscope.channels import ChannelCheck, check_channels, frame_levels
from callscope.models import ModelStore
from callscope.pipeline import Progress, TranscribeOptions
from callscope.types import AudioSource, ModelInfo, Span, Transcript, Word
from services.transcribe.batches import Batcher, Lane
from services.transcribe.compute import Compute, Computing
from services.transcribe.crosstalk import without_crosstalk
from services.transcribe.hearing import (
    is_aside,
    is_convincing,
    is_invented,
    is_repeat,
    is_sound,
    longest,
    missed,
    says_twice,
    words_in,
)
from services.transcribe.recognizer import Context, Decoding, Encoded, Heard, Recognizer, joined
from services.transcribe.speech import find_speech
from services.transcribe.windows import Window, pack

__all__ = ["Engine"]

Samples = npt.NDArray[np.float32]
Levels = npt.NDArray[np.float32]  # dBFS, one per 20 ms frame

_CLIP = 15 * SAMPLE_RATE  # longer ones repeat themselves more often with little context
_TELLING = 2  # clips, the longest, that tell the call's language; not each channel's by itself
_THOROUGH_BEAM = 5  # hypotheses, where the first reading found nothing
_NEAR = 3.0  # seconds around a gap in which its words may have been placed by mistake
_NOBODY = -120.0  # dBFS: the level of parties that do not exist
# Shares of the time a call takes: finding its speech, reading it, and reading some of it again.
_FOUND, _READ, _READ_AGAIN, _GAPS_READ = 0.1, 0.85, 0.9, 0.95
# What precedes an aside, as far as the decoder knows: it writes in the style that it finds.
_BACKCHANNELS = "Mm-hmm. Uh-huh. Mm-hmm."


class Engine:
    """The recognizers, loaded when first asked for, and what they need to read recordings.

    Args:
        reader: fetches and decodes recordings.
        store: where the models are.
        default: name of the model for requests that name none; loaded at once.
        compute: where and how finely to compute.

    Raises:
        UnknownModel, ModelMissing, ModelDamaged: the default model cannot be used.
        InvalidSetting: a GPU is asked for and there is none, or it lacks the precision.
    """

    def __init__(
        self, reader: AudioReader, store: ModelStore, default: str, compute: Compute
    ) -> None:
        self._reader = reader
        self._store = store
        self._default = default
        self.computing = Computing.on_this_machine(compute)
        self._loading = threading.Lock()
        self._loaded: dict[str, _Model] = {}
        self._model(default)

    @property
    def models(self) -> tuple[ModelInfo, ...]:
        """The models loaded so far."""
        return tuple(model.info for model in self._loaded.values())

    def warm_up(self) -> None:
        """Decode a second of noise, so that the first call finds the model ready."""
        noise = np.random.default_rng(0).normal(0, 0.01, SAMPLE_RATE).astype(np.float32)
        recognizer = self._model(self._default).recognizer
        recognizer.decode(recognizer.encode([noise]), Decoding("en"))

    def transcribe(
        self, audio: AudioSource, options: TranscribeOptions, progress: Progress
    ) -> Transcript:
        """Transcribe every channel that carries speech of its own; silence has no words.

        Several threads may call this at once; the result does not depend on it.

        Raises:
            UnknownModel, ModelMissing, ModelDamaged: the model asked for cannot be used.
            InvalidInput: the model does not know the language.
            CallscopeError: what `AudioReader.read` raises, and whatever `progress` raises.
        """
        model = self._model(options.model or self._default)
        if options.language is not None:
            model.recognizer.check_language(options.language)
        heard = self._reader.read(audio)
        samples = heard.samples
        progress(0.0)
        check = check_channels(samples)
        levels = {channel: frame_levels(samples[channel]) for channel in check.active}
        clips = _clips(samples, check, levels, partial(_part, progress, 0.0, _FOUND))
        language, probability = options.language, None
        words: list[Word] = []
        if clips:
            encoded: Mapping[Window, Encoded] = {}
            if language is None:
                encoded = _encoded(model.recognizer, samples, _longest_first(clips)[:_TELLING])
                language, probability = model.recognizer.detect(list(encoded.values()))
                if self.computing.device != "cpu":  # there they cannot be put into other batches
                    encoded = {}
            decoding = Decoding(language, options.hotwords, self.computing.beam_size)
            with model.batcher.lane() as lane:
                words = _Reading(lane, samples, decoding, encoded, progress).words(clips)
            words = without_crosstalk(words, levels, check)
        progress(1.0)
        return Transcript(
            duration=samples.shape[1] / SAMPLE_RATE,
            language=language if words else options.language,
            language_probability=probability if words else None,
            words=tuple(sorted(words, key=lambda word: (word.start, word.channel, word.end))),
            speech=_speech(clips),
            model=model.info,
            doubts=heard.info.doubts,
        )

    def _model(self, name: str) -> "_Model":
        with self._loading:
            if name not in self._loaded:
                local = self._store.locate(name)
                recognizer = Recognizer(local.folder, self.computing)
                batcher = Batcher(
                    partial(_decode, recognizer),
                    lambda job: job.decoding,
                    size=self.computing.batch_size,
                    workers=self.computing.workers,
                    mixed=self.computing.mixed_batches,
                )
                info = ModelInfo("transcribe", name, local.digest)
                self._loaded[name] = _Model(info, recognizer, batcher)
            return self._loaded[name]


@dataclass(frozen=True, slots=True, eq=False)
class _Job:
    """A clip of a recording, how to decode it, and what the encoder made of it, if it did."""

    samples: Samples  # the recording's (channels, samples)
    clip: Window
    decoding: Decoding
    encoded: Encoded | None


@dataclass(frozen=True, slots=True)
class _Model:
    """A model at work."""

    info: ModelInfo
    recognizer: Recognizer
    batcher: Batcher[_Job, Heard]


def _decode(recognizer: Recognizer, jobs: Sequence[_Job]) -> list[Heard]:
    decoding = jobs[0].decoding
    parts: dict[tuple[_Job, ...], Encoded] = {
        (job,): job.encoded for job in jobs if job.encoded is not None
    }
    if fresh := tuple(job for job in jobs if job.encoded is None):
        clips = [job.clip.audio(job.samples) for job in fresh]
        parts[fresh] = recognizer.encode(clips, decoding.context)
    heard = recognizer.decode(joined(list(parts.values())), decoding)
    by_job = dict(zip((job for part in parts for job in part), heard, strict=True))
    return [by_job[job] for job in jobs]


@dataclass(frozen=True, slots=True)
class _Reading:
    """One recording on its way through a recognizer."""

    lane: Lane[_Job, Heard]
    samples: Samples
    decoding: Decoding
    encoded: Mapping[Window, Encoded]  # of the clips that told the language
    progress: Progress

    def words(self, clips: Sequence[Window]) -> list[Word]:
        """The words of all clips: read once; the doubtful, the missed and the asides twice."""
        ordered = _longest_first(clips)  # of similar length in a batch: they end together
        first = self._hear(ordered, self.decoding, _FOUND, _READ, self.encoded)
        best = self._doubts_settled(ordered, first)
        words: list[Word] = []
        gaps: list[Window] = []
        asides: dict[Window, list[Word]] = {}
        for clip, heard in zip(ordered, best, strict=True):
            placed = [] if is_invented(heard) else list(_placed(clip, heard))
            for stretch in clip.stretches:
                own = words_in(stretch, placed)
                if is_aside(stretch, own):
                    asides[Window(clip.channel, (stretch,))] = own
                else:
                    words += own
                    gaps += [Window(clip.channel, (gap,)) for gap in missed(stretch, own)]
        return words + self._in_gaps(gaps, words) + self._asides(asides)

    def _in_gaps(self, gaps: Sequence[Window], words: Sequence[Word]) -> list[Word]:
        """What is said where the first reading passed over speech."""
        readings = self._hear(gaps, self._thorough, _READ_AGAIN, _GAPS_READ)
        found: list[Word] = []
        for gap, heard in zip(gaps, readings, strict=True):
            reading = list(_placed(gap, heard))
            if is_convincing(heard) and not is_repeat(reading, _around(gap, words)):
                found += reading
        return found

    def _asides(self, first: dict[Window, list[Word]]) -> list[Word]:
        """Each aside's words: as first read, or as read by themselves, whichever is surer."""
        preceding = _BACKCHANNELS if self.decoding.language == "en" else ""
        alone = replace(self.decoding, context=Context.BRIEF, preceding=preceding)
        again = self._hear(list(first), alone, _GAPS_READ, 1.0)
        words: list[Word] = []
        for (aside, before), heard in zip(first.items(), again, strict=True):
            surer = math.exp(heard.confidence) > _mean_probability(before)
            words += _placed(aside, heard) if surer and is_convincing(heard) else before
        return words

    def _doubts_settled(self, clips: Sequence[Window], first: Sequence[Heard]) -> list[Heard]:
        """The readings, the doubtful ones replaced where another one is sounder.

        A clip that went astray is decoded as Whisper was trained. So is one that says a phrase
        twice in a row: if that was spoken, it is heard again.
        """
        doubtful = [at for at, each in enumerate(first) if not is_sound(each) or says_twice(each)]
        patient = replace(self._thorough, context=Context.FULL)
        again = self._hear([clips[at] for at in doubtful], patient, _READ, _READ_AGAIN)
        settled = list(first)
        for at, second in zip(doubtful, again, strict=True):
            if is_convincing(second) or not is_invented(first[at]):
                settled[at] = max(second, first[at], key=_soundness)
        return settled

    @property
    def _thorough(self) -> Decoding:
        return replace(self.decoding, beam=max(self.decoding.beam, _THOROUGH_BEAM))

    def _hear(
        self,
        clips: Sequence[Window],
        decoding: Decoding,
        begin: float,
        end: float,
        encoded: Mapping[Window, Encoded] = MappingProxyType({}),
    ) -> list[Heard]:
        jobs = [_Job(self.samples, clip, decoding, encoded.get(clip)) for clip in clips]
        return self.lane.results(jobs, partial(_part, self.progress, begin, end))


def _soundness(heard: Heard) -> tuple[bool, bool, float]:
    return is_sound(heard), not says_twice(heard), heard.confidence


def _around(gap: Window, words: Sequence[Word]) -> list[Word]:
    """The words of the same channel near a gap, in order."""
    start, end = gap.stretches[0].start / SAMPLE_RATE, gap.stretches[0].end / SAMPLE_RATE
    near = [w for w in words if w.channel == gap.channel and start - _NEAR < w.end]
    return sorted((w for w in near if w.start < end + _NEAR), key=lambda word: word.start)


def _mean_probability(words: Sequence[Word]) -> float:
    return sum(word.probability for word in words) / max(1, len(words))


def _part(progress: Progress, begin: float, end: float, share: float) -> None:
    progress(begin + (end - begin) * share)


def _clips(
    samples: Samples, check: ChannelCheck, levels: dict[int, Levels], progress: Progress
) -> list[Window]:
    """The speech of the active channels, packed; each channel's is found on a thread."""
    shares = dict.fromkeys(check.active, 0.0)

    def found_on(channel: int) -> list[Window]:
        others = [levels[other] for other in check.active if other != channel]
        nobody = np.full_like(levels[channel], _NOBODY)

        def report(share: float) -> None:
            shares[channel] = share
            progress(sum(shares.values()) / len(shares))

        stretches = find_speech(
            samples[channel],
            levels[channel],
            check.reports[channel].level_dbfs or 0.0,
            np.max([nobody, *others], axis=0),
            _CLIP,
            report,
        )
        return pack(channel, stretches, _CLIP)

    with ThreadPoolExecutor(len(check.active) or 1, thread_name_prefix="speech") as threads:
        return [clip for clips in threads.map(found_on, check.active) for clip in clips]


def _encoded(
    recognizer: Recognizer, samples: Samples, clips: Sequence[Window]
) -> dict[Window, Encoded]:
    """The clips as the decoder sees them, each encoded on a thread."""
    with ThreadPoolExecutor(len(clips), thread_name_prefix="encode") as threads:
        parts = threads.map(lambda clip: recognizer.encode([clip.audio(samples)]), clips)
        return dict(zip(clips, parts, strict=True))


def _longest_first(clips: Sequence[Window]) -> list[Window]:
    return sorted(clips, key=lambda clip: (-len(clip), clip.channel, clip.stretches))


def _placed(clip: Window, heard: Heard) -> Iterator[Word]:
    for word in heard.words:
        start, end = clip.in_recording(word.start, min(word.end, word.start + longest(word.text)))
        yield Word(word.text, round(start, 3), round(end, 3), word.probability, clip.channel)


def _speech(clips: Sequence[Window]) -> tuple[Span, ...]:
    spans = [
        Span(stretch.start / SAMPLE_RATE, stretch.end / SAMPLE_RATE, clip.channel)
        for clip in clips
        for stretch in clip.stretches
    ]
    return tuple(sorted(spans, key=lambda span: (span.start, span.channel or 0)))
