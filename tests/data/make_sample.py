"""Make the sample call: speak script.yaml, send it through a telephone line, write down the truth.

The outputs in sample/ are committed, so nothing in the project needs the synthesizer; changing the
call does. README.md beside this file says how.
"""

import argparse
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import soxr
import yaml

from tests.data import synthesizer, telephone
from tests.data.synthesizer import Speech, Synthesizer
from tests.data.telephone import RATE, Signal

SAMPLE = Path(__file__).parent / "sample"
SPEAKERS = ("agent", "customer")  # by channel
LEVEL_DBFS = {"agent": -22.0, "customer": -25.0}  # of speech, RMS
HOLD_AFTER = 0.4  # seconds from the last word to the music

Entry = dict[str, Any]


@dataclass(frozen=True)
class Turn:
    """A turn of the script and its place in the call."""

    index: int
    speaker: str
    sentences: tuple[Mapping[str, Any], ...]
    speech: Speech
    at: float
    backchannel: bool
    hold: float

    @property
    def words(self) -> list[Entry]:
        """Words with times in the call."""
        moved = [word.later(self.at) for word in self.speech.words]
        return [{"w": w.word, "start": round(w.start, 3), "end": round(w.end, 3)} for w in moved]

    @property
    def start(self) -> float:
        """Where its first word begins."""
        return float(self.words[0]["start"])

    @property
    def end(self) -> float:
        """Where its last word ends."""
        return float(self.words[-1]["end"])

    @property
    def music(self) -> tuple[float, float]:
        """When the hold music after it plays."""
        return round(self.end + HOLD_AFTER, 3), round(self.end + self.hold, 3)

    def summary(self) -> Entry:
        """Who, when and what, as the truth tells it."""
        return {
            "i": self.index,
            "speaker": self.speaker,
            "channel": SPEAKERS.index(self.speaker),
            "start": self.start,
            "end": self.end,
            "text": text_of(self.sentences),
            "backchannel": self.backchannel,
            "words": self.words,
        }

    def marked(self) -> Iterator[tuple[Mapping[str, Any], Entry]]:
        """Each sentence that the script says something about, and where it is."""
        words, first = self.words, 0
        for sentence in self.sentences:
            last = first + len(sentence["text"].split())
            if "is" in sentence:
                place: Entry = {"speaker": self.speaker, "turn": self.index}
                place |= {"start": words[first]["start"], "end": words[last - 1]["end"]}
                yield sentence, {"type": sentence["is"], **place, "text": sentence["text"]}
            first = last


def text_of(sentences: Iterable[Mapping[str, Any]]) -> str:
    """All sentences in one line."""
    return " ".join(sentence["text"] for sentence in sentences)


def turns_of(script: Mapping[str, Any], voice: Synthesizer) -> list[Turn]:
    """Speak every turn and put it where its gap says."""
    turns: list[Turn] = []
    floor = 0.0  # until when the last speaker holds it
    for index, line in enumerate(script["turns"]):
        speaker = next(s for s in SPEAKERS if s in line)
        speech = voice.say(
            text_of(line[speaker]), script["voices"][speaker], script["speed"][speaker]
        )
        turn = Turn(
            index,
            speaker,
            tuple(line[speaker]),
            speech,
            round(floor + line["gap"], 3),
            line.get("backchannel", False),
            line.get("hold", 0.0),
        )
        turns.append(turn)
        if not turn.backchannel:
            floor = turn.end + turn.hold
    return turns


def party(speaker: str, turns: list[Turn], length: int) -> Signal:
    """Lay one speaker's turns, and the music he puts on, along the call."""
    track = np.zeros(length, dtype=np.float32)
    own = [turn for turn in turns if turn.speaker == speaker]
    for turn in own:
        heard = soxr.resample(turn.speech.samples, synthesizer.RATE, RATE)
        begin = round(turn.at * RATE)
        track[begin : begin + len(heard)] += heard
    track *= telephone.gain(LEVEL_DBFS[speaker]) / telephone.rms(track[np.abs(track) > 1e-3])
    for turn in own:
        if turn.hold:
            begin, end = (round(x * RATE) for x in turn.music)
            track[begin:end] += telephone.hold_music(end - begin)
    return track


