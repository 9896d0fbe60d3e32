"""Rolling restarts in figures: `python -m bench.rolling > bench/results/rolling.json`.

Two gateways on one PostgreSQL and three made-up stages, each a process of its own, restarted in
turn, ROUNDS times, while a client uploads over gRPC as docs/api.md has it. The same as
tests/gateway/test_rolling.py, which asserts what is counted here.
"""

import argparse
import json
import os
import platform
import tempfile
import time
from pathlib import Path
from typing import Any

from tests.gateway.conftest import postgresql_server
from tests.gateway.test_rolling import Cluster, Sender


def main() -> None:
    """Run, and print the figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, postgresql_server() as url:
        cluster = Cluster(Path(name), url)
        try:
            cluster.start()
            figures = _run(cluster, options.rounds)
        finally:
            cluster.close()
    machine = {
        "cores": os.cpu_count(),
        "load": round(os.getloadavg()[0], 1),
        "python": platform.python_version(),
    }
    print(json.dumps({"machine": machine, **figures}, indent=2))


def _run(cluster: Cluster, rounds: int) -> dict[str, Any]:
    began = time.monotonic()
    with Sender(cluster.ports) as sender:
        for _ in range(rounds):
            for process in cluster.everyone:
                cluster.restart(process)
                sender.goes_on(2)
        sender.stop()
        sent = time.monotonic()
        while not all(map(sender.is_done, sender.calls)) and time.monotonic() < sent + 300:
            time.sleep(0.5)
        return {
            "restarts": rounds * len(cluster.everyone),
            "accepted": len(set(sender.calls)),
            "done": sum(map(sender.is_done, sender.calls)),
            "errors": sender.errors,
            "slowest_upload_seconds": round(max(sender.seconds), 2),
            "seconds": {
                "sending": round(sent - began, 1),
                "after": round(time.monotonic() - sent, 1),
            },
        }


if __name__ == "__main__":
    main()
