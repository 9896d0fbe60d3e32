"""Links lead to the hosts that were named, over TLS that holds, and no further."""

from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import ClassVar

import pytest
import trustme

from callscope.audio import AudioLimits, AudioReader
from callscope.errors import (
    AudioNotFound,
    AudioTooLarge,
    CallscopeError,
    ForbiddenUri,
    Unavailable,
)
from callscope.types import AudioSource
from tests.hosts import https_host


class Host(BaseHTTPRequestHandler):
    """Gives a recording to who knows its signature."""

    answers: ClassVar = {"/moved": 302, "/denied": 403, "/gone": 410, "/slow": 429, "/down": 503}
    asked: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        self.asked.append(self.path)
        path, _, query = self.path.partition("?")
        status = self.answers.get(path, 200 if query == "signature=abc" else 401)
        body = b"RIFF" * 10_000 if status == 200 else b""
        self.send_response(status)
        if status == 302:
            self.send_header("Location", "/call.wav?signature=abc")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[:100] if path == "/cut.wav" else body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Be quiet."""


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> tuple[trustme.CA, Path]:
    authority = trustme.CA()
    file = tmp_path_factory.mktemp("tls") / "ca.pem"
    authority.cert_pem.write_to_path(str(file))
    return authority, file


@pytest.fixture(scope="module")
def host(authority: tuple[trustme.CA, Path]) -> Iterator[str]:
    with https_host(Host, authority[0]) as host:
        yield host


@pytest.fixture
def trusted(authority: tuple[trustme.CA, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(authority[1]))


def fetch(uri: str, hosts: list[str], max_bytes: int = 1 << 20) -> bytes:
    reader = AudioReader(roots=[], hosts=hosts, limits=AudioLimits(max_bytes=max_bytes))
    with reader.open(AudioSource(uri=uri)) as file:
        return file.read()


@pytest.mark.usefixtures("trusted")
def test_a_link_to_a_named_host_is_fetched(host: str) -> None:
    link = f"https://{host}/call.wav?signature=abc"
    assert fetch(link, [host.capitalize()]) == b"RIFF" * 10_000


@pytest.mark.usefixtures("trusted")
@pytest.mark.parametrize(
    ("path", "error", "words"),
    [
        ("/call.wav?signature=wrong", ForbiddenUri, "refused with status 401"),
        ("/denied?signature=abc", ForbiddenUri, "refused with status 403"),
        ("/moved?signature=abc", ForbiddenUri, "redirects"),
        ("/gone?signature=abc", AudioNotFound, "status 410"),
        ("/slow?signature=abc", Unavailable, "status 429"),
        ("/down?signature=abc", Unavailable, "status 503"),
        ("/cut.wav?signature=abc", Unavailable, "could not be fetched"),
    ],
)
def test_a_hosts_answers_become_our_errors_and_tell_no_signature(
    host: str, path: str, error: type[CallscopeError], words: str
) -> None:
    Host.asked.clear()
    with pytest.raises(error, match=words) as raised:
        fetch(f"https://{host}{path}", [host])
    assert "signature" not in str(raised.value)
    assert set(Host.asked) == {path}  # a redirect is not followed


@pytest.mark.usefixtures("trusted")
def test_a_large_recording_is_refused_while_it_is_fetched(host: str) -> None:
    with pytest.raises(AudioTooLarge):
        fetch(f"https://{host}/a?signature=abc", [host], max_bytes=39_999)


def test_a_host_whose_certificate_nobody_vouches_for_gives_nothing(host: str) -> None:
    Host.asked.clear()
    with pytest.raises(Unavailable):
        fetch(f"https://{host}/call.wav?signature=abc", [host])
    assert Host.asked == []


@pytest.mark.parametrize(
    "link",
    [
        "https://elsewhere.example.com/call.wav",
        "https://calls.example.com.evil.example/call.wav",
        "https://calls.example.com:444/call.wav",
        "https://calls.example.com@evil.example/call.wav",
        "https://user:password@calls.example.com/call.wav",
        "https://calls.example.com/call.wav#part",
        "https://calls.example.com/ca ll.wav\n",
        "https://calls.example.com:port/call.wav",
        "https://[calls.example.com/call.wav",
        "https:///call.wav",
        "http://calls.example.com/call.wav",
        "ftp://calls.example.com/call.wav",
    ],
)
def test_links_that_lead_elsewhere_are_forbidden(link: str) -> None:
    with pytest.raises(ForbiddenUri):
        fetch(link, ["calls.example.com"])
