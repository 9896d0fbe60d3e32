"""Clients whose service fails, falls silent or is away."""

import contextlib
import itertools
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import pytest

from callscope import clients
from callscope.clients import RemoteDiarizer, RemoteScorer
from callscope.errors import Cancelled, Unavailable
from callscope.pipeline import DiarizeOptions
from callscope.types import AudioSource
from callscope.v1 import diarize_pb2, diarize_pb2_grpc, score_pb2, score_pb2_grpc

AUDIO = AudioSource(uri="file:///nowhere.wav")


class Diarizer(diarize_pb2_grpc.DiarizerServicer):
    """Fails as if it were going away, or speaks once and never again."""

    def __init__(self) -> None:
        self.calls = itertools.count()
        self.silent = False
        self.over = threading.Event()

    def Diarize(self, _: Any, context: Any) -> Iterator[Any]:  # noqa: N802 - gRPC's name
        next(self.calls)
        if not self.silent:
            context.abort(grpc.StatusCode.UNAVAILABLE, "going away")
        yield diarize_pb2.DiarizeResponse(progress={"done": 0.5})
        self.over.wait(30)


class Scorer(score_pb2_grpc.ScorerServicer):
    """Is there at the third call."""

    def __init__(self) -> None:
        self.calls = itertools.count()

    def ListRubrics(self, _: Any, context: Any) -> Any:  # noqa: N802 - gRPC's name
        if next(self.calls) < 2:
            context.abort(grpc.StatusCode.UNAVAILABLE, "going away")
        return score_pb2.ListRubricsResponse()


@pytest.fixture
def serve() -> Iterator[Callable[..., str]]:
    """Serves on a free port or the given one; where."""
    servers: list[grpc.Server] = []

    def start(register: Callable[[grpc.Server], None], port: int = 0) -> str:
        server = grpc.server(ThreadPoolExecutor(4), options=[("grpc.so_reuseport", 0)])
        register(server)
        port = server.add_insecure_port(f"127.0.0.1:{port}")
        server.start()
        servers.append(server)
        return f"127.0.0.1:{port}"

    yield start
    for server in servers:
        server.stop(None).wait()


def diarize(target: str) -> None:
    client = RemoteDiarizer(target, 60)
    try:
        client.diarize(AUDIO, DiarizeOptions(), lambda _: None)
    finally:
        client.close()


def test_grpc_itself_tries_no_stage_again(serve: Callable[..., str]) -> None:
    diarizer = Diarizer()
    target = serve(lambda at: diarize_pb2_grpc.add_DiarizerServicer_to_server(diarizer, at))
    with pytest.raises(Unavailable, match="going away"):
        diarize(target)
    assert next(diarizer.calls) == 1


def test_a_stage_that_falls_silent_is_given_up(
    serve: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clients, "_SILENCE", 0.2)
    diarizer = Diarizer()
    diarizer.silent = True
    target = serve(lambda at: diarize_pb2_grpc.add_DiarizerServicer_to_server(diarizer, at))
    with pytest.raises(Cancelled):
        diarize(target)
    diarizer.over.set()


def test_a_question_is_asked_again_for_a_moment(serve: Callable[..., str]) -> None:
    scorer = Scorer()
    client = RemoteScorer(
        serve(lambda at: score_pb2_grpc.add_ScorerServicer_to_server(scorer, at)), 5
    )
    assert client.rubrics() == ()
    client.close()
    assert next(scorer.calls) == 3


def test_a_service_that_was_away_for_long_is_found_soon(serve: Callable[..., str]) -> None:
    with socket.socket() as taken:  # nobody listens: every try is refused
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        client = RemoteScorer(f"127.0.0.1:{port}", 5)
        away_until = time.monotonic() + 10  # gRPC's own pauses are then above four seconds
        while time.monotonic() < away_until:
            with pytest.raises(Unavailable):
                client.rubrics()
    scorer = Scorer()
    serve(lambda at: score_pb2_grpc.add_ScorerServicer_to_server(scorer, at), port)
    back = time.monotonic()
    assert eventually_answers(client) - back < 4
    client.close()


def eventually_answers(client: RemoteScorer) -> float:
    while True:
        with contextlib.suppress(Unavailable):
            client.rubrics()
            return time.monotonic()
