"""Made-up stages behind real gRPC servers: quick, counted, and as unruly as a test needs."""

import contextlib
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, ClassVar

from callscope.errors import RubricNotFound
from callscope.serving.embedded import embedded
from callscope.serving.server import Service
from callscope.serving.settings import ServiceSettings
from callscope.serving.work import Work
from callscope.types import (
    ChannelLayout,
    ChannelReport,
    Diarization,
    ModelInfo,
    OverallScore,
    Review,
    RubricRef,
    Scorecard,
    Span,
    Transcript,
    Turn,
    Word,
)
from callscope.v1 import (
    diarize_pb2,
    diarize_pb2_grpc,
    score_pb2,
    score_pb2_grpc,
    transcribe_pb2,
    transcribe_pb2_grpc,
)
from callscope.wire import to_proto

Report = Callable[[float], None]
Behavior = Callable[[Report], None]

TRANSCRIPT = Transcript(
    duration=2.0,
    language="en",
    language_probability=None,
    words=(
        Word("Thank", 0.1, 0.3, 0.9, 0),
        Word("you.", 0.3, 0.5, 0.9, 0),
        Word("Hello.", 1.0, 1.4, 0.9, 1),
    ),
    speech=(Span(0.1, 0.5, 0), Span(1.0, 1.4, 1)),
    model=ModelInfo("transcribe", "made-up", "1" * 64),
)
DIARIZATION = Diarization(
    layout=ChannelLayout.TWO_PARTY,
    turns=(Turn("channel_0", 0.1, 0.5, 0), Turn("channel_1", 1.0, 1.4, 1)),
    channels=(ChannelReport(0, -30.0), ChannelReport(1, -30.0)),
    models=(ModelInfo("diarize", "made-up", "2" * 64),),
)


def scorecard(rubric: str) -> Scorecard:
    return Scorecard(
        rubric=RubricRef(rubric, "1", "3" * 64),
        behaviors=(),
        disclosures=(),
        overall=OverallScore(None, None),
        review=Review(False, ()),
        models=(ModelInfo("score", "made-up", "4" * 64),),
    )


@dataclass
class Engines:
    """The three services, and what they are to do.

    `behaviors` hold what a stage does before it answers: nothing, where a stage has none.
    """

    behaviors: dict[str, Behavior] = field(default_factory=dict)
    begun: Counter[str] = field(default_factory=Counter)
    ended: Counter[str] = field(default_factory=Counter)
    stopped: Counter[str] = field(default_factory=Counter)
    targets: dict[str, str] = field(default_factory=dict)

    def reset(self) -> None:
        self.behaviors.clear()
        for counts in (self.begun, self.ended, self.stopped):
            counts.clear()

    def work(self, stage: str, result: Any) -> Callable[[Report], Any]:
        def run(report: Report) -> Any:
            self.begun[stage] += 1
            try:
                self.behaviors.get(stage, _at_ease)(report)
            except BaseException:
                self.stopped[stage] += 1
                raise
            self.ended[stage] += 1
            return result

        return run


class Gate:
    """A behavior that holds a stage until it is opened, or stopped by who called."""

    def __init__(self) -> None:
        self.reached = threading.Event()
        self.opened = threading.Event()

    def __call__(self, report: Report) -> None:
        self.reached.set()
        while not self.opened.wait(0.02):
            report(0.5)


class Flaky:
    """A behavior that raises the given errors in turn, and then does nothing."""

    def __init__(self, *errors: Exception) -> None:
        self._errors = list(errors)

    def __call__(self, _: Report) -> None:
        if self._errors:
            raise self._errors.pop(0)


@contextlib.contextmanager
def serving(transcribe_port: int = 0) -> Iterator[Engines]:
    """The engines, served on free ports."""
    engines = Engines()
    ports = {"transcribe": transcribe_port, "diarize": 0, "score": 0}
    with embedded([made_up(stage, engines, port) for stage, port in ports.items()]) as ups:
        engines.targets = {f"{up.name}_target": up.target for up in ups}
        yield engines


def made_up(stage: str, engines: Engines, port: int) -> tuple[Service, ServiceSettings]:
    """One of the three services."""
    servicer: Any = {"transcribe": _Transcriber, "diarize": _Diarizer, "score": _Scorer}[stage]
    kind: type[ServiceSettings] = {
        "transcribe": _TranscribeSettings,
        "diarize": _DiarizeSettings,
        "score": _ScoreSettings,
    }[stage]
    return _service(stage, servicer(engines)), kind.load(**_HERE | {"port": port})


def eventually(holds: Callable[[], bool], seconds: float = 10.0) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "it did not come to pass"
        time.sleep(0.01)


def _at_ease(report: Report) -> None:
    report(0.5)


_HERE: dict[str, Any] = {"port": 0, "metrics_port": 0, "drain_seconds": 0}


class _TranscribeSettings(ServiceSettings):
    service: ClassVar[str] = "transcribe"


class _DiarizeSettings(ServiceSettings):
    service: ClassVar[str] = "diarize"


class _ScoreSettings(ServiceSettings):
    service: ClassVar[str] = "score"


def _service(name: str, servicer: Any) -> Service:
    add: Any = {
        "transcribe": transcribe_pb2_grpc.add_TranscriberServicer_to_server,
        "diarize": diarize_pb2_grpc.add_DiarizerServicer_to_server,
        "score": score_pb2_grpc.add_ScorerServicer_to_server,
    }[name]
    return Service(
        name=name,
        grpc_services=(f"callscope.v1.{name.capitalize()}r",),
        register=lambda server: add(servicer, server),
    )


class _Transcriber(transcribe_pb2_grpc.TranscriberServicer):
    def __init__(self, engines: Engines) -> None:
        self._work = engines.work("transcribe", TRANSCRIPT)
        self._places = Work("transcribe", 8, 64)

    async def Transcribe(self, _: Any, context: Any) -> Any:  # noqa: N802
        async for event in self._places.stream(context, self._work):
            if isinstance(event, float):
                yield transcribe_pb2.TranscribeResponse(progress={"done": event})
            else:
                yield transcribe_pb2.TranscribeResponse(transcript=to_proto(event))


class _Diarizer(diarize_pb2_grpc.DiarizerServicer):
    def __init__(self, engines: Engines) -> None:
        self._work = engines.work("diarize", DIARIZATION)
        self._places = Work("diarize", 8, 64)

    async def Diarize(self, _: Any, context: Any) -> Any:  # noqa: N802
        async for event in self._places.stream(context, self._work):
            if isinstance(event, float):
                yield diarize_pb2.DiarizeResponse(progress={"done": event})
            else:
                yield diarize_pb2.DiarizeResponse(diarization=to_proto(event))


class _Scorer(score_pb2_grpc.ScorerServicer):
    def __init__(self, engines: Engines) -> None:
        self._engines = engines
        self._places = Work("score", 8, 64)

    async def Score(self, request: Any, context: Any) -> Any:  # noqa: N802
        work = self._engines.work("score", scorecard(request.rubric.name))
        async for event in self._places.stream(context, work):
            if isinstance(event, float):
                yield score_pb2.ScoreResponse(progress={"done": event})
            else:
                yield score_pb2.ScoreResponse(scorecard=to_proto(event))

    async def CheckRubric(self, request: Any, _: Any) -> Any:  # noqa: N802
        name = request.rubric.name
        if name == "nobodys":
            raise RubricNotFound(f"there is no rubric {name}")
        return score_pb2.CheckRubricResponse(
            rubric=score_pb2.RubricSummary(name=name, rubric=to_proto(RubricRef(name, "1", "3")))
        )
