"""The bulk loader: a folder's or bucket's recordings into a gateway, as often as it takes.

What was taken in is written to a journal, so that a second run sends only what is new. Losing the
journal loses time only: every recording is sent under a key made of its name and digest, and is
the same call again.
"""

import hashlib
import json
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from callscope.errors import (
    CallscopeError,
    DeadlineExceeded,
    Forbidden,
    ForbiddenUri,
    InvalidInput,
    Overloaded,
    Unauthenticated,
    Unavailable,
)
from services.gateway.details import Details
from services.gateway.facts import (
    Clock,
    NamePattern,
    Said,
    combine,
    said_by_sidecar,
    sidecar_names,
)
from services.gateway.submission import Submission
from services.gateway_client import GatewayClient
from services.ingest_sources import Item, Source

__all__ = ["Journal", "Loader", "Reading", "Refusal", "Totals"]

_ATTEMPTS = 6
_PAUSE = 1.0  # seconds before the second attempt; it doubles
_LONGEST = 60.0
_CAN_PASS = (Unavailable, Overloaded, DeadlineExceeded)
_BLOCK = 1 << 20  # bytes hashed at a time


@dataclass(frozen=True, slots=True)
class Reading:
    """How to read what is known of the recordings."""

    pattern: NamePattern | None
    details: Details | None
    clock: Clock
    common: Mapping[str, Any]  # a submission's fields that hold for all

    def of(self, source: Source, name: str, said: Sequence[Said]) -> Submission:
        """Everything known of the recording of that name."""
        known = [*said, *_beside(source, name)]
        if self.details is not None:
            known.append(self.details.of(name))
        fields = dict(self.common)
        if self.pattern is not None:
            known.append(self.pattern.read(name))
        else:
            fields["file_name"] = name  # the gateway may have a pattern of its own
        return combine(Submission.read(fields), known, self.clock)


@dataclass(frozen=True, slots=True)
class Refusal:
    """A recording that did not get in."""

    name: str
    error: CallscopeError


@dataclass(slots=True)
class Totals:
    """How it went."""

    sent: int = 0
    known: int = 0  # taken in by an earlier run
    noted: int = 0  # taken in, with facts that could not be read
    refused: list[Refusal] = field(default_factory=list)


class Journal:
    """What was taken in, one line each; appended to as it happens.

    Args:
        path: the file; made where it is not there.

    Raises:
        InvalidInput: it cannot be read or written.
    """

    def __init__(self, path: Path) -> None:
        self._lock = threading.Lock()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = path.open("a+", encoding="utf-8")
        except OSError as error:
            raise InvalidInput(
                f"cannot write {path}: {error.strerror}", remedy="Name another with --journal."
            ) from None
        self._file.seek(0)
        self._known = set(_read(self._file))
        self._file.write("\n")  # the last line may have been cut off

    def has(self, item: Item) -> bool:
        """Whether this version of the recording was taken in."""
        return (item.name, item.version) in self._known

    def add(self, item: Item, call_id: str) -> None:
        """It was, as that call."""
        line = json.dumps({"name": item.name, "version": item.version, "call_id": call_id})
        with self._lock:
            self._file.write(line + "\n")
            self._file.flush()

    def close(self) -> None:
        """Nothing more will be added."""
        self._file.close()


@dataclass(frozen=True, slots=True)
class Loader:
    """Sends recordings, several at a time.

    Attributes:
        source: where they are.
        client: where they go.
        reading: how to read what is known of them.
        journal: what has been done.
        jobs: how many at a time.
    """

    source: Source
    client: GatewayClient
    reading: Reading
    journal: Journal
    jobs: int

    def load(self, items: Iterable[Item], progress: Callable[[], None]) -> Totals:
        """Send each that is not in the journal; `progress` is called after each.

        Raises:
            Unauthenticated, Forbidden: the gateway wants a key, or another one.
            Unavailable, Overloaded, DeadlineExceeded: it takes nothing, for minutes.
        """
        totals = Totals()
        with ThreadPoolExecutor(self.jobs) as pool:
            try:
                for future in _in_flight(pool, self._send, items, 2 * self.jobs):
                    _count(totals, future.result())
                    progress()
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise
        return totals

    def _send(self, item: Item) -> Refusal | str:
        """What became of it: `sent`, `known` or `noted`, or why it was refused."""
        if self.journal.has(item):
            return "known"
        try:
            call = self._upload(item)
        except (Unauthenticated, Forbidden) as error:
            if isinstance(error, ForbiddenUri):
                return Refusal(item.name, error)
            raise
        except _CAN_PASS:
            raise  # what keeps one recording out keeps all out
        except CallscopeError as error:
            return Refusal(item.name, error)
        self.journal.add(item, call["id"])
        return "noted" if call["notes"] else "sent"

    def _upload(self, item: Item) -> Any:
        with self.source.open(item.name) as opened:
            submission = self.reading.of(self.source, item.name, opened.said)
            key = f"ingest/{_digest(item.name, opened.file)}"
            for attempt in range(_ATTEMPTS):
                opened.file.seek(0)
                try:
                    return self.client.upload(_fields(submission), opened.file, opened.size, key)
                except _CAN_PASS as error:
                    if attempt + 1 == _ATTEMPTS:
                        raise
                    time.sleep(min(_LONGEST, error.retry_after or _PAUSE * 2**attempt))
        raise AssertionError("the last attempt returns or raises")


def _in_flight(
    pool: ThreadPoolExecutor,
    work: Callable[[Item], Refusal | str],
    items: Iterable[Item],
    limit: int,
) -> Iterator[Future[Refusal | str]]:
    """The works as they end, with at most `limit` begun and not yet given."""
    pending: set[Future[Refusal | str]] = set()
    for item in items:
        pending.add(pool.submit(work, item))
        if len(pending) >= limit:
            done, pending = wait(pending, return_when=FIRST_COMPLETED)
            yield from done
    while pending:
        done, pending = wait(pending, return_when=FIRST_COMPLETED)
        yield from done


def _count(totals: Totals, outcome: Refusal | str) -> None:
    if isinstance(outcome, Refusal):
        totals.refused.append(outcome)
    elif outcome == "known":
        totals.known += 1
    else:
        totals.sent += 1
        totals.noted += outcome == "noted"


def _read(lines: IO[str]) -> Iterator[tuple[str, str]]:
    for line in lines:
        try:
            known = json.loads(line)
            yield known["name"], known["version"]
        except (ValueError, KeyError, TypeError):
            continue  # cut off when the machine went down: it is sent again


def _beside(source: Source, name: str) -> list[Said]:
    for sidecar in sidecar_names(name):
        content = source.small(sidecar)
        if content is not None:
            return [said_by_sidecar(content)]
    return []


def _digest(name: str, file: IO[bytes]) -> str:
    content = hashlib.sha256()
    while block := file.read(_BLOCK):
        content.update(block)
    return hashlib.sha256(f"{name}\n{content.hexdigest()}".encode()).hexdigest()


def _fields(submission: Submission) -> dict[str, str]:
    """The submission as a form's fields."""
    given = submission.model_dump(mode="json", exclude_unset=True, exclude_none=True)
    return {
        name: value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        for name, value in given.items()
        if value not in ({}, [])
    }
