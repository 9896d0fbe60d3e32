"""The stages as gRPC clients: what `callscope.pipeline`'s Protocols ask for, over the wire."""

import contextlib
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import grpc

from callscope.errors import DeadlineExceeded, Unavailable
from callscope.pipeline import DiarizeOptions, Progress, RubricSource, TranscribeOptions
from callscope.serving import tracing
from callscope.serving.channel import connect
from callscope.serving.logs import CALL_ID_METADATA, call_id
from callscope.serving.status import from_rpc_error
from callscope.types import (
    AudioSource,
    Diarization,
    Metrics,
    RubricRef,
    Scorecard,
    Transcript,
    Utterance,
)
from callscope.v1 import (
    diarize_pb2,
    diarize_pb2_grpc,
    score_pb2,
    score_pb2_grpc,
    transcribe_pb2,
    transcribe_pb2_grpc,
)
from callscope.wire import from_proto, to_proto

__all__ = ["RemoteDiarizer", "RemoteScorer", "RemoteTranscriber", "RubricSummary"]


_PAUSES = (0.2, 0.4, 0.8)  # seconds; a service that is started anew is back after more
_SILENCE = 60.0  # seconds; services send their progress every second, also while a call waits


@dataclass(frozen=True, slots=True)
class RubricSummary:
    """A rubric that the score service knows."""

    name: str
    title: str
    rubric: RubricRef


class _Remote:
    """A channel to one service.

    Args:
        target: host:port.
        timeout: seconds one call may take.
        credentials: to speak TLS.
    """

    def __init__(
        self, target: str, timeout: float, credentials: grpc.ChannelCredentials | None = None
    ) -> None:
        self._target = target
        self._timeout = timeout
        self._channel = connect(target, credentials)

    def close(self) -> None:
        """Close the channel; calls in progress are cancelled."""
        self._channel.close()

    def _call(self, method: Any, request: Any) -> Any:
        """One unary call, tried again for a moment where the service is not there."""
        pauses = iter(_PAUSES)
        while True:
            try:
                return method(request, timeout=self._timeout, metadata=_metadata())
            except grpc.RpcError as rpc_error:
                error = from_rpc_error(rpc_error, self._target)
            pause = next(pauses, None)
            if pause is None or not isinstance(error, Unavailable):
                raise error
            time.sleep(pause)

    def _last(self, method: Any, request: Any, progress: Progress) -> Any:
        """Follow a stream: report its progress, return its last event's content.

        What `progress` raises cancels the call.
        """
        stream = method(request, timeout=self._timeout, metadata=_metadata())
        with _unless_silent(stream) as heard:
            try:
                for kind, content in _events(stream):
                    if kind != "progress":
                        return content
                    heard()
                    progress(content.done)
            except grpc.RpcError as error:
                raise from_rpc_error(error, self._target) from None
            finally:
                stream.cancel()
        raise DeadlineExceeded(f"{self._target} ended its answer without a result")


class RemoteTranscriber(_Remote):
    """`callscope.pipeline.Transcriber` over gRPC."""

    def transcribe(
        self, audio: AudioSource, options: TranscribeOptions, progress: Progress
    ) -> Transcript:
        """Transcribe every channel that carries speech of its own."""
        stub = transcribe_pb2_grpc.TranscriberStub(self._channel)
        request = transcribe_pb2.TranscribeRequest(
            audio=to_proto(audio),
            language=options.language,
            hotwords=options.hotwords,
            model=options.model,
        )
        return from_proto(Transcript, self._last(stub.Transcribe, request, progress))


class RemoteDiarizer(_Remote):
    """`callscope.pipeline.Diarizer` over gRPC."""

    def diarize(
        self, audio: AudioSource, options: DiarizeOptions, progress: Progress
    ) -> Diarization:
        """Find who spoke when."""
        stub = diarize_pb2_grpc.DiarizerStub(self._channel)
        request = diarize_pb2.DiarizeRequest(
            audio=to_proto(audio),
            min_speakers=options.min_speakers,
            max_speakers=options.max_speakers,
        )
        return from_proto(Diarization, self._last(stub.Diarize, request, progress))


class RemoteScorer(_Remote):
    """`callscope.pipeline.Scorer` over gRPC, and the rubrics the service knows."""

    def score(
        self,
        utterances: Sequence[Utterance],
        metrics: Metrics,
        rubric: RubricSource,
        progress: Progress,
    ) -> Scorecard:
        """Judge the conversation by the rubric."""
        stub = score_pb2_grpc.ScorerStub(self._channel)
        request = score_pb2.ScoreRequest(
            utterances=[to_proto(utterance) for utterance in utterances],
            metrics=to_proto(metrics),
            rubric=to_proto(rubric),
        )
        return from_proto(Scorecard, self._last(stub.Score, request, progress))

    def rubrics(self) -> tuple[RubricSummary, ...]:
        """The rubrics known by name."""
        stub = score_pb2_grpc.ScorerStub(self._channel)
        answer = self._call(stub.ListRubrics, score_pb2.ListRubricsRequest())
        return tuple(_summary(each) for each in answer.rubrics)

    def check(self, rubric: RubricSource) -> RubricSummary:
        """Check a rubric.

        Raises:
            InvalidRubric: with every problem found.
            RubricNotFound: no rubric of that name.
        """
        stub = score_pb2_grpc.ScorerStub(self._channel)
        request = score_pb2.CheckRubricRequest(rubric=to_proto(rubric))
        return _summary(self._call(stub.CheckRubric, request).rubric)


def _metadata() -> tuple[tuple[str, str], ...]:
    identity = call_id.get()
    named = ((CALL_ID_METADATA, identity),) if identity else ()
    return (*named, *tracing.metadata())


@contextlib.contextmanager
def _unless_silent(stream: Any) -> Iterator[Callable[[], None]]:
    """Cancel a stream of which nothing is heard for too long; calling what is given says it was.

    Services speak every second. A stream whose server died in the wrong moment may say nothing
    until the deadline, which is hours away.
    """
    heard, over = threading.Event(), threading.Event()

    def watch() -> None:
        while heard.wait(_SILENCE):
            if over.is_set():
                return
            heard.clear()
        stream.cancel()

    watcher = threading.Thread(target=watch, name="silence", daemon=True)
    watcher.start()
    try:
        yield heard.set
    finally:
        over.set()
        heard.set()
        watcher.join()


def _events(stream: Any) -> Iterator[tuple[str, Any]]:
    for response in stream:
        kind = response.WhichOneof("event")
        yield kind, getattr(response, kind)


def _summary(message: score_pb2.RubricSummary) -> RubricSummary:
    return RubricSummary(message.name, message.title, from_proto(RubricRef, message.rubric))
