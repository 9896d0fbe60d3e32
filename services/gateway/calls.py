"""What can be done with calls: the one set of functions behind REST and gRPC."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterable, Callable, Iterator
from dataclasses import dataclass, replace

from callscope.errors import CallNotFound, InvalidInput, Unavailable
from callscope.types import CallRecord
from services.gateway import metrics
from services.gateway.access import Caller, Permission
from services.gateway.call import Call, CallStatus, checked_id
from services.gateway.intake import Intake
from services.gateway.ledger import Ledger
from services.gateway.progress import Board
from services.gateway.store import BlobStore
from services.gateway.submission import Submission, checked_key

__all__ = ["DEFAULT_PAGE", "MAX_PAGE", "Audio", "Calls", "Page"]

DEFAULT_PAGE = 50
MAX_PAGE = 500
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
    board: Board
    cancel: Callable[[Call], None]

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
            gathered = bytearray()
            async for chunk in chunks:
                gathered += chunk
                if len(gathered) >= _BLOCK:
                    await asyncio.to_thread(incoming.write, gathered)
                    gathered = bytearray()
            await asyncio.to_thread(incoming.write, gathered)
            return await asyncio.to_thread(self.intake.accept, incoming, submission(), key)

    def submit(self, caller: Caller, uri: str, submission: Submission, key: str | None) -> Call:
        """Take in the recording at `uri`; raises as `Intake.copy`."""
        caller.require(Permission.SEND)
        return self.intake.copy(caller.tenant, uri, submission, checked_key(key))

    def get(self, caller: Caller, call_id: str) -> Call:
        """Where the call stands.

        Raises:
            CallNotFound: the caller's tenant has no call of that id.
        """
        caller.require(Permission.FOLLOW)
        return self.board.on(self.ledger.get(caller.tenant, call_id))

    def page(
        self,
        caller: Caller,
        limit: int | None = None,
        token: str | None = None,
        status: CallStatus | None = None,
    ) -> Page:
        """Calls, newest first; new ones do not shift the pages that follow.

        Raises:
            InvalidInput: a limit out of range, or a token that no page gave.
        """
        caller.require(Permission.READ)
        limit = DEFAULT_PAGE if limit is None else limit
        if not 1 <= limit <= MAX_PAGE:
            raise InvalidInput(f"the page size is not between 1 and {MAX_PAGE}")
        found = self.ledger.page(caller.tenant, limit + 1, _cursor(token), status)
        shown = tuple(self.board.on(call) for call in found[:limit])
        return Page(shown, shown[-1].id if len(found) > limit else None)

    def record(self, caller: Caller, call_id: str) -> CallRecord:
        """The call's record; raises `CallNotFound`, or `NotReady` where it is not done."""
        caller.require(Permission.READ)
        return self.ledger.record(caller.tenant, call_id)

    def audio(self, caller: Caller, call_id: str) -> Audio:
        """The call's audio; raises `CallNotFound`."""
        caller.require(Permission.READ)
        key = self.ledger.blob(caller.tenant, call_id)
        return Audio(self.store, key, self.store.size(key))

    def delete(self, caller: Caller, call_id: str) -> None:
        """Stop the call's analysis and remove audio, transcript and record.

        The row goes last: a removal that was cut short is completed by asking again.

        Raises:
            CallNotFound: the caller's tenant has no call of that id.
        """
        caller.require(Permission.MANAGE)
        call = self.ledger.get(caller.tenant, call_id)
        key = self.ledger.blob(call.tenant, call.id)
        if not call.status.final:
            self.cancel(call)
            metrics.CALLS.labels(CallStatus.CANCELLED).inc()
        self.store.remove(key)
        self.ledger.remove(call.tenant, call.id, caller.actor)
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


def _cursor(token: str | None) -> str | None:
    try:
        return None if token is None else checked_id(token)
    except CallNotFound:
        raise InvalidInput(
            "the page token is not one that a page gave", remedy="Start at the first page."
        ) from None
