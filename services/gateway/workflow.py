"""One durable workflow per call, on DBOS: after a crash it goes on at the step where it was.

What the stages make is kept by the journal; DBOS records only which steps are over, and the
problem of one that failed, as JSON. So its tables hold nothing a customer said, and an upgrade
finds nothing there that it cannot read.
"""

import asyncio
import contextvars
import logging
import random
import sys
import threading
from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import asdict
from datetime import UTC, datetime
from functools import partial
from typing import Any, TypeAlias, Unpack

import sqlalchemy as sa
from dbos import DBOS, DBOSConfig, DBOSPortableJSONSerializer, StepOptions, StepReservation
from dbos import error as dbos_error

from callscope.errors import CallscopeError, Cancelled, DeadlineExceeded, Overloaded, Unavailable
from callscope.pipeline import StageProgress
from callscope.serving import tracing
from callscope.serving.logs import call_id as logged_call
from services.gateway import database, lanes, metrics
from services.gateway.call import Call, CallStatus, Lane, Problem, arrived_at
from services.gateway.journal import Journal
from services.gateway.progress import DIARIZE, RECORD, SCORE, TRANSCRIBE, Board
from services.gateway.settings import GatewaySettings
from services.gateway.stages import Stages

__all__ = ["Workflows"]

_CAN_PASS = (Unavailable, Overloaded, DeadlineExceeded, Cancelled)
_ALIVE = ("ENQUEUED", "PENDING", "DELAYED")
_ABANDONED = Problem("internal", "the analysis ended without a result", "Send the recording again.")
_SLOW_ATTEMPTS = 3
_BATCH = 500  # ids a query
_CONNECTIONS = 20
_IDLE = 60  # seconds between two statements of a transaction
_HANDING_OUT = 1  # seconds: what was just claimed from a queue begins, and can be stopped
_CLEANUP = 5.0  # seconds a stopped stage may take to notice

_log = logging.getLogger(__name__)
_NOWHERE = logging.NullHandler()

Work: TypeAlias = Callable[[str, StageProgress], None]
"""A stage's work on a call."""

Outcome: TypeAlias = dict[str, Any] | None
"""None, or the fields of the `Problem` that stopped the call."""


