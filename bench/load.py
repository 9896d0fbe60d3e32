"""Load on running services: `python -m bench.load 0.12:600 0.35:60 --out bench/results/load.json`.

Starts the four services as processes with real models, and sends a recording to the gateway at
random moments, so many a second on average and for so many seconds (RATE:SECONDS), however long the
answers take; follows every call to its end, then goes on with the next rate. What the services' own
metrics say of the work is beside it, and the memory of each over time. The file is written anew
every 15 s: a run that is cut leaves what it had seen, marked as not complete. Nothing but this
machine is ever sent to.
"""

import argparse
import asyncio
import json
import random
import signal
import statistics
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx

from bench.installation import SERVICES, STAGES, Installation
from bench.machine import describe, load

SEED = 1  # the same moments in every run
POLL = 0.5  # seconds between two looks at a call
LOOK = 5.0  # seconds between two looks at what is open
LOOKS_A_SAMPLE = 3  # memory and the file are less urgent


@dataclass(frozen=True, slots=True)
class Pace:
    """So many recordings a second on average, for so long."""

    rate: float
    seconds: float

    @classmethod
    def read(cls, text: str) -> "Pace":
        """From RATE:SECONDS."""
        rate, seconds = map(float, text.split(":"))
        return cls(rate, seconds)

    def moments(self) -> Iterator[float]:
        """When recordings come, as from many independent senders."""
        chance = random.Random(SEED)
        at = 0.0
        while at < self.seconds:
            yield at
            at += chance.expovariate(self.rate)


@dataclass
class Outcome:
    """What became of what was sent; seconds from the moment a recording was due."""

    sent: int = 0
    accepted: list[float] = field(default_factory=list)
    done: list[float] = field(default_factory=list)
    errors: Counter[str] = field(default_factory=Counter)
    open: int = 0
    open_over_time: list[int] = field(default_factory=list)
    memory: dict[str, list[int]] = field(default_factory=lambda: {name: [] for name in SERVICES})
    load: list[float] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Report:
    """What was found, on the way to its file."""

    out: Path
    file: str
    phases: list[dict[str, Any]] = field(default_factory=list)

    def write(self, last: dict[str, Any], complete: bool) -> None:
        """With the phase that is going on, or has just ended and is kept."""
        phases = [*self.phases, {**last, "complete": complete}]
        if complete:
            self.phases.append(phases[-1])
        machine = describe(("callscope", "ctranslate2", "pyannote-audio", "torch"))
        machine["load"] = max(phase["load"]["most"] for phase in phases)
        found = {"machine": machine, "file": self.file, "phases": phases}
        part = self.out.with_suffix(".part")
        part.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
        part.replace(self.out)


def main() -> None:
    """Run, and write the figures."""
    options = _options()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that the services end too
    report = Report(options.out, options.file.name)
    with tempfile.TemporaryDirectory() as name:
        installation = Installation(Path(name), settings=dict(_settings(options)))
        try:
            installation.start()
            first = installation.send(options.file.read_bytes()).json()["id"]
            length = installation.ended(first, 300)["recording"]["duration"]  # cold
            for pace in options.paces:
                phase = Phase(pace, options, installation, length)
                asyncio.run(phase.run(lambda found: report.write(found, complete=False)))
                report.write(phase.figures(), complete=True)
        finally:
            installation.close()


def _settings(options: argparse.Namespace) -> Iterator[tuple[str, object]]:
    if options.threads:
        yield "CALLSCOPE_THREADS", options.threads


