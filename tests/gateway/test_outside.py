"""Requests to addresses that users name: to the outside only, and never for long."""

import socket
import subprocess
import time
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest

from callscope.errors import CallscopeError, ForbiddenUri, InvalidInput, Unavailable
from services.gateway.webhooks.outside import Outside
from tests.gateway.conftest import free_port
from tests.gateway.receivers import receiving

LOOPBACK = (ip_network("127.0.0.0/8"), ip_network("::1/128"))


def outside(timeout: float = 5.0) -> Outside:
    return Outside(LOOPBACK, timeout)


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "127.0.0.1",
        "127.1",
        "2130706433",
        "0x7f000001",
        "0.0.0.0",  # noqa: S104 - refused
        "10.0.0.1",
        "172.16.5.5",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "224.0.0.1",
        "[::1]",
        "[::]",
        "[fe80::1]",
        "[fd00::1]",
        "[::ffff:127.0.0.1]",
        "[::ffff:a00:1]",
        "[64:ff9b::7f00:1]",
        "[2002:7f00:1::]",
    ],
)
def test_an_address_that_is_not_public_is_refused(host: str) -> None:
    with pytest.raises(ForbiddenUri, match="not public"):
        Outside((), 1).check(f"https://{host}/hook")


def test_a_public_address_is_let_through_over_tls_only() -> None:
    Outside((), 1).check("https://8.8.8.8/hook")
    with pytest.raises(ForbiddenUri, match="https only"):
        Outside((), 1).check("http://8.8.8.8/hook")


@pytest.mark.parametrize(
    "url",
    [
        "ftp://example.com/",
        "file:///etc/passwd",
        "https:///path",
        "https://user:secret@example.com/",
        "https://example.com/#part",
        "https://example.com:0/",
        "https://example.com:99999/",
        "https://exa mple.com/",
        "https://[::1",
        "gopher://127.0.0.1",
        "",
    ],
)
def test_what_is_no_webhooks_url_is_refused(url: str) -> None:
    with pytest.raises(InvalidInput):
        Outside((), 1).check(url)


def test_a_name_without_address_is_refused_at_once_and_waited_for_later() -> None:
    with pytest.raises(InvalidInput, match="no address"):
        outside().check("https://nowhere.invalid/")
    with pytest.raises(Unavailable, match="no address"):
        outside().post("https://nowhere.invalid/", b"", {})


def test_a_name_that_leads_inside_a_moment_later_is_not_followed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    answers = [["8.8.8.8"], ["127.0.0.1"], ["8.8.8.8", "10.0.0.1"]]

    def resolve(*_: Any, **__: Any) -> Any:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (each, 443)) for each in answers.pop(0)]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    guarded = Outside((), 1)
    guarded.check("https://rebinding.example/")
    for _ in range(2):
        with pytest.raises(ForbiddenUri, match="not public"):
            guarded.post("https://rebinding.example/", b"", {})


def test_a_request_arrives_whole_under_the_name_it_was_sent_to() -> None:
    with receiving() as receiver:
        answer = outside().post(receiver.url, b"hello", {"x-test": "1"})
    assert answer.status == 204
    ((headers, body),) = receiver.got
    assert body == b"hello"
    assert headers["x-test"] == "1"
    assert headers["host"].startswith("localhost:")


def test_a_redirect_is_an_answer_and_not_followed() -> None:
    with receiving() as receiver:
        receiver.statuses, receiver.headers = [307], {"Location": receiver.url}
        assert outside().post(receiver.url, b"", {}).status == 307
        assert len(receiver.got) == 1


def test_a_receiver_may_say_when_to_come_back() -> None:
    with receiving() as receiver:
        receiver.statuses, receiver.headers = [503], {"Retry-After": "7"}
        assert outside().post(receiver.url, b"", {}).retry_after == 7
        receiver.headers = {"Retry-After": "soon"}
        assert outside().post(receiver.url, b"", {}).retry_after is None


@pytest.mark.parametrize("unruly", [{"delay": 3.0}, {"trickle": True}])
def test_a_receiver_that_takes_its_time_is_cut_off(unruly: dict[str, Any]) -> None:
    with receiving() as receiver:
        vars(receiver).update(unruly)
        began = time.monotonic()
        with pytest.raises(Unavailable, match="no answer"):
            outside(0.3).post(receiver.url, b"", {})
        assert time.monotonic() - began < 1.5


def test_nobody_there_is_unavailable_and_names_nothing_inside() -> None:
    port = free_port()
    with pytest.raises(Unavailable) as caught:
        outside().post(f"http://localhost:{port}/", b"", {})
    assert str(port) not in caught.value.message


def test_a_certificate_is_checked_for_the_name_in_the_url(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = tmp_path / "both.pem"
    command = (
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 1 "
        f"-subj /CN=localhost -addext subjectAltName=DNS:localhost -keyout {whole} -out {whole}.crt"
    )
    subprocess.run(command.split(), check=True, capture_output=True)
    certificate = Path(f"{whole}.crt")
    whole.write_bytes(whole.read_bytes() + certificate.read_bytes())
    with receiving(certificate=whole) as receiver:
        with pytest.raises(Unavailable, match="no connection"):
            outside().post(receiver.url, b"", {})
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        assert outside().post(receiver.url, b"", {}).status == 204
        with pytest.raises(CallscopeError):
            outside().post(receiver.url.replace("localhost", "127.0.0.1"), b"", {})
        assert len(receiver.got) == 1
