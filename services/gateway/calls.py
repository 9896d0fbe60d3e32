"""What can be done with calls: the one set of functions behind REST and gRPC."""

import asyncio
import contextlib
import io
from collections.abc import (
    AsyncGenerator,
    AsyncIterable,
    AsyncIterator,
    Callable,
    Iterator,
    Sequence,
)
from dataclasses import dataclass, replace
from typing import Any

from callscope.clip import clip
from callscope.diff import RecordDiff, diff
from callscope.errors import CallNotFound, DeadlineExceeded, NotFound, Unavailable
from callscope.types import CallRecord, TextConversation
from services.gateway import metrics
from services.gateway.access import Caller, Permission
from services.gateway.call import Call, CallStatus
from services.gateway.clips import Booths, ClipRequest, StoredFile
from services.gateway.deadletters import DeadLetters
from services.gateway.erasure import Eraser
from services.gateway.intake import Intake
from services.gateway.ledger import Ledger, Version
from services.gateway.pages import checked_limit, cursor, cut
from services.gateway.progress import Board
from services.gateway.query import CallQuery, PageQuery
from services.gateway.rescoring.order import Order, Rescoring
from services.gateway.rescoring.queue import Orders
from services.gateway.store import BlobStore, Incoming
from services.gateway.submission import Submission, checked_key

__all__ = ["Audio", "Calls", "Page"]

_BLOCK = 1 << 20  # bytes gathered before a thread is bothered
_POLL = 1.0  # seconds; another gateway's changes are seen in the database only
_PAUSE = 0.1  # seconds between two changes shown


@dataclass(frozen=True, slots=True)
class Page:
    """Some calls, newest first, and the token of the page after; None on the last."""

    calls: tuple[Call, ...]
    next_token: str | None


@dataclass(frozen=True, slots=True)
class Audio:
    """A stored recording's bytes."""

    store: BlobStore
    key: str
    size: int

    def read(self, start: int, length: int) -> Iterator[bytes]:
        """Bytes from `start`, in blocks."""
        return self.store.read(self.key, start, length)