class Phase:
    """One pace: sends, follows, and watches."""

    def __init__(
        self, pace: Pace, options: argparse.Namespace, installation: Installation, length: float
    ) -> None:
        self._pace = pace
        self._options = options
        self._installation = installation
        self._length = length
        self._audio = options.file.read_bytes()
        self._outcome = Outcome()
        self._before = _work(installation)
        self._began = time.monotonic()

    async def run(self, report: Callable[[dict[str, Any]], None]) -> None:
        """Send at this pace, and return when every call has ended."""
        base = f"http://127.0.0.1:{self._installation.http_port}"
        limits = httpx.Limits(max_connections=None)
        async with httpx.AsyncClient(base_url=base, timeout=60, limits=limits) as client:
            watch = asyncio.create_task(self._watch(report))
            async with asyncio.TaskGroup() as calls:
                for due in self._pace.moments():
                    await asyncio.sleep(max(0.0, self._began + due - time.monotonic()))
                    calls.create_task(self._follow(client))
            watch.cancel()

    async def _follow(self, client: httpx.AsyncClient) -> None:
        outcome, began = self._outcome, time.monotonic()
        outcome.sent += 1
        outcome.open += 1
        try:
            answer = await client.post(
                "/v1/calls",
                files={"audio": (self._options.file.name, self._audio)},
                data={"external_id": str(uuid4())},  # the same recording each time
            )
            if answer.status_code != httpx.codes.ACCEPTED:
                outcome.errors[f"upload {answer.status_code}"] += 1
                return
            outcome.accepted.append(time.monotonic() - began)
            url = f"/v1/calls/{answer.json()['id']}"
            while (call := (await client.get(url)).json())["status"] in ("queued", "running"):
                await asyncio.sleep(POLL)
                if time.monotonic() - began > self._options.patience:
                    outcome.errors["no record"] += 1
                    return
            if call["status"] == "done":
                outcome.done.append(time.monotonic() - began)
            else:
                outcome.errors[call["problem"]["code"]] += 1
        except httpx.HTTPError as error:
            outcome.errors[type(error).__name__] += 1
        finally:
            outcome.open -= 1

    async def _watch(self, report: Callable[[dict[str, Any]], None]) -> None:
        while True:
            self._outcome.open_over_time.append(self._outcome.open)
            if len(self._outcome.open_over_time) % LOOKS_A_SAMPLE == 1:
                self._outcome.load.append(load())
                for name, process in self._installation.processes.items():
                    self._outcome.memory[name].append(process.memory)
                report(await asyncio.to_thread(self.figures))
            await asyncio.sleep(LOOK)

    def figures(self) -> dict[str, Any]:
        """What is known by now."""
        outcome, took = self._outcome, time.monotonic() - self._began
        now = _work(self._installation)
        work = {name: value - self._before[name] for name, value in now.items()}
        return {
            "rate": self._pace.rate,
            "sent_for_seconds": self._pace.seconds,
            "audio_seconds": self._length,
            "seconds": round(took, 1),
            "load": {"median": statistics.median(outcome.load), "most": max(outcome.load)},
            "sent": outcome.sent,
            "accepted": len(outcome.accepted),
            "done": len(outcome.done),
            "errors": dict(outcome.errors),
            "upload_seconds": percentiles(outcome.accepted),
            "record_seconds": percentiles(outcome.done),
            "audio_hours_a_day": round(len(outcome.done) * self._length / took * 24, 1),
            "open_calls_every_5_s": list(outcome.open_over_time),
            "memory_mib_every_15_s": {name: list(each) for name, each in outcome.memory.items()},
            "work": _spent(work, took),
        }


def _work(installation: Installation) -> dict[str, float]:
    """What the services say they have done since they began."""
    found = {}
    for name in SERVICES:
        found[f"{name} cpu"] = installation.total(name, "process_cpu_seconds_total")
        found[f"{name} busy"] = installation.total(name, "callscope_stage_seconds_sum", stage=name)
        found[f"{name} audio"] = installation.total(
            name, "callscope_stage_audio_seconds_total", stage=name
        )
    return found


def _spent(work: Mapping[str, float], took: float) -> dict[str, Any]:
    """Times real time of each stage while it works, and what an hour of audio costs in cores."""
    hours = work["transcribe audio"] / 3600
    return {
        "times_real_time": {
            name: round(work[f"{name} audio"] / max(work[f"{name} busy"], 1e-9), 1)
            for name in STAGES
        },
        "cpu_seconds_an_audio_hour": {
            name: round(work[f"{name} cpu"] / max(hours, 1e-9), 1) for name in SERVICES
        },
        "cores_busy": round(sum(work[f"{name} cpu"] for name in SERVICES) / took, 2),
    }


def percentiles(values: Sequence[float]) -> dict[str, float]:
    """The median, and what one in twenty and one in a hundred exceeds."""
    ordered = sorted(values)
    return {
        f"p{share}": round(ordered[min(len(ordered) - 1, len(ordered) * share // 100)], 3)
        for share in (50, 95, 99)
        if ordered
    }


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "paces",
        type=Pace.read,
        nargs="+",
        metavar="RATE:SECONDS",
        help="recordings a second, and for how long",
    )
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--patience", type=float, default=600, help="seconds a call may take")
    parser.add_argument("--threads", type=int, default=0, help="of each service; 0 for all cores")
    parser.add_argument("--file", type=Path, default=Path("tests/data/sample/stereo.flac"))
    return parser.parse_args()


if __name__ == "__main__":
    main()
