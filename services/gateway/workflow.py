"""One durable workflow per call, on DBOS: after a crash it goes on at the step where it was.

What the stages make is kept by the journal; DBOS records only which steps are over, and the
problem of one that failed, as JSON. So its tables hold nothing a customer said, and an upgrade
finds nothing there that it cannot read.
"""

import asyncio
import contextvars
import logging
import sys
import threading
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime
from functools import partial
from typing import TypeAlias, Unpack

from dbos import DBOS, DBOSConfig, DBOSPortableJSONSerializer, StepOptions, StepReservation
from dbos import error as dbos_error

from callscope.errors import CallscopeError, Cancelled, DeadlineExceeded, Overloaded, Unavailable
from callscope.pipeline import StageProgress
from callscope.serving import tracing
from callscope.serving.logs import call_id as logged_call
from services.gateway import metrics
from services.gateway.call import Call, CallStatus, Problem, arrived_at
from services.gateway.journal import Journal
from services.gateway.progress import DIARIZE, RECORD, SCORE, TRANSCRIBE, Board
from services.gateway.settings import GatewaySettings
from services.gateway.stages import Stages

__all__ = ["Workflows"]

# Raised when steps come, go or change places. Unfinished calls are then started afresh under the
# new version, and find what their stages had already made in the journal.
_VERSION = "calls-2"
_QUEUE = "calls"
_NAME = "analyze_call"
_CAN_PASS = (Unavailable, Overloaded, DeadlineExceeded, Cancelled)
_ALIVE = ("ENQUEUED", "PENDING", "DELAYED")
_ABANDONED = Problem("internal", "the analysis ended without a result", "Send the recording again.")
_SLOW_ATTEMPTS = 3
_BATCH = 500  # ids a query
_CLEANUP = 5.0  # seconds a stopped stage may take to notice

_log = logging.getLogger(__name__)
_NOWHERE = logging.NullHandler()

Work: TypeAlias = Callable[[str, StageProgress], None]
"""A stage's work on a call."""

Outcome: TypeAlias = dict[str, str] | None
"""None, or the fields of the `Problem` that stopped the call."""


