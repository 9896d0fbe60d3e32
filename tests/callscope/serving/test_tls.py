"""TLS between real servers and clients, with certificates made for the test."""

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import pytest
import trustme

from callscope.clients import RemoteDiarizer
from callscope.errors import InvalidSetting, Unavailable
from callscope.pipeline import DiarizeOptions
from callscope.serving.embedded import embedded
from callscope.serving.tls import channel_credentials, server_context
from tests.callscope.serving.test_server import AUDIO, RESULT, Servicer, service, settings


@dataclass(frozen=True)
class Files:
    """An authority, a certificate for 127.0.0.1, and its key, in PEM."""

    ca: Path
    cert: Path
    key: Path


def make(folder: Path) -> Files:
    folder.mkdir()
    authority = trustme.CA()
    issued = authority.issue_cert("127.0.0.1", "localhost")
    files = Files(folder / "ca.pem", folder / "cert.pem", folder / "key.pem")
    authority.cert_pem.write_to_path(str(files.ca))
    issued.private_key_pem.write_to_path(str(files.key))
    for blob in issued.cert_chain_pems:
        blob.write_to_path(str(files.cert), append=True)
    return files


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Files:
    return make(tmp_path_factory.mktemp("tls") / "ours")


@pytest.fixture(scope="module")
def strangers(tmp_path_factory: pytest.TempPathFactory) -> Files:
    return make(tmp_path_factory.mktemp("tls") / "strangers")


@contextmanager
def serving(**values: Any) -> Iterator[str]:
    with embedded([(service(Servicer()), settings(**values))]) as (up,):
        yield up.target


def ask(target: str, credentials: grpc.ChannelCredentials | None) -> Any:
    remote = RemoteDiarizer(target, 20, credentials)
    try:
        return remote.diarize(AUDIO, DiarizeOptions(), lambda _: None)
    finally:
        remote.close()


def test_a_client_that_trusts_the_authority_is_served(ours: Files) -> None:
    with serving(tls_cert=ours.cert, tls_key=ours.key) as target:
        assert ask(target, channel_credentials(ours.ca, None, None, "")) == RESULT


def test_a_server_of_another_authority_is_not_spoken_to(ours: Files, strangers: Files) -> None:
    trusting = channel_credentials(ours.ca, None, None, "")
    with (
        serving(tls_cert=strangers.cert, tls_key=strangers.key) as target,
        pytest.raises(Unavailable, match=r"(?i)certificate"),
    ):
        ask(target, trusting)


def test_a_client_without_tls_is_not_served(ours: Files) -> None:
    with serving(tls_cert=ours.cert, tls_key=ours.key) as target, pytest.raises(Unavailable):
        ask(target, None)


def test_mutual_tls_serves_only_who_shows_a_certificate_of_the_authority(
    ours: Files, strangers: Files
) -> None:
    known = channel_credentials(ours.ca, ours.cert, ours.key, "")
    nameless = channel_credentials(ours.ca, None, None, "")
    stranger = channel_credentials(ours.ca, strangers.cert, strangers.key, "")
    with serving(tls_cert=ours.cert, tls_key=ours.key, tls_client_ca=ours.ca) as target:
        assert ask(target, known) == RESULT
        for refused in (nameless, stranger, None):
            with pytest.raises(Unavailable):
                ask(target, refused)


def test_without_settings_there_is_no_tls() -> None:
    assert server_context(settings()) is None
    assert channel_credentials(None, None, None, "") is None


def test_old_protocols_are_not_spoken(ours: Files) -> None:
    context = server_context(settings(tls_cert=ours.cert, tls_key=ours.key))
    assert context is not None
    assert context.minimum_version is ssl.TLSVersion.TLSv1_2


def test_files_that_cannot_be_used_are_named_before_anything_is_served(
    ours: Files, strangers: Files, tmp_path: Path
) -> None:
    missing, text = tmp_path / "missing.pem", tmp_path / "text.pem"
    text.write_text("no certificate")
    for values in (
        {"tls_cert": ours.cert},
        {"tls_key": ours.key},
        {"tls_client_ca": ours.ca},
        {"tls_cert": missing, "tls_key": ours.key},
        {"tls_cert": text, "tls_key": ours.key},
        {"tls_cert": ours.cert, "tls_key": strangers.key},
        {"tls_cert": ours.cert, "tls_key": ours.key, "tls_client_ca": text},
    ):
        with pytest.raises(InvalidSetting, match="CALLSCOPE_TLS_"), serving(**values):
            pass
    for ca, cert, key in (
        (None, ours.cert, ours.key),
        (ours.ca, ours.cert, None),
        (missing, None, None),
        (text, None, None),
        (ours.ca, ours.cert, strangers.key),
    ):
        with pytest.raises(InvalidSetting, match=r"STAGES_(CA|CERT)"):
            channel_credentials(ca, cert, key, "STAGES_")
