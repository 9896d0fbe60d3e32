"""A stored recording over HTTP, whole or in part, so that players can seek."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from fastapi import Response
from fastapi.responses import StreamingResponse

from services.gateway.calls import Audio

__all__ = ["play"]

_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")
_HEAD = 12  # bytes that tell the formats apart
_SIGNATURES: Mapping[bytes, tuple[int, str]] = {
    b"RIFF": (0, "audio/wav"),
    b"OggS": (0, "audio/ogg"),
    b"fLaC": (0, "audio/flac"),
    b"ID3": (0, "audio/mpeg"),
    b"\xff\xfb": (0, "audio/mpeg"),
    b"\xff\xf3": (0, "audio/mpeg"),
    b"#!AMR": (0, "audio/amr"),
    b"\x1aE\xdf\xa3": (0, "audio/webm"),
    b"ftyp": (4, "audio/mp4"),
    b".snd": (0, "audio/basic"),
}


@dataclass(frozen=True, slots=True)
class _Span:
    start: int
    length: int


def play(audio: Audio, wanted: str | None, etag: str) -> Response:
    """The answer to a request for `audio`, of which the Range header `wanted` may ask a part.

    One range is served; what else RFC 9110 allows is answered with the whole.
    """
    headers = {"Accept-Ranges": "bytes", "ETag": f'"{etag}"', "X-Content-Type-Options": "nosniff"}
    span = _span(wanted, audio.size)
    if span is None:
        headers["Content-Range"] = f"bytes */{audio.size}"
        return Response(status_code=416, headers=headers)
    headers["Content-Length"] = str(span.length)
    partial = span.length < audio.size
    if partial:
        end = span.start + span.length - 1
        headers["Content-Range"] = f"bytes {span.start}-{end}/{audio.size}"
    return StreamingResponse(
        audio.read(span.start, span.length),
        status_code=206 if partial else 200,
        headers=headers,
        media_type=_media_type(b"".join(audio.read(0, _HEAD))),
    )


def _span(wanted: str | None, size: int) -> _Span | None:
    """What to send; None where the range lies outside."""
    match = _RANGE.fullmatch(wanted or "")
    if match is None or match[0] == "bytes=-":
        return _Span(0, size)
    first, last = match.groups()
    if not first:  # the last so many bytes
        length = min(int(last), size)
        return _Span(size - length, length) if length else None
    start, end = int(first), min(int(last) if last else size, size - 1)
    if last and int(last) < start:
        return _Span(0, size)
    return _Span(start, end - start + 1) if start < size else None


def _media_type(head: bytes) -> str:
    for signature, (at, media_type) in _SIGNATURES.items():
        if head[at:].startswith(signature):
            return media_type
    return "application/octet-stream"
