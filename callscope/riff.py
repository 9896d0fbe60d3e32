"""What FFmpeg does not say of a WAV file, or would take long to find out.

Where it ends, as far as anything in it is worth reading: a recorder that reserves space, or stops
in the middle, leaves zeros behind the samples. FFmpeg takes each eight of them for an empty chunk
and visits it: 0.2 to 0.4 seconds per megabyte, before it has decoded a single frame.

That its samples are samples: FFmpeg reads up to a megabyte of 16-bit PCM in search of DTS in
disguise.

Whether its samples end where the header says: FFmpeg passes over what is missing or left over.
"""

import io
import struct
from collections.abc import Iterator
from typing import BinaryIO

__all__ = ["is_linear16", "misstated", "without_trailing_zeros"]

_MOST_CHUNKS = 1000  # what a stranger may make us, and FFmpeg, walk through
_NO_CHUNK = b"\0\0\0\0"
_PCM = 1  # WAVE_FORMAT_PCM
_EVERYTHING_ELSE = 0xFFFFFFFF  # a length nobody wrote
_NO_LENGTH = 0x7FFF0000  # from here on it stands for "unknown" as well: SoX writes 0x7FFFF000
_BLOCK = 1 << 20  # bytes searched at a time


def without_trailing_zeros(file: BinaryIO) -> BinaryIO:
    """The seekable file itself, or its part before the zeros if it is a WAV that ends in such.

    Leaves the file at its start.
    """
    length = file.seek(0, io.SEEK_END)
    end = _end_of_chunks(file, length)
    file.seek(0)
    return file if end >= length else io.BufferedReader(_Head(file, end))


def is_linear16(file: BinaryIO) -> bool:
    """Whether a seekable file is a WAV that begins by saying that it holds 16-bit linear PCM.

    Leaves the file at its start.
    """
    file.seek(0)
    head = file.read(36)
    file.seek(0)
    if len(head) < 36 or (head[:4], head[8:16]) != (b"RIFF", b"WAVEfmt "):
        return False
    tag, bits = struct.unpack("<H12xH", head[20:])
    return (tag, bits) == (_PCM, 16)


def misstated(file: BinaryIO) -> tuple[float, float]:
    """By how many seconds a WAV's header is wrong about its samples, at the byte rate it names.

    The first: what it promises beyond the file's end. The second: what follows the samples, is no
    chunk, and is not zeros alone. Both are 0 for what is no WAV, and where the header gives no
    length. Leaves the file at its start.
    """
    length = file.seek(0, io.SEEK_END)
    rate = end = 0
    for name, at, size in _chunks(file):
        if name == b"fmt ":
            file.seek(at + 8)
            rate = int.from_bytes(file.read(4), "little")
        elif name == b"data" and (size == 0 or size >= _NO_LENGTH):
            rate = 0
            break
        elif end and (min(name) < ord(" ") or at + size > length):  # samples are no chunk
            break
        if end or name == b"data":
            end = at + size
    missing = max(0, end - length)
    behind = _last_sound(file, end) - end if end else 0
    file.seek(0)
    return (missing / rate, behind / rate) if rate else (0.0, 0.0)


def _last_sound(file: BinaryIO, start: int) -> int:
    """Where the last byte from `start` on that is not zero ends."""
    file.seek(start)
    at = last = start
    while block := file.read(_BLOCK):
        if sound := block.rstrip(b"\0"):
            last = at + len(sound)
        at += len(block)
    return last


def _chunks(file: BinaryIO) -> Iterator[tuple[bytes, int, int]]:
    """The name of each chunk of a WAV, where its content begins, and the size it claims."""
    file.seek(0)
    head = file.read(12)
    if head[:4] != b"RIFF" or head[8:] != b"WAVE":
        return
    at = len(head)
    for _ in range(_MOST_CHUNKS):
        file.seek(at)
        header = file.read(8)
        if len(header) < 8:
            return
        name, size = struct.unpack("<4sI", header)
        yield name, at + 8, size
        at += 8 + size + size % 2


def _end_of_chunks(file: BinaryIO, length: int) -> int:
    end = length
    for name, at, size in _chunks(file):
        if name == _NO_CHUNK:
            return at - 8
        if name == b"data" and size in (0, _EVERYTHING_ELSE):  # lasts until the file ends
            return length
        end = at + size + size % 2
    return end if end + 8 <= length else length


class _Head(io.RawIOBase):
    """The first `end` bytes of a file that somebody else closes."""

    def __init__(self, file: BinaryIO, end: int) -> None:
        self._file = file
        self._end = end

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override] # buffers
        block = self._file.read(min(len(buffer), max(0, self._end - self._file.tell())))
        buffer[: len(block)] = block
        return len(block)

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        if whence == io.SEEK_END:
            return self._file.seek(self._end + offset)
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()
