"""No URI reaches a byte outside the folders and buckets that are allowed."""

import os
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

import pytest
import urllib3
from minio import Minio
from minio.credentials.providers import StaticProvider

from callscope.audio import AudioLimits, AudioReader
from callscope.errors import (
    AudioNotFound,
    AudioTooLarge,
    CallscopeError,
    EmptyAudio,
    ForbiddenUri,
    Unavailable,
)
from callscope.types import AudioSource


@pytest.fixture
def calls(tmp_path: Path) -> Path:
    """An allowed folder beside a forbidden one."""
    calls = tmp_path / "calls"
    (calls / "today").mkdir(parents=True)
    (calls / "today" / "one.wav").write_bytes(b"one")
    (calls / "a b ü 'q' 100%.wav").write_bytes(b"odd name")
    (tmp_path / "secret.wav").write_bytes(b"secret")
    (tmp_path / "calls-old").mkdir()
    (tmp_path / "calls-old" / "old.wav").write_bytes(b"old")
    return calls


def fetch(reader: AudioReader, uri: str) -> bytes:
    with reader.open(AudioSource(uri=uri)) as file:
        return file.read()


def test_files_below_a_root_open_by_their_uri(calls: Path) -> None:
    reader = AudioReader(roots=[calls])
    assert fetch(reader, (calls / "today" / "one.wav").as_uri()) == b"one"
    assert fetch(reader, (calls / "a b ü 'q' 100%.wav").as_uri()) == b"odd name"
    assert fetch(reader, f"file://localhost{calls}/today/../today/one.wav") == b"one"
    assert fetch(reader, f"FILE://{calls}/today/one.wav") == b"one"


def test_inline_bytes_need_no_permission() -> None:
    with AudioReader(roots=[]).open(AudioSource(data=b"inline")) as file:
        assert file.read() == b"inline"


def test_a_root_that_is_itself_a_link_works(calls: Path) -> None:
    link = calls.parent / "link"
    link.symlink_to(calls)
    reader = AudioReader(roots=[link])
    assert fetch(reader, f"file://{link}/today/one.wav") == b"one"
    assert fetch(reader, f"file://{calls}/today/one.wav") == b"one"


def test_a_link_inside_the_roots_is_followed(calls: Path) -> None:
    (calls / "again.wav").symlink_to(calls / "today" / "one.wav")
    assert fetch(AudioReader(roots=[calls]), f"file://{calls}/again.wav") == b"one"


@pytest.mark.parametrize(
    "uri",
    [
        "file://{calls}/../secret.wav",
        "file://{calls}/%2e%2e/secret.wav",
        "file://{calls}/..%2Fsecret.wav",
        "file://{calls}/today/../../secret.wav",
        "file://{calls}-old/old.wav",
        "file:///etc/passwd",
        "file://{calls}/out.wav",
        "file://{calls}/out/passwd",
        "file://elsewhere{calls}/today/one.wav",
        "file://{calls}/today/one.wav%00.txt",
        "file://{calls}/today/one.wav?version=2",
        "file://{calls}/today/one.wav#t=1",
        "file:{calls}/today/one.wav",
        "{calls}/today/one.wav",
        "http://127.0.0.1/one.wav",
        "concat:{calls}/today/one.wav",
        "",
    ],
)
def test_uris_that_lead_elsewhere_are_forbidden(calls: Path, uri: str) -> None:
    (calls / "out.wav").symlink_to(calls.parent / "secret.wav")
    (calls / "out").symlink_to("/etc")
    with pytest.raises(ForbiddenUri):
        fetch(AudioReader(roots=[calls]), uri.format(calls=calls))


def test_a_service_without_roots_reads_no_file(calls: Path) -> None:
    with pytest.raises(ForbiddenUri, match="outside the folders"):
        fetch(AudioReader(roots=[]), (calls / "today" / "one.wav").as_uri())


def test_outside_the_roots_existing_and_missing_files_look_alike(calls: Path) -> None:
    reader = AudioReader(roots=[calls])
    for name in ("secret.wav", "nothing.wav"):
        with pytest.raises(ForbiddenUri):
            fetch(reader, (calls.parent / name).as_uri())


def test_what_is_no_readable_file_is_not_found(calls: Path) -> None:
    os.mkfifo(calls / "pipe.wav")
    (calls / "loop.wav").symlink_to(calls / "loop.wav")
    reader = AudioReader(roots=[calls])
    for name in ("missing.wav", "today", "today/one.wav/more.wav", "pipe.wav", "loop.wav", ""):
        with pytest.raises(AudioNotFound):
            fetch(reader, f"file://{calls}/{name}")
    with pytest.raises(AudioNotFound):
        fetch(reader, f"file://{calls}/{'x' * 300}.wav")


