"""Probes during a long inference: `python -m bench.probes --out bench/results/probes.json`.

A recording of hours (the sample, again and again) goes through the four services as processes with
real models, on all cores. Meanwhile each service is probed as the manifests in k8s/base say: the
same readiness and liveness probes with the same time-outs, but ten times as often. A probe that
fails `failureThreshold` times in a row at the manifests' pace would take a pod out of service, or
restart it, in the middle of a call. The file is written anew every 15 s.
"""

import argparse
import contextlib
import json
import signal
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any

import grpc
import yaml
from grpc_health.v1 import health_pb2, health_pb2_grpc

from bench.installation import SERVICES, Installation
from bench.load import percentiles
from bench.machine import describe, load

MANIFESTS = Path("k8s/base")
TIMES = 10  # as often as in Kubernetes


@dataclass
class Probe:
    """A probe of a manifest, put to a process of this machine, and how it went."""

    name: str  # readiness or liveness
    manifest: Mapping[str, Any]
    port: int
    seconds: list[float] = field(default_factory=list)
    failures: int = 0
    in_a_row: int = 0
    most_in_a_row: int = 0

    def run(self, over: threading.Event) -> None:
        """Ask again and again until it is over."""
        while not over.wait(self.manifest["periodSeconds"] / TIMES):
            began = time.monotonic()
            good = self._answers()
            self.seconds.append(time.monotonic() - began)
            self.failures += not good
            self.in_a_row = 0 if good else self.in_a_row + 1
            self.most_in_a_row = max(self.most_in_a_row, self.in_a_row)

    def _answers(self) -> bool:
        timeout = self.manifest["timeoutSeconds"]
        if "httpGet" in self.manifest:
            return self._is_ok(self.manifest["httpGet"]["path"], timeout)
        asked = health_pb2.HealthCheckRequest(service=self.manifest["grpc"]["service"])
        target = f"127.0.0.1:{self.port}"
        with grpc.insecure_channel(target) as channel, contextlib.suppress(grpc.RpcError):
            answer = health_pb2_grpc.HealthStub(channel).Check(asked, timeout=timeout)
            return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)
        return False

    def _is_ok(self, path: str, timeout: float) -> bool:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        with contextlib.closing(connection), contextlib.suppress(OSError, HTTPException):
            connection.request("GET", path)
            return connection.getresponse().status == HTTPStatus.OK
        return False

    def figures(self) -> dict[str, Any]:
        """How often it was asked, and how it answered."""
        threshold = self.manifest["failureThreshold"]
        return {
            "period_seconds": self.manifest["periodSeconds"],
            "timeout_seconds": self.manifest["timeoutSeconds"],
            "failure_threshold": threshold,
            "asked": len(self.seconds),
            "failed": self.failures,
            "most_failures_in_a_row": self.most_in_a_row,
            "would_act": self.most_in_a_row >= threshold * TIMES,
            "answer_seconds": {
                **percentiles(self.seconds),
                "slowest": round(max(self.seconds, default=0.0), 3),
            },
        }


def main() -> None:
    """Run, and write the figures."""
    options = _options()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that the services end too
    settings = {"CALLSCOPE_TRANSCRIBE_MODEL": options.model}
    with tempfile.TemporaryDirectory() as name:
        there = Installation(Path(name), settings=settings)
        over = threading.Event()
        try:
            there.start()
            probes = {service: list(_probes(there, service)) for service in SERVICES}
            threads = [
                threading.Thread(target=probe.run, args=(over,))
                for each in probes.values()
                for probe in each
            ]
            for thread in threads:
                thread.start()
            _follow(there, probes, options)
        finally:
            over.set()
            there.close()


def _follow(
    there: Installation, probes: Mapping[str, Sequence[Probe]], options: argparse.Namespace
) -> None:
    """Send the recording, and write what is known until it has its record."""
    began = time.monotonic()
    call = there.send(long_recording(options.hours)).json()["id"]
    state, loads = "queued", []
    while state in ("queued", "running"):
        state = there.ended(call, 15)["status"]
        loads.append(load())
        figures = {
            "machine": {**describe(_PACKAGES), "load": max(loads)},
            "model": options.model,
            "hours": options.hours,
            "times_as_often": TIMES,
            "call": state,
            "seconds": round(time.monotonic() - began, 1),
            "peak_memory_mib": {
                name: process.peak_memory for name, process in there.processes.items()
            },
            "probes": {
                service: {probe.name: probe.figures() for probe in each}
                for service, each in probes.items()
            },
        }
        options.out.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


_PACKAGES = ("callscope", "ctranslate2", "pyannote-audio", "torch")


def _probes(there: Installation, service: str) -> Iterator[Probe]:
    documents = yaml.safe_load_all((MANIFESTS / f"{service}.yaml").read_text(encoding="utf-8"))
    (workload,) = (each for each in documents if each["kind"] in ("Deployment", "StatefulSet"))
    (container,) = workload["spec"]["template"]["spec"]["containers"]
    for name in ("readiness", "liveness"):
        manifest = container[f"{name}Probe"]
        ports = there.ports if "grpc" in manifest else there.metrics_ports
        yield Probe(name, manifest, ports[service])


def long_recording(hours: float) -> bytes:
    """The sample again and again, as WAV in mu-law."""
    whole = Path("tests/data/sample/mono.wav").read_bytes()
    place = whole.index(b"data") + 8
    head, samples = whole[:place], whole[place:]
    repeated = samples * round(hours * 3600 * 8000 / len(samples))
    sizes = (len(head) - 8 + len(repeated)).to_bytes(4, "little"), len(repeated)
    return head[:4] + sizes[0] + head[8:-4] + sizes[1].to_bytes(4, "little") + repeated


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hours", type=float, default=2)
    parser.add_argument("--model", default="whisper-base")
    parser.add_argument("--out", type=Path, required=True)
    return parser.parse_args()


if __name__ == "__main__":
    main()
