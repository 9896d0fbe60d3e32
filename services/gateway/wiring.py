"""The gateway put together: database, store, workflows, clients and the HTTP door."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from ipaddress import ip_network
from zoneinfo import ZoneInfo

from callscope.clients import RemoteDiarizer, RemoteScorer, RemoteTranscriber
from callscope.errors import InvalidInput, InvalidSetting
from callscope.serving.recordings import audio_limits, audio_reader, s3_client
from callscope.serving.tls import channel_credentials, server_context
from services.gateway import database, metrics
from services.gateway.access import Authenticate
from services.gateway.audit import AuditDesk
from services.gateway.bucket import BucketStore
from services.gateway.calls import Calls
from services.gateway.clips import Booths
from services.gateway.deadletters import DeadLetters
from services.gateway.desks import Desks
from services.gateway.details import DetailsFolder
from services.gateway.doorkeeper import Doorkeeper, Rate
from services.gateway.erasure import Eraser, Retention, RetentionDesk
from services.gateway.exports.desk import Exports
from services.gateway.facts import Clock, FactReader, NamePattern
from services.gateway.handover import Handover
from services.gateway.http.app import build_app
from services.gateway.http.server import HttpServer
from services.gateway.inbound.desk import InboundDesk
from services.gateway.inbound.wiring import build_collector
from services.gateway.intake import Intake
from services.gateway.journal import Journal
from services.gateway.keys import Keys
from services.gateway.ledger import Ledger
from services.gateway.progress import Board
from services.gateway.rescoring.queue import Orders
from services.gateway.rescoring.worker import Rejudge, Worker
from services.gateway.settings import GatewaySettings
from services.gateway.stages import Stages
from services.gateway.store import BlobStore, Inbox, LocalStore
from services.gateway.takeover import Watch
from services.gateway.vetting import Vetting
from services.gateway.webhooks.courier import Courier, Patience
from services.gateway.webhooks.outside import Outside
from services.gateway.webhooks.registry import Registry
from services.gateway.workflow import Workflows

__all__ = ["Gateway"]

_CHECK_SECONDS = 5.0  # a sender waits for the rubric to be checked
_THREADS = 64
_ORDERS_SECONDS = 1.0  # between two looks for calls to judge again
_STOP_SECONDS = 5.0  # what judges again notices at its next report, and is taken up later


class Gateway:
    """The parts of one gateway process; nothing is opened before `lifespan` is entered.

    Attributes:
        calls: the functions behind both doors, while `lifespan` is entered.
        desks: the other functions, likewise.
        authenticate: from a request's credentials to who asks, while `lifespan` is entered.
        http_port: where REST is served, while `lifespan` is entered.
    """

    calls: Calls
    desks: Desks
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
            app = build_app(self.calls, self.desks, self.authenticate, settings.max_audio_bytes)
            self._http = HttpServer(
                app,
                settings.http_host,
                settings.http_port,
                settings.drain_seconds,
                server_context(settings),
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
        doorkeeper = Doorkeeper(
            Keys(engine), settings.auth, Rate(settings.rate_limit, settings.rate_burst)
        )
        doorkeeper.check_exposure(settings.host, settings.http_host)
        store = _store(settings)
        outside = _outside(settings)
        webhooks = Registry(engine, outside, settings.public_url)
        ledger = Ledger(engine, store.uri)
        journal = Journal(engine, store.uri, webhooks.announce)

        tls = channel_credentials(
            settings.stages_tls_ca,
            settings.stages_tls_cert,
            settings.stages_tls_key,
            "CALLSCOPE_GATEWAY_STAGES_TLS_",
        )
        transcriber = RemoteTranscriber(
            settings.transcribe_target, settings.transcribe_timeout, tls
        )
        diarizer = RemoteDiarizer(settings.diarize_target, settings.diarize_timeout, tls)
        scorer = RemoteScorer(settings.score_target, settings.score_timeout, tls)
        checker = RemoteScorer(settings.score_target, _CHECK_SECONDS, tls)
        for client in (transcriber, diarizer, scorer, checker):
            self._closing.callback(client.close)
        stages = Stages(journal, transcriber, diarizer, scorer)
        workflows = Workflows(settings, workflow_tables, stages, journal, self._board)
        watch = Watch(
            engine,
            settings.executor_id,
            settings.takeover_seconds,
            workflows.take_over,
            workflows.recover,
        )
        handover = Handover(workflows.enqueue, watch.recover_soon)
        intake = Intake(
            inbox=inbox,
            store=store,
            ledger=ledger,
            reader=audio_reader(_outside_store(settings)),
            limits=audio_limits(settings),
            default_rubric=settings.default_rubric,
            facts=_fact_reader(settings),
            check_rubric=Vetting(checker.check).check,
            enqueue=handover.give,
        )
        intake.recover()
        watch.beat()
        # Undone in reverse: while calls at work may still end, the others must see us living.
        self._closing.callback(watch.stop)
        self._closing.callback(lambda: workflows.stop(self._drained_by - time.monotonic()))
        self._closing.callback(watch.drain)
        self._closing.callback(handover.stop)
        workflows.start()
        handover.start()
        watch.start()
        metrics.watch_backlog(journal.standings)
        metrics.watch_disk(settings.data_dir)
        orders = Orders(engine, webhooks.announce)
        worker = Worker(
            orders,
            Rejudge(journal, transcriber, diarizer, scorer),
            threads=settings.rescore_concurrent,
            attempts=settings.stage_attempts,
            retry_seconds=settings.retry_seconds,
            poll_seconds=max(settings.poll_seconds, _ORDERS_SECONDS),
        )
        worker.start()
        self._closing.callback(lambda: worker.stop(_STOP_SECONDS))
        retention = Retention(settings.audio_days, settings.record_days)
        eraser = Eraser(
            engine, store, webhooks.announce, retention, settings.retention_sweep_seconds
        )
        patience = Patience(settings.webhook_attempts, settings.webhook_retry_seconds)
        collector = build_collector(settings, engine, intake)
        for part in (Courier(engine, outside, patience, settings.poll_seconds), eraser, collector):
            if part is not None:
                part.start()
                self._closing.callback(part.stop)
        self.authenticate = doorkeeper
        self.calls = Calls(
            intake=intake,
            ledger=ledger,
            store=store,
            orders=orders,
            board=self._board,
            eraser=eraser,
            cancel=workflows.cancel,
            dead_letters=DeadLetters(engine, store.uri),
            enqueue=workflows.enqueue,
            recover_soon=watch.recover_soon,
            idle_seconds=settings.upload_idle_seconds,
            shared_sources=settings.shared_sources,
            booths=Booths(settings.clip_concurrent),
        )
        token = settings.inbound_token
        self.desks = Desks(
            inbound=InboundDesk(engine, collector, token.get_secret_value() if token else None),
            webhooks=webhooks,
            exports=Exports(engine),
            retention=RetentionDesk(engine, retention),
            audit=AuditDesk(engine),
        )


def _store(settings: GatewaySettings) -> BlobStore:
    if settings.bucket is None:
        return LocalStore(settings.store_root())
    client = s3_client(settings)
    if client is None:
        raise InvalidSetting(
            "CALLSCOPE_GATEWAY_BUCKET names a bucket, and CALLSCOPE_S3_ENDPOINT no server"
        )
    return BucketStore(client, settings.bucket)


def _outside(settings: GatewaySettings) -> Outside:
    networks = [ip_network(each) for each in settings.webhook_networks]
    return Outside(networks, settings.webhook_timeout)


def _fact_reader(settings: GatewaySettings) -> FactReader:
    zone = None if settings.time_zone is None else ZoneInfo(settings.time_zone)
    pattern = settings.name_pattern
    try:
        read = None if pattern is None else NamePattern(pattern)
    except InvalidInput as error:
        raise InvalidSetting(f"CALLSCOPE_GATEWAY_NAME_PATTERN: {error.message}") from None
    clock = Clock(settings.time_format, zone)
    if settings.details_dir is None:
        return FactReader(read, clock)
    return FactReader(read, clock, DetailsFolder(settings.details_dir, settings.details_key).of)


def _outside_store(settings: GatewaySettings) -> GatewaySettings:
    """Without the store among the folders that senders may name: its recordings are others'."""
    store = settings.store_root()
    roots = tuple(root for root in settings.audio_roots if not root.resolve().is_relative_to(store))
    return settings.model_copy(update={"audio_roots": roots})
