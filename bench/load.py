"""Load on running services: `python -m bench.load --rates 0.04 0.12 > bench/results/load.json`.

Starts the four services as processes with real models, and sends a recording to the gateway at
random moments, RATE a second on average, however long the answers take; follows every call to its
end, then goes on with the next rate. What the services' own metrics say of the work is beside it.
Nothing but this machine is ever sent to.
"""

import argparse
import asyncio
import json
import random
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx

from bench.installation import SERVICES, STAGES, Installation
from bench.machine import describe

SEED = 1  # the same moments in every run
POLL = 0.5  # seconds between two looks at a call


@dataclass
class Outcome:
    """What became of what was sent; seconds from the moment a recording was due."""

    accepted: list[float] = field(default_factory=list)
    done: list[float] = field(default_factory=list)
    errors: Counter[str] = field(default_factory=Counter)
    open: int = 0
    open_over_time: list[int] = field(default_factory=list)


def main() -> None:
    """Run, and print the figures as JSON."""
    options = _options()
    with tempfile.TemporaryDirectory() as name:
        installation = Installation(Path(name), settings=dict(_settings(options)))
        try:
            installation.start()
            installation.ended(
                installation.send(options.file.read_bytes()).json()["id"], 300
            )  # cold
            phases = [asyncio.run(_phase(options, rate, installation)) for rate in options.rates]
        finally:
            installation.close()
    machine = describe(("callscope", "ctranslate2", "pyannote-audio", "torch"))
    print(json.dumps({"machine": machine, "file": options.file.name, "phases": phases}, indent=2))


def _settings(options: argparse.Namespace) -> Iterator[tuple[str, object]]:
    if options.threads:
        yield "CALLSCOPE_THREADS", options.threads


async def _phase(
    options: argparse.Namespace, rate: float, installation: Installation
) -> dict[str, Any]:
    audio = options.file.read_bytes()
    outcome = Outcome()
    before = _work(installation)
    began = time.monotonic()
    limits = httpx.Limits(max_connections=None)
    base = f"http://127.0.0.1:{installation.http_port}"
    async with httpx.AsyncClient(base_url=base, timeout=60, limits=limits) as client:
        watch = asyncio.create_task(_watch(outcome))
        async with asyncio.TaskGroup() as calls:
            for due in _moments(rate, options.seconds):
                await asyncio.sleep(max(0.0, began + due - time.monotonic()))
                calls.create_task(_follow(client, audio, options, outcome))
        watch.cancel()
        first = (await client.get("/v1/calls", params={"page_size": 1})).json()["calls"]
    took = time.monotonic() - began
    length = first[0]["recording"]["duration"]
    work = {name: value - before[name] for name, value in _work(installation).items()}
    return {"rate": rate, **_figures(outcome, took, length), "work": _spent(work, took)}


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


def _spent(work: dict[str, float], took: float) -> dict[str, Any]:
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


async def _follow(
    client: httpx.AsyncClient, audio: bytes, options: argparse.Namespace, outcome: Outcome
) -> None:
    began = time.monotonic()
    outcome.open += 1
    try:
        answer = await client.post(
            "/v1/calls",
            files={"audio": (options.file.name, audio)},
            data={"external_id": str(uuid4())},  # the same recording each time
        )
        if answer.status_code != 202:
            outcome.errors[f"upload {answer.status_code}"] += 1
            return
        outcome.accepted.append(time.monotonic() - began)
        url = f"/v1/calls/{answer.json()['id']}"
        while (call := (await client.get(url)).json())["status"] in ("queued", "running"):
            await asyncio.sleep(POLL)
            if time.monotonic() - began > options.patience:
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


async def _watch(outcome: Outcome) -> None:
    while True:
        outcome.open_over_time.append(outcome.open)
        await asyncio.sleep(5)


def _moments(rate: float, seconds: float) -> Sequence[float]:
    """When recordings come, as from many independent senders."""
    chance = random.Random(SEED)
    moments: list[float] = []
    at = 0.0
    while at < seconds:
        moments.append(at)
        at += chance.expovariate(rate)
    return moments


def _figures(outcome: Outcome, took: float, length: float) -> dict[str, Any]:
    return {
        "audio_seconds": length,
        "seconds": round(took, 1),
        "accepted": len(outcome.accepted),
        "done": len(outcome.done),
        "errors": dict(outcome.errors),
        "upload_seconds": _percentiles(outcome.accepted),
        "record_seconds": _percentiles(outcome.done),
        "audio_hours_a_day": round(len(outcome.done) * length / took * 24, 1),
        "open_calls_every_5_s": outcome.open_over_time,
    }


def _percentiles(values: Sequence[float]) -> dict[str, float]:
    ordered = sorted(values)
    return {
        f"p{share}": round(ordered[min(len(ordered) - 1, len(ordered) * share // 100)], 3)
        for share in (50, 95, 99)
        if ordered
    }


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--rates", type=float, nargs="+", default=[0.04], help="recordings a second, one by one"
    )
    parser.add_argument("--seconds", type=float, default=120, help="how long to send at each rate")
    parser.add_argument("--patience", type=float, default=600, help="seconds a call may take")
    parser.add_argument("--threads", type=int, default=0, help="of each service; 0 for all cores")
    parser.add_argument("--file", type=Path, default=Path("tests/data/sample/stereo.flac"))
    return parser.parse_args()


if __name__ == "__main__":
    main()
