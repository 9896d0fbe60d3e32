"""A fault drill on real processes: `python -m bench.drill > bench/results/drill.json`, as root.

The four services with real models, an S3 server and a Prometheus whose rules run sixty times as
fast. One fault after the other: a process is killed, one is paused, the disk is full, the network
is slow, a key is wrong, a model's file is damaged. For each: what became of the call that was in
work, what a sender was answered, what the alerts said, what the log said. docs/drill.md is written
from it by `python -m bench.drill_page`.
"""

import argparse
import contextlib
import json
import os
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, TypeAlias
from uuid import uuid4

import httpx

from bench.installation import Installation
from bench.machine import describe
from bench.prometheus import FASTER, Prometheus, watching
from tests.gateway.conftest import bucket_server, free_port
from tests.gateway.line import Line

Figures: TypeAlias = dict[str, Any]

DISK_MB = 64
SLOW_BYTES = 16_000  # a second, each way
SLOW_DELAY = 0.25  # seconds, for each piece
PATIENCE = 120.0  # seconds for a call to end once all is well again
MODEL = "minilm-l6"
_WRONG = "no-key-of-this-server"


class SlowLine(Line):
    """A line that is slow once it is asked to be."""

    slow = False

    def _pass_on(self, block: bytes) -> None:
        if self.slow:
            time.sleep(SLOW_DELAY + len(block) / SLOW_BYTES)


class Drill:
    """What the faults are made with: an installation, and who watches it."""

    def __init__(self, installation: Installation, prometheus: Prometheus, models: Path) -> None:
        self.there = installation
        self.prometheus = prometheus
        self.models = models
        self.slow_line: SlowLine | None = None
        self._recording = Path("tests/data/sample/mono.wav").read_bytes()

    def send(self) -> tuple[int, Figures]:
        """Send a recording; the status, and the call or the problem."""
        answer = self.there.send(self._recording, external_id=str(uuid4()))
        return answer.status_code, answer.json()

    def begin(self) -> str:
        """A call that has been accepted."""
        status, call = self.send()
        if status != httpx.codes.ACCEPTED:
            raise RuntimeError(f"not accepted: {call}")
        return str(call["id"])

    def watch(self, seconds: float) -> dict[str, float]:
        """The alerts that fire within so many seconds, and after how many they did."""
        began, seen = time.monotonic(), dict[str, float]()
        while (passed := time.monotonic() - began) < seconds:
            for alert in self.prometheus.firing():
                seen.setdefault(alert, round(passed, 1))
            time.sleep(0.5)
        return seen

    def quiet(self) -> float | None:
        """Seconds until no alert fires any more; None where some still does after a while."""
        began = time.monotonic()
        while time.monotonic() - began < PATIENCE / 2:
            if not self.prometheus.firing():
                return round(time.monotonic() - began, 1)
            time.sleep(0.5)
        return None

    def last_line(self, service: str, *words: str) -> str:
        """What the service's log said last that has one of these words; its times left out."""
        log = (self.there.folder / f"{service}.log").read_text(encoding="utf-8")
        lines = [line for line in log.splitlines() if any(word in line for word in words)]
        if not lines:
            return ""
        line = lines[-1].removeprefix("callscope: ")
        with contextlib.suppress(ValueError):
            entry = json.loads(line)
            kept = ("level", "message", "rpc", "error", "reason")
            line = json.dumps({key: entry[key] for key in kept if key in entry})
        return line.replace(str(self.there.folder), "")


def kill(drill: Drill) -> Figures:
    """Kill -9 the transcribe service while it computes, and leave it away for a while."""
    call = drill.begin()
    _until(lambda: drill.there.total("transcribe", "callscope_inflight") >= 1)
    drill.there.processes["transcribe"].end(signal.SIGKILL)
    status, _ = drill.send()
    alerts = drill.watch(25)
    drill.there.processes["transcribe"].launch()
    drill.there.await_ready("transcribe")
    return {"upload_meanwhile": status, "alerts": alerts, **_end(drill, call)}


