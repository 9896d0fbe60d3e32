"""Where the time of the speech stages goes.

    python -m bench.profile tests/data/sample/mono.wav [--out bench/results/profile.json]

Each stage runs alone on one thread, as it does in production, with a stopwatch around its parts.
Seconds are the processor's, so that other work on the machine changes little.
"""

import argparse
import contextlib
import functools
import importlib
import json
import os
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from bench.machine import describe
from bench.references import Account
from bench.systems import Setup, open_system
from callscope.audio import AudioLimits, probe

__all__ = ["STAGES", "Part", "main", "render"]

_PACKAGES = ("callscope", "ctranslate2", "faster-whisper", "pyannote-audio", "torch")


@dataclass(frozen=True, slots=True)
class Part:
    """Something with a name that a function does: `module:name` or `module:Class.name`.

    What computes in threads of its own, as CTranslate2 does, has its time counted for the whole
    process, `everywhere`; such parts take turns, or each would count the other's.
    """

    name: str
    function: str
    everywhere: bool = False


STAGES: Mapping[str, Sequence[Part]] = {
    "callscope-diarize": (
        Part("reading and decoding", "callscope.audio:AudioReader.read"),
        Part("channel check", "services.diarize.engine:check_channels"),
        Part("segmentation: filters", "services.diarize.filterbank:Filterbank.features"),
        Part("segmentation: other layers", "services.diarize.segmentation:Segmenter._infer"),
        Part("segmentation: joining windows", "services.diarize.segmentation:stitch"),
        Part("embedding: features", "services.diarize.embedding:_features"),
        Part("embedding: network", "services.diarize.embedding:Embedder._infer"),
        Part("speakers: clustering and naming", "services.diarize.engine:name_turns"),
    ),
    "callscope-transcribe": (
        Part("reading and decoding", "callscope.audio:AudioReader.read"),
        Part("channel check", "services.transcribe.engine:check_channels"),
        Part("finding speech", "services.transcribe.engine:find_speech"),
        Part("encoder", "services.transcribe.recognizer:Recognizer.encode", everywhere=True),
        Part(
            "decoder and word times",
            "services.transcribe.recognizer:Recognizer.decode",
            everywhere=True,
        ),
    ),
}


class _Stopwatch:
    """Seconds by part, those of the parts inside left out."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._inside = threading.local()
        self._turn = threading.Lock()

    def around(self, part: Part) -> None:
        """Put the watch around the part's function, wherever it is called from."""
        module, _, path = part.function.partition(":")
        *owners, name = path.split(".")
        owner: Any = functools.reduce(getattr, owners, importlib.import_module(module))
        setattr(owner, name, self._timed(part, getattr(owner, name)))

    def _timed(self, part: Part, work: Callable[..., Any]) -> Callable[..., Any]:
        clock = time.process_time if part.everywhere else time.thread_time
        turn = self._turn if part.everywhere else contextlib.nullcontext()

        @functools.wraps(work)
        def timed(*args: Any, **options: Any) -> Any:
            with turn:
                return measured(*args, **options)

        def measured(*args: Any, **options: Any) -> Any:
            parents: list[float] = self._inside.__dict__.setdefault("parents", [])
            parents.append(0.0)
            began = clock()
            try:
                return work(*args, **options)
            finally:
                taken = clock() - began
                before = self.seconds.get(part.name, 0.0)
                self.seconds[part.name] = before + taken - parents.pop()
                if parents:
                    parents[-1] += taken

        return timed


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and show."""
    parser = argparse.ArgumentParser(prog="python -m bench.profile", description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("--models", type=Path, default=Path(".models"))
    parser.add_argument("--model", default="whisper-base")
    parser.add_argument("--stages", type=lambda text: text.split(","), default=list(STAGES))
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args(arguments)
    os.environ["OMP_NUM_THREADS"] = "1"
    setup = Setup(options.file.resolve().parent, options.models, options.model, threads=1)
    with options.file.open("rb") as content:
        duration = probe(content, AudioLimits()).duration
    result = {
        "file": "/".join(options.file.parts[-2:]),
        "duration": round(duration, 2),
        "machine": describe(_PACKAGES),
        "stages": {
            name: _profile(name, setup, options.file, options.runs) for name in options.stages
        },
    }
    if options.out:
        options.out.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    print(render(result))


def _profile(stage: str, setup: Setup, file: Path, runs: int) -> dict[str, float]:
    """Processor seconds of each part, and of the rest: medians, after a run to warm up."""
    watch = _Stopwatch()
    for part in STAGES[stage]:
        watch.around(part)
    found: list[dict[str, float]] = []
    with open_system(stage, setup) as system:
        system.listen(file)
        for _ in range(runs):
            watch.seconds.clear()
            began = time.process_time()
            account = system.listen(file)
            taken = time.process_time() - began
            assert account != Account((), ())  # noqa: S101 - of silence there is nothing to tell
            found.append({**watch.seconds, "the rest": taken - sum(watch.seconds.values())})
    names = [*(part.name for part in STAGES[stage]), "the rest"]
    return {name: round(median(each.get(name, 0.0) for each in found), 3) for name in names}


def render(result: Mapping[str, Any]) -> str:
    """A table of the stages' parts."""
    lines = ["| stage | part | CPU ms a minute of audio | share |", "| --- | --- | --: | --: |"]
    minutes = result["duration"] / 60
    for stage, parts in result["stages"].items():
        total = sum(parts.values())
        lines.append(f"| `{stage}` | all | {1000 * total / minutes:.0f} | |")
        lines += [
            f"| | {name} | {1000 * seconds / minutes:.0f} | {seconds / total:.0%} |"
            for name, seconds in parts.items()
        ]
    machine = result["machine"]
    instructions = ", ".join(machine["instructions"])
    lines += [
        "",
        f"`{result['file']}`, {result['duration']} s, one thread on {machine['cpu']} "
        f"({instructions}), load {machine['load']} from other work.",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