class _Interrupted(BaseException):  # what is no Exception DBOS does not keep as the outcome
    """The workflow's own tables failed: it goes on later, from the last step that they kept."""


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
        self._database = database.connect(database_url, _CONNECTIONS, _IDLE)
        self._stages = stages
        self._journal = journal
        self._board = board
        self._name = settings.executor_id
        self._here = Counter[str]()  # by workflow: one that lost its claim may still be ending
        self._idle: set[str] = set()  # at the last look

    def start(self) -> None:
        """Begin to work on what is queued, and on what an earlier process left. Blocking."""
        _route_logs()
        DBOS(config=self._config())

        async def analyze(call_id: str) -> None:  # DBOS takes no bound methods
            await self._analyze(call_id)

        DBOS.workflow(name=lanes.NAME)(analyze)
        DBOS.launch()
        places = {
            Lane.LIVE: self._settings.max_concurrent,
            Lane.BACKFILL: self._settings.backfill_concurrent,
        }
        for lane, queue in lanes.QUEUES.items():
            DBOS.register_queue(
                queue,
                worker_concurrency=places[lane],
                polling_interval_sec=self._settings.poll_seconds,
                on_conflict="always_update",
            )

    def stop(self, seconds: float) -> None:
        """Take no more calls, let those at work go on for so long, then stop them. Blocking.

        What is stopped is resumed by the next `start` under the same executor id, or taken over by
        another gateway.
        """
        patience = max(_HANDING_OUT, round(seconds)) if self._board.busy else _HANDING_OUT
        DBOS.destroy(destroy_registry=True, workflow_completion_timeout_sec=patience)
        # DBOS repeats what a lost database did not take for as long as it takes, on threads that
        # the process would wait for; now that fails at the next attempt.
        database.shut(self._database)

    def enqueue(self, call: Call) -> None:
        """Have the call analyzed; doing so twice in one run is doing it once."""
        DBOS.enqueue_workflow_with_options(lanes.enqueuing(call), call.id)

    def cancel(self, call: Call) -> None:
        """Stop the call's analysis, wherever it is."""
        DBOS.cancel_workflow(lanes.workflow_id(call))

    def take_over(self, living: Collection[str]) -> int:
        """Put back into their queues what nobody works on; how many.

        That is what runs under other names than these, and what runs under ours but at two looks
        in a row not here: its claim was written and it never began, or it was `_Interrupted`.
        """
        running = DBOS.list_workflows(status="PENDING", load_input=False, load_output=False)
        ours = {each.workflow_id for each in running if each.executor_id == self._name}
        idle = {identity for identity in ours if not self._here[identity]}
        lost = idle & self._idle
        self._idle = idle - lost
        orphans: dict[str | None, list[str]] = {}
        for each in running:
            if each.executor_id not in living or each.workflow_id in lost:
                orphans.setdefault(each.queue_name, []).append(each.workflow_id)
        for queue, ids in orphans.items():
            DBOS.resume_workflows(ids, queue_name=queue)
        return sum(len(ids) for ids in orphans.values())

    def recover(self) -> None:
        """See to it that each unfinished call is in a queue, at work, or failed."""
        for calls in self._journal.unfinished(_BATCH):
            ids = [lanes.workflow_id(call) for call in calls]
            found = DBOS.list_workflows(workflow_ids=ids, load_input=False, load_output=False)
            known = {each.workflow_id: each.status for each in found}
            for call in calls:
                status = known.get(lanes.workflow_id(call))
                if status is None:  # accepted a moment before the end, or by an earlier version
                    self.enqueue(call)
                elif status not in _ALIVE:
                    self._journal.fail(call.id, _ABANDONED)

    def _config(self) -> DBOSConfig:
        return {
            "name": lanes.APPLICATION,
            "system_database_url": self._database.url.render_as_string(hide_password=False),
            "system_database_engine": self._database,
            "application_version": lanes.VERSION,
            "executor_id": self._name,
            "serializer": DBOSPortableJSONSerializer(),
            "log_level": "WARNING",
            "enable_otlp": False,
        }

    async def _analyze(self, call_id: str) -> None:
        """The workflow. Its steps do not raise: what went wrong is their result."""
        logged_call.set(call_id)
        identity = str(DBOS.workflow_id)
        self._here[identity] += 1
        try:
            await self._advance(call_id)
        except sa.exc.SQLAlchemyError as error:
            _log.warning("workflow interrupted: its tables do not take what is done")
            raise _Interrupted from error
        except Exception:
            # DBOS will not run it again, and nobody else would say that the call failed.
            await asyncio.to_thread(self._journal.fail, call_id, _ABANDONED)
            raise
        finally:
            self._here[identity] -= 1
            self._here += Counter()  # without those at zero
            self._board.clear(call_id)

    async def _advance(self, call_id: str) -> None:
        """From the first step that is not over yet to the record."""
        stages = self._stages
        problem = (
            await self._step("start", call_id, stages.start)
            or await self._listen(call_id)
            or await self._step(SCORE, call_id, stages.score)
            or await self._step(RECORD, call_id, stages.record)
        )
        if problem is not None:
            fail = partial(stages.fail, Problem(**problem))
            # Nothing else could say that the call failed, so this is tried until it works.
            await self._step("fail", call_id, fail, max_attempts=sys.maxsize)
        outcome = CallStatus.DONE if problem is None else CallStatus.FAILED
        tracing.whole_call(call_id, outcome, arrived_at(call_id), datetime.now(UTC))

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
            interval_seconds=0.0,  # the pause is ours: `_pause`
            backoff_rate=1.0,
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
                await asyncio.sleep(self._pause(error))
                raise
            _log.warning("stage failed", extra={"stage": stage, "error": error.code})
            return asdict(Problem.of(error, stage))
        except Exception:
            _log.exception("stage failed", extra={"stage": stage})
            return asdict(Problem.of(CallscopeError("internal error"), stage))
        return None

    def _pause(self, error: CallscopeError) -> float:
        """Seconds to the next attempt: as the error says, or doubling up to a limit.

        DBOS's own pauses know none below an hour: after an hour's outage they would last another. A
        little chance keeps calls that failed together from coming back together.
        """
        doubled = self._settings.retry_seconds * 2.0 ** min(_attempt_number() - 1, 30)
        grown = min(doubled, self._settings.retry_seconds_max)
        grown *= random.uniform(0.75, 1.0)  # noqa: S311 - no secret
        return max(grown, error.retry_after or 0.0)

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