def truth_of(script: Mapping[str, Any], turns: list[Turn], length: int) -> Entry:
    """Everything that is known of the call because we made it."""
    marked = [m for turn in turns for m in turn.marked()]
    return {
        "id": script["id"],
        "title": script["title"],
        "synthetic": True,
        "license": "Apache-2.0",
        "sample_rate": RATE,
        "duration_s": length / RATE,
        "audio": {"stereo": "stereo.flac", "mono": "mono.wav"},
        "channels": {str(i): speaker for i, speaker in enumerate(SPEAKERS)},
        "voices": script["voices"],
        "tts": "Kokoro-82M int8 ONNX",
        "word_times": "the synthesizer's durations (25 ms grid); before a pause, the end of sound",
        "channel_sim": {"level_dbfs": LEVEL_DBFS, **telephone.FACTS},
        "labels": script["labels"],
        "expected": script["expected"],
        "disclosures": disclosures(script["expected_text"], marked),
        "turns": [turn.summary() for turn in turns],
        "behaviors": [
            place | {k: sentence[k] for k in ("id", "status") if k in sentence}
            for sentence, place in marked
            if place["speaker"] == "agent"
        ],
        "opportunities": [
            place | {"answered": sentence["answered"]}
            for sentence, place in marked
            if place["speaker"] == "customer"
        ],
        "interruptions": [
            {"by": place["speaker"], "turn": place["turn"], "start": place["start"]}
            for sentence, place in marked
            if sentence.get("interruption")
        ],
        "backchannels": [
            {k: turn.summary()[k] for k in ("speaker", "start", "end", "text")}
            | {"turn": turn.index}
            for turn in turns
            if turn.backchannel
        ],
        "overlaps": overlaps(turns),
        "holds": [{"start": t.music[0], "end": t.music[1]} for t in turns if t.hold],
        "long_silences": silences(turns),
        "talk_s": {
            s: round(sum(t.end - t.start for t in turns if t.speaker == s), 3) for s in SPEAKERS
        },
    }


def disclosures(texts: Mapping[str, str], marked: list[tuple[Mapping[str, Any], Entry]]) -> Entry:
    """What was disclosed, where, and the text it should have had if it has one."""
    found = {}
    for sentence, place in marked:
        if name := sentence.get("id"):
            found[name] = {
                "status": sentence.get("status", "delivered"),
                "start": place["start"],
                "end": place["end"],
                **({"expected_text": texts[name]} if name in texts else {}),
            }
    return found


def overlaps(turns: list[Turn]) -> list[Entry]:
    """Where a turn begins while the other party's is still being said."""
    return [
        {
            "start": turn.start,
            "end": min(turn.end, other.end),
            "by": turn.speaker,
            "backchannel": turn.backchannel,
            "turn": turn.index,
        }
        for turn in turns
        for other in turns[: turn.index]
        if other.speaker != turn.speaker and other.end > turn.start
    ]


def silences(turns: list[Turn], least: float = 3.0) -> list[Entry]:
    """Where nobody speaks and no music plays for `least` seconds or more."""
    sounds = sorted([(t.start, t.end) for t in turns] + [t.music for t in turns if t.hold])
    ends = [float(end) for end in np.maximum.accumulate([end for _, end in sounds])]
    return [
        {"start": end, "end": begin, "s": round(begin - end, 3)}
        for end, (begin, _) in zip(ends[:-1], sounds[1:], strict=True)
        if begin - end >= least
    ]


def rttm_of(truth: Mapping[str, Any]) -> str:
    """The turns as NIST RTTM."""
    return "".join(
        f"SPEAKER {truth['id']} 1 {t['start']:.3f} {t['end'] - t['start']:.3f} "
        f"<NA> <NA> {t['speaker']} <NA> <NA>\n"
        for t in truth["turns"]
    )


def main() -> None:
    """Remake everything in sample/ but the script."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--voices", type=Path, required=True, help="kokoro-js's folder of voices")
    parser.add_argument("--out", type=Path, default=SAMPLE, help="where to write")
    args = parser.parse_args()
    script = yaml.safe_load((SAMPLE / "script.yaml").read_text(encoding="utf-8"))
    voices = list(script["voices"].values())
    turns = turns_of(script, synthesizer.load(args.voices, voices, script["pronunciations"]))
    length = round((turns[-1].end + script["tail"]) * RATE)
    channels = telephone.record([party(s, turns, length) for s in SPEAKERS])
    mix = np.clip(channels.sum(axis=0), -32_768, 32_767).astype(np.int16)
    truth = truth_of(script, turns, length)
    args.out.mkdir(parents=True, exist_ok=True)
    telephone.write(str(args.out / "stereo.flac"), "flac", channels)
    telephone.write(str(args.out / "mono.wav"), "pcm_mulaw", mix[None])
    (args.out / "truth.json").write_text(json.dumps(truth, indent=1) + "\n", encoding="utf-8")
    (args.out / "truth.rttm").write_text(rttm_of(truth), encoding="utf-8")


if __name__ == "__main__":
    main()