@dataclass(frozen=True, slots=True)
class Calls:
    """The gateway's functions. Blocking, except those that follow something as it happens.

    Each takes who asks first, and raises `Forbidden` where their role does not allow it.
    """

    intake: Intake
    ledger: Ledger
    store: BlobStore
    orders: Orders
    board: Board
    eraser: Eraser
    cancel: Callable[[Call], None]
    dead_letters: DeadLetters
    enqueue: Callable[[Call], None]
    recover_soon: Callable[[], None]
    idle_seconds: float
    shared_sources: bool
    booths: Booths

    async def upload(
        self,
        caller: Caller,
        chunks: AsyncIterable[bytes],
        submission: Callable[[], Submission],
        key: str | None,
    ) -> Call:
        """Take in a recording as its bytes arrive; nothing is left of one that breaks off.

        Args:
            caller: whose recording it will be.
            chunks: the bytes.
            submission: asked once all bytes are there: in a form it may come after them.
            key: the idempotency key.

        Raises:
            CallscopeError: as `Intake.accept`.
        """
        caller.require(Permission.SEND)
        checked_key(key)
        with await asyncio.to_thread(self.intake.begin, caller.tenant) as incoming:
            await _write(_in_time(chunks, self.idle_seconds), incoming)
            return await asyncio.to_thread(self.intake.accept, incoming, submission(), key)

    def submit(self, caller: Caller, uri: str, submission: Submission, key: str | None) -> Call:
        """Take in the recording at `uri`; raises as `Intake.copy`.

        What lies in the folders and buckets of the gateway may be many tenants', so a key opens
        only the folder there that has its tenant's name.
        """
        caller.require(Permission.SEND)
        folder = self._folder(caller)
        return self.intake.copy(caller.tenant, uri, submission, checked_key(key), folder)

    def _folder(self, caller: Caller) -> str | None:
        anywhere = caller.key_id is None or self.shared_sources
        return None if anywhere else caller.tenant

    def read(
        self, caller: Caller, text: TextConversation, submission: Submission, key: str | None
    ) -> Call:
        """Take in a conversation that is sent as text; raises as `Intake.read`."""
        caller.require(Permission.SEND)
        return self.intake.read(caller.tenant, text, submission, checked_key(key))

    def unpack(self, caller: Caller, vcon: Any, submission: Submission, key: str | None) -> Call:
        """Take in the call in a vCon; raises as `Intake.unpack`."""
        caller.require(Permission.SEND)
        folder = self._folder(caller)
        return self.intake.unpack(caller.tenant, vcon, submission, checked_key(key), folder)

    def get(self, caller: Caller, call_id: str) -> Call:
        """Where the call stands.

        Raises:
            CallNotFound: the caller's tenant has no call of that id.
        """
        caller.require(Permission.FOLLOW)
        return self.board.on(self.ledger.get(caller.tenant, call_id))

    def page(
        self, caller: Caller, query: CallQuery, limit: int | None = None, token: str | None = None
    ) -> Page:
        """The calls that the query lets pass, newest first; new ones do not shift later pages.

        Raises:
            InvalidInput: a limit out of range, or a token that no page of this list gave.
        """
        caller.require(Permission.READ)
        wanted = PageQuery.read(query, limit, token)
        found = self.ledger.page(caller.tenant, wanted)
        shown = tuple(self.board.on(call) for call in found[: wanted.size])
        more = len(found) > wanted.size
        return Page(shown, wanted.token_after(shown[-1].id) if more else None)

    def failed(
        self,
        caller: Caller,
        limit: int | None = None,
        token: str | None = None,
        code: str | None = None,
    ) -> Page:
        """The calls that were given up, newest first; raises as `page`.

        Args:
            caller: who asks.
            limit: at most so many.
            token: from the page before.
            code: only those with that problem.
        """
        caller.require(Permission.READ)
        limit = checked_limit(limit)
        found = self.dead_letters.page(caller.tenant, limit + 1, cursor(token), code)
        shown, more = cut(found, limit)
        return Page(tuple(shown), more)

    def retry(self, caller: Caller, call_id: str) -> Call:
        """Have a failed call analyzed again; raises as `DeadLetters.retry`."""
        caller.require(Permission.MANAGE)
        call = self.dead_letters.retry(caller.tenant, call_id, caller.actor)
        self.enqueue(call)
        self.board.changed(call.id)
        return call

    def retry_all(self, caller: Caller, code: str | None = None) -> int:
        """Have all failed calls analyzed again, or those with that problem; how many."""
        caller.require(Permission.MANAGE)
        retried = self.dead_letters.retry_all(caller.tenant, caller.actor, code)
        # There may be very many: they are on record, and enqueued while nobody waits.
        self.recover_soon()
        return len(retried)

    def record(self, caller: Caller, call_id: str, version: int | None = None) -> CallRecord:
        """The call's newest record, or that version; raises as `Ledger.record`."""
        caller.require(Permission.READ)
        return self.ledger.record(caller.tenant, call_id, version)

    def versions(self, caller: Caller, call_id: str) -> list[Version]:
        """The versions of the call's record, oldest first; raises as `Ledger.record`."""
        caller.require(Permission.READ)
        return self.ledger.versions(caller.tenant, call_id)

    def diff(
        self, caller: Caller, call_id: str, before: int | None = None, after: int | None = None
    ) -> RecordDiff:
        """What version `after` (the newest) says otherwise than `before` (the one before it).

        Raises:
            CallNotFound: the caller's tenant has no call of that id.
            NotFound: there is no such version, or none before it.
            NotReady: the call is not done.
        """
        caller.require(Permission.READ)
        if before is None:
            kept = [each.number for each in self.ledger.versions(caller.tenant, call_id)]
            after = kept[-1] if after is None else after
            earlier = [number for number in kept if number < after]
            if not earlier:
                raise NotFound(
                    f"call {call_id} has no record before version {after}",
                    remedy=f"POST /v1/calls/{call_id}/rescore makes a new version.",
                )
            before = earlier[-1]
        return diff(
            self.ledger.record(caller.tenant, call_id, before),
            self.ledger.record(caller.tenant, call_id, after),
        )

    def rescore(self, caller: Caller, call_id: str, order: Order) -> Rescoring:
        """Have the call judged again, as a new version of its record.

        Raises:
            CallNotFound: the caller's tenant has no call of that id.
            NotReady: the call is not done.
            InvalidRubric, RubricNotFound: where the score service could be asked.
        """
        caller.require(Permission.REVIEW)
        self.intake.check(order.rubric_source())
        placed = self.orders.place_one(caller.tenant, call_id, order, caller.actor)
        return self.orders.get(caller.tenant, placed)

    def rescore_all(self, caller: Caller, query: CallQuery, order: Order) -> Rescoring:
        """Have all finished calls that the query lets pass judged again.

        Raises:
            InvalidInput: there are none.
            InvalidRubric, RubricNotFound: where the score service could be asked.
        """
        caller.require(Permission.REVIEW)
        self.intake.check(order.rubric_source())
        placed = self.orders.place(caller.tenant, query, order, caller.actor)
        return self.orders.get(caller.tenant, placed)

    def rescoring(self, caller: Caller, rescoring_id: str) -> Rescoring:
        """How far an order is; raises `NotFound`."""
        caller.require(Permission.READ)
        return self.orders.get(caller.tenant, rescoring_id)

    def cancel_rescoring(self, caller: Caller, rescoring_id: str) -> Rescoring:
        """Judge no further call of an order; the records made stay. Raises `NotFound`."""
        caller.require(Permission.REVIEW)
        self.orders.cancel(caller.tenant, rescoring_id, caller.actor)
        return self.orders.get(caller.tenant, rescoring_id)

    def audio(self, caller: Caller, call_id: str) -> Audio:
        """The call's audio; raises `CallNotFound`."""
        caller.require(Permission.READ)
        key = self.ledger.blob(caller.tenant, call_id)
        return Audio(self.store, key, self.store.size(key))

    def clip(self, caller: Caller, call_id: str, wanted: ClipRequest) -> bytes:
        """Some seconds of the call, encoded anew for a player.

        Raises:
            CallNotFound: the caller's tenant has no call of that id.
            NotReady: evidence or one voice is asked for, and the call is not done.
            InvalidInput, NotFound, UnknownChannel: as `ClipRequest.section` and `clip`.
            Overloaded: too many clips are asked for at once.
        """
        audio = self.audio(caller, call_id)
        record = self.record(caller, call_id) if wanted.needs_record else None
        section = wanted.section(record)
        file = io.BufferedReader(StoredFile(audio.read, audio.size), _BLOCK)
        with self.booths.place():
            return clip(file, section, wanted.format)

    def delete(self, caller: Caller, call_id: str) -> None:
        """Remove audio, transcript and every version of the record, and stop the analysis.

        Raises:
            CallNotFound: the caller's tenant has no call of that id.
        """
        caller.require(Permission.MANAGE)
        call = self.ledger.get(caller.tenant, call_id)
        # First, since a workflow whose call is gone ends by itself, should we not get to stop it.
        self.eraser.erase(call.tenant, call.id, caller.actor)
        if not call.status.final:
            self.cancel(call)
            metrics.CALLS.labels(CallStatus.CANCELLED, call.lane).inc()
        self.board.clear(call.id)

    async def watch(self, caller: Caller, call_id: str) -> AsyncGenerator[Call, None]:
        """The call as it stands, then each change, until nothing more will change.

        A call that is deleted meanwhile is shown once more, as cancelled.

        Raises:
            CallNotFound: the caller's tenant has no call of that id.
            Unavailable: this gateway is going down; another, or the next, will know more.
        """
        shown = await asyncio.to_thread(self.get, caller, call_id)
        yield shown
        with self.board.watching(shown.id) as changed:
            while not shown.status.final:
                if self.board.closed:
                    raise Unavailable("the gateway is going down", retry_after=5)
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(changed.wait(), _POLL)
                changed.clear()
                now = await asyncio.to_thread(self._now, caller, shown)
                if now != shown:
                    yield now
                    shown = now
                    await asyncio.sleep(_PAUSE)

    def _now(self, caller: Caller, before: Call) -> Call:
        try:
            now = self.get(caller, before.id)
        except CallNotFound:
            return replace(before, status=CallStatus.CANCELLED, stage=None)
        return replace(now, progress=max(before.progress, now.progress))


