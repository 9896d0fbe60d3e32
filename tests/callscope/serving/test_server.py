"""A real server and real channels around a made-up stage; no models."""

import asyncio
import contextlib
import socket
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any, ClassVar

import grpc
import httpx
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from callscope.clients import RemoteDiarizer
from callscope.errors import (
    CallscopeError,
    Cancelled,
    DeadlineExceeded,
    InvalidInput,
    ModelMissing,
    Overloaded,
    Unavailable,
    error_classes,
)
from callscope.pipeline import DiarizeOptions
from callscope.serving.embedded import embedded
from callscope.serving.server import Running, Service
from callscope.serving.settings import ServiceSettings
from callscope.serving.work import Work
from callscope.types import AudioSource, ChannelLayout, Diarization, Turn
from callscope.v1 import diarize_pb2, diarize_pb2_grpc
from callscope.wire import to_proto

AUDIO = AudioSource(uri="file:///nowhere.wav")
RESULT = Diarization(ChannelLayout.MONO, (Turn("speaker_0", 0.0, 1.5),), ())


class Settings(ServiceSettings):
    service: ClassVar[str] = "diarize"


class Servicer(diarize_pb2_grpc.DiarizerServicer):
    """Runs whatever a test puts in `work`."""

    def __init__(self, max_concurrent: int = 1, max_queue: int = 0) -> None:
        self.work: Callable[[Callable[[float], None]], Diarization] = lambda _: RESULT
        self.stream = Work("diarize", max_concurrent, max_queue)
        self.peers: list[str] = []

    async def Diarize(self, request: Any, context: Any) -> Any:  # noqa: N802, ARG002 - gRPC's name
        self.peers.append(context.peer())
        async for event in self.stream.stream(context, self.work):
            if isinstance(event, float):
                yield diarize_pb2.DiarizeResponse(progress={"done": event})
            else:
                yield diarize_pb2.DiarizeResponse(diarization=to_proto(event))


@pytest.fixture
def servicer() -> Servicer:
    return Servicer()


def service(servicer: Servicer, **parts: Any) -> Service:
    return Service(
        name="diarize",
        grpc_services=("callscope.v1.Diarizer",),
        register=lambda server: diarize_pb2_grpc.add_DiarizerServicer_to_server(servicer, server),
        **parts,
    )


def settings(**values: Any) -> Settings:
    return Settings.load(**{"metrics_port": 0, "drain_seconds": 5, **values})


@pytest.fixture
def up(servicer: Servicer) -> Iterator[Running]:
    with embedded([(service(servicer), settings())]) as (running,):
        yield running


@pytest.fixture
def client(up: Running) -> Iterator[RemoteDiarizer]:
    remote = RemoteDiarizer(up.target, timeout=20)
    yield remote
    remote.close()


def test_progress_arrives_before_the_result(servicer: Servicer, client: RemoteDiarizer) -> None:
    def work(progress: Callable[[float], None]) -> Diarization:
        for done in (0.25, 0.1, 1.0):
            progress(done)
        return RESULT

    servicer.work = work
    seen: list[float] = []
    assert client.diarize(AUDIO, DiarizeOptions(), seen.append) == RESULT
    assert seen == [0.25, 0.25, 1.0]  # it never falls


