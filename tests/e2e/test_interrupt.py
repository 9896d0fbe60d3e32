"""An analysis that is stopped, whenever that happens, leaves nothing behind."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import av
import pytest

_CLOCK = os.sysconf("SC_CLK_TCK")
_LONG = 40  # times the sample call: an hour, more than any test machine gets through
_IMPORTED = 5.0  # CPU seconds after which the command is at work, with models being loaded
_LOADED = 12.0  # CPU seconds after which models are loaded and the call is at work
_PATIENCE = 90  # seconds to let go of a batch or of a model that is being loaded


@pytest.fixture(autouse=True)
def interruptible() -> Iterator[None]:
    """Who is started in a shell's background ignores SIGINT, and so would whom we start."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(scope="module")
def long_call(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("long") / "call.flac"
    with av.open("tests/data/sample/stereo.flac") as source:
        frames = [frame.to_ndarray() for frame in source.decode(audio=0)]
        layout, rate = source.streams.audio[0].layout.name, source.streams.audio[0].rate
    with av.open(target, "w") as out:
        stream = out.add_stream("flac", rate=rate, layout=layout)
        for samples in frames * _LONG:
            frame = av.AudioFrame.from_ndarray(samples, "s16", layout)
            frame.sample_rate = rate
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return target


def cpu_seconds(process: "subprocess.Popen[str]") -> float:
    fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _CLOCK


@pytest.mark.parametrize(
    ("after", "number"),
    [(_IMPORTED, signal.SIGTERM), (_LOADED, signal.SIGINT)],
    ids=["loading", "in-mid-call"],
)
def test_a_stopped_analysis_leaves_no_process_no_file_and_no_half_record(
    environment: Mapping[str, str],
    long_call: Path,
    tmp_path: Path,
    after: float,
    number: signal.Signals,
) -> None:
    temporary, record = tmp_path / "temporary", tmp_path / "record.json"
    temporary.mkdir()
    process = subprocess.Popen(
        [sys.executable, "-m", "services", "analyze", long_call, "--json", record],
        env={**environment, "TMPDIR": str(temporary)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        while process.poll() is None and cpu_seconds(process) < after:
            time.sleep(0.05)
        process.send_signal(number)
        output, errors = process.communicate(timeout=_PATIENCE)
    finally:
        process.kill()
        process.communicate()  # closes what we read from

    assert (process.returncode, output, errors.split()) == (130, "", ["interrupted"])
    with pytest.raises(ProcessLookupError):
        os.killpg(process.pid, 0)
    left = [path for path in temporary.rglob("*") if not path.name.startswith("torchinductor_")]
    assert left == [], "PyTorch's own empty cache folder is the only one allowed"
    assert not record.exists()
