"""The gateway put together: database, store, workflows, clients and the HTTP door."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor

from callscope.clients import RemoteDiarizer, RemoteScorer, RemoteTranscriber
from callscope.errors import InvalidSetting
from callscope.serving.recordings import audio_limits, audio_reader, s3_client
from services.gateway import database, metrics
from services.gateway.access import OPERATOR, Authenticate, Caller
from services.gateway.bucket import BucketStore
from services.gateway.calls import Calls
from services.gateway.http.app import build_app
from services.gateway.http.server import HttpServer
from services.gateway.intake import Intake
from services.gateway.journal import Journal
from services.gateway.ledger import Ledger
from services.gateway.progress import Board
from services.gateway.settings import GatewaySettings
from services.gateway.stages import Stages
from services.gateway.store import BlobStore, Inbox, LocalStore
from services.gateway.workflow import Workflows

__all__ = ["Gateway"]

_CHECK_SECONDS = 5.0  # a sender waits for the rubric to be checked
_THREADS = 64


class Gateway:
    """The parts of one gateway process; nothing is opened before `lifespan` is entered.

    Attributes:
        calls: the functions behind both doors, while `lifespan` is entered.
        authenticate: from a request's credentials to who asks, while `lifespan` is entered.
        http_port: where REST is served, while `lifespan` is entered.
    """

    calls: Calls
    authenticate: Authenticate
    http_port: int

    def __init__(self, settings: GatewaySettings) -> None:
        self._settings = settings
        self._board = Board()
        self._http: HttpServer | None = None
        self._closing = contextlib.ExitStack()
        self._drained_by = 0.0  # monotonic seconds; set when the drain begins

    @contextlib.asynccontextmanager
    async def lifespan(self) -> AsyncIterator[None]:
        """Open everything, resume what an earlier process left, serve HTTP; drain at the end.

        Raises:
            CallscopeError: it could not start.
        """
        try:
            # asyncio's own pool has a handful of threads; recordings on their way to a slow store
            # must not keep everybody else waiting.
            asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(_THREADS, "gateway"))
            await asyncio.to_thread(self._open)
            settings = self._settings
            app = build_app(self.calls, self.authenticate, settings.max_audio_bytes)
            self._http = HttpServer(
                app, settings.http_host, settings.http_port, settings.drain_seconds
            )
            self.http_port = self._http.port
            self._http.start()
            try:
                yield
            finally:
                self.drain()
                await self._http.stop()
        finally:
            await asyncio.to_thread(self._closing.close)

    def drain(self) -> None:
        """Take no more requests, and let those who watch calls go."""
        self._drained_by = self._drained_by or time.monotonic() + self._settings.drain_seconds
        self._board.close()
        if self._http is not None:
            self._http.close()

    def _open(self) -> None:
        settings = self._settings
        tables, workflow_tables = settings.database_urls()
        inbox = Inbox(
            settings.data_dir / "incoming" / settings.executor_id, settings.max_audio_bytes
        )
        self._closing.callback(inbox.close)
        engine = database.connect(tables)
        self._closing.callback(engine.dispose)
        database.migrate(engine)
        database.prepare_file(workflow_tables)
        store = _store(settings)
        ledger, journal = Ledger(engine, store.uri), Journal(engine, store.uri)

        transcriber = RemoteTranscriber(settings.transcribe_target, settings.transcribe_timeout)
        diarizer = RemoteDiarizer(settings.diarize_target, settings.diarize_timeout)
        scorer = RemoteScorer(settings.score_target, settings.score_timeout)
        checker = RemoteScorer(settings.score_target, _CHECK_SECONDS)
        for client in (transcriber, diarizer, scorer, checker):
            self._closing.callback(client.close)
        stages = Stages(journal, transcriber, diarizer, scorer)
        workflows = Workflows(settings, workflow_tables, stages, journal, self._board)
        intake = Intake(
            inbox=inbox,
            store=store,
            ledger=ledger,
            reader=audio_reader(_outside_store(settings)),
            limits=audio_limits(settings),
            default_rubric=settings.default_rubric,
            check_rubric=checker.check,
            enqueue=workflows.enqueue,
        )
        intake.recover()
        self._closing.callback(lambda: workflows.stop(self._drained_by - time.monotonic()))
        workflows.start()
        workflows.recover()
        metrics.watch_queue(journal.queued)
        self.authenticate = _anyone
        self.calls = Calls(intake, ledger, store, self._board, workflows.cancel)


async def _anyone(_: str | None) -> Caller:
    return OPERATOR


def _store(settings: GatewaySettings) -> BlobStore:
    if settings.bucket is None:
        return LocalStore(settings.store_root())
    client = s3_client(settings)
    if client is None:
        raise InvalidSetting(
            "CALLSCOPE_GATEWAY_BUCKET names a bucket, and CALLSCOPE_S3_ENDPOINT no server"
        )
    return BucketStore(client, settings.bucket)


def _outside_store(settings: GatewaySettings) -> GatewaySettings:
    """Without the store among the folders that senders may name: its recordings are others'."""
    store = settings.store_root()
    roots = tuple(root for root in settings.audio_roots if not root.resolve().is_relative_to(store))
    return settings.model_copy(update={"audio_roots": roots})