def test_a_stream_that_falls_silent_is_given_up(
    servicer: Servicer, client: RemoteDiarizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("callscope.clients._SILENCE", 0.3)  # shorter than the heartbeat
    go_on = threading.Event()

    def work(progress: Callable[[float], None]) -> Diarization:
        go_on.wait(10)
        progress(1.0)
        return RESULT

    servicer.work = work
    began = time.monotonic()
    with pytest.raises(Cancelled):
        client.diarize(AUDIO, DiarizeOptions(), lambda _: None)
    assert time.monotonic() - began < 5
    go_on.set()


def test_connections_are_renewed_and_a_call_outlives_its_own(
    servicer: Servicer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("callscope.serving.server._CONNECTION_AGE_MS", 300)

    def work(progress: Callable[[float], None]) -> Diarization:
        for _ in range(15):
            time.sleep(0.1)
            progress(0.5)
        return RESULT

    servicer.work = work
    with embedded([(service(servicer), settings())]) as (running,):
        client = RemoteDiarizer(running.target, timeout=20)
        for _ in range(2):
            assert client.diarize(AUDIO, DiarizeOptions(), lambda _: None) == RESULT
        client.close()
    first, second = servicer.peers
    assert first != second


def test_every_error_crosses_the_wire_as_itself(servicer: Servicer, client: RemoteDiarizer) -> None:
    for kind in error_classes():
        sent = kind("what is wrong", remedy="do this", details={"a": "b"}, retry_after=1.5)

        def work(_: Callable[[float], None], error: CallscopeError = sent) -> Diarization:
            raise error

        servicer.work = work
        with pytest.raises(CallscopeError) as caught:
            client.diarize(AUDIO, DiarizeOptions(), lambda _: None)
        received = caught.value
        assert type(received) is kind
        assert (received.message, received.remedy) == (sent.message, sent.remedy)
        assert (received.details, received.retry_after) == (sent.details, sent.retry_after)


def test_a_fault_of_ours_has_its_reason_in_the_log_and_a_refusal_has_not(
    servicer: Servicer, client: RemoteDiarizer, caplog: pytest.LogCaptureFixture
) -> None:
    for error in (
        Unavailable("the bucket calls failed: AccessDenied"),
        InvalidInput("Ada said so"),
    ):
        servicer.work = _raising(error)
        with caplog.at_level("INFO"), pytest.raises(type(error)):
            client.diarize(AUDIO, DiarizeOptions(), lambda _: None)
    lines = [vars(line) for line in caplog.records if line.getMessage() == "refused"]
    assert [line["error"] for line in lines] == ["unavailable", "invalid_input"]
    assert lines[0]["reason"] == "the bucket calls failed: AccessDenied"
    assert "reason" not in lines[1]


def _raising(error: CallscopeError) -> Callable[[Callable[[float], None]], Diarization]:
    def work(_: Callable[[float], None]) -> Diarization:
        raise error

    return work


def test_an_unforeseen_error_says_nothing_of_its_cause(
    servicer: Servicer, client: RemoteDiarizer
) -> None:
    def work(_: Callable[[float], None]) -> Diarization:
        raise RuntimeError("the customer said hello")

    servicer.work = work
    with pytest.raises(CallscopeError, match=r"^internal error$"):
        client.diarize(AUDIO, DiarizeOptions(), lambda _: None)


class Endless:
    """Work that goes on until it is stopped."""

    def __init__(self) -> None:
        self.started = threading.Event()
        self.ended: BaseException | None = None
        self.stopped = threading.Event()

    def __call__(self, progress: Callable[[float], None]) -> Diarization:
        try:
            while True:
                progress(0.5)
                self.started.set()
                time.sleep(0.02)
        except CallscopeError as error:
            self.ended = error
            self.stopped.set()
            raise


def test_cancelling_stops_the_computation_and_frees_its_place(
    servicer: Servicer, client: RemoteDiarizer
) -> None:
    endless = Endless()
    servicer.work = endless

    def give_up(_: float) -> None:
        if endless.started.is_set():
            raise Cancelled("enough")

    with pytest.raises(Cancelled, match="enough"):
        client.diarize(AUDIO, DiarizeOptions(), give_up)
    assert endless.stopped.wait(5)
    assert isinstance(endless.ended, Cancelled)

    servicer.work = lambda _: RESULT
    deadline = time.monotonic() + 5
    while True:  # the place is free as soon as the thread's end is seen
        try:
            assert client.diarize(AUDIO, DiarizeOptions(), lambda _: None) == RESULT
            break
        except Overloaded:
            assert time.monotonic() < deadline


def test_the_deadline_stops_the_computation(servicer: Servicer, up: Running) -> None:
    endless = Endless()
    servicer.work = endless
    client = RemoteDiarizer(up.target, timeout=0.5)
    with pytest.raises(DeadlineExceeded):
        client.diarize(AUDIO, DiarizeOptions(), lambda _: None)
    assert endless.stopped.wait(5)
    client.close()


def test_beyond_the_queue_a_call_is_turned_away_with_a_time_to_retry(
    servicer: Servicer, up: Running, client: RemoteDiarizer
) -> None:
    endless = Endless()
    servicer.work = endless
    other = RemoteDiarizer(up.target, timeout=20)
    leave = threading.Event()

    def stay(_: float) -> None:
        if leave.is_set():
            raise Cancelled("done here")

    def occupy() -> None:
        with pytest.raises(Cancelled):
            other.diarize(AUDIO, DiarizeOptions(), stay)

    thread = threading.Thread(target=occupy)
    thread.start()
    assert endless.started.wait(5)
    with pytest.raises(Overloaded) as caught:
        client.diarize(AUDIO, DiarizeOptions(), lambda _: None)
    assert caught.value.retry_after == pytest.approx(1.0)
    leave.set()
    thread.join()
    other.close()


def test_health_is_not_serving_until_the_warm_up_has_answered(servicer: Servicer) -> None:
    warm = threading.Event()
    seen: list[str | int] = []
    port = _free_port()

    def warm_up() -> None:
        with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
            seen.append(_health(channel))
            seen.append(httpx.get(f"http://127.0.0.1:{metrics_port}/readyz").status_code)
        warm.set()

    metrics_port = _free_port()
    values = settings(port=port, metrics_port=metrics_port)
    with embedded([(service(servicer, warm_up=warm_up), values)]) as (running,):
        assert warm.is_set()
        assert seen == ["NOT_SERVING", 503]
        with grpc.insecure_channel(running.target) as channel:
            assert _health(channel) == "SERVING"
        base = f"http://127.0.0.1:{running.metrics_port}"
        assert httpx.get(f"{base}/readyz").status_code == 200
        assert httpx.get(f"{base}/healthz").text == "ok\n"
        assert "grpc_server_handled_total" in httpx.get(f"{base}/metrics").text


def test_a_misspelled_variable_is_told_of(
    servicer: Servicer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("CALLSCOPE_DIARIZE_MAX_QEUE", "3")
    monkeypatch.setenv("CALLSCOPE_DIARIZE_MAX_QUEUE", "4")
    monkeypatch.setenv("CALLSCOPE_DIARIZE_TIMEOUT", "9")  # sets the gateway's diarize_timeout
    monkeypatch.setenv("CALLSCOPE_DIARIZE_THREDS", "")  # as if it were not set
    with embedded([(service(servicer), settings())]):
        pass
    fields = [vars(each) for each in caplog.records]
    told = {each["variable"]: each["meant"] for each in fields if "variable" in each}
    assert told == {"CALLSCOPE_DIARIZE_MAX_QEUE": "CALLSCOPE_DIARIZE_MAX_QUEUE"}


def test_probes_answer_while_a_lifespan_begins_and_ends(servicer: Servicer) -> None:
    port, seen = _free_port(), []

    def look() -> None:
        base = f"http://127.0.0.1:{port}"
        seen.append([httpx.get(f"{base}/{path}").status_code for path in ("healthz", "readyz")])

    @contextlib.asynccontextmanager
    async def lifespan() -> AsyncIterator[None]:
        await asyncio.to_thread(look)
        yield
        await asyncio.to_thread(look)

    with embedded([(service(servicer, lifespan=lifespan), settings(metrics_port=port))]):
        look()
    assert seen == [[200, 503], [200, 200], [200, 503]]


def test_probes_say_yes_all_through_a_long_computation(
    servicer: Servicer, up: Running, client: RemoteDiarizer
) -> None:
    begun, over = threading.Event(), threading.Event()

    def work(report: Callable[[float], None]) -> Diarization:
        begun.set()
        while not over.is_set():
            for _ in range(20):
                sum(range(20_000))  # as greedy for the interpreter as Python can be
            report(0.5)
        return RESULT

    servicer.work = work
    thread = threading.Thread(target=client.diarize, args=(AUDIO, DiarizeOptions(), lambda _: None))
    thread.start()
    try:
        assert begun.wait(5)
        until = time.monotonic() + 3
        base = f"http://127.0.0.1:{up.metrics_port}"
        with grpc.insecure_channel(up.target) as channel:
            while time.monotonic() < until:
                assert httpx.get(f"{base}/readyz", timeout=2).status_code == 200
                assert httpx.get(f"{base}/healthz", timeout=2).status_code == 200
                assert _health(channel) == "SERVING"
    finally:
        over.set()
        thread.join()


def test_a_failed_warm_up_ends_the_process_with_its_reason(servicer: Servicer) -> None:
    def warm_up() -> None:
        raise ModelMissing("campplus is not here")

    with (
        pytest.raises(ModelMissing, match="campplus"),
        embedded([(service(servicer, warm_up=warm_up), settings())]),
    ):
        pytest.fail("it started without its model")


def test_what_was_opened_is_closed_when_the_warm_up_fails(servicer: Servicer) -> None:
    port, seen = _free_port(), []

    @contextlib.asynccontextmanager
    async def lifespan() -> AsyncIterator[None]:
        seen.append("opened")
        try:
            yield
        finally:
            seen.append("closed")

    def warm_up() -> None:
        raise ModelMissing("campplus is not here")

    parts = {"lifespan": lifespan, "warm_up": warm_up, "drain": lambda: seen.append("drained")}
    with (
        pytest.raises(ModelMissing),
        embedded([(service(servicer, **parts), settings(metrics_port=port))]),
    ):
        pytest.fail("it started without its model")
    assert seen == ["opened", "drained", "closed"]
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"http://127.0.0.1:{port}/healthz")


def test_a_taken_port_is_named_with_its_setting(servicer: Servicer, up: Running) -> None:
    port = int(up.target.rpartition(":")[2])
    with (
        pytest.raises(Unavailable, match=str(port)) as caught,
        embedded([(service(servicer), settings(port=port))]),
    ):
        pytest.fail("two servers on one port")
    assert "CALLSCOPE_DIARIZE_PORT" in caught.value.remedy


def test_draining_lets_running_work_finish(servicer: Servicer) -> None:
    release, started, results = threading.Event(), threading.Event(), []

    def work(_: Callable[[float], None]) -> Diarization:
        started.set()
        release.wait(5)
        return RESULT

    servicer.work = work

    def ask(target: str) -> None:
        client = RemoteDiarizer(target, timeout=20)
        results.append(client.diarize(AUDIO, DiarizeOptions(), lambda _: None))
        client.close()

    with embedded([(service(servicer), settings())]) as (running,):
        thread = threading.Thread(target=ask, args=(running.target,))
        thread.start()
        assert started.wait(5)
        threading.Timer(0.3, release.set).start()
    thread.join()
    assert results == [RESULT]


def test_nobody_listening_is_unavailable() -> None:
    client = RemoteDiarizer(f"127.0.0.1:{_free_port()}", timeout=5)
    with pytest.raises(Unavailable):
        client.diarize(AUDIO, DiarizeOptions(), lambda _: None)
    client.close()


def _health(channel: grpc.Channel) -> str:
    answer = health_pb2_grpc.HealthStub(channel).Check(
        health_pb2.HealthCheckRequest(service="callscope.v1.Diarizer"), timeout=5
    )
    name: str = health_pb2.HealthCheckResponse.ServingStatus.Name(answer.status)
    return name


def _free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])
