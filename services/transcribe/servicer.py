"""The gRPC door: `callscope.v1.Transcriber` over the engine."""

import contextlib
from collections.abc import AsyncIterator
from dataclasses import asdict
from typing import TYPE_CHECKING

from callscope.errors import InvalidInput, Unavailable
from callscope.models import ModelStore
from callscope.pipeline import TranscribeOptions
from callscope.serving import metrics
from callscope.serving.metrics import publish_compute
from callscope.serving.recordings import audio_reader
from callscope.serving.server import Service
from callscope.serving.work import Context, Work
from callscope.types import AudioSource, ModelInfo
from callscope.v1 import transcribe_pb2 as pb
from callscope.v1 import transcribe_pb2_grpc
from callscope.wire import from_proto, to_proto
from services.transcribe.settings import TranscribeSettings

if TYPE_CHECKING:
    from services.transcribe.engine import Engine

__all__ = ["TranscribeServicer", "build"]


def build(settings: TranscribeSettings) -> Service:
    """The transcribe service; its model is loaded by `warm_up`."""
    servicer = TranscribeServicer(settings)
    return Service(
        name=settings.service,
        grpc_services=("callscope.v1.Transcriber",),
        register=lambda server: transcribe_pb2_grpc.add_TranscriberServicer_to_server(
            servicer, server
        ),
        warm_up=servicer.warm_up,
        models=servicer.models,
    )


class TranscribeServicer(transcribe_pb2_grpc.TranscriberServicer):
    """Converts messages and keeps the order of requests; what is computed is in `Engine`."""

    def __init__(self, settings: TranscribeSettings) -> None:
        self._settings = settings
        self._work = Work(settings.service, settings.max_concurrent, settings.max_queue)
        self._engine: Engine | None = None

    async def Transcribe(  # noqa: N802 - gRPC's name
        self, request: pb.TranscribeRequest, context: Context
    ) -> AsyncIterator[pb.TranscribeResponse]:
        """Transcribe one recording."""
        engine = self._loaded()
        audio, options = _audio(request), _options(request)
        events = self._work.stream(
            context, lambda progress: engine.transcribe(audio, options, progress)
        )
        async with contextlib.aclosing(events):
            async for event in events:
                if isinstance(event, float):
                    yield pb.TranscribeResponse(progress={"done": event})
                else:
                    metrics.STAGE_AUDIO_SECONDS.labels(self._settings.service).inc(event.duration)
                    yield pb.TranscribeResponse(transcript=to_proto(event))

    def warm_up(self) -> None:
        """Load the model and run it once.

        Raises:
            CallscopeError: the model is missing or damaged, or there is no such device.
        """
        from services.transcribe.compute import Compute  # heavy: CTranslate2
        from services.transcribe.engine import Engine

        settings = self._settings
        engine = Engine(
            audio_reader(settings),
            ModelStore(settings.models_dir),
            settings.model,
            Compute(
                device=settings.device,
                compute_type=settings.compute_type,
                threads=settings.threads,
                workers=settings.workers,
                batch_size=settings.batch_size,
                mixed_batches=settings.mixed_batches,
                beam_size=settings.beam_size,
            ),
        )
        engine.warm_up()
        publish_compute(settings.service, asdict(engine.computing))
        self._engine = engine

    def models(self) -> tuple[ModelInfo, ...]:
        """The models loaded so far, none before `warm_up`."""
        return self._engine.models if self._engine else ()

    def _loaded(self) -> "Engine":
        if self._engine is None:
            raise Unavailable("transcribe: the model is still being loaded", retry_after=5.0)
        return self._engine


def _audio(request: pb.TranscribeRequest) -> AudioSource:
    try:
        return from_proto(AudioSource, request.audio)
    except ValueError as error:
        raise InvalidInput(f"the request names no recording: {error}") from None


def _options(request: pb.TranscribeRequest) -> TranscribeOptions:
    language, model = (
        getattr(request, field) if request.HasField(field) else None
        for field in ("language", "model")
    )
    return TranscribeOptions(language, tuple(request.hotwords), model)
