"""Takes in what arrives in the inbound bucket: told by events, and by looking.

Events are quick and may be lost: while the gateway is down, while a connection is. So the whole
bucket is looked through at the start, whenever the line to it was cut, and now and then. Both only
enter what they see into the database; from there each version of an object is taken in once.
"""

import hashlib
import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from email.utils import parsedate_to_datetime
from typing import Any

from minio import Minio

from callscope.errors import (
    AudioNotFound,
    CallscopeError,
    Cancelled,
    DeadlineExceeded,
    InvalidInput,
    Overloaded,
    Unavailable,
)
from callscope.transcripts import read
from services.gateway import metrics
from services.gateway.call import Call, Lane, Problem
from services.gateway.facts import MAX_SIDECAR, Said, said_by_object, said_by_sidecar, sidecar_names
from services.gateway.inbound.arrivals import Arrival, Arrivals, ArrivalState
from services.gateway.inbound.objects import Line, Objects, Opened
from services.gateway.inbound.place import Found, created
from services.gateway.intake import Intake
from services.gateway.store import Incoming
from services.gateway.submission import Submission

__all__ = ["Collector", "Rhythm"]

_PLACES = 4  # objects taken in at the same time
_BATCH = 500  # objects entered at a time
_OLD = timedelta(hours=1)  # what had lain in the bucket for longer when it was seen is no live call
_HOLD = 15.0  # seconds after which a slow one is said to be at work still
_SLOWEST = 300.0  # seconds between two attempts
_MOST_TEXT = 16 << 20  # bytes of what is held in memory, as at the REST door
_VCON = "vcon"
_TEXTS = frozenset({"vtt", "srt", "txt"})  # JSON files describe recordings
_CAN_PASS = (Unavailable, Overloaded, DeadlineExceeded, Cancelled)

_log = logging.getLogger(__name__)


class _SidecarMissing(Exception):
    """The recording's sidecar is not there yet."""


class Rhythm:
    """How often to look.

    Args:
        poll: seconds between two looks at the database.
        sweep: seconds between two looks through the bucket.
        first_pause: seconds before a second attempt; it doubles with each further one.
    """

    def __init__(self, poll: float, sweep: float, first_pause: float) -> None:
        self.poll = poll
        self.sweep = sweep
        self.first_pause = first_pause

    def pause(self, attempts: int) -> float:
        """Seconds to wait after so many attempts."""
        return min(_SLOWEST, self.first_pause * 2.0 ** min(attempts - 1, 20))


