"""Every telephone codec comes back as the sound that went in."""

from pathlib import Path

import numpy as np
import pytest

from bench import codecs
from bench.codecs import CODECS
from callscope.audio import SAMPLE_RATE, AudioLimits, decode

EXPECTED = {
    "pcm": "pcm_s16le", "g711-mulaw": "pcm_mulaw", "g711-alaw": "pcm_alaw", "g722": "adpcm_g722",
    "gsm": "gsm_ms", "opus-16k": "opus", "mp3-16k": "mp3", "amr-nb-12k2": "amr_nb",
}  # fmt: skip


@pytest.fixture(scope="module")
def files(sample: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("codecs")
    codecs.main([str(sample), "--out", str(out)])
    return out


@pytest.mark.parametrize("codec", CODECS)
def test_a_call_in_a_telephone_codec_decodes_to_the_same_sound(
    files: Path, sample: Path, codec: str
) -> None:
    with (sample / "stereo.flac").open("rb") as file:
        clean = decode(file, AudioLimits()).samples
    found = sorted(path for path in (files / codec).iterdir() if path.suffix != ".txt")
    assert len(found) == 2
    for path, channel in zip(found, clean, strict=True):
        with path.open("rb") as file:
            heard = decode(file, AudioLimits())
        assert heard.info.codec == EXPECTED[codec]
        assert heard.info.duration == pytest.approx(len(channel) / SAMPLE_RATE, abs=0.2)
        assert loudness(heard.samples[0]) == pytest.approx(loudness(channel), abs=0.1)
        assert path.with_suffix(".txt").read_text(encoding="utf-8")


def loudness(samples: "np.ndarray[tuple[int], np.dtype[np.float32]]") -> float:
    """Level over the whole call, in bel: its tenth part is far below what a wrong decoder does."""
    return float(np.log10(np.mean(samples.astype(np.float64) ** 2)))


def test_recordings_without_words_by_channel_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="no recording there"):
        codecs.main([str(tmp_path), "--out", str(tmp_path / "out")])
