"""Series of this process, as `/metrics` shows them."""

from prometheus_client import REGISTRY, generate_latest
from prometheus_client.parser import text_string_to_metric_families


def now(name: str, **labels: str) -> float | None:
    """A series' value as `/metrics` would show it."""
    for family in text_string_to_metric_families(generate_latest(REGISTRY).decode()):
        for sample in family.samples:
            if sample.name == name and sample.labels == labels:
                return sample.value
    return None


class Change:
    """By how much a series has grown since."""

    def __init__(self, name: str, **labels: str) -> None:
        self._name, self._labels = name, labels
        self._before = now(name, **labels) or 0.0

    def __call__(self) -> float:
        return (now(self._name, **self._labels) or 0.0) - self._before
