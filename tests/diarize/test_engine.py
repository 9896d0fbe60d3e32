"""The diarize stage with its real models, on the sample call and on recordings with truth."""

import wave
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch
from pyannote.core import Annotation, Segment, Timeline
from pyannote.metrics.diarization import DiarizationErrorRate

from callscope.audio import AudioReader
from callscope.errors import Cancelled, InvalidInput
from callscope.models import ModelStore
from callscope.pipeline import DiarizeOptions
from callscope.types import AudioSource, ChannelLayout, Diarization
from services.diarize.clustering import SpeakerRange
from services.diarize.engine import Compute, Engine
from services.diarize.precision import Precision, find_precision

RATE = 8000


@pytest.fixture(scope="module")
def engine(models_dir: Path, sample: Path, tmp_path_factory: pytest.TempPathFactory) -> Engine:
    reader = AudioReader(roots=[sample, tmp_path_factory.getbasetemp()])
    return Engine(reader, ModelStore(models_dir), Compute("cpu", threads=2), SpeakerRange(1, 4))


@pytest.fixture(scope="module")
def mono(engine: Engine, sample: Path) -> Diarization:
    return diarize(engine, sample / "mono.wav")


def diarize(engine: Engine, file: Path, options: DiarizeOptions | None = None) -> Diarization:
    audio = AudioSource(uri=file.resolve().as_uri())
    return engine.diarize(audio, options or DiarizeOptions(), lambda _: None)


def truth(rttm: Path) -> Annotation:
    annotation = Annotation()
    for number, line in enumerate(rttm.read_text().splitlines()):
        _, _, _, start, duration, _, _, speaker, *_ = line.split()
        annotation[Segment(float(start), float(start) + float(duration)), number] = speaker
    return annotation


def error_rate(
    found: Diarization,
    reference: Annotation,
    collar: float = 0.0,
    part: str = "diarization error rate",
) -> float:
    """DER, or the seconds of one of its parts as a share of the speech."""
    hypothesis = annotation(found)
    ends = [segment.end for each in (hypothesis, reference) for segment in each.itersegments()]
    whole = Timeline([Segment(0.0, max(ends))])
    metric = DiarizationErrorRate(collar=2 * collar)  # pyannote.metrics counts both sides
    parts = metric(reference, hypothesis, uem=whole, detailed=True)
    return float(parts[part] / (1.0 if part == "diarization error rate" else parts["total"]))


def annotation(found: Diarization) -> Annotation:
    turns = Annotation()
    for number, turn in enumerate(found.turns):
        turns[Segment(turn.start, turn.end), number] = turn.speaker
    return turns


def written(folder: Path, samples: npt.NDArray[np.float64]) -> Path:
    file = folder / "made.wav"
    with wave.open(str(file), "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(RATE)
        out.writeframes((samples * 32767).astype("<i2").tobytes())
    return file


def test_two_parties_on_one_channel_are_told_apart(mono: Diarization, sample: Path) -> None:
    assert mono.layout is ChannelLayout.MONO
    assert {turn.speaker for turn in mono.turns} == {"speaker_0", "speaker_1"}
    assert mono.turns[0].speaker == "speaker_0"
    # A turn of the truth spans its pauses, so some of it is "missed"; nothing may be confused.
    assert error_rate(mono, truth(sample / "truth.rttm"), collar=0.25, part="confusion") < 0.02
    assert error_rate(mono, truth(sample / "truth.rttm"), collar=0.25) < 0.15


def test_two_channels_need_no_telling_apart(engine: Engine, sample: Path) -> None:
    stereo = diarize(engine, sample / "stereo.flac")
    assert stereo.layout is ChannelLayout.TWO_PARTY
    assert {(turn.speaker, turn.channel) for turn in stereo.turns} == {
        ("channel_0", 0),
        ("channel_1", 1),
    }
    assert error_rate(stereo, truth(sample / "truth.rttm"), collar=0.25) < 0.10


def test_hold_music_is_nobodys_turn(engine: Engine, sample: Path) -> None:
    stereo = diarize(engine, sample / "stereo.flac")
    assert not [turn for turn in stereo.turns if turn.end > 66.5 and turn.start < 72.0]


def test_the_same_audio_gives_the_same_turns(
    engine: Engine, mono: Diarization, sample: Path
) -> None:
    assert diarize(engine, sample / "mono.wav") == mono


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("threads", [1, 3])
def test_threads_and_precision_change_next_to_nothing(
    models_dir: Path, mono: Diarization, sample: Path, precision: Precision, threads: int
) -> None:
    reader = AudioReader(roots=[sample])
    compute = Compute("cpu", precision, threads)
    other = diarize(
        Engine(reader, ModelStore(models_dir), compute, SpeakerRange(1, 4)), sample / "mono.wav"
    )
    if find_precision("auto", torch.device("cpu")) is find_precision(
        precision, torch.device("cpu")
    ):
        assert other == mono
    else:
        assert error_rate(other, annotation(mono)) < 0.005


@pytest.mark.parametrize(
    "samples",
    [
        pytest.param(np.zeros(RATE * 8), id="silence"),
        pytest.param(np.random.default_rng(1).normal(0, 0.01, RATE * 8), id="noise"),
        pytest.param(np.random.default_rng(1).normal(0, 0.1, RATE // 10), id="100 ms"),
    ],
)
def test_where_nobody_speaks_there_are_no_turns(
    engine: Engine,
    tmp_path_factory: pytest.TempPathFactory,
    samples: npt.NDArray[np.float64],
) -> None:
    file = written(tmp_path_factory.mktemp("sound"), samples)
    assert diarize(engine, file).turns == ()


def test_progress_that_raises_stops_the_work(engine: Engine, sample: Path) -> None:
    seen: list[float] = []

    def stop(done: float) -> None:
        seen.append(done)
        if done > 0.2:
            raise Cancelled("enough")

    with pytest.raises(Cancelled):
        engine.diarize(
            AudioSource(uri=(sample / "mono.wav").resolve().as_uri()), DiarizeOptions(), stop
        )
    assert max(seen) < 1.0


def test_a_number_of_speakers_that_contradicts_itself_is_refused(
    engine: Engine, sample: Path
) -> None:
    with pytest.raises(InvalidInput, match="at least 3 and at most 2"):
        diarize(engine, sample / "mono.wav", DiarizeOptions(3, 2))


@pytest.mark.shared
def test_the_two_speaker_phone_sample_stays_within_its_error(
    models_dir: Path, shared_data: Path
) -> None:
    folder = shared_data / "real/pyannote_sample"
    engine = Engine(
        AudioReader(roots=[shared_data]),
        ModelStore(models_dir),
        Compute("cpu", threads=2),
        SpeakerRange(1, 4),
    )
    found = diarize(engine, folder / "audio.flac")
    assert len({turn.speaker for turn in found.turns}) == 2
    assert error_rate(found, truth(folder / "ref.rttm")) <= 0.065
