"""Whether a long call costs more than its length: memory and time against a short one.

    python -m bench.long FOLDER [--hours 2] [--out bench/results/long.json]

Both are put together from the folder's one-channel recordings, one after the other, over and over.
"""

import argparse
import json
import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from itertools import cycle
from pathlib import Path
from typing import Any

import av
import numpy as np
import numpy.typing as npt

from bench.machine import describe
from bench.references import find_cases
from bench.systems import SYSTEMS, Setup
from bench.trials import Trials
from callscope.audio import AudioLimits, decode

__all__ = ["main", "render"]

_SHORT = 300.0  # seconds
_RATE = 16_000
_PACKAGES = ("callscope", "ctranslate2", "pyannote-audio", "torch")


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and show."""
    parser = argparse.ArgumentParser(prog="python -m bench.long", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--hours", type=float, default=2.0)
    names = ", ".join(SYSTEMS)
    parser.add_argument("--systems", default="callscope-diarize", help=f"some of: {names}")
    parser.add_argument("--models", type=Path, default=Path(".models"))
    parser.add_argument("--model", default="whisper-base")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--out", type=Path)
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as name:
        short, long = Path(name, "short.wav"), Path(name, "long.wav")
        write(short, options.folder, _SHORT)
        write(long, options.folder, options.hours * 3600)
        setup = Setup(Path(name), options.models, options.model, options.threads)
        result: dict[str, Any] = {
            "short": _SHORT,
            "long": options.hours * 3600,
            "threads": options.threads,
            "machine": describe(_PACKAGES),
            "systems": {},
        }
        for system in options.systems.split(
            ","
        ):  # one after the other: each has the memory to itself
            result["systems"][system] = _measured(system, setup, short, long)
            if options.out:
                options.out.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    print(render(result))


def _measured(system: str, setup: Setup, short: Path, long: Path) -> dict[str, Any]:
    with Trials([system], setup, short) as trials:
        runs = {"short": trials.run(short, 3)[system], "long": trials.run(long, 1)[system]}
    return {
        name: {
            "seconds": round(min(run.seconds for run in each), 2),
            "cpu_seconds": round(min(run.cpu_seconds for run in each), 2),
            "peak_mb": round(max(run.peak_mb for run in each)),
        }
        for name, each in runs.items()
    }


def write(file: Path, folder: Path, seconds: float) -> None:
    """A WAV file of so many seconds, of the folder's one-channel recordings.

    Raises:
        ValueError: there are none.
    """
    with av.open(file, "w") as container:
        stream = container.add_stream("pcm_s16le", rate=_RATE, layout="mono")
        for samples in _blocks(folder, round(seconds * _RATE)):
            frame = av.AudioFrame.from_ndarray(samples[None], format="s16", layout="mono")
            frame.rate = _RATE
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def _blocks(folder: Path, left: int) -> Iterator[npt.NDArray[np.int16]]:
    recordings = []
    for case in find_cases(folder):
        with case.file.open("rb") as content:
            samples = decode(content, AudioLimits()).samples
        if len(samples) == 1:
            recordings.append((samples[0] * 32767).clip(-32768, 32767).astype(np.int16))
    if not recordings:
        raise ValueError(f"{folder} has no recordings of one channel")
    for samples in cycle(recordings):
        yield samples[:left]
        left -= len(samples)
        if left <= 0:
            return


def render(result: Mapping[str, Any]) -> str:
    """A table of both lengths."""
    lines = [
        "| system | length | CPU s a minute | times the short one's | peak MB |",
        "| --- | --: | --: | --: | --: |",
    ]
    for system, lengths in result["systems"].items():
        first = lengths["short"]["cpu_seconds"] / result["short"]
        for name, each in lengths.items():
            cost = each["cpu_seconds"] / result[name]
            lines.append(
                f"| `{system}` | {result[name] / 60:.0f} min | {60 * cost:.2f} "
                f"| {cost / first:.2f} | {each['peak_mb']} |"
            )
    cpu, load = result["machine"]["cpu"], result["machine"]["load"]
    lines += ["", f"{result['threads']} threads on {cpu}, load {load} from other work."]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
