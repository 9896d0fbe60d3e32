"""A Prometheus over an installation, with our rules in a time-lapse."""

import contextlib
import json
import re
import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import httpx

from tests.gateway.conftest import free_port

__all__ = ["FASTER", "Prometheus", "watching"]

FASTER = 60
"""How much faster than in production the rules' windows and patience pass."""

_RULES = Path("k8s/components/monitoring/prometheus/rules")
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_SHORTEST = 5  # seconds: a rate needs more than one scrape


class Prometheus:
    """Asks a running Prometheus."""

    def __init__(self, url: str) -> None:
        self._client = httpx.Client(base_url=url, timeout=10)

    def firing(self) -> set[str]:
        """The alerts that fire now."""
        answer = self._client.get(
            "/api/v1/query", params={"query": 'ALERTS{alertstate="firing"}'}
        ).json()
        return {each["metric"]["alertname"] for each in answer["data"]["result"]}

    def close(self) -> None:
        self._client.close()


@contextlib.contextmanager
def watching(folder: Path, ports: Mapping[str, int]) -> Iterator[Prometheus]:
    """Scrape the services' metrics ports every second, and evaluate the rules as often."""
    folder.mkdir()
    program = shutil.which("prometheus")
    if program is None:
        raise RuntimeError("needs Prometheus: tools/install-servers.sh")
    for file in _RULES.glob("*.yml"):
        (folder / file.name).write_text(_time_lapse(file.read_text(encoding="utf-8")))
    targets = [
        {"targets": [f"127.0.0.1:{port}"], "labels": {"service": name}}
        for name, port in ports.items()
    ]
    configuration = {
        "global": {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"},
        "rule_files": [str(folder / "*.yml")],
        "scrape_configs": [{"job_name": "callscope", "static_configs": targets}],
    }
    (folder / "prometheus.json").write_text(json.dumps(configuration))
    port = free_port()
    process = subprocess.Popen(  # noqa: S603 - found on PATH
        [
            program,
            f"--config.file={folder / 'prometheus.json'}",
            f"--storage.tsdb.path={folder / 'data'}",
            f"--web.listen-address=127.0.0.1:{port}",
            "--log.level=error",
        ]
    )
    url = f"http://127.0.0.1:{port}"
    try:
        _await_ready(f"{url}/-/ready")
        with contextlib.closing(Prometheus(url)) as prometheus:
            yield prometheus
    finally:
        process.terminate()
        process.wait(30)


def _time_lapse(rules: str) -> str:
    """The rules with every duration divided; limits on seconds of calls stay as they are."""

    def shorter(found: re.Match[str]) -> str:
        seconds = int(found[2]) * _UNITS[found[3]] / FASTER
        return f"{found[1]}{max(_SHORTEST, round(seconds))}s{found[4]}"

    rules = re.sub(r"(interval: )(\d+)([smhd])()", r"\g<1>1s", rules)
    rules = re.sub(r"(\[)(\d+)([smhd])(\])", shorter, rules)
    rules = re.sub(r"\* 3600\b", f"* {3600 // FASTER}", rules)
    return re.sub(r"(for: )(\d+)([smhd])()", shorter, rules)


def _await_ready(url: str) -> None:
    until = time.monotonic() + 60
    while True:
        with contextlib.suppress(httpx.TransportError):
            if httpx.get(url).status_code == httpx.codes.OK:
                return
        if time.monotonic() > until:
            raise RuntimeError("Prometheus does not answer")
        time.sleep(0.1)
