"""Probes during a long inference: `python -m bench.probes > bench/results/probes.json`.

A recording of hours (the sample, again and again) goes through the four services as processes with
real models, on all cores. Meanwhile each service is asked for /readyz, /healthz and gRPC health
every second, with the time-outs of the Kubernetes manifests: a probe that fails would take a pod
out of service, or restart it, in the middle of a call.
"""

import argparse
import contextlib
import json
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
import httpx
from grpc_health.v1 import health_pb2, health_pb2_grpc

from bench.installation import SERVICES, Installation
from bench.machine import describe

TIMEOUT = 5.0  # seconds, as in k8s/base


@dataclass
class Answers:
    """How often a service was asked, how often it did not say yes in time, and the slowest."""

    asked: int = 0
    failed: list[str] = field(default_factory=list)
    slowest: float = 0.0


def main() -> None:
    """Run, and print the figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hours", type=float, default=2)
    parser.add_argument("--model", default="whisper-base")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        there = Installation(Path(name), settings={"CALLSCOPE_TRANSCRIBE_MODEL": options.model})
        try:
            there.start()
            answers = {service: Answers() for service in SERVICES}
            began = time.monotonic()
            call = there.send(_long(options.hours)).json()["id"]
            while (state := there.call(call)["status"]) in ("queued", "running"):
                for service in SERVICES:
                    _ask(there, service, answers[service])
                time.sleep(1)
            seconds = round(time.monotonic() - began, 1)
        finally:
            there.close()
    figures: dict[str, Any] = {
        "machine": describe(("callscope", "ctranslate2", "pyannote-audio", "torch")),
        "model": options.model,
        "hours": options.hours,
        "call": state,
        "seconds": seconds,
        "probes": {
            service: {"asked": a.asked, "failed": a.failed, "slowest_seconds": round(a.slowest, 3)}
            for service, a in answers.items()
        },
    }
    print(json.dumps(figures, indent=2))


def _ask(there: Installation, service: str, answers: Answers) -> None:
    base = f"http://127.0.0.1:{there.metrics_ports[service]}"
    for path in ("/readyz", "/healthz"):
        began = time.monotonic()
        good = False
        with contextlib.suppress(httpx.HTTPError):
            good = httpx.get(base + path, timeout=TIMEOUT).status_code == httpx.codes.OK
        _note(answers, path, good, began)
    began, good = time.monotonic(), False
    target = f"127.0.0.1:{there.ports[service]}"
    with grpc.insecure_channel(target) as channel, contextlib.suppress(grpc.RpcError):
        asked = health_pb2.HealthCheckRequest()
        answer = health_pb2_grpc.HealthStub(channel).Check(asked, timeout=TIMEOUT)
        good = answer.status == health_pb2.HealthCheckResponse.SERVING
    _note(answers, "grpc", good, began)


def _note(answers: Answers, probe: str, good: bool, began: float) -> None:
    answers.asked += 1
    answers.slowest = max(answers.slowest, time.monotonic() - began)
    if not good:
        answers.failed.append(probe)


def _long(hours: float) -> bytes:
    """The sample again and again, as WAV in mu-law."""
    whole = Path("tests/data/sample/mono.wav").read_bytes()
    place = whole.index(b"data") + 8
    head, samples = whole[:place], whole[place:]
    repeated = samples * round(hours * 3600 * 8000 / len(samples))
    sizes = (len(head) - 8 + len(repeated)).to_bytes(4, "little"), len(repeated)
    return head[:4] + sizes[0] + head[8:-4] + sizes[1].to_bytes(4, "little") + repeated


if __name__ == "__main__":
    main()
