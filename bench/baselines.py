"""The stock parts, used as their documentation shows, on the same model files as ours."""

import os
import warnings
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from faster_whisper import BatchedInferencePipeline, WhisperModel
from torch import Tensor
from torch.nn import functional
from torchaudio.compliance.kaldi import fbank

os.environ["PYANNOTE_METRICS_ENABLED"] = "0"  # it reports home unless told before import
with warnings.catch_warnings():
    warnings.filterwarnings("ignore", r"\s*torchcodec is not installed", UserWarning)
    from pyannote.audio import Model
    from pyannote.audio.core.plda import PLDA
    from pyannote.audio.pipelines import SpeakerDiarization

from bench.references import Account, Said
from bench.systems import Setup
from callscope.audio import SAMPLE_RATE, AudioLimits, decode
from callscope.models import ModelStore
from callscope.types import Turn
from services.diarize.campplus import EMBEDDING_SIZE, MEL_BINS, CamPlusPlus

__all__ = ["FasterWhisper", "Pyannote", "Stock"]

Samples = npt.NDArray[np.float32]

_INSIDE_WORD = tuple(".,:-/'%")  # its text has no space before these
_BATCH = 8  # clips of Whisper; what our own service takes
_PIPELINE_BATCH = 32  # as pyannote's published pipelines are configured
_FEWEST_FRAMES = 2  # of speech, for a standard deviation over time


class FasterWhisper:
    """faster-whisper with its voice-activity filter, greedy, one channel after the other."""

    def __init__(self, setup: Setup, *, batched: bool) -> None:
        model = ModelStore(setup.models_dir).locate(setup.model)
        self.models = {model.name: model.digest}
        whisper = WhisperModel(
            str(model.folder),
            device=setup.device,
            compute_type="int8" if setup.device == "cpu" else "float16",
            cpu_threads=setup.threads,
        )
        self._transcribe: Any = whisper.transcribe
        self._options: dict[str, Any] = {"beam_size": 1, "word_timestamps": True}
        if batched:
            self._transcribe = BatchedInferencePipeline(whisper).transcribe
            self._options["batch_size"] = _BATCH
        else:
            self._options["vad_filter"] = True

    def listen(self, file: Path) -> Account:
        return Account(self.words(_read(file)))

    def words(self, samples: Samples) -> tuple[Said, ...]:
        """Words of (channels, samples) at 16 kHz, in order of start."""
        words: list[Said] = []
        for channel, heard in enumerate(samples):
            segments, _ = self._transcribe(heard, **self._options)
            for segment in segments:
                for word in segment.words or ():
                    said = Said(word.word, float(word.start), float(word.end), None, channel)
                    if words and word.word[:1] in _INSIDE_WORD:  # "$87" and ".40"
                        begun = words.pop()
                        said = replace(said, text=begun.text + said.text, start=begun.start)
                    words.append(replace(said, text=said.text.strip()))
        return tuple(sorted(words, key=lambda word: (word.start or 0.0, word.end)))


class Pyannote:
    """pyannote.audio's pipeline: a window each second, an embedding for each speaker in each.

    Agglomerative clustering by centroids at 0.70, which suits this embedding; overlaps are kept
    out of the embeddings. Channels are mixed, as the pipeline does itself.
    """

    def __init__(self, setup: Setup) -> None:
        store = ModelStore(setup.models_dir)
        segmentation, embedding = store.locate("segmentation-3.0"), store.locate("campplus")
        self.models = {model.name: model.digest for model in (segmentation, embedding)}
        torch.set_num_threads(setup.threads)
        local: Any = Model.from_pretrained(segmentation.folder / "pytorch_model.bin")
        self._pipeline: Any = SpeakerDiarization(
            legacy=True,
            segmentation=local,
            embedding=_Embedding(embedding.folder / "campplus_cn_en_common.pt"),
            embedding_exclude_overlap=True,
            plda=PLDA.__new__(PLDA),  # it wants one, and uses it only for another clustering
            clustering="AgglomerativeClustering",
            embedding_batch_size=_PIPELINE_BATCH,
            segmentation_batch_size=_PIPELINE_BATCH,
        )
        self._pipeline.instantiate(
            {
                "segmentation": {"min_duration_off": 0.0},
                "clustering": {"method": "centroid", "threshold": 0.70, "min_cluster_size": 12},
            }
        )
        self._pipeline.to(torch.device(setup.device))

    def listen(self, file: Path) -> Account:
        return Account(turns=self.turns(_read(file)))

    def turns(self, samples: Samples) -> tuple[Turn, ...]:
        """Turns of (channels, samples) at 16 kHz, in order of start."""
        mixed = torch.from_numpy(samples.mean(axis=0, keepdims=True))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of recordings in which nobody speaks long enough
            found = self._pipeline({"waveform": mixed, "sample_rate": SAMPLE_RATE})
        return tuple(
            Turn(str(speaker), float(segment.start), float(segment.end))
            for segment, _, speaker in found.itertracks(yield_label=True)
        )


class Stock:
    """Both in a row; a word is the speaker's whose turns cover most of it, or nobody's.

    Where each party has a channel, the channel is the speaker, and pyannote is not asked.
    """

    def __init__(self, setup: Setup) -> None:
        self._whisper = FasterWhisper(setup, batched=True)
        self._pyannote = Pyannote(setup)
        self.models = self._whisper.models | self._pyannote.models

    def listen(self, file: Path) -> Account:
        samples = _read(file)
        words = self._whisper.words(samples)
        if len(samples) > 1:
            return Account(
                tuple(
                    Said(w.text, w.start, w.end, f"channel_{w.channel}", w.channel) for w in words
                )
            )
        turns = self._pyannote.turns(samples)
        return Account(
            tuple(Said(w.text, w.start, w.end, _speaker(w, turns), w.channel) for w in words), turns
        )


class _Embedding(Model):
    """CAM++ as a model of pyannote's; frames outside the weights are left out."""

    def __init__(self, weights: Path) -> None:
        super().__init__(sample_rate=SAMPLE_RATE, num_channels=1)
        self.network = CamPlusPlus()
        self.network.load_state_dict(torch.load(weights, map_location="cpu", weights_only=True))

    @property
    def dimension(self) -> int:
        return EMBEDDING_SIZE

    def forward(self, waveforms: Tensor, weights: Tensor | None = None) -> Tensor:  # type: ignore[override]
        """(batch, 1, samples) and (batch, frames) to (batch, 192); NaN without speech."""
        embeddings = waveforms.new_full((len(waveforms), EMBEDDING_SIZE), torch.nan)
        for row, waveform in enumerate(waveforms):
            features = fbank(
                waveform, num_mel_bins=MEL_BINS, sample_frequency=SAMPLE_RATE, dither=0.0
            )
            features = features - features.mean(dim=0)
            if weights is not None:
                spread = functional.interpolate(weights[row][None, None], size=len(features))
                features = features[spread[0, 0] > 0.5]
            if len(features) >= _FEWEST_FRAMES:
                embeddings[row] = self.network(features[None])[0]
        return embeddings


def _read(file: Path) -> Samples:
    with file.open("rb") as content:
        return decode(content, AudioLimits()).samples


def _speaker(word: Said, turns: Sequence[Turn]) -> str | None:
    overlaps: dict[str, float] = {}
    for turn in turns:
        common = min(word.end or 0.0, turn.end) - max(word.start or 0.0, turn.start)
        if common > 0:
            overlaps[turn.speaker] = overlaps.get(turn.speaker, 0.0) + common
    return max(overlaps, key=lambda speaker: overlaps[speaker], default=None)
