"""Recordings of every codec we can write, damaged in every way we can think of, by a fixed seed."""

import io
import random
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import av
import numpy as np

NASTY = Path(__file__).parents[3] / "shared/data/nasty"

_FORMATS = (
    ("wav", "pcm_s16le"), ("wav", "pcm_mulaw"), ("wav", "pcm_alaw"), ("wav", "pcm_u8"),
    ("wav", "pcm_s24le"), ("wav", "pcm_f32le"), ("wav", "adpcm_ima_wav"), ("wav", "adpcm_ms"),
    ("w64", "pcm_s16le"), ("au", "pcm_mulaw"), ("aiff", "pcm_s16be"), ("caf", "pcm_s16le"),
    ("flac", "flac"), ("mp3", "libmp3lame"), ("adts", "aac"), ("ipod", "aac"), ("mp4", "aac"),
    ("ogg", "libopus"), ("ogg", "libvorbis"), ("ogg", "flac"), ("webm", "libopus"),
    ("matroska", "pcm_s16le"), ("avi", "pcm_s16le"), ("asf", "wmav2"), ("mov", "pcm_alaw"),
    ("amr", "libopencore_amrnb"), ("gsm", "libgsm"),
)  # fmt: skip
_EXTREMES = (0, 1, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)


def seeds() -> list[bytes]:
    """Half a second in each format that this FFmpeg writes, and the nasty files where they are."""
    made = [content for form in _FORMATS if (content := _encoded(*form))]
    shared = [path.read_bytes() for path in sorted(NASTY.glob("*.*")) if path.suffix != ".json"]
    return made + [content for content in shared if len(content) < 400_000]


def mutants(count: int, seed: int) -> Iterator[bytes]:
    """So many damaged recordings, the same for the same seed."""
    source = random.Random(seed)  # noqa: S311 - damage, not secrets
    whole = seeds()
    for _ in range(count):
        content = source.choice(whole)
        for _damage in range(source.choice((1, 1, 2, 5))):
            content = source.choice(_DAMAGES)(content, whole, source)
        yield content


def _flip(content: bytes, _: Sequence[bytes], source: random.Random) -> bytes:
    """Some bits of the first bytes, where the headers are, or of anywhere."""
    damaged = bytearray(content)
    end = min(len(damaged), source.choice((64, 512, len(damaged))))
    for _bit in range(source.choice((1, 4, 32)) if end else 0):
        damaged[source.randrange(end)] ^= 1 << source.randrange(8)
    return bytes(damaged)


def _extreme(content: bytes, _: Sequence[bytes], source: random.Random) -> bytes:
    """A size or count that cannot be."""
    at = source.randrange(min(len(content), 200) + 1)
    value = source.choice(_EXTREMES)
    return content[:at] + value.to_bytes(4, source.choice(("big", "little"))) + content[at + 4 :]


def _cut(content: bytes, _: Sequence[bytes], source: random.Random) -> bytes:
    return content[: source.randrange(len(content) + 1)]


def _behead(content: bytes, _: Sequence[bytes], source: random.Random) -> bytes:
    return content[source.randrange(min(len(content), 256) + 1) :]


def _repeat(content: bytes, _: Sequence[bytes], source: random.Random) -> bytes:
    start = source.randrange(len(content) + 1)
    part = content[start : start + source.randrange(1, 2000)]
    return content[:start] + part * source.randrange(1, 20) + content[start:]


def _splice(content: bytes, whole: Sequence[bytes], source: random.Random) -> bytes:
    """The head of one format on the body of another."""
    other = source.choice(whole)
    at = source.randrange(min(len(content), 600) + 1)
    return content[:at] + other[source.randrange(len(other) + 1) :]


def _noise(content: bytes, _: Sequence[bytes], source: random.Random) -> bytes:
    at = source.randrange(len(content) + 1)
    return content[:at] + source.randbytes(source.randrange(1, 300)) + content[at:]


_DAMAGES: tuple[Callable[[bytes, Sequence[bytes], random.Random], bytes], ...] = (
    _flip, _flip, _extreme, _extreme, _cut, _behead, _repeat, _splice, _noise,
)  # fmt: skip


def _encoded(container: str, codec: str) -> bytes | None:
    rate = 8000 if codec in ("libopencore_amrnb", "libgsm") else 16000
    layout = "mono" if rate == 8000 else "stereo"
    channels = 1 if layout == "mono" else 2
    noise = np.random.default_rng(0).integers(-3000, 3000, rate // 2 * channels, dtype=np.int16)
    frame = av.AudioFrame.from_ndarray(noise.reshape(1, -1), format="s16", layout=layout)
    frame.sample_rate = rate
    file = io.BytesIO()
    try:
        with av.open(file, "w", format=container) as out:
            stream: Any = out.add_stream(codec, rate=rate, layout=layout)
            for each in (frame, None):
                out.mux(stream.encode(each))
    except (av.FFmpegError, ValueError):  # not in this build
        return None
    return file.getvalue()
