"""Forms as they arrive, and ranges as they are asked for: parsing, apart from any server."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI
from hypothesis import given
from hypothesis import strategies as st

from callscope.errors import InvalidInput
from services.gateway.calls import Audio
from services.gateway.http.form import Form
from services.gateway.http.playback import play
from services.gateway.store import LocalStore


@given(size=st.integers(1, 50), first=st.integers(0, 60), last=st.none() | st.integers(0, 60))
def test_a_range_is_what_slicing_says(
    size: int, first: int, last: int | None, tmp_path_factory: pytest.TempPathFactory
) -> None:
    content = bytes(range(size))
    audio = stored(content, tmp_path_factory.mktemp("store"))
    wanted = f"bytes={first}-{'' if last is None else last}"
    status, body = asyncio.run(answered(audio, wanted))
    if last is not None and last < first:
        assert (status, body) == (200, content)
    elif first >= size:
        assert (status, body) == (416, b"")
    else:
        expected = content[first : None if last is None else last + 1]
        assert (status, body) == (200 if expected == content else 206, expected)


@pytest.mark.parametrize(
    ("wanted", "status", "body"),
    [
        ("bytes=-3", 206, b"hij"),
        ("bytes=-99", 200, b"abcdefghij"),
        ("bytes=-0", 416, b""),
        ("bytes=-", 200, b"abcdefghij"),
        ("bytes=0-1,3-4", 200, b"abcdefghij"),
        ("seconds=1-2", 200, b"abcdefghij"),
        (None, 200, b"abcdefghij"),
    ],
)
def test_the_other_forms_of_a_range(
    wanted: str | None, status: int, body: bytes, tmp_path: Path
) -> None:
    audio = stored(b"abcdefghij", tmp_path)
    assert asyncio.run(answered(audio, wanted)) == (status, body)


def stored(content: bytes, folder: Path) -> Audio:
    store = LocalStore(folder / "store")
    (folder / "file").write_bytes(content)
    store.keep(folder / "file", "a/b")
    return Audio(store, "a/b", len(content))


async def answered(audio: Audio, wanted: str | None) -> tuple[int, bytes]:
    app = FastAPI()
    app.add_api_route("/", lambda: play(audio, wanted, "etag"))
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="http://here"
    ) as client:
        answer = await client.get("/")
    return answer.status_code, answer.content


# Forms


def form_body(fields: Sequence[tuple[str, bytes]]) -> bytes:
    parts = (
        b'--cut\r\nContent-Disposition: form-data; name="%s"\r\n\r\n%s\r\n'
        % (name.encode(), content)
        for name, content in fields
    )
    return b"".join(parts) + b"--cut--\r\n"


def read_form(body: bytes, at: Iterator[int]) -> tuple[bytes, dict[str, str]]:
    async def chunks() -> AsyncIterator[bytes]:
        start = 0
        for end in (*at, len(body)):
            yield body[start:end]
            start = end

    async def read() -> tuple[bytes, dict[str, str]]:
        form = Form("multipart/form-data; boundary=cut")
        audio = b"".join([block async for block in form.audio(chunks())])
        return audio, form.fields

    return asyncio.run(read())


@given(
    audio=st.binary(max_size=60) | st.sampled_from([b"\r\n--cu", b"\r\n--cut-x", b"--cut\r\n"[:5]]),
    text=st.text(max_size=10),
    cuts=st.lists(st.integers(0, 200), max_size=8),
    first=st.booleans(),
)
def test_a_form_is_read_alike_however_it_arrives(
    audio: bytes, text: str, cuts: list[int], first: bool
) -> None:
    if b"\r\n--cut" in b"\r\n" + audio:
        return  # no sender picks a boundary that is in the content
    fields = [("audio", audio), ("language", text.encode("utf-8", "replace"))]
    body = form_body(fields if first else fields[::-1])
    at = iter(sorted(cut for cut in cuts if cut <= len(body)))
    assert read_form(body, at) == (audio, {"language": text.encode("utf-8", "replace").decode()})


@pytest.mark.parametrize(
    "fields",
    [
        [("language", b"en")],
        [("audio", b"a"), ("audio", b"b")],
        [("audio", b"a"), ("language", b"\xff")],
        [("audio", b"a"), ("", b"nameless")],
        [("audio", b"a"), ("rubric_yaml", bytes(400 << 10))],
        [("audio", b"a"), *[(f"field{number}", b"") for number in range(20)]],
    ],
    ids=["no-audio", "two-audios", "not-utf8", "nameless", "large-field", "many-fields"],
)
def test_a_form_that_is_not_as_it_should_be_is_refused(fields: list[tuple[str, bytes]]) -> None:
    with pytest.raises(InvalidInput):
        read_form(form_body(fields), iter(()))


@pytest.mark.parametrize("content", [b"RIFF\xff", b"x" * (400 << 10)], ids=["no text", "large"])
def test_a_recording_in_a_part_of_another_name_is_told_of(content: bytes) -> None:
    body = b'--cut\r\nContent-Disposition: form-data; name="file"; filename="call.wav"\r\n\r\n'
    with pytest.raises(InvalidInput, match="no part named audio; its file is in the part file"):
        read_form(body + content + b"\r\n--cut--\r\n", iter(()))
