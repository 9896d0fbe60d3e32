"""What share of a call's work each stage is, scoring above all.

    OPENBLAS_NUM_THREADS=1 python -m bench.share FILE... [--out bench/results/share.json]

The three services run in this process, one thread each, one stage after the other, side by side on
the same recordings. Seconds are the processor's, so that other work on the machine changes little.
"""

import argparse
import json
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any, TypeVar

from bench.machine import describe
from bench.systems import loopback
from callscope import dialogue
from callscope.clients import RemoteDiarizer, RemoteScorer, RemoteTranscriber
from callscope.pipeline import DiarizeOptions, RubricSource, TranscribeOptions
from callscope.serving.embedded import embedded
from callscope.types import AudioSource
from services.diarize.servicer import build as build_diarize
from services.diarize.settings import DiarizeSettings
from services.score.servicer import build as build_score
from services.score.settings import ScoreSettings
from services.transcribe.servicer import build as build_transcribe
from services.transcribe.settings import TranscribeSettings

__all__ = ["main", "render"]

STAGES = ("transcribe", "diarize", "score")
GENERAL = RubricSource(name="general")
T = TypeVar("T")

_HOURS_24 = 24 * 3600.0
_PACKAGES = ("callscope", "ctranslate2", "pyannote-audio", "torch")


@dataclass(frozen=True, slots=True)
class _Stages:
    transcriber: RemoteTranscriber
    diarizer: RemoteDiarizer
    scorer: RemoteScorer

    def account(self, file: Path) -> dict[str, float]:
        """Processor seconds of each stage, and how much there was to work through."""
        audio = AudioSource(uri=file.resolve().as_uri())
        transcript, transcribe = _timed(
            lambda: self.transcriber.transcribe(audio, TranscribeOptions(), _quiet)
        )
        diarization, diarize = _timed(
            lambda: self.diarizer.diarize(audio, DiarizeOptions(), _quiet)
        )
        made = dialogue.build(transcript, diarization, transcript.duration)
        _, score = _timed(lambda: self.scorer.score(made.utterances, made.metrics, GENERAL, _quiet))
        return {
            "minutes": transcript.duration / 60,
            "utterances": len(made.utterances),
            "words": sum(len(each.words) for each in made.utterances),
            "transcribe": transcribe,
            "diarize": diarize,
            "score": score,
        }


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and show."""
    parser = argparse.ArgumentParser(prog="python -m bench.share", description=__doc__)
    parser.add_argument("files", type=Path, nargs="+")
    parser.add_argument("--models", type=Path, default=Path(".models"))
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args(arguments)
    with ExitStack() as stack:
        stages = _open(stack, options.models, options.files)
        stages.account(options.files[0])  # to warm up
        calls = {
            "/".join(file.parts[-2:]): _median([stages.account(file) for _ in range(options.runs)])
            for file in options.files
        }
    result = {"machine": describe(_PACKAGES), "all": _summary(list(calls.values())), "calls": calls}
    if options.out:
        options.out.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    print(render(result))


def _open(stack: ExitStack, models: Path, files: Sequence[Path]) -> _Stages:
    folders = {file.resolve().parent for file in files}
    given = {**loopback(models, folders), "threads": 1, "device": "cpu"}
    settings = (
        TranscribeSettings.load(**given),
        DiarizeSettings.load(**given),
        ScoreSettings.load(**given),
    )
    builders: tuple[Callable[[Any], Any], ...] = (build_transcribe, build_diarize, build_score)
    services = [(build(each), each) for build, each in zip(builders, settings, strict=True)]
    targets = [each.target for each in stack.enter_context(embedded(services))]
    stages = _Stages(
        RemoteTranscriber(targets[0], _HOURS_24),
        RemoteDiarizer(targets[1], _HOURS_24),
        RemoteScorer(targets[2], _HOURS_24),
    )
    for client in (stages.transcriber, stages.diarizer, stages.scorer):
        stack.callback(client.close)
    return stages


def _timed(work: Callable[[], T]) -> tuple[T, float]:
    began = time.process_time()
    done = work()
    return done, time.process_time() - began


def _median(accounts: Sequence[Mapping[str, float]]) -> dict[str, float]:
    return {name: round(median(each[name] for each in accounts), 3) for name in accounts[0]}


def _summary(calls: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Of all calls together: seconds a minute of audio, and what share scoring is."""
    total = {name: sum(each[name] for each in calls) for name in ("minutes", "utterances", *STAGES)}
    everything = sum(total[stage] for stage in STAGES)
    return {
        **{stage: round(total[stage] / total["minutes"], 3) for stage in STAGES},
        "score_share": round(total["score"] / everything, 4),
        "utterances_scored_a_second": round(total["utterances"] / total["score"], 1),
    }


def render(result: Mapping[str, Any]) -> str:
    """A table of the calls."""
    lines = [
        "| call | minutes | transcribe | diarize | score | share of score |",
        "| --- | --: | --: | --: | --: | --: |",
    ]
    for name, each in result["calls"].items():
        share = each["score"] / sum(each[stage] for stage in STAGES)
        spent = " | ".join(f"{each[stage]:.2f} s" for stage in STAGES)
        lines.append(f"| `{name}` | {each['minutes']:.1f} | {spent} | {share:.1%} |")
    everything, machine = result["all"], result["machine"]
    lines += [
        "",
        f"Scoring is {everything['score_share']:.1%} of all processor time, "
        f"{everything['score']:.3f} s a minute of audio, "
        f"{everything['utterances_scored_a_second']:.0f} utterances a second. "
        f"One thread on {machine['cpu']}, load {machine['load']} from other work.",
    ]
    return "\n".join(lines)


def _quiet(_: float) -> None:
    """Progress that nobody watches."""


if __name__ == "__main__":
    main()
