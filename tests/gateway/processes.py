"""Gateways and made-up stages in processes of their own, to be killed and started again."""

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx

from tests.gateway.conftest import free_port, noise

ROOT = Path(__file__).parents[2]


class Process:
    """A program that can be killed and started again on the same ports: a module, and arguments."""

    def __init__(
        self, module: str, port: int, log: Path, environment: Mapping[str, object]
    ) -> None:
        own = {name: value for name, value in os.environ.items() if "CALLSCOPE" not in name}
        self._module = module
        self._port = port
        self._log = log
        self.environment = own | {name: str(value) for name, value in environment.items()}
        self._process: subprocess.Popen[bytes] | None = None

    def launch(self) -> None:
        """Start it, and do not wait until it is ready."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", *self._module.split()],
                env=self.environment,
                cwd=ROOT,
                stdout=log,
                stderr=log,
            )

    def end(self, number: signal.Signals) -> int:
        self.signal(number)
        return self.wait(30)

    def signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    def wait(self, seconds: float) -> int:
        """Its exit status, once it has ended."""
        assert self._process is not None
        return self._process.wait(seconds)

    @property
    def alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def memory(self) -> int:
        """Resident memory in MiB."""
        return self._status("VmRSS")

    @property
    def peak_memory(self) -> int:
        """The most resident memory so far, in MiB."""
        return self._status("VmHWM")

    def _status(self, field: str) -> int:
        assert self._process is not None
        status = Path(f"/proc/{self._process.pid}/status").read_text(encoding="utf-8")
        (kib,) = re.findall(rf"^{field}:\s+(\d+) kB$", status, re.MULTILINE)
        return round(int(kib) / 1024)

    @property
    def listening(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self._port)) == 0

    def tail(self) -> str:
        return self._log.read_text()[-3000:]

    def close(self) -> None:
        if self.alive:
            self.end(signal.SIGKILL)


class GatewayProcess(Process):
    """A gateway, and a client of it."""

    def __init__(self, data: Path, targets: Mapping[str, str], **settings: Any) -> None:
        http = free_port()
        values = {
            "port": free_port(),
            "http_port": http,
            "metrics_port": 0,
            "data_dir": data,
            "poll_seconds": 0.02,
            "retry_seconds": 0.05,
            "drain_seconds": 1,
            **targets,
            **settings,
        }
        name = str(values.get("executor_id", "gateway"))
        data.parent.mkdir(parents=True, exist_ok=True)
        super().__init__(
            "services.gateway",
            http,
            data.parent / f"{name}.log",
            {f"CALLSCOPE_GATEWAY_{key.upper()}": value for key, value in values.items()},
        )
        self.data = data
        self.client = httpx.Client(base_url=f"http://127.0.0.1:{http}", timeout=30)

    def start(self) -> None:
        """Start it, and wait until it answers."""
        self.launch()
        self.ready()

    def ready(self) -> None:
        deadline = time.monotonic() + 120
        while True:
            with contextlib.suppress(httpx.TransportError):
                self.client.get("/v1/calls")
                return
            assert self.alive, self.tail()
            assert time.monotonic() < deadline, self.tail()
            time.sleep(0.05)

    def close(self) -> None:
        self.client.close()
        super().close()

    def send(self) -> str:
        answer = self.client.post("/v1/calls", files={"audio": noise()})
        assert answer.status_code == 202, answer.text
        return str(answer.json()["id"])

    def progress(self, call_id: str) -> float:
        """How much of a running call is done; 0 before it runs."""
        return float(self.client.get(f"/v1/calls/{call_id}").json().get("progress") or 0)

    def is_done(self, call_id: str) -> bool:
        return bool(self.client.get(f"/v1/calls/{call_id}").json()["status"] == "done")


class StageProcess(Process):
    """A made-up stage; each result that it gives is a line in `results`: the call's id."""

    def __init__(self, stage: str, folder: Path, seconds: float) -> None:
        port = free_port()
        self.stage = stage
        self.target = f"127.0.0.1:{port}"
        self.results = folder / f"{stage}.results"
        self.results.touch()
        super().__init__(
            "tests.gateway.stage",
            port,
            folder / f"{stage}.log",
            {
                "MADE_UP_STAGE": stage,
                "MADE_UP_PORT": port,
                "MADE_UP_SECONDS": seconds,
                "MADE_UP_RESULTS": self.results,
            },
        )
