"""What is measured: Callscope as its users run it, and the baselines, behind one Protocol."""

import contextlib
from collections.abc import Callable, Collection, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from bench.references import Account, Said
from callscope import dialogue
from callscope.clients import RemoteDiarizer, RemoteTranscriber
from callscope.pipeline import DiarizeOptions, TranscribeOptions
from callscope.serving.embedded import embedded
from callscope.types import AudioSource, Diarization, Transcript

__all__ = ["SYSTEMS", "Setup", "System", "loopback", "open_system"]

_HOURS_24 = 24 * 3600.0


@dataclass(frozen=True, slots=True)
class Setup:
    """What all systems are given alike. `threads` is a number of at least 1."""

    root: Path  # of the recordings
    models_dir: Path
    model: str
    threads: int
    device: str = "cpu"


class System(Protocol):
    """Loaded and warm."""

    models: dict[str, str]
    """SHA-256 by name; complete after the first recording."""

    def listen(self, file: Path) -> Account:
        """Who said what when, as far as the system can tell."""
        ...


def open_system(name: str, setup: Setup) -> AbstractContextManager[System]:
    """Load a system; it is gone when the block is left.

    Raises:
        KeyError: no such system.
        CallscopeError: a model is missing.
    """
    return SYSTEMS[name](setup)


@contextlib.contextmanager
def _baseline(name: str, setup: Setup, **options: bool) -> Iterator[System]:
    from bench import baselines  # heavy: PyTorch, pyannote.audio and CTranslate2

    yield getattr(baselines, name)(setup, **options)


def loopback(models: Path, folders: Collection[Path]) -> dict[str, Any]:
    """Settings of a quiet service in this process that reads recordings in these folders."""
    return {
        "host": "127.0.0.1",
        "port": 0,
        "metrics_port": 0,
        "drain_seconds": 0,
        "log_level": "ERROR",
        "models_dir": models,
        "audio_roots": tuple(folders),
    }


@contextlib.contextmanager
def _opened(setup: Setup, *, words: bool, turns: bool) -> Iterator[System]:
    """Our services in this process, behind their gRPC doors."""
    services: list[tuple[Any, Any]] = []
    given = {
        **loopback(setup.models_dir, [setup.root]),
        "threads": setup.threads,
        "device": setup.device,
    }
    if words:
        from services.transcribe.servicer import build as build_transcribe
        from services.transcribe.settings import TranscribeSettings

        transcribe = TranscribeSettings.load(model=setup.model, **given)
        services.append((build_transcribe(transcribe), transcribe))
    if turns:
        from services.diarize.servicer import build as build_diarize
        from services.diarize.settings import DiarizeSettings

        diarize = DiarizeSettings.load(**given)
        services.append((build_diarize(diarize), diarize))
    with embedded(services) as running, contextlib.ExitStack() as stack:
        targets = [each.target for each in running]
        transcriber = RemoteTranscriber(targets[0], _HOURS_24) if words else None
        diarizer = RemoteDiarizer(targets[-1], _HOURS_24) if turns else None
        for client in (transcriber, diarizer):
            if client is not None:
                stack.callback(client.close)
        yield _Callscope(transcriber, diarizer)


class _Callscope:
    """Both stages side by side, as the pipeline runs them, then the dialogue; or one of them."""

    def __init__(
        self, transcriber: RemoteTranscriber | None, diarizer: RemoteDiarizer | None
    ) -> None:
        self._transcriber = transcriber
        self._diarizer = diarizer
        self.models: dict[str, str] = {}

    def listen(self, file: Path) -> Account:
        audio = AudioSource(uri=file.resolve().as_uri())
        with ThreadPoolExecutor(2) as pool:
            speech = pool.submit(self._transcribe, audio)
            speakers = pool.submit(self._diarize, audio)
        transcript, diarization = speech.result(), speakers.result()
        if transcript is not None:
            self.models[transcript.model.name] = transcript.model.digest
        if diarization is not None:
            self.models |= {model.name: model.digest for model in diarization.models}
        return _account(transcript, diarization)

    def _transcribe(self, audio: AudioSource) -> Transcript | None:
        if self._transcriber is None:
            return None
        return self._transcriber.transcribe(audio, TranscribeOptions(), lambda _: None)

    def _diarize(self, audio: AudioSource) -> Diarization | None:
        if self._diarizer is None:
            return None
        return self._diarizer.diarize(audio, DiarizeOptions(), lambda _: None)


def _account(transcript: Transcript | None, diarization: Diarization | None) -> Account:
    turns = None if diarization is None else diarization.turns
    if transcript is None:
        return Account(None, turns)
    if diarization is None:
        return Account(
            tuple(Said(w.text, w.start, w.end, None, w.channel) for w in transcript.words)
        )
    conversation = dialogue.build(transcript, diarization, transcript.duration)
    words = [
        Said(word.text, word.start, word.end, each.speaker, word.channel, each.role)
        for each in conversation.utterances
        for word in each.words
    ]
    return Account(tuple(sorted(words, key=lambda word: (word.start or 0.0, word.end))), turns)


SYSTEMS: Mapping[str, Callable[[Setup], AbstractContextManager[System]]] = {
    "callscope": partial(_opened, words=True, turns=True),
    "callscope-transcribe": partial(_opened, words=True, turns=False),
    "callscope-diarize": partial(_opened, words=False, turns=True),
    "faster-whisper": partial(_baseline, "FasterWhisper", batched=False),
    "faster-whisper-batched": partial(_baseline, "FasterWhisper", batched=True),
    "pyannote": partial(_baseline, "Pyannote"),
    "stock": partial(_baseline, "Stock"),
}
"""What can be measured, by name."""
