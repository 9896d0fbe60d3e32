"""Whisper on batches of short clips: encode, tell the language, decode, align words.

Built from the parts of faster-whisper, which decodes whole files; here a batch may hold clips of
both channels, and of several lengths. Whisper pads every clip to 30 seconds; the encoder's cost
is mostly that padding, so clips are padded to the longest of their batch instead. On clips of 15
seconds that costs no accuracy; where it leads astray (a clip repeats itself), `Decoding.patient`
pads as Whisper was trained.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ctranslate2
import numpy as np
import numpy.typing as npt
from faster_whisper import WhisperModel
from faster_whisper.tokenizer import Tokenizer
from faster_whisper.transcribe import (
    get_compression_ratio,
    get_suppressed_tokens,
    merge_punctuations,
)

from callscope.errors import InvalidInput

__all__ = ["Decoding", "Encoded", "Heard", "HeardWord", "Recognizer"]

Samples = npt.NDArray[np.float32]

_FULL_CONTEXT = 3000  # frames of 10 ms, what Whisper was trained on
_LEAST_CONTEXT = 1550  # in shorter ones the decoder tends to say everything twice
_TAIL = 8_000  # samples of silence after each clip, which let the decoder find the end
_TOKENS_PER_SECOND = 12  # the fastest speech needs 8; a loop needs them all
_SPARE_TOKENS = 16
_BEFORE_WORD = "\"'“¿([{-"
_AFTER_WORD = "\"'.。,，!！?？:：”)]}、"  # noqa: RUF001 - other scripts' punctuation
_PATIENT_BEAM = 5


@dataclass(frozen=True, slots=True)
class HeardWord:
    """A word with its punctuation; times in seconds from the start of the clip."""

    text: str
    start: float
    end: float
    probability: float


@dataclass(frozen=True, slots=True)
class Heard:
    """What the model makes of a clip, and how far to believe it.

    Attributes:
        words: in order.
        confidence: mean log probability of the tokens.
        silence: the model's probability that nobody speaks.
        repetition: how far the text compresses; loops exceed 2.4.
        complete: the decoder came to an end by itself.
    """

    words: tuple[HeardWord, ...]
    confidence: float
    silence: float
    repetition: float
    complete: bool


@dataclass(frozen=True, slots=True)
class Decoding:
    """How to decode: the language, words to expect, how many hypotheses to follow."""

    language: str
    hotwords: tuple[str, ...] = ()
    beam: int = 1
    patient: bool = False


@dataclass(frozen=True, slots=True)
class Encoded:
    """A batch of clips as the decoder sees them."""

    states: Any  # ctranslate2.StorageView (clips, frames / 2, width)
    seconds: tuple[float, ...]
    frames: tuple[int, ...]


class Recognizer:
    """A Whisper model; safe to use from several threads, which take turns batch by batch.

    Args:
        folder: the converted model's files.
        device: cpu or cuda.
        compute_type: as CTranslate2 names it.
        threads: on the CPU; 0 for all cores.
    """

    def __init__(self, folder: Path, *, device: str, compute_type: str, threads: int) -> None:
        self._whisper = WhisperModel(
            str(folder),
            device=device,
            compute_type=compute_type,
            cpu_threads=threads,
            local_files_only=True,
        )
        self._model: ctranslate2.models.Whisper = self._whisper.model

    @property
    def languages(self) -> frozenset[str]:
        """ISO 639-1 codes of the languages the model knows."""
        return frozenset(self._whisper.supported_languages)

    def encode(self, clips: Sequence[Samples], *, patient: bool = False) -> Encoded:
        """Encode clips of at most 29 seconds at 16 kHz."""
        extract = self._whisper.feature_extractor
        spectra = [extract(np.pad(clip, (0, _TAIL)), padding=0) for clip in clips]
        frames = tuple(spectrum.shape[1] for spectrum in spectra)
        longest = _FULL_CONTEXT if patient else max(_LEAST_CONTEXT, *frames)
        batch = np.empty((len(clips), spectra[0].shape[0], longest), dtype=np.float32)
        for row, spectrum in zip(batch, spectra, strict=True):
            row[:, : spectrum.shape[1]] = spectrum
            row[:, spectrum.shape[1] :] = spectrum.min()  # what silence looks like in it
        states = self._model.encode(ctranslate2.StorageView.from_array(batch))
        return Encoded(states, tuple(len(clip) / extract.sampling_rate for clip in clips), frames)

    def detect(self, encoded: Encoded) -> tuple[str, float | None]:
        """The language of all the clips together, and its probability.

        None where the model knows one language only, and so measures nothing.
        """
        if not self._model.is_multilingual:
            return "en", None
        shares: dict[str, float] = {}
        for seconds, ranking in zip(
            encoded.seconds, self._model.detect_language(encoded.states), strict=True
        ):
            for token, probability in ranking:
                language = token.strip("<|>")
                shares[language] = shares.get(language, 0.0) + probability * seconds
        language = max(shares, key=lambda code: shares[code])
        return language, shares[language] / sum(encoded.seconds)

    def decode(self, encoded: Encoded, decoding: Decoding) -> list[Heard]:
        """The words of each clip.

        Raises:
            InvalidInput: the model does not know the language.
        """
        tokenizer = self._tokenizer(decoding.language)
        prompt = self._whisper.get_prompt(
            tokenizer,
            previous_tokens=[],
            without_timestamps=True,
            hotwords=", ".join(decoding.hotwords) or None,
        )
        allowed = int(max(encoded.seconds) * _TOKENS_PER_SECOND) + _SPARE_TOKENS
        limit = min(len(prompt) + allowed, self._whisper.max_length)
        results = self._model.generate(
            encoded.states,
            [prompt] * len(encoded.seconds),
            beam_size=_PATIENT_BEAM if decoding.patient else decoding.beam,
            max_length=limit,
            suppress_tokens=get_suppressed_tokens(tokenizer, [-1]),
            return_scores=True,
            return_no_speech_prob=True,
        )
        texts = [
            [token for token in result.sequences_ids[0] if token < tokenizer.eot]
            for result in results
        ]
        aligned = self._whisper.find_alignment(
            tokenizer, texts, encoded.states, list(encoded.frames)
        )
        return [
            self._heard(result, tokenizer.decode(text), words, len(text) < limit - len(prompt))
            for result, text, words in zip(results, texts, aligned, strict=True)
        ]

    def _heard(self, result: Any, text: str, words: list[dict[str, Any]], complete: bool) -> Heard:
        merge_punctuations(words, _BEFORE_WORD, _AFTER_WORD)
        length = len(result.sequences_ids[0])
        return Heard(
            words=tuple(
                HeardWord(
                    text=word["word"].strip(),
                    start=float(word["start"]),
                    end=float(word["end"]),
                    probability=float(word["probability"]),
                )
                for word in words
                if any(letter.isalnum() for letter in word["word"])
            ),
            confidence=result.scores[0] * length / (length + 1),  # the end counts as a token
            silence=result.no_speech_prob,
            repetition=get_compression_ratio(text),
            complete=complete,
        )

    def _tokenizer(self, language: str) -> Tokenizer:
        if language not in self.languages:
            known = ", ".join(sorted(self.languages))
            raise InvalidInput(
                f"the model does not know the language {language!r}",
                remedy=f"Leave the language out to have it detected, or give one of: {known}.",
            )
        return Tokenizer(
            self._whisper.hf_tokenizer,
            self._model.is_multilingual,
            task="transcribe",
            language=language,
        )
