"""What a cluster of so many nodes can do: `python -m bench.capacity > bench/results/capacity.json`.

Calls arrive at random, are entered by a gateway into the database, wait for the gateways' places,
go through transcribe and diarize side by side and then score, each a pool of pods, first come first
served. What a second of audio costs each service in processor time is measured
(`bench/results/load.json`), and so is what a call costs a gateway and PostgreSQL
(`bench/results/database.json`); lengths of calls are made up. For each number of nodes the highest
rate is sought that can go on and at which 99% of calls have their record within the objective, and
what is fullest then.
"""

import argparse
import heapq
import json
import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SEED = 1
OBJECTIVE = 600.0  # seconds from acceptance to record for 99% of calls
MEAN_CALL = 300.0  # seconds of audio; lengths are log-normal, as handling times are
SIGMA = 0.8
FULL = 0.95  # more than this cannot go on for long: the queue would only grow
SIMULATED = 1800.0  # seconds of arrivals
PARTS = ("transcribe", "diarize", "score", "gateway")
RESULTS = Path("bench/results")


@dataclass(frozen=True)
class Costs:
    """Processor seconds for a second of audio by service; calls a second for the database.

    `cores` are a pod's; a pod's work on a call is spread over all of them.
    """

    seconds: Mapping[str, float]
    cores: Mapping[str, int]
    database_rate: float

    def on_pod(self, name: str, audio: float) -> float:
        """Seconds that a pod takes for so much audio."""
        return audio * self.seconds[name] / self.cores[name]


@dataclass(frozen=True)
class Cluster:
    """Pods by service, and places in the gateways."""

    pods: Mapping[str, int]
    places: int


class Pool:
    """Servers that take work in order of arrival; knows when each is free."""

    def __init__(self, servers: int) -> None:
        self._free = [0.0] * servers
        self.busy = 0.0

    def serve(self, arrival: float, seconds: float) -> float:
        """When work that arrives then, and takes so long, is done."""
        start = max(arrival, heapq.heappop(self._free))
        heapq.heappush(self._free, start + seconds)
        self.busy += seconds
        return start + seconds


def main() -> None:
    """Seek the highest rate for each number of nodes, and print it as JSON."""
    options = _options()
    costs = _measured(options.pod_cores, options.database_rate)
    rows = [_row(nodes, options.node_cores, costs) for nodes in (1, 10, 100, 1000)]
    given = {
        "node_cores": options.node_cores,
        "pod_cores": costs.cores,
        "cpu_seconds_an_audio_second": {k: round(v, 4) for k, v in costs.seconds.items()},
        "database_calls_a_second": costs.database_rate,
        "mean_call_seconds": MEAN_CALL,
    }
    core_day = 86_400 / sum(costs.seconds.values()) / 3600
    print(
        json.dumps(
            {"given": given, "audio_hours_a_day_and_core": round(core_day), "nodes": rows}, indent=2
        )
    )


def _measured(pod_cores: int, database_rate: float | None) -> Costs:
    """From what `bench.load` found while it saw most calls, and `bench.database`."""
    load = json.loads((RESULTS / "load.json").read_text(encoding="utf-8"))
    database = json.loads((RESULTS / "database.json").read_text(encoding="utf-8"))
    longest = max(load["phases"], key=lambda phase: phase["done"])
    spent = longest["work"]["cpu_seconds_an_audio_hour"]
    return Costs(
        {name: spent[name] / 3600 for name in PARTS},
        {"transcribe": pod_cores, "diarize": pod_cores, "score": 1, "gateway": 1},
        database_rate or database["calls_a_second"],
    )


def _row(nodes: int, node_cores: int, costs: Costs) -> dict[str, Any]:
    cluster = _share_out(nodes * node_cores, costs)
    low = 0.0
    high = min(pods / costs.on_pod(name, MEAN_CALL) for name, pods in cluster.pods.items())
    while high - low > 0.01 * high:
        rate = (low + high) / 2
        latency, use = _simulate(cluster, costs, rate)
        fits = latency <= OBJECTIVE and max(use.values()) <= FULL
        low, high = (rate, high) if fits else (low, rate)
    latency, use = _simulate(cluster, costs, low)
    return {
        "nodes": nodes,
        "pods": cluster.pods,
        "gateway_places": cluster.places,
        "calls_a_second": round(low, 3),
        "audio_hours_a_day": round(low * MEAN_CALL * 24),
        "p99_seconds": round(latency, 1),
        "use": {name: round(share, 2) for name, share in use.items()},
        "bottleneck": max(use, key=lambda name: use[name]),
    }


def _share_out(cores: int, costs: Costs) -> Cluster:
    """Pods in proportion to the cores that each service needs for the same audio; a twentieth of
    the cores is for monitoring and the system."""
    whole = sum(costs.seconds.values())
    pods = {
        name: max(1, round(cores * 0.95 * each / whole / costs.cores[name]))
        for name, each in costs.seconds.items()
    }
    # twice as many places as pods keep every pod busy
    return Cluster(pods, 2 * max(pods.values()))


def _simulate(cluster: Cluster, costs: Costs, rate: float) -> tuple[float, dict[str, float]]:
    """99th percentile of the seconds to the record, and how full each part was."""
    pools = {name: Pool(pods) for name, pods in cluster.pods.items()}
    database, places = Pool(1), [0.0] * cluster.places
    heard = []
    for arrival, length in _calls(rate):
        entered = pools["gateway"].serve(arrival, costs.on_pod("gateway", length))
        kept = database.serve(entered, 1 / costs.database_rate)
        start = max(kept, heapq.heappop(places))
        end = max(
            pools[name].serve(start, costs.on_pod(name, length))
            for name in ("transcribe", "diarize")
        )
        scoring = costs.on_pod("score", length)
        heapq.heappush(places, end + scoring)  # the wait for the scorer is left out here
        heard.append((end, arrival, scoring))
    heard.sort()
    latencies = [pools["score"].serve(end, each) - arrival for end, arrival, each in heard]
    latencies.sort()
    use = {name: pool.busy / SIMULATED / cluster.pods[name] for name, pool in pools.items()}
    use["database"] = database.busy / SIMULATED
    return latencies[len(latencies) * 99 // 100], use


def _calls(rate: float) -> Iterator[tuple[float, float]]:
    """Arrival and length of each call."""
    chance = random.Random(SEED)
    at = 0.0
    while (at := at + chance.expovariate(rate)) < SIMULATED:
        yield at, MEAN_CALL * chance.lognormvariate(-(SIGMA**2) / 2, SIGMA)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pod-cores", type=int, default=2, help="of transcribe and diarize")
    parser.add_argument("--node-cores", type=int, default=16)
    parser.add_argument("--database-rate", type=float, help="calls a second; else as measured")
    return parser.parse_args()


if __name__ == "__main__":
    main()
