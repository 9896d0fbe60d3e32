"""Prometheus metrics every service has. Label sets are closed: stages, codes, never ids.

The `grpc_server_*` names are go-grpc-prometheus's, so existing dashboards work.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import TypeAlias

from prometheus_client import REGISTRY, Counter, Gauge, Histogram
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from callscope.types import ModelInfo

__all__ = [
    "GPU_MEMORY",
    "INFLIGHT",
    "RPC_HANDLED",
    "RPC_SECONDS",
    "RPC_STARTED",
    "STAGE_AUDIO_SECONDS",
    "STAGE_FAILURES",
    "STAGE_SECONDS",
    "WAITING",
    "WAIT_SECONDS",
    "Reading",
    "Watched",
    "publish_compute",
    "publish_models",
]

Reading: TypeAlias = tuple[str, tuple[str, ...], float]
"""A gauge's name, its labels' values, and its value."""

_RPC_LABELS = ("grpc_type", "grpc_service", "grpc_method")
# From a cached answer to a two-hour recording on a slow CPU.
_SECONDS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800, 3600)

RPC_STARTED = Counter("grpc_server_started", "RPCs started.", _RPC_LABELS)
RPC_HANDLED = Counter("grpc_server_handled", "RPCs finished.", (*_RPC_LABELS, "grpc_code"))
RPC_SECONDS = Histogram(
    "grpc_server_handling_seconds", "Seconds an RPC took.", _RPC_LABELS, buckets=_SECONDS
)
STAGE_SECONDS = Histogram(
    "callscope_stage_seconds", "Seconds of work on one call.", ("stage",), buckets=_SECONDS
)
STAGE_AUDIO_SECONDS = Counter(
    "callscope_stage_audio_seconds", "Seconds of audio worked through.", ("stage",)
)
STAGE_FAILURES = Counter(
    "callscope_stage_failures", "Failed pieces of work, by error code.", ("stage", "reason")
)
INFLIGHT = Gauge("callscope_inflight", "Calls being worked on.", ("stage",))
WAITING = Gauge("callscope_stage_waiting", "Calls waiting for a place.", ("stage",))
WAIT_SECONDS = Histogram(
    "callscope_stage_wait_seconds", "Seconds waited for a place.", ("stage",), buckets=_SECONDS
)
_MODEL_INFO = Gauge(
    "callscope_model_info", "Models loaded; always 1.", ("stage", "model", "digest")
)
# Labels as the stages that have them name them; a stage without one leaves it empty.
_COMPUTE = ("device", "compute_type", "workers", "threads", "batch_size")
_COMPUTE_INFO = Gauge(
    "callscope_compute_info", "How a stage computes; always 1.", ("stage", *_COMPUTE)
)


class Watched(Collector):
    """Gauges that are looked up whenever metrics are read; without values until `watch`.

    Args:
        gauges: what each is, and its labels, by name.
    """

    def __init__(self, gauges: Mapping[str, tuple[str, tuple[str, ...]]]) -> None:
        self._gauges = gauges
        self._look: Callable[[], Iterable[Reading]] = tuple
        REGISTRY.register(self)

    def watch(self, look: Callable[[], Iterable[Reading]]) -> None:
        """Ask `look` from now on; what it leaves out is unknown."""
        self._look = look

    def collect(self) -> Iterable[GaugeMetricFamily]:
        """Look."""
        families = {
            name: GaugeMetricFamily(name, text, labels=labels)
            for name, (text, labels) in self._gauges.items()
        }
        for name, labels, value in self._look():
            families[name].add_metric(labels, value)
        return families.values()


GPU_MEMORY = Watched(
    {"callscope_gpu_memory_bytes": ("Memory of a GPU, used and total.", ("gpu", "state"))}
)


def publish_compute(stage: str, choices: Mapping[str, object]) -> None:
    """Say on what, and how finely, a stage of this process computes."""
    _COMPUTE_INFO.labels(stage, *(str(choices.get(name, "")) for name in _COMPUTE)).set(1)


def publish_models(models: Iterable[ModelInfo]) -> None:
    """Say which models this process serves with."""
    for model in models:
        _MODEL_INFO.labels(model.stage, model.name, model.digest).set(1)
