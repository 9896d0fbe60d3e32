"""The gateway's own metrics; those that every service has are in `callscope.serving.metrics`."""

import math
from collections.abc import Callable

from prometheus_client import Counter, Gauge, Histogram

from callscope.errors import Unavailable

__all__ = [
    "ARRIVALS",
    "CALLS",
    "CALL_SECONDS",
    "DELIVERIES",
    "ERASED",
    "FACTS_UNREAD",
    "RESCORED",
    "RETRIES",
    "watch_queue",
]

CALLS = Counter("callscope_calls", "Calls by what became of them.", ("outcome",))
CALL_SECONDS = Histogram(
    "callscope_call_seconds",
    "Seconds from acceptance to the record.",
    buckets=(1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800, 3600, 7200, 14400),
)
RETRIES = Counter(
    "callscope_stage_retries", "Attempts at a stage that will be repeated.", ("stage", "reason")
)
FACTS_UNREAD = Counter(
    "callscope_facts_unread", "Facts about calls that could not be read.", ("source",)
)
ARRIVALS = Counter(
    "callscope_arrivals", "Objects of the inbound bucket by what became of them.", ("outcome",)
)
DELIVERIES = Counter("callscope_webhook_attempts", "Attempts to tell a webhook.", ("outcome",))
ERASED = Counter("callscope_erased", "What was erased, by what and why.", ("what", "reason"))
RESCORED = Counter(
    "callscope_rescored_calls", "Calls judged again by what became of that.", ("outcome",)
)
_QUEUE_DEPTH = Gauge("callscope_queue_depth", "Accepted calls that wait to be analyzed.")


def watch_queue(depth: Callable[[], float]) -> None:
    """Ask `depth` for the queue's length whenever metrics are read."""

    def known() -> float:
        # A database that is away must not take the other metrics with it.
        try:
            return depth()
        except Unavailable:
            return math.nan

    _QUEUE_DEPTH.set_function(known)
