"""The gRPC door with a real model: places, refusal with a hint, cancelling, what is reported."""

import threading
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from callscope.clients import RemoteTranscriber
from callscope.errors import Cancelled, Overloaded
from callscope.pipeline import TranscribeOptions
from callscope.serving.embedded import embedded
from callscope.serving.server import Running
from services.transcribe.servicer import build
from services.transcribe.settings import TranscribeSettings
from tests.transcribe.sounds import source

ENGLISH = TranscribeOptions(language="en")


@pytest.fixture(scope="module")
def running(models_dir: Path, sample: Path) -> Iterator[Running]:
    """A service with one place and no queue."""
    settings = TranscribeSettings.load(
        host="127.0.0.1", port=0, metrics_port=0, drain_seconds=0, max_concurrent=1, max_queue=0,
        model="whisper-tiny.en", models_dir=models_dir, audio_roots=(sample,), device="cpu",
        threads=1, log_level="ERROR",
    )  # fmt: skip
    with embedded([(build(settings), settings)]) as services:
        yield services[0]


def test_a_call_beyond_the_limit_is_refused_with_a_time_and_a_cancelled_one_makes_room(
    running: Running, sample: Path
) -> None:
    remote = RemoteTranscriber(running.target, 120)
    audio = source(sample / "mono.wav")
    begun, enough = threading.Event(), threading.Event()

    def follow(_: float) -> None:
        begun.set()
        if enough.is_set():
            raise Cancelled("the caller had enough")

    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(remote.transcribe, audio, ENGLISH, follow)
        assert begun.wait(60)
        with pytest.raises(Overloaded) as refused:
            remote.transcribe(audio, ENGLISH, lambda _: None)
        assert (refused.value.retry_after or 0) >= 1
        enough.set()
        with pytest.raises(Cancelled):
            first.result(60)
    for _ in range(200):  # the place is free when the thread has noticed
        try:
            assert remote.transcribe(audio, ENGLISH, lambda _: None).words
            break
        except Overloaded:
            threading.Event().wait(0.1)
    else:
        raise AssertionError("the cancelled call still has its place")
    remote.close()


def test_metrics_say_how_it_computes_and_how_much(running: Running) -> None:
    url = f"http://127.0.0.1:{running.metrics_port}/metrics"
    with urllib.request.urlopen(url, timeout=10) as answer:
        page = answer.read().decode()
    (line,) = (row for row in page.splitlines() if row.startswith("callscope_compute_info{"))
    for label in ('device="cpu"', 'compute_type="int8"', 'threads="1"', 'workers="1"'):
        assert label in line
    assert 'callscope_stage_audio_seconds_total{stage="transcribe"}' in page
