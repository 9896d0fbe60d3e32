"""Load on running services: `python -m bench.load --rate 0.1 > bench/results/load.json`.

Sends a recording to a gateway on this machine at random moments, RATE a second on average, however
long the answers take, and follows every call to its end. Nothing but this machine is ever sent to.
"""

import argparse
import asyncio
import json
import os
import platform
import random
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import httpx

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


async def main() -> None:
    """Run, and print the figures as JSON."""
    options = _options()
    audio = options.file.read_bytes()
    outcome = Outcome()
    began = time.monotonic()
    limits = httpx.Limits(max_connections=None)
    async with httpx.AsyncClient(base_url=options.url, timeout=60, limits=limits) as client:
        watch = asyncio.create_task(_watch(outcome))
        async with asyncio.TaskGroup() as calls:
            for due in _moments(options.rate, options.seconds):
                await asyncio.sleep(max(0.0, began + due - time.monotonic()))
                calls.create_task(_follow(client, audio, options, outcome))
        watch.cancel()
        first = (await client.get("/v1/calls", params={"page_size": 1})).json()["calls"]
    print(json.dumps(_figures(options, outcome, time.monotonic() - began, first), indent=2))


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


def _figures(
    options: argparse.Namespace, outcome: Outcome, took: float, first: Sequence[Any]
) -> dict[str, Any]:
    length = first[0]["recording"]["duration"] if first else 0.0
    return {
        "machine": {"cores": os.cpu_count(), "python": platform.python_version()},
        "file": options.file.name,
        "audio_seconds": length,
        "rate": options.rate,
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
    parser.add_argument("--rate", type=float, default=0.1, help="recordings a second")
    parser.add_argument("--seconds", type=float, default=60, help="how long to send")
    parser.add_argument("--patience", type=float, default=600, help="seconds a call may take")
    parser.add_argument("--url", default="http://127.0.0.1:8080")
    parser.add_argument("--file", type=Path, default=Path("tests/data/sample/stereo.flac"))
    options = parser.parse_args()
    if not ip_address(urlsplit(options.url).hostname or "").is_loopback:
        parser.error("only to a gateway on this machine, by its address")
    return options


if __name__ == "__main__":
    asyncio.run(main())
