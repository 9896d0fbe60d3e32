"""The gateway's own metrics; those that every service has are in `callscope.serving.metrics`.

What could be counted and has not happened yet is 0 from the start: a series that begins with its
first event hides that event from `rate()`.
"""

import shutil
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import product
from pathlib import Path

from prometheus_client import Counter, Histogram

from callscope.errors import Unavailable
from callscope.serving.metrics import Reading, Watched
from callscope.types import CallRecord, ChannelLayout, Outcome, Role
from services.gateway.call import Call, CallStatus, Lane
from services.gateway.submission import instant

__all__ = [
    "ARRIVALS",
    "ATTEMPTS",
    "CALLS",
    "CALL_END_SECONDS",
    "CALL_SECONDS",
    "DELIVERIES",
    "ERASED",
    "FACTS_UNREAD",
    "HTTP_REQUESTS",
    "HTTP_SECONDS",
    "RECEIVED",
    "RECEIVED_AUDIO",
    "RESCORED",
    "RETRIES",
    "Standing",
    "count_record",
    "watch_backlog",
    "watch_disk",
]

_TO_THE_RECORD = (1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800, 3600, 7200, 14400)
_ROUTE = ("method", "route")

RECEIVED = Counter("callscope_calls_received", "Recordings accepted as new calls.", ("lane",))
RECEIVED_AUDIO = Counter(
    "callscope_received_audio_seconds", "Seconds of audio in the calls accepted.", ("lane",)
)
CALLS = Counter("callscope_calls", "Calls by what became of them.", ("outcome", "lane"))
CALL_SECONDS = Histogram(
    "callscope_call_seconds",
    "Seconds from acceptance to the record.",
    ("lane",),
    buckets=_TO_THE_RECORD,
)
CALL_END_SECONDS = Histogram(
    "callscope_call_end_seconds",
    "Seconds from a call's end to its record, where its sender said when it began.",
    ("lane",),
    buckets=_TO_THE_RECORD,
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
ATTEMPTS = Counter("callscope_webhook_attempts", "Attempts to tell a webhook.", ("outcome",))
DELIVERIES = Counter(
    "callscope_webhook_deliveries", "Events for webhooks by what became of them.", ("outcome",)
)
ERASED = Counter("callscope_erased", "What was erased, by what and why.", ("what", "reason"))
RESCORED = Counter(
    "callscope_rescored_calls", "Calls judged again by what became of that.", ("outcome",)
)
HTTP_REQUESTS = Counter("callscope_http_requests", "REST requests.", (*_ROUTE, "status"))
HTTP_SECONDS = Histogram(
    "callscope_http_request_seconds",
    "Seconds a REST request took, its answer's last byte included.",
    _ROUTE,
    buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300),
)
BEHAVIORS = Counter("callscope_behaviors", "Behaviors judged, by outcome.", ("outcome",))
CONFIDENCE = Histogram(
    "callscope_behavior_confidence",
    "Confidence in a behavior's outcome.",
    buckets=(0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99, 1.0),
)
REVIEWS = Counter("callscope_reviews", "Records by whether a person should look.", ("needed",))
WORD_PROBABILITY = Histogram(
    "callscope_word_probability",
    "Mean probability of a record's words, as the recognizer gave it.",
    buckets=(0.5, 0.6, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95, 1.0),
)
SPEECH = Counter("callscope_speech_seconds", "Seconds of utterances, by who spoke.", ("role",))

_BACKLOG = Watched(
    {
        "callscope_queue_depth": ("Accepted calls that wait to be analyzed.", ("lane",)),
        "callscope_queue_oldest_seconds": (
            "For how long the call that has waited longest has waited.",
            ("lane",),
        ),
        "callscope_dead_letters": ("Calls that were given up and not retried.", ("lane",)),
    }
)
_DISK = Watched(
    {
        "callscope_data_free_bytes": ("Free space where recordings arrive.", ()),
        "callscope_data_size_bytes": ("Size of that disk.", ()),
    }
)

for _lane in Lane:
    for _metric in (RECEIVED, RECEIVED_AUDIO, CALL_SECONDS, CALL_END_SECONDS):
        _metric.labels(_lane)
for _pair in product((s for s in CallStatus if s.final), Lane):
    CALLS.labels(*_pair)
for _outcome in ("delivered", "failed"):
    ATTEMPTS.labels(_outcome)
for _outcome in ("delivered", "given_up"):
    DELIVERIES.labels(_outcome)
for _judged in Outcome:
    BEHAVIORS.labels(_judged)
for _role in Role:
    SPEECH.labels(_role)
for _needed in ("yes", "no"):
    REVIEWS.labels(_needed)


@dataclass(frozen=True, slots=True)
class Standing:
    """How many calls of a lane stand so, and since when the first of them does."""

    lane: str
    status: str
    calls: int
    since: datetime


def watch_backlog(look: Callable[[], Iterable[Standing]]) -> None:
    """Ask `look` for the calls that wait or were given up whenever metrics are read."""

    def read() -> Iterator[Reading]:
        # A database that is away must not take the other metrics with it.
        try:
            found = {(each.lane, each.status): each for each in look()}
        except Unavailable:
            return
        now = datetime.now(UTC)
        for lane in Lane:
            queued = found.get((lane, CallStatus.QUEUED))
            failed = found.get((lane, CallStatus.FAILED))
            age = (now - queued.since).total_seconds() if queued else 0.0
            yield "callscope_queue_depth", (lane,), queued.calls if queued else 0
            yield "callscope_queue_oldest_seconds", (lane,), max(0.0, age)
            yield "callscope_dead_letters", (lane,), failed.calls if failed else 0

    _BACKLOG.watch(read)


def watch_disk(folder: Path) -> None:
    """Show how full the disk is that recordings arrive on."""

    def read() -> Iterator[Reading]:
        usage = shutil.disk_usage(folder)
        yield "callscope_data_free_bytes", (), usage.free
        yield "callscope_data_size_bytes", (), usage.total

    _DISK.watch(read)


def count_record(call: Call, record: CallRecord) -> None:
    """Count a call that has its record: how long that took, and how sure the models were."""
    now = datetime.now(UTC)
    CALLS.labels(CallStatus.DONE, call.lane).inc()
    CALL_SECONDS.labels(call.lane).observe((now - call.created_at).total_seconds())
    if call.recording.started_at is not None:
        began = instant(call.recording.started_at)
        after = (now - began).total_seconds() - (call.recording.duration or 0.0)
        CALL_END_SECONDS.labels(call.lane).observe(max(0.0, after))
    for behavior in record.behaviors:
        BEHAVIORS.labels(behavior.outcome).inc()
        CONFIDENCE.observe(behavior.confidence)
    REVIEWS.labels("yes" if record.review.needed else "no").inc()
    if record.layout is ChannelLayout.NONE:
        return  # a text: our models did not hear it
    for utterance in record.utterances:
        SPEECH.labels(utterance.role).inc(utterance.end - utterance.start)
    sure = [word.probability for each in record.utterances for word in each.words]
    if sure:
        WORD_PROBABILITY.observe(sum(sure) / len(sure))
