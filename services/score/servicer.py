"""The gRPC door: `callscope.v1.Scorer` over the engine."""

import contextlib
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

from callscope.errors import InvalidInput, Unavailable
from callscope.models import ModelStore
from callscope.pipeline import RubricSource
from callscope.rubric import Rubric
from callscope.serving.metrics import STAGE_AUDIO_SECONDS
from callscope.serving.server import Service
from callscope.serving.work import Context, Work
from callscope.types import Metrics, ModelInfo, Utterance
from callscope.v1 import score_pb2 as pb
from callscope.v1 import score_pb2_grpc
from callscope.wire import from_proto, to_proto
from services.score.library import RubricLibrary
from services.score.second_opinion import ChatJudge
from services.score.settings import ScoreSettings

if TYPE_CHECKING:
    from services.score.engine import ScoreEngine

__all__ = ["ScoreServicer", "build"]


def build(settings: ScoreSettings) -> Service:
    """The score service; its models are loaded by `warm_up`.

    Raises:
        InvalidRubric: a rubric in `rubrics_dir` does not hold together.
    """
    servicer = ScoreServicer(settings)
    return Service(
        name=settings.service,
        grpc_services=("callscope.v1.Scorer",),
        register=lambda server: score_pb2_grpc.add_ScorerServicer_to_server(servicer, server),
        warm_up=servicer.warm_up,
        models=servicer.models,
    )


class ScoreServicer(score_pb2_grpc.ScorerServicer):
    """Converts messages and keeps the order of requests; what is computed is in `ScoreEngine`."""

    def __init__(self, settings: ScoreSettings) -> None:
        self._settings = settings
        self._library = RubricLibrary(settings.rubrics_dir)
        self._work = Work(settings.service, settings.max_concurrent, settings.max_queue)
        self._engine: ScoreEngine | None = None

    async def Score(  # noqa: N802 - gRPC's name
        self, request: pb.ScoreRequest, context: Context
    ) -> AsyncIterator[pb.ScoreResponse]:
        """Judge one conversation."""
        engine = self._loaded()
        rubric = self._library.get(_source(request.rubric))
        utterances, metrics = _conversation(request)
        events = self._work.stream(
            context, lambda progress: engine.judge(utterances, metrics, rubric, progress)
        )
        async with contextlib.aclosing(events):
            async for event in events:
                if isinstance(event, float):
                    yield pb.ScoreResponse(progress={"done": event})
                else:
                    heard = max((each.end for each in utterances), default=0.0)
                    STAGE_AUDIO_SECONDS.labels(self._settings.service).inc(heard)
                    yield pb.ScoreResponse(scorecard=to_proto(event))

    async def ListRubrics(  # noqa: N802 - gRPC's name
        self, _request: pb.ListRubricsRequest, _context: Context
    ) -> pb.ListRubricsResponse:
        """The rubrics known by name."""
        return pb.ListRubricsResponse(rubrics=map(_summary, self._library.all()))

    async def CheckRubric(  # noqa: N802 - gRPC's name
        self, request: pb.CheckRubricRequest, _context: Context
    ) -> pb.CheckRubricResponse:
        """What a rubric holds, or every problem with it."""
        return pb.CheckRubricResponse(rubric=_summary(self._library.get(_source(request.rubric))))

    def warm_up(self) -> None:
        """Load the models and run them once.

        Raises:
            CallscopeError: a model is missing or damaged, or there is no such device.
        """
        from services.score.engine import ScoreEngine  # heavy: PyTorch and transformers

        settings = self._settings
        engine = ScoreEngine(
            ModelStore(settings.models_dir),
            self._library,
            settings.device,
            settings.threads,
            _second(settings),
        )
        engine.warm_up()
        self._engine = engine

    def models(self) -> tuple[ModelInfo, ...]:
        """The models in use, none before `warm_up`."""
        return self._engine.models if self._engine else ()

    def _loaded(self) -> "ScoreEngine":
        if self._engine is None:
            raise Unavailable("score: the models are still being loaded", retry_after=5.0)
        return self._engine


def _second(settings: ScoreSettings) -> ChatJudge | None:
    if settings.second_opinion_url is None:
        return None
    key = settings.second_opinion_key
    return ChatJudge(
        str(settings.second_opinion_url),
        settings.second_opinion_model,
        key.get_secret_value() if key else None,
        settings.second_opinion_seconds,
    )


def _source(message: pb.RubricSource) -> RubricSource:
    try:
        return from_proto(RubricSource, message)
    except ValueError as error:
        raise InvalidInput(f"the request names no rubric: {error}") from None


def _conversation(request: pb.ScoreRequest) -> tuple[tuple[Utterance, ...], Metrics]:
    try:
        utterances = tuple(from_proto(Utterance, each) for each in request.utterances)
        metrics = from_proto(Metrics, request.metrics)
    except ValueError as error:
        raise InvalidInput(f"the conversation cannot be read: {error}") from None
    for place, each in enumerate(utterances):
        if each.index != place:
            raise InvalidInput(
                f"the conversation cannot be read: utterance {place} has the index {each.index}",
                remedy="Number the utterances in their order, from 0.",
            )
    return utterances, metrics


def _summary(rubric: Rubric) -> pb.RubricSummary:
    return pb.RubricSummary(name=rubric.id, rubric=to_proto(rubric.ref), title=rubric.title)
