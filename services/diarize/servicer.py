"""The gRPC door: `callscope.v1.Diarizer` over the engine."""

import contextlib
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

from callscope.errors import InvalidInput, Unavailable
from callscope.models import ModelStore
from callscope.pipeline import DiarizeOptions
from callscope.serving import metrics
from callscope.serving.recordings import audio_reader
from callscope.serving.server import Service
from callscope.serving.work import Context, Work
from callscope.types import AudioSource, ModelInfo
from callscope.v1 import diarize_pb2 as pb
from callscope.v1 import diarize_pb2_grpc
from callscope.wire import from_proto, to_proto
from services.diarize.settings import DiarizeSettings

if TYPE_CHECKING:
    from services.diarize.engine import Engine

__all__ = ["DiarizeServicer", "build"]


def build(settings: DiarizeSettings) -> Service:
    """The diarize service; its models are loaded by `warm_up`."""
    servicer = DiarizeServicer(settings)
    return Service(
        name=settings.service,
        grpc_services=("callscope.v1.Diarizer",),
        register=lambda server: diarize_pb2_grpc.add_DiarizerServicer_to_server(servicer, server),
        warm_up=servicer.warm_up,
        models=servicer.models,
    )


class DiarizeServicer(diarize_pb2_grpc.DiarizerServicer):
    """Converts messages and keeps the order of requests; what is computed is in `Engine`."""

    def __init__(self, settings: DiarizeSettings) -> None:
        self._settings = settings
        self._work = Work(settings.service, settings.max_concurrent, settings.max_queue)
        self._engine: Engine | None = None

    async def Diarize(  # noqa: N802 - gRPC's name
        self, request: pb.DiarizeRequest, context: Context
    ) -> AsyncIterator[pb.DiarizeResponse]:
        """Diarize one recording."""
        engine = self._loaded()
        audio, options = _audio(request), _options(request)
        events = self._work.stream(
            context, lambda progress: engine.diarize(audio, options, progress)
        )
        async with contextlib.aclosing(events):
            async for event in events:
                if isinstance(event, float):
                    yield pb.DiarizeResponse(progress={"done": event})
                else:
                    yield pb.DiarizeResponse(diarization=to_proto(event))

    def warm_up(self) -> None:
        """Load the models and run them once.

        Raises:
            CallscopeError: a model is missing or damaged, or there is no such device.
        """
        from services.diarize.clustering import SpeakerRange
        from services.diarize.engine import Compute, Engine  # heavy: PyTorch and pyannote.audio

        settings = self._settings
        engine = Engine(
            audio_reader(settings),
            ModelStore(settings.models_dir),
            Compute(
                settings.device,
                settings.precision,
                settings.threads,
                settings.segmentation_step,
            ),
            SpeakerRange(settings.min_speakers, settings.max_speakers),
            metrics.STAGE_AUDIO_SECONDS.labels(settings.service).inc,
        )
        engine.warm_up()
        self._engine = engine

    def models(self) -> tuple[ModelInfo, ...]:
        """The models in use, none before `warm_up`."""
        return self._engine.models if self._engine else ()

    def _loaded(self) -> "Engine":
        if self._engine is None:
            raise Unavailable("diarize: the models are still being loaded", retry_after=5.0)
        return self._engine


def _audio(request: pb.DiarizeRequest) -> AudioSource:
    try:
        return from_proto(AudioSource, request.audio)
    except ValueError as error:
        raise InvalidInput(f"the request names no recording: {error}") from None


def _options(request: pb.DiarizeRequest) -> DiarizeOptions:
    least, most = (
        getattr(request, field) if request.HasField(field) else None
        for field in ("min_speakers", "max_speakers")
    )
    return DiarizeOptions(least, most)
