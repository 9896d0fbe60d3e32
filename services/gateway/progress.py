"""How far each call is, in memory: many small changes that no database needs to see."""

import asyncio
import contextlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace

from services.gateway.call import Call, CallStatus

__all__ = ["DIALOGUE", "DIARIZE", "RECORD", "SCORE", "TRANSCRIBE", "Board"]

TRANSCRIBE = "transcribe"
DIARIZE = "diarize"
DIALOGUE = "dialogue"
SCORE = "score"
RECORD = "record"

# Shares of a call's time on a CPU, in the order in which stages are named; they add up to 1.
_SHARES = {TRANSCRIBE: 0.6, DIARIZE: 0.3, DIALOGUE: 0.0, SCORE: 0.09, RECORD: 0.01}


@dataclass(slots=True)
class _Watcher:
    loop: asyncio.AbstractEventLoop
    changed: asyncio.Event

    def wake(self) -> None:
        with contextlib.suppress(RuntimeError):  # its loop has ended, and it with it
            self.loop.call_soon_threadsafe(self.changed.set)


class Board:
    """The calls at work in this process and those who watch them. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._done: dict[str, dict[str, float]] = {}
        self._watchers: dict[str, list[_Watcher]] = {}
        self.closed = False

    def report(self, call_id: str, stage: str, done: float) -> None:
        """A stage of the call is that far; it never goes back."""
        with self._lock:
            stages = self._done.setdefault(call_id, {})
            stages[stage] = max(done, stages.get(stage, 0.0))
        self.changed(call_id)

    def clear(self, call_id: str) -> None:
        """The call is no longer at work here."""
        with self._lock:
            self._done.pop(call_id, None)
        self.changed(call_id)

    def on(self, call: Call) -> Call:
        """The call with the stage at work and the share of the whole that is done."""
        with self._lock:
            stages = dict(self._done.get(call.id, {}))
        if call.status is not CallStatus.RUNNING or not stages:
            return call
        known = {name: stages[name] for name in _SHARES if name in stages}
        at_work = [name for name, done in known.items() if done < 1.0]
        return replace(
            call,
            stage=at_work[0] if at_work else None,
            progress=round(sum(_SHARES[name] * done for name, done in known.items()), 4),
        )

    @property
    def busy(self) -> bool:
        """Whether any call is at work here."""
        with self._lock:
            return bool(self._done)

    def changed(self, call_id: str) -> None:
        """Wake those who watch the call."""
        with self._lock:
            watchers = list(self._watchers.get(call_id, ()))
        for watcher in watchers:
            watcher.wake()

    def close(self) -> None:
        """Wake everybody; nothing more will come from this process."""
        self.closed = True
        with self._lock:
            watchers = [each for group in self._watchers.values() for each in group]
        for watcher in watchers:
            watcher.wake()

    @contextlib.contextmanager
    def watching(self, call_id: str) -> Iterator[asyncio.Event]:
        """An event of the running loop that is set at each change of the call."""
        watcher = _Watcher(asyncio.get_running_loop(), asyncio.Event())
        with self._lock:
            self._watchers.setdefault(call_id, []).append(watcher)
        try:
            yield watcher.changed
        finally:
            with self._lock:
                group = self._watchers[call_id]
                group.remove(watcher)
                if not group:
                    del self._watchers[call_id]
