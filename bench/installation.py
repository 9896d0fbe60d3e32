"""The four services as processes of this machine, with real models, to be measured or harmed."""

import contextlib
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx
from prometheus_client.parser import text_string_to_metric_families

from tests.gateway.conftest import free_port
from tests.gateway.processes import Process

__all__ = ["SERVICES", "STAGES", "Installation"]

STAGES = ("transcribe", "diarize", "score")
SERVICES = ("gateway", *STAGES)
_PATIENCE = 180.0  # seconds until a service is ready: models are verified, loaded and warmed up


class Installation:
    """A gateway with its data in `folder`, and one process of each stage.

    Args:
        folder: for logs and, unless said otherwise, data.
        data: the gateway's data; `folder / "data"` where it is None.
        settings: more environment variables, for all of them; CALLSCOPE_GATEWAY_X for one.
    """

    def __init__(
        self, folder: Path, data: Path | None = None, settings: Mapping[str, object] | None = None
    ) -> None:
        self.folder = folder
        self.data = data or folder / "data"
        self.metrics_ports = {name: free_port() for name in SERVICES}
        self.ports = {name: free_port() for name in SERVICES}
        self.http_port = free_port()
        shared: dict[str, object] = {
            "CALLSCOPE_MODELS_DIR": Path(".models").resolve(),
            "CALLSCOPE_AUDIO_ROOTS": self.data / "blobs",
            "CALLSCOPE_GATEWAY_DATA_DIR": self.data,
            "CALLSCOPE_GATEWAY_HTTP_PORT": self.http_port,
            **{
                f"CALLSCOPE_GATEWAY_{s.upper()}_TARGET": f"127.0.0.1:{self.ports[s]}"
                for s in STAGES
            },
            **(settings or {}),
        }
        self.processes = {name: self._process(name, shared) for name in SERVICES}
        self.client = httpx.Client(base_url=f"http://127.0.0.1:{self.http_port}", timeout=60)

    def _process(self, name: str, shared: Mapping[str, object]) -> Process:
        own = {
            f"CALLSCOPE_{name.upper()}_PORT": self.ports[name],
            f"CALLSCOPE_{name.upper()}_METRICS_PORT": self.metrics_ports[name],
        }
        return Process(
            f"services {name}", self.ports[name], self.folder / f"{name}.log", {**shared, **own}
        )

    def start(self) -> None:
        """Start all, and wait until they are ready."""
        for process in self.processes.values():
            process.launch()
        for name in SERVICES:
            self.await_ready(name)

    def await_ready(self, name: str) -> float:
        """Seconds until the service is ready; raises where it ends or never is."""
        began = time.monotonic()
        while not self.is_ready(name):
            if not self.processes[name].alive or time.monotonic() - began > _PATIENCE:
                raise RuntimeError(f"{name} is not ready:\n{self.processes[name].tail()}")
            time.sleep(0.1)
        return time.monotonic() - began

    def is_ready(self, name: str) -> bool:
        """What its probe says now."""
        with contextlib.suppress(httpx.HTTPError):
            url = f"http://127.0.0.1:{self.metrics_ports[name]}/readyz"
            return httpx.get(url, timeout=2).status_code == httpx.codes.OK
        return False

    def close(self) -> None:
        """End all, at once."""
        self.client.close()
        for process in self.processes.values():
            process.close()

    def send(self, audio: bytes, **fields: str) -> httpx.Response:
        """Send a recording."""
        return self.client.post("/v1/calls", files={"audio": audio}, data=fields)

    def call(self, call_id: str) -> dict[str, Any]:
        """The call as it stands."""
        found: dict[str, Any] = self.client.get(f"/v1/calls/{call_id}").json()
        return found

    def ended(self, call_id: str, patience: float) -> dict[str, Any]:
        """The call once it is done or failed, or as it stands when patience is over."""
        until = time.monotonic() + patience
        while (call := self.call(call_id))["status"] in ("queued", "running"):
            if time.monotonic() > until:
                break
            time.sleep(0.2)
        return call

    def total(self, service: str, metric: str, **labels: str) -> float:
        """The sum of a metric's series that have these labels."""
        url = f"http://127.0.0.1:{self.metrics_ports[service]}/metrics"
        return sum(
            sample.value
            for family in text_string_to_metric_families(httpx.get(url, timeout=10).text)
            for sample in family.samples
            if sample.name == metric and labels.items() <= sample.labels.items()
        )
