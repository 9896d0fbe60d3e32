"""Accepted calls on their way into the workflows' queue, while nobody waits for it.

A call is accepted once its row is durable. From there on it is enqueued: by this thread within
milliseconds or, should that fail or the process end first, by whoever looks after unfinished calls
next (`Workflows.recover`): this gateway at once or at its next start, another once this one has
fallen silent.
"""

import logging
import threading
import time
from collections.abc import Callable
from queue import SimpleQueue

from services.gateway.call import Call

__all__ = ["Handover"]

_STOP = 2.0  # seconds
_ANSWER = 0.005  # seconds in which a call's sender is told that it was accepted
_log = logging.getLogger(__name__)


class Handover:
    """Enqueues calls in the order in which they were accepted, on a thread of its own.

    Args:
        enqueue: hands a call to the workflow; doing so twice is doing it once.
        recover_soon: has all unfinished calls looked after.
    """

    def __init__(self, enqueue: Callable[[Call], None], recover_soon: Callable[[], None]) -> None:
        self._enqueue = enqueue
        self._recover_soon = recover_soon
        self._calls: SimpleQueue[Call | None] = SimpleQueue()
        self._stopped = False
        self._thread = threading.Thread(target=self._run, name="handover", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def give(self, call: Call) -> None:
        """Have the call enqueued; returns at once."""
        self._calls.put(call)

    def stop(self) -> None:
        """End; what is not enqueued yet is found as unfinished later.

        An attempt that waits for a lost database ends when the workflows shut it, after this.
        """
        self._stopped = True
        self._calls.put(None)
        if self._thread.is_alive():  # it may not have come to that
            self._thread.join(_STOP)

    def _run(self) -> None:
        while (call := self._calls.get()) is not None and not self._stopped:
            if self._calls.empty():  # both would want the interpreter at once
                time.sleep(_ANSWER)
            try:
                self._enqueue(call)
            except Exception as error:  # the workflows' own errors, of any kind
                if not self._stopped:
                    _log.warning("call not enqueued yet", extra={"error": type(error).__name__})
                    self._recover_soon()