def test_a_link_swapped_in_after_the_check_is_not_followed(
    calls: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def resolve(path: object) -> str:  # the state of things just before the swap
        return str(path)

    monkeypatch.setattr(os.path, "realpath", resolve)
    (calls / "swapped.wav").symlink_to(calls.parent / "secret.wav")
    with pytest.raises(AudioNotFound):
        fetch(AudioReader(roots=[calls]), f"file://{calls}/swapped.wav")


def test_no_descriptor_stays_open(calls: Path) -> None:
    reader = AudioReader(roots=[calls])
    before = len(list(Path("/proc/self/fd").iterdir()))
    for name in ("today/one.wav", "today", "missing.wav", "today/missing/x.wav"):
        try:
            fetch(reader, f"file://{calls}/{name}")
        except AudioNotFound:
            continue
    assert len(list(Path("/proc/self/fd").iterdir())) == before


class Store(BaseHTTPRequestHandler):
    """Answers a GET as S3 would: by the key, an object or one of its errors."""

    errors: ClassVar = {
        "missing.wav": (404, "NoSuchKey"),
        "denied.wav": (403, "AccessDenied"),
        "badkey.wav": (403, "InvalidAccessKeyId"),
        "broken.wav": (500, "InternalError"),
    }

    def do_GET(self) -> None:
        key = self.path.split("/", 2)[2]
        status, code = self.errors.get(key, (200, ""))
        body = f"<Error><Code>{code}</Code></Error>".encode() if code else b"RIFF" * 10_000
        self.send_response(status)
        self.send_header("Content-Type", "application/xml" if code else "audio/wav")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: len(body) // 2] if key == "cut.wav" else body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Be quiet."""


def client(endpoint: str, pool: urllib3.PoolManager) -> Minio:
    keys = StaticProvider("somebody", "anything")
    return Minio(endpoint, credentials=keys, secure=False, region="here", http_client=pool)


@pytest.fixture(scope="module")
def s3() -> Iterator[Minio]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Store)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    pool = urllib3.PoolManager(retries=urllib3.Retry(0))
    yield client(f"127.0.0.1:{server.server_port}", pool)
    pool.clear()
    server.shutdown()
    server.server_close()
    thread.join()


def test_an_object_in_an_allowed_bucket_is_fetched(s3: Minio) -> None:
    reader = AudioReader(roots=[], buckets=["calls"], s3=s3)
    with reader.open(AudioSource(uri="s3://calls/2026/11/a b.wav")) as file:
        assert file.read(4) == b"RIFF"
        assert file.seek(0, 2) == 40_000


@pytest.mark.parametrize(
    ("uri", "error"),
    [
        ("s3://calls/missing.wav", AudioNotFound),
        ("s3://calls/denied.wav", ForbiddenUri),
        ("s3://calls/badkey.wav", Unavailable),
        ("s3://calls/broken.wav", Unavailable),
        ("s3://calls/cut.wav", Unavailable),
        ("s3://others/one.wav", ForbiddenUri),
        ("s3://calls/../others/one.wav", ForbiddenUri),
        ("s3://calls/a//b.wav", ForbiddenUri),
        ("s3://calls/", ForbiddenUri),
        ("s3://calls", ForbiddenUri),
        ("s3:///one.wav", ForbiddenUri),
    ],
)
def test_the_stores_answers_become_our_errors(
    s3: Minio, uri: str, error: type[CallscopeError]
) -> None:
    with pytest.raises(error):
        fetch(AudioReader(roots=[], buckets=["calls"], s3=s3), uri)


def test_a_large_object_is_refused_while_it_is_fetched(s3: Minio) -> None:
    limits = AudioLimits(max_bytes=39_999)
    with pytest.raises(AudioTooLarge):
        fetch(AudioReader(roots=[], buckets=["calls"], s3=s3, limits=limits), "s3://calls/big.wav")


def test_a_store_that_is_down_or_absent_is_unavailable() -> None:
    down = client("127.0.0.1:9", urllib3.PoolManager(retries=urllib3.Retry(0)))
    for store in (down, None):
        with pytest.raises(Unavailable):
            fetch(AudioReader(roots=[], buckets=["calls"], s3=store), "s3://calls/one.wav")


def test_reading_goes_through_the_same_checks(calls: Path) -> None:
    reader = AudioReader(roots=[calls])
    (calls / "empty.wav").touch()
    with pytest.raises(EmptyAudio):
        reader.read(AudioSource(uri=(calls / "empty.wav").as_uri()))
