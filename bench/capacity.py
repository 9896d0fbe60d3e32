"""What a cluster of so many nodes can do: `python -m bench.capacity > bench/results/capacity.json`.

Calls arrive at random, wait for the gateways' places, go through transcribe and diarize side by
side and then score, each a pool of pods, first come first served. The stages' speeds and the cost
of a call in the database are measured ones, given as arguments. For each number of nodes the
highest rate is sought that can go on and at which 99% of calls have their record within the
objective, and what is fullest then.
"""

import argparse
import heapq
import json
import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

SEED = 1
OBJECTIVE = 600.0  # seconds from acceptance to record for 99% of calls
MEAN_CALL = 300.0  # seconds of audio; lengths are log-normal, as handling times are
SIGMA = 0.8
FULL = 0.95  # more than this cannot go on for long: the queue would only grow
SIMULATED = 1800.0  # seconds of arrivals


@dataclass(frozen=True)
class Cluster:
    """Pods by stage, places in the gateways, and calls a second that the database can keep."""

    pods: dict[str, int]
    places: int
    database_rate: float


@dataclass(frozen=True)
class Speeds:
    """Times real time of one pod, and its cores; calls a second for the database."""

    transcribe: float
    diarize: float
    score: float
    cores: dict[str, int]
    database_rate: float


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
    speeds = Speeds(
        options.transcribe,
        options.diarize,
        options.score,
        {"transcribe": options.pod_cores, "diarize": options.pod_cores, "score": 1},
        options.database_rate,
    )
    rows = [_row(nodes, options.node_cores, speeds) for nodes in (1, 10, 100, 1000)]
    print(json.dumps({"given": vars(options), "nodes": rows}, indent=2))


def _row(nodes: int, node_cores: int, speeds: Speeds) -> dict[str, Any]:
    cluster = _share_out(nodes * node_cores, speeds)
    low, high = 0.0, _compute_rate(cluster, speeds)
    while high - low > 0.01 * high:
        rate = (low + high) / 2
        latency, use = _simulate(cluster, speeds, rate)
        fits = latency <= OBJECTIVE and max(use.values()) <= FULL
        low, high = (rate, high) if fits else (low, rate)
    latency, use = _simulate(cluster, speeds, low)
    fullest = max(use, key=lambda name: use[name])
    return {
        "nodes": nodes,
        "pods": cluster.pods,
        "gateway_places": cluster.places,
        "calls_a_second": round(low, 3),
        "audio_hours_a_day": round(low * MEAN_CALL * 24),
        "p99_seconds": round(latency, 1),
        "use": {name: round(share, 2) for name, share in use.items()},
        "bottleneck": fullest,
    }


def _share_out(cores: int, speeds: Speeds) -> Cluster:
    """Pods in proportion to the cores that each stage needs for the same audio; a twentieth of
    the cores is for gateways and monitoring."""
    need = {name: speeds.cores[name] / getattr(speeds, name) for name in speeds.cores}
    usable = cores * 0.95
    pods = {
        name: max(1, int(usable * each / sum(need.values()) / speeds.cores[name]))
        for name, each in need.items()
    }
    # twice as many places as pods keep every pod busy
    return Cluster(pods, 2 * max(pods.values()), speeds.database_rate)


def _compute_rate(cluster: Cluster, speeds: Speeds) -> float:
    return min(
        pods * float(getattr(speeds, name)) / MEAN_CALL for name, pods in cluster.pods.items()
    )


def _simulate(cluster: Cluster, speeds: Speeds, rate: float) -> tuple[float, dict[str, float]]:
    """99th percentile of the seconds to the record, and how full each part was."""
    pools = {name: Pool(pods) for name, pods in cluster.pods.items()}
    database, places = Pool(1), [0.0] * cluster.places
    heard = []
    for arrival, length in _calls(rate):
        kept = database.serve(arrival, 1 / cluster.database_rate)
        start = max(kept, heapq.heappop(places))
        end = max(
            pools[name].serve(start, length / getattr(speeds, name))
            for name in ("transcribe", "diarize")
        )
        scoring = length / speeds.score
        heapq.heappush(places, end + scoring)  # the wait for the scorer is left out here
        heard.append((end, arrival, scoring))
    heard.sort()
    latencies = [pools["score"].serve(end, each) - arrival for end, arrival, each in heard]
    latencies.sort()
    until = SIMULATED
    use = {name: pool.busy / until / cluster.pods[name] for name, pool in pools.items()}
    use["database"] = database.busy / until
    return latencies[len(latencies) * 99 // 100], use


def _calls(rate: float) -> Iterator[tuple[float, float]]:
    """Arrival and length of each call."""
    chance = random.Random(SEED)
    at = 0.0
    while (at := at + chance.expovariate(rate)) < SIMULATED:
        yield at, MEAN_CALL * chance.lognormvariate(-(SIGMA**2) / 2, SIGMA)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--transcribe", type=float, required=True, help="times real time, one pod")
    parser.add_argument("--diarize", type=float, required=True, help="times real time, one pod")
    parser.add_argument("--score", type=float, required=True, help="times real time, one pod")
    parser.add_argument("--database-rate", type=float, required=True, help="calls a second")
    parser.add_argument("--pod-cores", type=int, default=2, help="of transcribe and diarize")
    parser.add_argument("--node-cores", type=int, default=16)
    return parser.parse_args()


if __name__ == "__main__":
    main()