async def _write(chunks: AsyncIterable[bytes], incoming: Incoming) -> None:
    """Hash and write the chunks on a thread, while the next ones arrive."""
    loop = asyncio.get_running_loop()
    writing: asyncio.Future[None] | None = None
    gathered: list[bytes] = []
    try:
        async for chunk in chunks:
            gathered.append(chunk)
            if sum(map(len, gathered)) >= _BLOCK:
                if writing is not None:
                    await writing
                writing = loop.run_in_executor(None, _append, incoming, gathered)
                gathered = []
    finally:
        if writing is not None:  # nobody may close the file under it
            await asyncio.wait([writing])
    if writing is not None:
        await writing
    await loop.run_in_executor(None, _append, incoming, gathered)


def _append(incoming: Incoming, blocks: Sequence[bytes]) -> None:
    for block in blocks:
        incoming.write(block)


async def _in_time(chunks: AsyncIterable[bytes], seconds: float) -> AsyncIterator[bytes]:
    """The chunks, as long as none is waited for longer than that."""
    each = aiter(chunks)
    while True:
        try:
            async with asyncio.timeout(seconds):
                chunk = await anext(each)
        except StopAsyncIteration:
            return
        except TimeoutError:
            raise DeadlineExceeded(
                f"no byte of the recording arrived for {seconds:g} seconds",
                remedy="Send it again over a connection that lasts.",
            ) from None
        yield chunk