class Workflows:
    """The calls' workflows. DBOS is one to a process, and so is this.

    Args:
        settings: of the gateway.
        database_url: where DBOS keeps its tables.
        stages: the work.
        journal: where calls stand.
        board: who is told of progress.
    """

    def __init__(
        self,
        settings: GatewaySettings,
        database_url: str,
        stages: Stages,
        journal: Journal,
        board: Board,
    ) -> None:
        self._settings = settings
        self._database_url = database_url
        self._stages = stages
        self._journal = journal
        self._board = board

    def start(self) -> None:
        """Begin to work on what is queued, and on what an earlier process left. Blocking."""
        _route_logs()
        DBOS(config=self._config())

        async def analyze(call_id: str) -> None:  # DBOS takes no bound methods
            await self._analyze(call_id)

        DBOS.workflow(name=_NAME)(analyze)
        DBOS.launch()
        DBOS.register_queue(
            _QUEUE,
            worker_concurrency=self._settings.max_concurrent,
            polling_interval_sec=self._settings.poll_seconds,
            on_conflict="always_update",
        )

    def stop(self, seconds: float) -> None:
        """Take no more calls, let those at work go on for so long, then stop them. Blocking.

        What is stopped is resumed by the next `start` under the same executor id.
        """
        patience = max(0, round(seconds)) if self._board.busy else 0
        DBOS.destroy(destroy_registry=True, workflow_completion_timeout_sec=patience)

    def enqueue(self, call: Call) -> None:
        """Have the call analyzed; doing so twice in one run is doing it once."""
        DBOS.enqueue_workflow_with_options(
            {
                "workflow_name": _NAME,
                "queue_name": _QUEUE,
                "workflow_id": _workflow_id(call),
                "app_version": _VERSION,
            },
            call.id,
        )

    def cancel(self, call: Call) -> None:
        """Stop the call's analysis, wherever it is."""
        DBOS.cancel_workflow(_workflow_id(call))

    def recover(self) -> None:
        """See to it that each unfinished call comes to an end: call it once, after `start`."""
        for calls in self._journal.unfinished(_BATCH):
            ids = [_workflow_id(call) for call in calls]
            found = DBOS.list_workflows(workflow_ids=ids, load_input=False, load_output=False)
            known = {each.workflow_id: each.status for each in found}
            for call in calls:
                status = known.get(_workflow_id(call))
                if status is None:  # accepted a moment before the end, or by an earlier version
                    self.enqueue(call)
                elif status not in _ALIVE:
                    self._journal.fail(call.id, _ABANDONED)

    def _config(self) -> DBOSConfig:
        return {
            "name": "callscope",
            "system_database_url": self._database_url,
            "application_version": _VERSION,
            "executor_id": self._settings.executor_id,
            "serializer": DBOSPortableJSONSerializer(),
            "log_level": "WARNING",
            "enable_otlp": False,
        }

    async def _analyze(self, call_id: str) -> None:
        """The workflow. Its steps do not raise: what went wrong is their result."""
        logged_call.set(call_id)
        stages = self._stages
        try:
            problem = (
                await self._step("start", call_id, stages.start)
                or await self._listen(call_id)
                or await self._step(SCORE, call_id, stages.score)
                or await self._step(RECORD, call_id, stages.record)
            )
            if problem is not None:
                fail = partial(stages.fail, Problem(**problem))
                # Nothing else could say that the call failed, so this is tried until it works.
                await self._step("fail", call_id, fail, max_attempts=sys.maxsize, backoff_rate=1.0)
            outcome = CallStatus.DONE if problem is None else CallStatus.FAILED
            tracing.whole_call(call_id, outcome, arrived_at(call_id), datetime.now(UTC))
        finally:
            self._board.clear(call_id)

    async def _listen(self, call_id: str) -> Outcome:
        """Transcribe and diarize side by side; the first problem stops the other."""
        works = {TRANSCRIBE: self._stages.transcribe, DIARIZE: self._stages.diarize}
        # Reserved in order, so that each keeps its place whichever starts or ends first.
        places = [DBOS.reserve_step() for _ in works]
        steps = [
            asyncio.create_task(self._run(place, stage, call_id, work))
            for place, (stage, work) in zip(places, works.items(), strict=True)
        ]
        try:
            for step in asyncio.as_completed(steps):
                if (problem := await step) is not None:
                    return problem
            return None
        finally:
            for each in steps:
                each.cancel()
            await asyncio.gather(*steps, return_exceptions=True)

    async def _step(
        self, stage: str, call_id: str, work: Work, **options: Unpack[StepOptions]
    ) -> Outcome:
        return await self._run(DBOS.reserve_step(), stage, call_id, work, **options)

    async def _run(
        self,
        place: StepReservation,
        stage: str,
        call_id: str,
        work: Work,
        **options: Unpack[StepOptions],
    ) -> Outcome:
        defaults = StepOptions(
            name=stage,
            preemptible=True,
            retries_allowed=True,
            max_attempts=self._settings.stage_attempts,
            interval_seconds=self._settings.retry_seconds,
            backoff_rate=2.0,
            should_retry=lambda error: isinstance(error, _CAN_PASS),
        )
        self._board.report(call_id, stage, 0.0)
        problem = await place.run_async(
            {**defaults, **options}, self._attempt, stage, call_id, work
        )
        self._board.report(call_id, stage, 1.0)
        return problem

    async def _attempt(self, stage: str, call_id: str, work: Work) -> Outcome:
        """Do the work once; raise only what is worth another attempt."""
        try:
            with tracing.stage(stage, call_id, _attempt_number()):
                await self._on_thread(call_id, work)
        except CallscopeError as error:
            if isinstance(error, _CAN_PASS) and not _is_last_attempt(error):
                metrics.RETRIES.labels(stage, error.code).inc()
                raise
            _log.warning("stage failed", extra={"stage": stage, "error": error.code})
            return asdict(Problem.of(error))
        except Exception:
            _log.exception("stage failed", extra={"stage": stage})
            return asdict(Problem.of(CallscopeError("internal error")))
        return None

    async def _on_thread(self, call_id: str, work: Work) -> None:
        """Run blocking work; cancelling this stops the work at its next report."""
        stopped = threading.Event()

        def report(stage: str, done: float) -> None:
            if stopped.is_set():
                raise Cancelled(f"{stage} was stopped")
            self._board.report(call_id, stage, done)

        surroundings = contextvars.copy_context()  # the call's id, for logs and services
        future = asyncio.get_running_loop().run_in_executor(
            None, surroundings.run, work, call_id, report
        )
        try:
            await asyncio.shield(future)
        except asyncio.CancelledError:
            stopped.set()
            await asyncio.wait({future}, timeout=_CLEANUP)
            future.add_done_callback(lambda ended: ended.cancelled() or ended.exception())
            raise


def _workflow_id(call: Call) -> str:
    return f"{_VERSION}/{call.id}/{call.run}"


def _attempt_number() -> int:
    status = DBOS.step_status
    return 1 if status is None or status.current_attempt is None else status.current_attempt + 1


def _is_last_attempt(error: CallscopeError) -> bool:
    status = DBOS.step_status
    if status is None or status.current_attempt is None or status.max_attempts is None:
        return True
    made = status.current_attempt + 1
    # A deadline is hours; what missed it thrice will miss it again.
    limit = _SLOW_ATTEMPTS if isinstance(error, DeadlineExceeded) else status.max_attempts
    return made >= min(limit, status.max_attempts)


def _route_logs() -> None:
    """DBOS's log lines go where ours go, except those about calls that we cancelled."""
    logger = logging.getLogger("dbos")
    logger.addHandler(_NOWHERE)  # with a handler present DBOS adds none, and lines propagate
    logger.addFilter(_is_news)


def _is_news(line: logging.LogRecord) -> bool:
    error = line.exc_info[1] if line.exc_info else None
    return not isinstance(error, dbos_error.DBOSAwaitedWorkflowCancelledError)