class Collector:
    """Collects on threads of its own, from `start` to `stop`.

    Args:
        objects: of the inbound bucket.
        arrivals: what is known of them.
        intake: where recordings go.
        rhythm: how often to look.
        listener: a client over a line of its own, to listen to the bucket with; None to rely on
            webhooks and looking.
    """

    def __init__(
        self,
        objects: Objects,
        arrivals: Arrivals,
        intake: Intake,
        rhythm: Rhythm,
        listener: tuple[Minio, Line] | None,
    ) -> None:
        self._objects = objects
        self._arrivals = arrivals
        self._intake = intake
        self._rhythm = rhythm
        self._listener = listener
        self._stopped = threading.Event()
        self._wake = threading.Event()
        self._look = threading.Event()
        self._free = threading.Semaphore(_PLACES)
        self._pool = ThreadPoolExecutor(_PLACES, "inbound")
        works = [("collect", self._collect), ("sweep", self._sweep)]
        if listener is not None:
            works.append(("listen", self._listen))
        self._threads = [
            threading.Thread(target=self._last, args=(work,), name=f"inbound-{name}", daemon=True)
            for name, work in works
        ]

    def start(self) -> None:
        """Begin with a look through the bucket."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Take nothing more, and wait for what is being taken in."""
        self._stopped.set()
        self._wake.set()
        self._look.set()
        if self._listener is not None:
            self._listener[1].cut()
        for thread in self._threads:
            thread.join(timeout=5)
        self._pool.shutdown()

    def wake(self) -> None:
        """Something is due."""
        self._wake.set()

    def notified(self, event: Mapping[str, Any]) -> None:
        """Enter what a bucket's event says; when this returns it will be taken in.

        Raises:
            InvalidInput: it is no bucket event.
            Unavailable: the database does not answer.
        """
        place = self._objects.place
        found = list(created(event, place.bucket))
        self._arrivals.enter([each for each in found if place.holds(each.name)])
        for each in found:
            if place.may_describe(each.name):
                self._arrivals.hasten(each.name)
        self._wake.set()

    def _last(self, work: Callable[[], None]) -> None:
        """Have the work go on until the end, whatever it meets."""
        while not self._stopped.is_set():
            try:
                work()
            except Exception:
                _log.exception("watching the inbound bucket failed; it goes on")
                self._stopped.wait(self._rhythm.first_pause)

    def _sweep(self) -> None:
        while not self._stopped.is_set():
            self._look.clear()
            try:
                self._look_through()
            except Unavailable as error:
                _log.warning("the inbound bucket could not be looked through: %s", error.message)
            self._look.wait(self._rhythm.sweep)

    def _look_through(self) -> None:
        batch: list[Found] = []
        for found in self._objects.all():
            if self._stopped.is_set():
                return
            batch.append(found)
            if len(batch) >= _BATCH:
                self._enter(batch)
                batch = []
        self._enter(batch)

    def _enter(self, batch: list[Found]) -> None:
        if self._arrivals.enter(batch):
            self._wake.set()

    def _listen(self) -> None:
        assert self._listener is not None  # noqa: S101 - else there is no such thread
        failures = 0
        while not self._stopped.is_set():
            try:
                for event in self._objects.events(self._listener[0]):
                    failures = 0
                    self.notified(event)
                    if self._stopped.is_set():
                        return
            except (CallscopeError, OSError, ValueError) as error:
                if self._stopped.is_set():
                    return
                failures += 1
                _log.warning("not listening to the inbound bucket: %s", error)
            self._stopped.wait(self._rhythm.pause(max(1, failures)))
            self._look.set()  # what was created meanwhile said so to nobody

    def _collect(self) -> None:
        while not self._stopped.is_set():
            self._wake.clear()
            if not self._free.acquire(timeout=self._rhythm.poll):
                continue
            if not self._take_one():
                self._free.release()
                self._wake.wait(self._rhythm.poll)

    def _take_one(self) -> bool:
        """Begin with one that is due; False where none is."""
        try:
            taken = self._arrivals.take(1)
        except Unavailable:
            return False
        except Exception:
            self._free.release()
            raise
        for arrival in taken:
            self._pool.submit(self._settle, arrival)
        return bool(taken)

    def _settle(self, arrival: Arrival) -> None:
        try:
            self._arrivals.settle(arrival, ArrivalState.TAKEN, self._take_in(arrival).id)
            metrics.ARRIVALS.labels(ArrivalState.TAKEN).inc()
        except _SidecarMissing:
            self._postpone(arrival, None)
        except AudioNotFound:
            self._end(arrival, ArrivalState.GONE, None)
        except _CAN_PASS as error:
            self._postpone(arrival, Problem.of(error))
        except CallscopeError as error:
            self._end(arrival, ArrivalState.REFUSED, Problem.of(error))
        except Exception:
            _log.exception("an arrival could not be taken in")
            self._postpone(arrival, Problem.of(CallscopeError("internal error")))
        finally:
            self._free.release()

    def _end(self, arrival: Arrival, state: ArrivalState, problem: Problem | None) -> None:
        _quietly(lambda: self._arrivals.settle(arrival, state, problem=problem))
        metrics.ARRIVALS.labels(state).inc()

    def _postpone(self, arrival: Arrival, problem: Problem | None) -> None:
        pause = self._rhythm.pause(arrival.attempts)
        _quietly(lambda: self._arrivals.postpone(arrival, pause, problem))

    def _take_in(self, arrival: Arrival) -> Call:
        tenant = self._objects.place.tenant
        key = _key(arrival)
        # Taken in, and the process died before it could say so; its sidecar may have changed since.
        if (known := self._intake.ledger.by_key(tenant, key)) is not None:
            return known
        with self._objects.open(arrival.name) as opened, self._intake.begin(tenant) as incoming:
            if opened.version != arrival.version:
                self._arrivals.enter([Found(arrival.name, opened.version)])
                raise AudioNotFound("the object was replaced")
            said = [said_by_object(opened.headers), *self._beside(arrival.name)]
            lane = Lane.BACKFILL if _is_old(arrival, opened) else Lane.LIVE
            submission = Submission.read({"file_name": arrival.name, "lane": lane})
            held = time.monotonic()
            for block in opened.blocks:
                if self._stopped.is_set():
                    raise Cancelled("the gateway is going down")
                incoming.write(block)
                if time.monotonic() - held > _HOLD:
                    held = time.monotonic()
                    self._arrivals.hold(arrival)
            return self._entered(arrival.name, incoming, submission, key, said)

    def _entered(
        self,
        name: str,
        incoming: Incoming,
        submission: Submission,
        key: str,
        said: Sequence[Said],
    ) -> Call:
        """The call of what has arrived: a vCon or a transcript by its name's ending, or audio."""
        ending = name.lower().rpartition(".")[2]
        if ending != _VCON and ending not in _TEXTS:
            return self._intake.accept(incoming, submission, key, said)
        if incoming.size > _MOST_TEXT:
            raise InvalidInput(f"the object has more than {_MOST_TEXT} bytes, and is no recording")
        tenant = incoming.tenant
        with incoming.reading() as file:
            content = file.read()
        if ending == _VCON:
            return self._intake.unpack(tenant, content, submission, key, tenant, said)
        return self._intake.read(tenant, read(content, ending), submission, key, said)

    def _beside(self, name: str) -> list[Said]:
        """What the recording's sidecar says; where both names are taken, the longer counts."""
        for sidecar in sidecar_names(name):
            content = self._objects.small(sidecar, MAX_SIDECAR)
            if content is not None:
                return [said_by_sidecar(content)]
        if self._objects.place.sidecars_required:
            raise _SidecarMissing
        return []


def _quietly(note: Callable[[], None]) -> None:
    """Note something that will come up again by itself if it cannot be noted now."""
    try:
        note()
    except Unavailable:
        _log.warning("what became of an arrival could not be noted")


def _key(arrival: Arrival) -> str:
    """An idempotency key that this version of this object has, and nothing else."""
    named = f"{arrival.bucket}\n{arrival.name}\n{arrival.version}".encode()
    return f"object/{hashlib.sha256(named).hexdigest()}"


def _is_old(arrival: Arrival, opened: Opened) -> bool:
    written = {name.lower(): text for name, text in opened.headers.items()}.get("last-modified")
    if written is None:
        return False
    return arrival.created_at - parsedate_to_datetime(written) > _OLD