def pause(drill: Drill) -> Figures:
    """Stop the diarize process (SIGSTOP): it is there, and does nothing."""
    drill.there.processes["diarize"].signal(signal.SIGSTOP)
    call = drill.begin()
    alerts = drill.watch(60)
    state = drill.there.call(call)["status"]
    drill.there.processes["diarize"].signal(signal.SIGCONT)
    return {"call_meanwhile": state, "alerts": alerts, **_end(drill, call)}


def full_disk(drill: Drill) -> Figures:
    """Fill the disk that recordings arrive on."""
    filler = drill.there.data / "filler"
    with filler.open("wb") as file, contextlib.suppress(OSError):
        while True:
            file.write(bytes(1 << 16))
            file.flush()
    status, problem = drill.send()
    alerts = drill.watch(15)
    filler.unlink()
    call = drill.begin()
    return {"upload_meanwhile": status, "problem": problem, "alerts": alerts, **_end(drill, call)}


def slow_network(drill: Drill) -> Figures:
    """Slow the line between gateway and transcribe to 16 kB/s, and 0.25 s more for each piece."""
    assert drill.slow_line is not None  # noqa: S101 - the drill was set up with one
    quick = _end(drill, drill.begin())["seconds_to_record"]
    drill.slow_line.slow = True
    call = drill.begin()
    alerts = drill.watch(20)
    slow = _end(drill, call)
    drill.slow_line.slow = False
    return {"seconds_before": quick, "alerts": alerts, **slow}


def wrong_key_of_a_stage(drill: Drill) -> Figures:
    """Give the transcribe service a wrong secret key for the store."""
    _restart(drill, "transcribe", CALLSCOPE_S3_SECRET_KEY=_WRONG)
    call = drill.begin()
    alerts = drill.watch(20)
    meanwhile = drill.there.call(call)
    said = drill.last_line("transcribe", "refused")
    _restart(drill, "transcribe")
    if meanwhile["status"] == "failed":
        drill.there.client.post(f"/v1/calls/{call}/retry").raise_for_status()
    return {
        "call_meanwhile": meanwhile["status"],
        "problem": meanwhile.get("problem"),
        "log": said,
        "alerts": alerts,
        **_end(drill, call),
    }


def wrong_key_of_the_gateway(drill: Drill) -> Figures:
    """Give the gateway a wrong secret key for the store."""
    _restart(drill, "gateway", CALLSCOPE_S3_SECRET_KEY=_WRONG)
    over, answers = threading.Event(), list[int]()

    def sending() -> None:
        while not over.wait(0.5):
            answers.append(drill.send()[0])

    sender = threading.Thread(target=sending)
    sender.start()
    alerts = drill.watch(25)
    over.set()
    sender.join()
    _, problem = drill.send()
    said = drill.last_line("gateway", "failed")
    _restart(drill, "gateway")
    call = drill.begin()
    return {
        "uploads_meanwhile": sorted(set(answers)),
        "problem": problem,
        "log": said,
        "alerts": alerts,
        **_end(drill, call),
    }


def damaged_model(drill: Drill) -> Figures:
    """Change one byte of the score service's model, and restart the service."""
    process = drill.there.processes["score"]
    file = drill.models / MODEL / "model.safetensors"
    process.end(signal.SIGTERM)
    good = _flip(file, 1_000_000)
    process.launch()
    status = process.wait(60)
    said = drill.last_line("score", "minilm")
    call = drill.begin()
    alerts = drill.watch(30)
    _flip(file, 1_000_000, good)
    process.launch()
    drill.there.await_ready("score")
    return {
        "exit_status": status,
        "log": said,
        "alerts": alerts,
        **_end(drill, call),
    }


FAULTS: Mapping[str, Callable[[Drill], Figures]] = {
    "kill": kill,
    "pause": pause,
    "full_disk": full_disk,
    "slow_network": slow_network,
    "wrong_key_of_a_stage": wrong_key_of_a_stage,
    "wrong_key_of_the_gateway": wrong_key_of_the_gateway,
    "damaged_model": damaged_model,
}


