"""The installed command and a running Callscope, as users have them."""

import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from tests.e2e.collector import Collector, collecting

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="session")
def environment(models_dir: Path) -> Mapping[str, str]:
    """Small and fast: the tiny English recognizer, two threads."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("CALLSCOPE_")}
    return {
        **own,
        "CALLSCOPE_MODELS_DIR": str(models_dir.resolve()),
        "CALLSCOPE_TRANSCRIBE_MODEL": "whisper-tiny.en",
        "CALLSCOPE_THREADS": "2",
        "COLUMNS": "120",
    }


@pytest.fixture(scope="session")
def callscope(environment: Mapping[str, str]) -> Run:
    """Runs the command to its end: `callscope("analyze", file, CALLSCOPE_X="1")`."""

    def run(*arguments: object, **settings: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "services", *map(str, arguments)],
            env={**environment, **settings},
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )

    return run


@dataclass(frozen=True)
class Up:
    """A running `callscope up`."""

    process: subprocess.Popen[bytes]
    http: str
    grpc: str
    metrics: str
    data: Path
    log: Path

    def stop(self) -> int:
        """SIGTERM, and the exit status."""
        self.process.terminate()
        return self.process.wait(60)


@pytest.fixture(scope="module")
def collector() -> Iterator[Collector]:
    with collecting() as collector:
        yield collector


@pytest.fixture(scope="module")
def up(
    environment: Mapping[str, str], collector: Collector, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Up]:
    """All services in one process, on free ports, with a store of its own."""
    folder = tmp_path_factory.mktemp("up")
    http, grpc, metrics = (free_port() for _ in range(3))
    settings = {
        "CALLSCOPE_GATEWAY_HTTP_PORT": str(http),
        "CALLSCOPE_GATEWAY_PORT": str(grpc),
        "CALLSCOPE_GATEWAY_METRICS_PORT": str(metrics),
        "CALLSCOPE_GATEWAY_DATA_DIR": str(folder / "data"),
        "CALLSCOPE_GATEWAY_AUDIO_ROOTS": str(folder / "drop"),
        "CALLSCOPE_OTLP_ENDPOINT": collector.endpoint,
    }
    for service in ("TRANSCRIBE", "DIARIZE", "SCORE"):
        settings[f"CALLSCOPE_{service}_PORT"] = "0"
        settings[f"CALLSCOPE_{service}_METRICS_PORT"] = "0"
    (folder / "drop").mkdir()
    log = folder / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "services", "up"],
            env={**environment, **settings},
            stdout=output,
            stderr=output,
        )
    running = Up(
        process,
        f"http://127.0.0.1:{http}",
        f"127.0.0.1:{grpc}",
        f"http://127.0.0.1:{metrics}",
        folder,
        log,
    )
    try:
        _wait_until_ready(running)
        yield running
    finally:
        if process.poll() is None:
            running.stop()


@pytest.fixture(scope="module")
def prometheus(up: Up, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """A Prometheus with our rules that scrapes the running services every second."""
    program = shutil.which("prometheus")
    if program is None:
        pytest.skip("needs Debian's package prometheus: tools/install-servers.sh")
    folder, port = tmp_path_factory.mktemp("prometheus"), free_port()
    scraped = {
        "job_name": "callscope",
        "static_configs": [
            {"targets": [up.metrics.removeprefix("http://")], "labels": {"service": "gateway"}}
        ],
    }
    configuration = {
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "rule_files": [str(folder / "rules/*.yml")],
        "scrape_configs": [scraped],
    }
    (folder / "prometheus.yml").write_text(json.dumps(configuration))
    (folder / "rules").mkdir()
    for rules in Path("k8s/components/monitoring/prometheus/rules").glob("*.yml"):
        every_second = rules.read_text().replace("interval: 30s", "interval: 1s")
        (folder / "rules" / rules.name).write_text(every_second)
    process = subprocess.Popen(
        [
            program,
            f"--config.file={folder / 'prometheus.yml'}",
            f"--storage.tsdb.path={folder / 'data'}",
            f"--web.listen-address=127.0.0.1:{port}",
            "--log.level=error",
        ]
    )
    base = f"http://127.0.0.1:{port}"
    try:
        assert _becomes_ready(process, f"{base}/-/ready")
        with httpx.Client(base_url=base, timeout=20) as client:
            yield client
    finally:
        process.terminate()
        process.wait(30)


def free_port() -> int:
    """A port nobody listens on at this moment."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def _wait_until_ready(up: Up) -> None:
    if not _becomes_ready(up.process, f"{up.metrics}/readyz"):
        pytest.fail(f"callscope up did not become ready:\n{up.log.read_text()[-3000:]}")


def _becomes_ready(process: "subprocess.Popen[bytes]", url: str) -> bool:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(httpx.TransportError):
            if httpx.get(url).status_code == httpx.codes.OK:
                return True
        time.sleep(0.2)
    return False
