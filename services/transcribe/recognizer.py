"""Whisper on batches of short clips: encode, tell the language, decode, align words.

Built from the parts of faster-whisper, which decodes whole files; here a batch may hold clips of
both channels and of several calls. Whisper pads every clip to 30 seconds; the encoder's cost is
mostly that padding, so clips are padded to 15.5 instead. That costs no accuracy on most; where it
leads astray (a clip repeats itself), `Context.FULL` pads as Whisper was trained.

What a clip yields must not depend on the others in its batch, or the same recording would read
differently on a busy day. So nothing here is taken from the batch: the padding and the longest
text are fixed, and on a CPU words are aligned clip by clip, since CTranslate2's aligner, alone of
its steps, rounds differently with the length of the longest text.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum
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
from services.transcribe.compute import Computing

__all__ = ["Context", "Decoding", "Encoded", "Heard", "HeardWord", "Recognizer", "joined"]

Samples = npt.NDArray[np.float32]

_TAIL = 8_000  # samples of silence after each clip, which let the decoder find the end
_LONGEST_SECONDS = 15.0
_TOKENS_PER_SECOND = 12  # the fastest speech needs 8; a loop needs them all
_SPARE_TOKENS = 16
_BEFORE_WORD = "\"'“¿([{-"
_AFTER_WORD = "\"'.。,，!！?？:：”)]}、"  # noqa: RUF001 - other scripts' punctuation
# The decoder attends to a word a little before it is heard, so aligned times are early: by 0.11 s
# (starts) and 0.09 s (ends) against a synthesizer's own times, 0.0-0.16 and 0.11-0.30 s against
# the energy of recorded speech.
_EARLY = 0.07  # seconds


class Context(IntEnum):
    """To how many frames of 10 ms clips are padded.

    FULL is what Whisper was trained on. In less than SHORT the decoder tends to say everything
    twice; BRIEF is enough for a word or two, but with less they come twice, too.
    """

    FULL = 3000
    SHORT = 1550
    BRIEF = 1000


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
    """How to decode.

    Attributes:
        language: ISO 639-1 code.
        hotwords: words to expect.
        beam: hypotheses followed.
        context: to which clips are padded.
        preceding: text to go on from, which sets the style.
    """

    language: str
    hotwords: tuple[str, ...] = ()
    beam: int = 1
    context: Context = Context.SHORT
    preceding: str = ""


@dataclass(frozen=True, slots=True)
class Encoded:
    """A batch of clips as the decoder sees them."""

    states: Any  # ctranslate2.StorageView (clips, frames / 2, width)
    seconds: tuple[float, ...]
    frames: tuple[int, ...]


def joined(parts: Sequence[Encoded]) -> Encoded:
    """The batches as one; several of them only on a CPU, where CTranslate2 hands them out."""
    if len(parts) == 1:
        return parts[0]
    states = np.concatenate([np.asarray(part.states) for part in parts])
    return Encoded(
        ctranslate2.StorageView.from_array(states),
        seconds=tuple(seconds for part in parts for seconds in part.seconds),
        frames=tuple(frames for part in parts for frames in part.frames),
    )


class Recognizer:
    """A Whisper model; safe to use from several threads, which wait for a free worker.

    Args:
        folder: the converted model's files.
        computing: where and how finely to compute.
    """

    def __init__(self, folder: Path, computing: Computing) -> None:
        self._whisper = WhisperModel(
            str(folder),
            device=computing.device,
            compute_type=computing.compute_type,
            cpu_threads=computing.threads,
            num_workers=computing.workers,
            local_files_only=True,
        )
        self._model: ctranslate2.models.Whisper = self._whisper.model

    @property
    def languages(self) -> frozenset[str]:
        """ISO 639-1 codes of the languages the model knows."""
        return frozenset(self._whisper.supported_languages)

    def encode(self, clips: Sequence[Samples], context: Context = Context.SHORT) -> Encoded:
        """Encode clips of at most 15 seconds at 16 kHz, padded to a context."""
        extract = self._whisper.feature_extractor
        spectra = [extract(np.pad(clip, (0, _TAIL)), padding=0) for clip in clips]
        batch = np.empty((len(clips), spectra[0].shape[0], context), dtype=np.float32)
        for row, spectrum in zip(batch, spectra, strict=True):
            row[:, : spectrum.shape[1]] = spectrum
            row[:, spectrum.shape[1] :] = spectrum.min()  # what silence looks like in it
        states = self._model.encode(ctranslate2.StorageView.from_array(batch))
        return Encoded(
            states,
            seconds=tuple(len(clip) / extract.sampling_rate for clip in clips),
            frames=tuple(spectrum.shape[1] for spectrum in spectra),
        )

    def detect(self, parts: Sequence[Encoded]) -> tuple[str, float | None]:
        """The language of all the clips together, and its probability.

        None where the model knows one language only, and so measures nothing.
        """
        if not self._model.is_multilingual:
            return "en", None
        shares: dict[str, float] = {}
        for part in parts:
            rankings = self._model.detect_language(part.states)
            for seconds, ranking in zip(part.seconds, rankings, strict=True):
                for token, probability in ranking:
                    language = token.strip("<|>")
                    shares[language] = shares.get(language, 0.0) + probability * seconds
        language = max(shares, key=lambda code: shares[code])
        return language, shares[language] / sum(sum(part.seconds) for part in parts)

    def decode(self, encoded: Encoded, decoding: Decoding) -> list[Heard]:
        """The words of each clip, in a language the model knows."""
        tokenizer = self._tokenizer(decoding.language)
        prompt = self._whisper.get_prompt(
            tokenizer,
            tokenizer.encode(f" {decoding.preceding}") if decoding.preceding else [],
            without_timestamps=True,
            hotwords=", ".join(decoding.hotwords) or None,
        )
        spare = self._whisper.max_length - len(prompt)
        results = self._model.generate(
            encoded.states,
            [prompt] * len(encoded.seconds),
            beam_size=decoding.beam,
            max_length=len(prompt) + min(_allowed(_LONGEST_SECONDS), spare),
            suppress_tokens=get_suppressed_tokens(tokenizer, [-1]),
            return_scores=True,
            return_no_speech_prob=True,
        )
        texts = [
            [token for token in result.sequences_ids[0] if token < tokenizer.eot]
            for result in results
        ]
        return [
            _heard(result, tokenizer.decode(text), words, len(text) < min(_allowed(seconds), spare))
            for result, text, words, seconds in zip(
                results, texts, self._align(tokenizer, texts, encoded), encoded.seconds, strict=True
            )
        ]

    def _align(
        self, tokenizer: Tokenizer, texts: Sequence[list[int]], encoded: Encoded
    ) -> Iterator[list[dict[str, Any]]]:
        """The words of each clip, with their times."""
        if self._model.device != "cpu":
            yield from self._whisper.find_alignment(
                tokenizer, list(texts), encoded.states, list(encoded.frames)
            )
            return
        states = np.asarray(encoded.states)
        for at, (text, frames) in enumerate(zip(texts, encoded.frames, strict=True)):
            alone = ctranslate2.StorageView.from_array(states[at : at + 1])
            yield from self._whisper.find_alignment(tokenizer, [text], alone, [frames])

    def check_language(self, language: str) -> None:
        """Make sure that the model knows a language.

        Raises:
            InvalidInput: it does not.
        """
        if language not in self.languages:
            known = ", ".join(sorted(self.languages))
            raise InvalidInput(
                f"the model does not know the language {language!r}",
                remedy=f"Leave the language out to have it detected, or give one of: {known}.",
            )

    def _tokenizer(self, language: str) -> Tokenizer:
        return Tokenizer(
            self._whisper.hf_tokenizer,
            self._model.is_multilingual,
            task="transcribe",
            language=language,
        )


def _allowed(seconds: float) -> int:
    """Tokens that so much speech may have."""
    return int(seconds * _TOKENS_PER_SECOND) + _SPARE_TOKENS


def _heard(result: Any, text: str, aligned: list[dict[str, Any]], complete: bool) -> Heard:
    merge_punctuations(aligned, _BEFORE_WORD, _AFTER_WORD)
    length = len(result.sequences_ids[0])
    return Heard(
        words=tuple(_words(aligned)),
        confidence=result.scores[0] * length / (length + 1),  # the end counts as a token
        silence=result.no_speech_prob,
        repetition=get_compression_ratio(text),
        complete=complete,
    )


def _words(aligned: Sequence[dict[str, Any]]) -> Iterator[HeardWord]:
    """The words; what the aligner cut at a sign ($87|.40, 774|-019, 50|%) is one again."""
    whole: list[list[dict[str, Any]]] = []
    for piece in aligned:
        text = piece["word"]
        if whole and text and not (text[0].isspace() or text[0].isalnum()):
            whole[-1].append(piece)
        elif any(letter.isalnum() for letter in text):
            whole.append([piece])
    for pieces in whole:
        yield HeardWord(
            text="".join(piece["word"] for piece in pieces).strip(),
            start=float(pieces[0]["start"]) + _EARLY,
            end=float(pieces[-1]["end"]) + _EARLY,
            probability=float(np.mean([piece["probability"] for piece in pieces])),
        )