def main() -> None:
    """Run, and print what was seen as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="+", choices=FAULTS, default=list(FAULTS))
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, _prepared(Path(name)) as drill:
        faults = {each: _timed(FAULTS[each], drill) for each in options.only}
    machine = describe(("callscope", "dbos", "grpcio"))
    print(json.dumps({"machine": machine, "rules_faster": FASTER, "faults": faults}, indent=2))


@contextlib.contextmanager
def _prepared(folder: Path) -> Iterator[Drill]:
    models = folder / "models"
    shutil.copytree(Path(".models") / MODEL, models / MODEL)
    (folder / "s3").mkdir()
    with (
        _small_disk(folder / "data") as data,
        bucket_server(folder / "s3", free_port()) as bucket,
        contextlib.ExitStack() as stack,
    ):
        settings: dict[str, object] = {
            "CALLSCOPE_TRANSCRIBE_MODEL": "whisper-tiny.en",
            "CALLSCOPE_SCORE_MODELS_DIR": models,
            "CALLSCOPE_THREADS": 2,
            "CALLSCOPE_DRAIN_SECONDS": 5,
            "CALLSCOPE_GATEWAY_BUCKET": bucket["bucket"],
            "CALLSCOPE_AUDIO_BUCKETS": bucket["bucket"],
            "CALLSCOPE_GATEWAY_RETRY_SECONDS_MAX": 5,
            **{f"CALLSCOPE_{k.upper()}": v for k, v in bucket.items() if k.startswith("s3_")},
        }
        there = Installation(folder, data, settings)
        line = SlowLine(there.ports["transcribe"])
        stack.callback(line.close)
        there.processes["gateway"].environment["CALLSCOPE_GATEWAY_TRANSCRIBE_TARGET"] = (
            f"127.0.0.1:{line.port}"
        )
        stack.callback(there.close)
        there.start()
        with watching(folder / "prometheus", there.metrics_ports) as prometheus:
            drill = Drill(there, prometheus, models)
            drill.slow_line = line
            there.ended(drill.begin(), PATIENCE)  # the first call finds everything cold
            yield drill


@contextlib.contextmanager
def _small_disk(folder: Path) -> Iterator[Path]:
    """A file system in memory, as small as a test needs it."""
    folder.mkdir()
    _run("mount", "-t", "tmpfs", "-o", f"size={DISK_MB}m", "tmpfs", folder)
    try:
        yield folder
    finally:
        _run("umount", "--lazy", folder)


def _run(*command: object) -> None:
    subprocess.run([str(word) for word in command], check=True)  # noqa: S603 - our own words


def _timed(fault: Callable[[Drill], Figures], drill: Drill) -> Figures:
    began = time.monotonic()
    seen = fault(drill)
    return {**seen, "seconds": round(time.monotonic() - began, 1)}


def _end(drill: Drill, call: str) -> Figures:
    """How the call ended after all, and how long alerts went on."""
    ended = drill.there.ended(call, PATIENCE)
    accepted, last = (datetime.fromisoformat(ended[key]) for key in ("created_at", "updated_at"))
    return {
        "call": ended["status"],
        "seconds_to_record": round((last - accepted).total_seconds(), 1),
        "seconds_until_alerts_end": drill.quiet(),
    }


def _restart(drill: Drill, service: str, **changed: str) -> None:
    process = drill.there.processes[service]
    process.end(signal.SIGTERM)
    before = dict(process.environment)
    process.environment.update(changed)
    process.launch()
    process.environment.clear()
    process.environment.update(before)
    drill.there.await_ready(service)


def _flip(file: Path, place: int, byte: int | None = None) -> int:
    """Change a byte of a file, or put it back; what it was."""
    content = bytearray(file.read_bytes())
    before = content[place]
    content[place] = before ^ 1 if byte is None else byte
    file.write_bytes(content)
    return before


def _until(condition: Callable[[], bool]) -> None:
    until = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > until:
            raise RuntimeError("it did not come to that")
        time.sleep(0.05)


if __name__ == "__main__":
    if os.geteuid() != 0:
        raise SystemExit("as root: a small disk is mounted")
    main()
