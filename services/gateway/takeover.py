"""Gateways on one database watch over each other: what a dead one left is taken over.

Each says every few seconds that it lives. A workflow that is running under a name which has not
said so for a while goes back into its queue, where any gateway finds it. All times are the
database's, so that clocks need not agree. What runs under a living name and is not at work there,
since the database failed after its claim, goes back likewise. Should the owner live after all,
both work on the call: steps are idempotent, and the first to finish it wins.
"""

import logging
import threading
from collections.abc import Callable, Collection
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from callscope.errors import CallscopeError
from services.gateway.database import transaction, upsert
from services.gateway.tables import GatewayRow, UtcDateTime

__all__ = ["Watch"]

_BEATS = 6  # in the time after which a silent gateway counts as dead

_log = logging.getLogger(__name__)


class Watch:
    """One gateway's heartbeat, and its eye on the others.

    Args:
        engine: the database that the gateways share.
        executor_id: this gateway's name.
        dead_after: seconds of silence after which a gateway counts as dead.
        take_over: puts back what nobody works on, given the living ones' names; says how many.
        recover: sees to it that every unfinished call is in a queue.
    """

    def __init__(
        self,
        engine: sa.Engine,
        executor_id: str,
        dead_after: float,
        take_over: Callable[[Collection[str]], int],
        recover: Callable[[], None],
    ) -> None:
        self._engine = engine
        self._executor_id = executor_id
        self._dead_after = timedelta(seconds=dead_after)
        self._pause = dead_after / _BEATS
        self._take_over = take_over
        self._recover = recover
        self._recovering = threading.Event()
        self._woken = threading.Event()
        self._draining = False
        self._stopped = False
        self._thread = threading.Thread(target=self._run, name="watch", daemon=True)

    def beat(self) -> None:
        """Say that this gateway lives; before it works on anything, or another would take it."""
        with transaction(self._engine) as session:
            row = {"executor_id": self._executor_id, "seen_at": _now(session)}
            session.execute(upsert(self._engine, GatewayRow, row))

    def start(self) -> None:
        """Begin to watch; the unfinished calls are seen to first."""
        self._recovering.set()
        self._thread.start()

    def recover_soon(self) -> None:
        """See to the unfinished calls now."""
        self._recovering.set()
        self._woken.set()

    def drain(self) -> None:
        """Take nothing over any more, and go on saying that this gateway lives."""
        self._draining = True

    def stop(self) -> None:
        """Fall silent; what this gateway leaves will be taken over in a while."""
        self._stopped = True
        self._woken.set()
        if self._thread.is_alive():  # it may not have come to that
            self._thread.join()

    def _run(self) -> None:
        while not self._stopped:
            try:
                self._look()
            except CallscopeError as error:
                _log.warning("watch failed", extra={"error": error.code})
            except Exception:
                if not self._draining:  # the workflows may have ended under a look begun before
                    _log.exception("watch failed")
            self._woken.wait(self._pause)
            self._woken.clear()

    def _look(self) -> None:
        self.beat()
        if self._draining:
            return
        if self._bury():
            self._recovering.set()
        if self._recovering.is_set():
            self._recovering.clear()
            try:
                self._recover()
            except BaseException:
                self._recovering.set()  # again at the next look
                raise

    def _bury(self) -> bool:
        """Take over what the dead left; whether there were any."""
        with transaction(self._engine) as session:
            if not _alone(session):
                return False
            limit = _now(session) - self._dead_after
            silent = sa.delete(GatewayRow).where(GatewayRow.seen_at < limit)
            dead = session.scalars(silent.returning(GatewayRow.executor_id)).all()
            living = session.scalars(sa.select(GatewayRow.executor_id)).all()
            taken = self._take_over(living)
        if dead or taken:
            _log.warning("took over", extra={"gateways": sorted(dead), "calls": taken})
        return bool(dead or taken)


def _alone(session: Session) -> bool:
    """Whether no other gateway looks at this moment, until the transaction ends."""
    if session.get_bind().dialect.name != "postgresql":
        return True  # SQLite has one writer
    lock = sa.func.pg_try_advisory_xact_lock(sa.func.hashtext("callscope takeover"))
    return bool(session.scalar(sa.select(lock)))


def _now(session: Session) -> datetime:
    now: datetime = session.execute(
        sa.select(sa.type_coerce(sa.func.now(), UtcDateTime()))
    ).scalar_one()
    return now
