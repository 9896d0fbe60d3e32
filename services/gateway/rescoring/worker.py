"""Judges ordered calls again, one after the other, beside the calls that come in.

One at a time (or as many as the setting says) in each gateway, so that live calls, which have
their own places, never wait for more than that.
"""

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import sqlalchemy as sa
from sqlalchemy.orm import Session

from callscope.errors import (
    CallNotFound,
    CallscopeError,
    Cancelled,
    DeadlineExceeded,
    Overloaded,
    Unavailable,
)
from callscope.pipeline import AnalyzeOptions, Diarizer, Scorer, Transcriber
from callscope.serving.logs import call_id as logged_call
from callscope.types import AudioSource, CallRecord
from services.gateway import metrics
from services.gateway.call import Call, Problem, no_recording
from services.gateway.hearing import hear
from services.gateway.journal import Journal
from services.gateway.progress import DIARIZE, TRANSCRIBE
from services.gateway.rescoring.order import Source
from services.gateway.rescoring.queue import Claim, Orders
from services.gateway.tables import ArtifactRow

__all__ = ["Rejudge", "Worker"]

_CAN_PASS = (Unavailable, Overloaded, DeadlineExceeded, Cancelled)
_RENEW = 15.0  # seconds; the claim is lost after four times that
_LONGEST_PAUSE = 300.0  # seconds
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Rejudge:
    """Makes a call's record anew. Blocking."""

    journal: Journal
    transcriber: Transcriber
    diarizer: Diarizer
    scorer: Scorer

    def record(self, claim: Claim, report: Callable[[float], None]) -> CallRecord:
        """The record that the order asks for.

        Raises:
            CallNotFound: the call was deleted.
            NotReady: its transcript is not kept any more.
            AudioNotFound: it is to be heard again, and there is no recording.
            CallscopeError: as the stages.
        """
        call = self.journal.call(claim.call_id)
        options = claim.order.options(call.options)
        if claim.order.source is Source.AUDIO:
            self._listen(claim, call, options, report)
        heard = hear(self.journal, call, options, partial(_stage, claim))
        talk = heard.conversation
        return heard.record(
            self.scorer.score(talk.utterances, talk.metrics, options.rubric, report)
        )

    def _listen(
        self, claim: Claim, call: Call, options: AnalyzeOptions, report: Callable[[float], None]
    ) -> None:
        """Keep a new transcript and diarization, beside those that are there."""
        if call.recording.uri is None:
            raise no_recording(call)
        audio = AudioSource(uri=call.recording.uri)
        for stage, work in (
            (TRANSCRIBE, partial(self.transcriber.transcribe, audio, options.transcribe, report)),
            (DIARIZE, partial(self.diarizer.diarize, audio, options.diarize, report)),
        ):
            if not self.journal.has(call.id, _stage(claim, stage)):
                self.journal.keep(call.id, _stage(claim, stage), work())


class Worker:
    """Works orders off on threads of its own.

    Args:
        orders: where calls are claimed.
        rejudge: makes records.
        threads: calls at a time; 0 leaves all work to other gateways.
        attempts: how often a call is tried while a service cannot take it.
        retry_seconds: the first pause; it doubles with each further one.
        poll_seconds: between two looks at the orders.
    """

    def __init__(
        self,
        orders: Orders,
        rejudge: Rejudge,
        *,
        threads: int,
        attempts: int,
        retry_seconds: float,
        poll_seconds: float,
    ) -> None:
        self._orders = orders
        self._rejudge = rejudge
        self._attempts = attempts
        self._retry_seconds = retry_seconds
        self._poll_seconds = poll_seconds
        self._stopping = threading.Event()
        self._threads = [
            threading.Thread(target=self._run, name=f"rescoring-{number}", daemon=True)
            for number in range(threads)
        ]

    def start(self) -> None:
        """Begin to work."""
        for thread in self._threads:
            thread.start()

    def stop(self, seconds: float) -> None:
        """Stop what is at work, and wait for that so long; another, or the next, takes it up."""
        self._stopping.set()
        deadline = time.monotonic() + seconds
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                claim = self._orders.claim()
            except Unavailable:
                claim = None
            if claim is None:
                self._stopping.wait(self._poll_seconds)
            else:
                logged_call.set(claim.call_id)
                with contextlib.suppress(Unavailable):  # the database; the claim runs out
                    self._work(claim)

    def _work(self, claim: Claim) -> None:
        try:
            with self._holding(claim) as report:
                record = self._rejudge.record(claim, report)
            if self._orders.finish(claim, record, partial(_replace_artifacts, claim)):
                metrics.RESCORED.labels("done").inc()
            else:
                self._orders.discard(claim)
        except CallNotFound:
            return  # and its row with it
        except CallscopeError as error:
            self._failed(claim, error)
        except Exception:
            _log.exception("rescoring failed")
            self._failed(claim, CallscopeError("internal error"))

    def _failed(self, claim: Claim, error: CallscopeError) -> None:
        if self._stopping.is_set():
            self._orders.put_back(claim, 0)
        elif not self._orders.renew(claim):  # called off, or another's by now
            self._orders.discard(claim)
        elif isinstance(error, _CAN_PASS) and claim.attempt < self._attempts:
            pause = min(_LONGEST_PAUSE, self._retry_seconds * 2 ** (claim.attempt - 1))
            self._orders.put_back(claim, pause)
        else:
            _log.warning("rescoring failed", extra={"error": error.code})
            self._orders.fail(claim, Problem.of(error))
            metrics.RESCORED.labels("failed").inc()

    @contextlib.contextmanager
    def _holding(self, claim: Claim) -> Iterator[Callable[[float], None]]:
        """Keep the claim while the work goes on; the work's report raises once it is lost."""
        ended, lost = threading.Event(), threading.Event()

        def keep() -> None:
            while not ended.wait(_RENEW):
                with contextlib.suppress(Unavailable):
                    if not self._orders.renew(claim):
                        lost.set()
                        return

        def report(_: float) -> None:
            if self._stopping.is_set() or lost.is_set():
                raise Cancelled("the rescoring was stopped")

        keeper = threading.Thread(target=keep, name="rescoring-claim", daemon=True)
        keeper.start()
        try:
            yield report
        finally:
            ended.set()
            keeper.join()


def _stage(claim: Claim, stage: str) -> str:
    """Under which name what a stage made is kept until the record is."""
    if claim.order.source is Source.TRANSCRIPT:
        return stage
    return claim.stage(stage)


def _replace_artifacts(claim: Claim, session: Session) -> None:
    """With the new record, what it was made from takes the place of what was there."""
    if claim.order.source is Source.TRANSCRIPT:
        return
    for stage in (TRANSCRIBE, DIARIZE):
        of_call = ArtifactRow.call_id == claim.call_id
        session.execute(sa.delete(ArtifactRow).where(of_call, ArtifactRow.stage == stage))
        made = sa.update(ArtifactRow).where(of_call, ArtifactRow.stage == _stage(claim, stage))
        session.execute(made.values(stage=stage))
