"""The same audio gives the same transcript: alone or in company, on one thread or two."""

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from callscope.audio import AudioReader
from callscope.errors import Cancelled
from callscope.models import ModelStore
from callscope.pipeline import TranscribeOptions
from callscope.types import Transcript
from services.transcribe.compute import Compute
from services.transcribe.engine import Engine
from tests.transcribe.sounds import source

ENGLISH = TranscribeOptions(language="en")


def transcribe(engine: Engine, file: Path) -> Transcript:
    return engine.transcribe(source(file), ENGLISH, lambda _: None)


@pytest.fixture(scope="module")
def alone(engine: Engine, sample: Path) -> dict[str, Transcript]:
    return {name: transcribe(engine, sample / name) for name in ("stereo.flac", "mono.wav")}


def test_calls_at_once_are_read_as_each_by_itself(
    engine: Engine, sample: Path, alone: dict[str, Transcript]
) -> None:
    names = ["stereo.flac", "mono.wav", "stereo.flac"]
    with ThreadPoolExecutor(len(names)) as pool:
        together = list(pool.map(lambda name: transcribe(engine, sample / name), names))
    assert together == [alone[name] for name in names]


def test_clips_that_told_the_language_are_read_like_the_others(
    engine: Engine, sample: Path, alone: dict[str, Transcript]
) -> None:
    told = engine.transcribe(source(sample / "mono.wav"), TranscribeOptions(), lambda _: None)
    assert told == alone["mono.wav"]


@pytest.mark.parametrize("compute", [Compute("cpu", threads=1), Compute("cpu", batch_size=3)])
def test_threads_and_batch_sizes_change_nothing(
    models_dir: Path, sample: Path, alone: dict[str, Transcript], compute: Compute
) -> None:
    other = Engine(AudioReader(roots=[sample]), ModelStore(models_dir), "whisper-tiny.en", compute)
    assert transcribe(other, sample / "stereo.flac") == alone["stereo.flac"]


def test_a_cancelled_call_leaves_the_others_alone(
    engine: Engine, sample: Path, alone: dict[str, Transcript]
) -> None:
    under_way = threading.Event()

    def stop(done: float) -> None:
        if done > 0.1:
            under_way.set()
            raise Cancelled("the caller went away")

    with ThreadPoolExecutor(2) as pool:
        gone = pool.submit(engine.transcribe, source(sample / "mono.wav"), ENGLISH, stop)
        stays = pool.submit(transcribe, engine, sample / "stereo.flac")
        assert stays.result(120) == alone["stereo.flac"]
        with pytest.raises(Cancelled):
            gone.result(120)
    assert under_way.is_set()
