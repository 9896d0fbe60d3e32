"""Recordings on the disk: hashed, limited, durable, and gone when they should be."""

import errno
import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from callscope.errors import AudioNotFound, AudioTooLarge, Conflict, InvalidSetting, Unavailable
from services.gateway import database
from services.gateway.store import Inbox, LocalStore


@pytest.fixture
def inbox(tmp_path: Path) -> Iterator[Inbox]:
    inbox = Inbox(tmp_path / "incoming/one", max_bytes=10)
    yield inbox
    inbox.close()


def test_what_arrives_is_hashed_and_kept_under_its_key(inbox: Inbox, tmp_path: Path) -> None:
    store = LocalStore(tmp_path / "blobs")
    with inbox.begin("acme", "id") as incoming:
        incoming.write(b"abc")
        incoming.write(b"def")
        incoming.seal()
        assert incoming.sha256 == hashlib.sha256(b"abcdef").hexdigest()
        store.keep(incoming.path, "audio/id/id")
    assert inbox.left_over() == ()
    assert store.size("audio/id/id") == 6
    assert b"".join(store.read("audio/id/id", 2, 3)) == b"cde"
    assert Path(store.uri("audio/id/id").removeprefix("file://")).read_bytes() == b"abcdef"
    store.remove("audio/id/id")
    store.remove("audio/id/id")
    with pytest.raises(AudioNotFound):
        store.size("audio/id/id")
    with pytest.raises(AudioNotFound):
        list(store.read("audio/id/id", 0, 1))


def test_one_byte_too_many_is_refused_and_nothing_stays(inbox: Inbox) -> None:
    with inbox.begin("acme", "id") as incoming:
        incoming.write(b"0123456789")
        with pytest.raises(AudioTooLarge, match="more than 10 bytes"):
            incoming.write(b"!")
    assert inbox.left_over() == ()


def test_a_full_disk_is_named_and_the_remedy_fits(
    inbox: Inbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_space(_: int) -> None:
        raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr("os.fsync", no_space)
    with (
        inbox.begin("acme", "id") as incoming,
        pytest.raises(Unavailable, match="no space") as caught,
    ):
        incoming.seal()
    assert "Free space" in caught.value.remedy


def test_an_inbox_has_one_owner(inbox: Inbox, tmp_path: Path) -> None:
    with pytest.raises(Conflict, match="another gateway named 'one'"):
        Inbox(tmp_path / "incoming/one", max_bytes=10)
    Inbox(tmp_path / "incoming/two", max_bytes=10).close()
    inbox.close()
    Inbox(tmp_path / "incoming/one", max_bytes=10).close()


def test_a_folder_that_cannot_be_had_is_a_wrong_setting(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file")
    with pytest.raises(InvalidSetting, match=r"CALLSCOPE_GATEWAY_DATA_DIR: .*: not a directory"):
        Inbox(tmp_path / "data/incoming/one", max_bytes=10)
    with pytest.raises(InvalidSetting, match="CALLSCOPE_GATEWAY_DATA_DIR"):
        LocalStore(tmp_path / "data/blobs")
    with pytest.raises(InvalidSetting, match="CALLSCOPE_GATEWAY_DATABASE_URL"):
        database.connect(f"sqlite:///{tmp_path}/data/callscope.db")
