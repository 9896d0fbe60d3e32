"""kill -9 at random moments, in figures: `python -m bench.kills > bench/results/kills.json`.

A gateway on SQLite and three made-up stages, each a process of its own; while recordings are sent,
one after the other is killed and started again. The same as tests/gateway/test_kills.py, which
asserts what is counted here.
"""

import argparse
import json
import os
import platform
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

from tests.gateway.test_kills import PLACES, STAGES, Landscape, accepted, killing


def main() -> None:
    """Run, and print the figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=50)
    parser.add_argument("--patience", type=float, default=300, help="seconds to the last record")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        landscape = Landscape(Path(name))
        try:
            landscape.start()
            figures = _run(landscape, options.calls, options.patience)
        finally:
            landscape.close()
    machine = {
        "cores": os.cpu_count(),
        "load": round(os.getloadavg()[0], 1),
        "python": platform.python_version(),
    }
    print(json.dumps({"machine": machine, **figures}, indent=2))


def _run(landscape: Landscape, count: int, patience: float) -> dict[str, Any]:
    over, kills = threading.Event(), Counter[str]()
    calls: list[str] = []
    killer = threading.Thread(target=killing, args=(landscape, calls, over, kills))
    began = time.monotonic()
    killer.start()
    for number in range(count):
        calls.append(accepted(landscape, number))
        time.sleep(0.2)
    over.set()
    killer.join()
    sent = time.monotonic()
    while landscape.count("SELECT count(*) FROM records") < count:
        if time.monotonic() - sent > patience:
            break
        time.sleep(0.1)
    ended = time.monotonic()
    blobs = [path for path in (landscape.gateway.data / "blobs").rglob("*") if path.is_file()]
    return {
        "kills": {"gateway": kills["GatewayProcess"], "services": kills["StageProcess"]},
        "places": PLACES,
        "accepted": len(set(calls)),
        "records": landscape.count("SELECT count(*) FROM records"),
        "calls_with_a_record": landscape.count("SELECT count(DISTINCT call_id) FROM records"),
        "recordings_left_over": len(blobs) - len(set(calls)),
        "results_made_again": {
            stage: landscape.results(stage).total() - len(landscape.results(stage))
            for stage in STAGES
        },
        "seconds": {"sending": round(sent - began, 1), "after": round(ended - sent, 1)},
    }


if __name__ == "__main__":
    main()
