"""WAV files with zeros behind their samples."""

import io
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callscope.audio import AudioLimits, decode, probe
from callscope.riff import is_linear16, misstated, without_trailing_zeros


def wav(
    samples: bytes, claimed: int | None = None, tail: bytes = b"", before: bytes = b""
) -> bytes:
    size = len(samples) if claimed is None else claimed
    form = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, 8000, 16_000, 2, 16)
    head = struct.pack("<4sI4s", b"RIFF", 36 + len(samples), b"WAVE")
    return head + form + before + struct.pack("<4sI", b"data", size) + samples + tail


SECOND = b"\x10\x27\xf0\xd8" * 4000
NOTE = struct.pack("<4sI", b"LIST", 6) + b"INFOab"


def test_the_zeros_are_left_out_and_every_sample_stays() -> None:
    data = wav(SECOND, tail=b"\0" * 100_000)
    assert without_trailing_zeros(io.BytesIO(data)).read() == wav(SECOND)
    assert probe(io.BytesIO(data), AudioLimits()).duration == 1.0
    assert decode(io.BytesIO(data), AudioLimits()).info.duration == 1.0


def test_chunks_between_samples_and_zeros_stay() -> None:
    data = wav(SECOND, tail=NOTE + b"\0" * 64)
    assert without_trailing_zeros(io.BytesIO(data)).read() == wav(SECOND, tail=NOTE)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(wav(SECOND), id="a whole file"),
        pytest.param(wav(SECOND, tail=NOTE), id="with a note at its end"),
        pytest.param(wav(SECOND, claimed=0), id="a length never written"),
        pytest.param(wav(SECOND, claimed=0xFFFFFFFF), id="a length unknown"),
        pytest.param(wav(SECOND, claimed=10**6), id="cut off"),
        pytest.param(wav(b"\0" * 16_000), id="silence is no end"),
        pytest.param(wav(SECOND)[:30], id="cut off in its header"),
        pytest.param(b"\0" * 1000, id="zeros alone"),
        pytest.param(b"", id="nothing"),
    ],
)
def test_any_other_file_is_taken_as_it_is(data: bytes) -> None:
    file = io.BytesIO(data)
    assert without_trailing_zeros(file) is file
    assert file.tell() == 0


@pytest.mark.parametrize(
    ("data", "missing", "behind"),
    [
        pytest.param(wav(SECOND), 0, 0, id="a whole file"),
        pytest.param(wav(SECOND, claimed=64_000), 3, 0, id="cut off"),
        pytest.param(wav(SECOND * 4, claimed=16_000), 0, 3, id="samples after its end"),
        pytest.param(
            wav(b"\0" * 1600 + SECOND * 3, claimed=1600), 0, 3, id="silence, then samples"
        ),
        pytest.param(wav(SECOND, tail=NOTE), 0, 0, id="with a note at its end"),
        pytest.param(wav(SECOND, tail=b"\0" * 100_000), 0, 0, id="with zeros at its end"),
        *(
            pytest.param(wav(SECOND, claimed=size), 0, 0, id=f"a length of {size:#x}")
            for size in (0, 0x7FFF_F000, 0x7FFF_FFFF, 0xFFFF_FFFF)
        ),
        pytest.param(b"RIFF", 0, 0, id="no WAV"),
    ],
)
def test_a_header_that_is_wrong_about_its_samples_is_found_out(
    data: bytes, missing: float, behind: float
) -> None:
    file = io.BytesIO(data)
    assert misstated(file) == (missing, behind)
    assert file.tell() == 0


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(-50, 60_000)), max_size=12))
def test_it_seeks_and_reads_as_the_shorter_file_would(steps: list[tuple[int, int]]) -> None:
    short = io.BytesIO(wav(SECOND))
    view = without_trailing_zeros(io.BytesIO(wav(SECOND, tail=b"\0" * 30_000)))
    for whence, offset in steps:
        if whence == 0 or (whence == 2 and offset <= 0):
            assert view.seek(offset if whence else abs(offset), whence) == short.seek(
                offset if whence else abs(offset), whence
            )
        assert view.read(abs(offset)) == short.read(abs(offset))
        assert view.tell() == short.tell()


def test_a_glance_at_16_bit_samples_finds_what_a_long_look_does(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    long_note = struct.pack("<4sI", b"LIST", 50_000) + b"INFO" + bytes(range(256)) * 195 + b"x" * 76
    files = [
        wav(SECOND * 100),
        wav(SECOND, before=long_note),
        wav(SECOND, claimed=0),
        wav(SECOND, claimed=0xFFFFFFFF),
        wav(SECOND, claimed=10**6),
        wav(SECOND[:30]),
        wav(b"\0" * 16_000),
    ]
    limits = AudioLimits()
    assert all(is_linear16(io.BytesIO(data)) for data in files)
    glanced = [probe(io.BytesIO(data), limits) for data in files]
    monkeypatch.setattr("callscope.audio.is_linear16", lambda _: False)
    assert glanced == [probe(io.BytesIO(data), limits) for data in files]


@pytest.mark.parametrize(
    "head",
    [
        pytest.param(wav(SECOND)[:20] + b"\7\0" + wav(SECOND)[22:], id="mu-law"),
        pytest.param(wav(SECOND)[:34] + b"\x18\0" + wav(SECOND)[36:], id="24 bits"),
        pytest.param(wav(SECOND)[:35], id="cut off"),
        pytest.param(wav(SECOND)[12:], id="no WAV"),
    ],
)
def test_what_is_not_16_bit_pcm_is_looked_at_for_long(head: bytes) -> None:
    assert not is_linear16(io.BytesIO(head))
