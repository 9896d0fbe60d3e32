"""Calls as telephone lines and recorders keep them: each channel once in each codec.

    python -m bench.codecs FOLDER... --out ~/codecs
    python -m bench.speech ~/codecs/* --systems callscope-transcribe --runs 1 \\
        --out bench/results/codecs.json

Every channel of every recording with words per channel becomes a mono file at 8 kHz (G.722 at
16, Opus at 48, as they must), with its words beside it. `pcm` is the clean one to compare with. A
channel on which the other party is heard too is left out: alone, it holds words of both.
PyAV encodes; GSM needs the program `sox`, and is left out where there is none.
"""

import argparse
import io
import shutil
import subprocess
import sys
import wave
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import av
import numpy as np
import numpy.typing as npt
import soxr

from bench.references import find_cases
from callscope.audio import SAMPLE_RATE, AudioLimits, decode
from callscope.channels import check_channels
from callscope.types import ChannelFinding

__all__ = ["CODECS", "Codec", "main"]

Samples = npt.NDArray[np.float32]

_TELEPHONE = 8_000  # Hz
_BLOCK = 1_000  # samples, where the codec leaves the choice


@dataclass(frozen=True, slots=True)
class Codec:
    """How files of a codec are made: their suffix, their sample rate in Hz, and the encoder."""

    suffix: str
    rate: int
    encode: Callable[[Samples, int], bytes]


def main(arguments: Sequence[str] | None = None) -> None:
    """Write the files."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.codecs",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("folders", nargs="+", type=Path, help="recordings with truth")
    parser.add_argument("--out", required=True, type=Path, help="gets a folder for each codec")
    options = parser.parse_args(arguments)
    written = sum(_write(folder, options.out) for folder in options.folders)
    if not written:
        sys.exit("no recording there has words by channel")
    print(f"{written} channels in {options.out}")


def _write(folder: Path, out: Path) -> int:
    written = 0
    for case in find_cases(folder):
        by_channel: dict[int, list[str]] = {}
        for word in case.truth.words or ():
            if word.channel is not None:
                by_channel.setdefault(word.channel, []).append(word.text)
        with case.file.open("rb") as file:
            samples = decode(file, AudioLimits()).samples
        if len(samples) < 2:
            continue
        reports = check_channels(samples).reports
        for channel, words in by_channel.items():
            if ChannelFinding.LEAKING in reports[channel].findings:
                continue
            name = f"{case.file.parent.name}-{case.file.stem}-{channel}"
            for codec in CODECS:
                _write_one(out / codec, name, CODECS[codec], samples[channel], " ".join(words))
            written += 1
    return written


def _write_one(folder: Path, name: str, codec: Codec, samples: Samples, words: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    telephone = soxr.resample(samples, SAMPLE_RATE, _TELEPHONE)
    sound = soxr.resample(telephone, _TELEPHONE, codec.rate)
    data = codec.encode(np.asarray(sound, dtype=np.float32), codec.rate)
    (folder / f"{name}{codec.suffix}").write_bytes(data)
    (folder / f"{name}.txt").write_text(words, encoding="utf-8")


def _by_pyav(
    samples: Samples, rate: int, *, encoder: str, container: str, bits: int | None = None
) -> bytes:
    file = io.BytesIO()
    with av.open(file, "w", format=container) as output:
        stream: Any = output.add_stream(encoder, rate=rate, layout="mono")
        if bits:
            stream.bit_rate = bits
        frame = av.AudioFrame.from_ndarray(samples[None], "fltp", "mono")
        frame.sample_rate = rate
        fit = av.AudioResampler(
            stream.format, "mono", rate, frame_size=stream.codec_context.frame_size or _BLOCK
        )
        for piece in (*fit.resample(frame), *fit.resample(None)):
            output.mux(stream.encode(piece))
        output.mux(stream.encode(None))
    return file.getvalue()


def _by_sox(samples: Samples, rate: int) -> bytes:
    """GSM 06.10 in a WAV file, two frames to a block, as recorders write it."""
    plain = io.BytesIO()
    with wave.open(plain, "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(rate)
        out.writeframes((np.clip(samples, -1, 1) * 32767).astype("<i2").tobytes())
    command = ["sox", "-t", "wav", "-", "-t", "wav", "-e", "gsm-full-rate", "-"]
    done = subprocess.run(  # noqa: S603 - no word of it is a stranger's
        command, input=plain.getvalue(), stdout=subprocess.PIPE, check=True
    )
    return _with_lengths(done.stdout)


def _with_lengths(data: bytes) -> bytes:
    """The WAV with its lengths filled in, which sox cannot do in a pipe."""
    at = data.index(b"data")
    length = (len(data) - 8).to_bytes(4, "little")
    rest = (len(data) - at - 8).to_bytes(4, "little")
    return data[:4] + length + data[8 : at + 4] + rest + data[at + 8 :]


def _codec(suffix: str, encoder: str, container: str, rate: int, bits: int | None = None) -> Codec:
    return Codec(suffix, rate, partial(_by_pyav, encoder=encoder, container=container, bits=bits))


CODECS: Mapping[str, Codec] = {
    "pcm": _codec(".wav", "pcm_s16le", "wav", _TELEPHONE),
    "g711-mulaw": _codec(".wav", "pcm_mulaw", "wav", _TELEPHONE),
    "g711-alaw": _codec(".wav", "pcm_alaw", "wav", _TELEPHONE),
    "g722": _codec(".wav", "g722", "wav", 16_000),
    "opus-16k": _codec(".opus", "libopus", "ogg", 48_000, 16_000),
    "mp3-16k": _codec(".mp3", "libmp3lame", "mp3", _TELEPHONE, 16_000),
    "amr-nb-12k2": _codec(".amr", "libopencore_amrnb", "amr", _TELEPHONE, 12_200),
} | ({"gsm": Codec(".wav", _TELEPHONE, _by_sox)} if shutil.which("sox") else {})
"""What recordings come in, by name; the number is the bit rate."""


if __name__ == "__main__":
    main()
