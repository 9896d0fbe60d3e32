"""Where recordings are kept: a folder of this machine, or a bucket.

A recording arrives in a file of its own under `incoming/`, named by its tenant and the call's id
and hashed while it is written. That file stays until the recording is in the store and the call in
the database. After a crash the files still there name the calls that were being accepted: where
the database does not know the call, nobody was promised anything, and its bytes are removed.
"""

import contextlib
import errno
import fcntl
import hashlib
import os
import threading
from collections.abc import Iterator
from concurrent.futures import Executor, ThreadPoolExecutor, wait
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from callscope.errors import AudioNotFound, AudioTooLarge, Conflict, InvalidSetting, Unavailable

__all__ = ["BlobStore", "Inbox", "Incoming", "LeftOver", "LocalStore"]

_BLOCK = 1 << 20  # bytes a read
_SYNCS = 16  # at a time
_UNSYNCED = 8 << 20  # bytes that may wait for the disk until the recording's end


class BlobStore(Protocol):
    """Recordings by key. Blocking."""

    def keep(self, file: Path, key: str) -> None:
        """Put a local file into the store; when this returns it is there durably."""
        ...

    def uri(self, key: str) -> str:
        """Where the transcribe and diarize services find it."""
        ...

    def size(self, key: str) -> int:
        """Its number of bytes."""
        ...

    def read(self, key: str, start: int, length: int) -> Iterator[bytes]:
        """Its bytes from `start`, in blocks."""
        ...

    def remove(self, key: str) -> None:
        """Remove it; no error where it is not there."""
        ...


class Incoming:
    """A recording that is arriving. Leaving the `with` block removes its file.

    Its name is made durable while bytes come, and so are the bytes of a large one; the rest of them
    while others look at them: disks take their time.

    Attributes:
        tenant: whose it is.
        id: the call's id.
        path: the file.
        size: bytes so far.
    """

    def __init__(
        self, folder: Path, tenant: str, call_id: str, max_bytes: int, syncing: Executor
    ) -> None:
        self.tenant = tenant
        self.id = call_id
        self.path = folder / f"{tenant}.{call_id}"
        self.size = 0
        self._max_bytes = max_bytes
        self._digest = hashlib.sha256()
        # A door may give up while a thread still writes.
        self._lock = threading.Lock()
        with _disk_errors():
            self._file = self.path.open("xb", buffering=0)
        self._syncing = syncing
        self._syncs = [syncing.submit(_sync_folder, folder)]
        self._synced = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        wait(self._syncs)
        with self._lock:
            self._file.close()
        self.path.unlink(missing_ok=True)

    @property
    def sha256(self) -> str:
        """SHA-256 of what has arrived, hexadecimal."""
        return self._digest.hexdigest()

    def write(self, block: bytes) -> None:
        """Append a block.

        Raises:
            AudioTooLarge: the recording grew beyond the limit.
            Unavailable: the disk is full or failing.
        """
        self.size += len(block)
        if self.size > self._max_bytes:
            raise AudioTooLarge(f"the recording has more than {self._max_bytes} bytes")
        self._digest.update(block)
        rest = memoryview(block)
        with self._lock, _disk_errors():
            while rest:
                rest = rest[self._file.write(rest) :]
        if self.size - self._synced >= _UNSYNCED and self._syncs[-1].done():
            self._sync()

    def seal(self) -> None:
        """All has arrived: begin to make it durable.

        Raises:
            Unavailable: the disk is failing.
        """
        self.settle()  # the name is durable before anything else has one that it explains
        self._sync()

    def settle(self) -> None:
        """Wait until what was begun is durable.

        Raises:
            Unavailable: the disk is failing.
        """
        with _disk_errors():
            for each in self._syncs:
                each.result()

    def _sync(self) -> None:
        self._synced = self.size
        self._syncs.append(self._syncing.submit(os.fsync, self._file.fileno()))

    @contextlib.contextmanager
    def reading(self) -> Iterator[BufferedReader]:
        """The file, to look into."""
        with self.path.open("rb") as file:
            yield file


@dataclass(frozen=True, slots=True)
class LeftOver:
    """A file that an earlier process did not get to remove."""

    path: Path
    tenant: str
    id: str


class Inbox:
    """The folder under which recordings arrive, owned by one gateway process.

    Raises:
        Conflict: another process with the same executor id uses the folder.
        InvalidSetting: it cannot be made or written.
    """

    def __init__(self, folder: Path, max_bytes: int) -> None:
        self._folder = folder
        self._max_bytes = max_bytes
        with _setting_up(folder):
            folder.mkdir(parents=True, exist_ok=True)
            self._lock = (folder.parent / f"{folder.name}.lock").open("w")
        self._syncing = ThreadPoolExecutor(_SYNCS, "sync")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._lock.close()
            raise Conflict(
                f"another gateway named {folder.name!r} is using {folder.parent}",
                remedy="Stop it, or set CALLSCOPE_GATEWAY_EXECUTOR_ID or "
                "CALLSCOPE_GATEWAY_DATA_DIR.",
            ) from None

    def begin(self, tenant: str, call_id: str) -> Incoming:
        """A new file for the recording of that call."""
        return Incoming(self._folder, tenant, call_id, self._max_bytes, self._syncing)

    def left_over(self) -> tuple[LeftOver, ...]:
        """What an earlier process did not get to remove."""
        files = sorted(self._folder.glob("*.*"))
        return tuple(LeftOver(file, file.stem, file.suffix[1:]) for file in files)

    def close(self) -> None:
        """Let another process have the folder."""
        self._syncing.shutdown()
        self._lock.close()


class LocalStore:
    """A `BlobStore` in a folder on the same file system as the `Inbox`.

    Raises:
        InvalidSetting: it cannot be made.
    """

    def __init__(self, folder: Path) -> None:
        with _setting_up(folder):
            folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder.resolve()

    def keep(self, file: Path, key: str) -> None:
        """Give the file a second name here: no byte is copied."""
        target = self._path(key)
        with _disk_errors():
            _make_folder(target.parent, self._folder)
            target.hardlink_to(file)
            _sync_folder(target.parent)

    def uri(self, key: str) -> str:
        """A `file://` URI."""
        return self._path(key).as_uri()

    def size(self, key: str) -> int:
        """Its number of bytes."""
        with _missing(key):
            return self._path(key).stat().st_size

    def read(self, key: str, start: int, length: int) -> Iterator[bytes]:
        """Its bytes from `start`, in blocks."""
        with _missing(key):
            file = self._path(key).open("rb")
        with file:
            file.seek(start)
            while length > 0 and (block := file.read(min(_BLOCK, length))):
                length -= len(block)
                yield block

    def remove(self, key: str) -> None:
        """Remove it; no error where it is not there."""
        self._path(key).unlink(missing_ok=True)

    def _path(self, key: str) -> Path:
        return self._folder / key


@contextlib.contextmanager
def _missing(key: str) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:
        raise AudioNotFound(f"the recording {key} is not in the store") from None


@contextlib.contextmanager
def _disk_errors() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        raise Unavailable(
            f"the recording cannot be stored: {os.strerror(error.errno or errno.EIO).lower()}",
            remedy=f"{'Free space in' if full else 'Check'} CALLSCOPE_GATEWAY_DATA_DIR.",
        ) from error


@contextlib.contextmanager
def _setting_up(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        reason = os.strerror(error.errno or errno.EIO).lower()
        raise InvalidSetting(
            f"CALLSCOPE_GATEWAY_DATA_DIR: {folder} cannot be written: {reason}",
            remedy="Give that folder to the user the gateway runs as, or name another one.",
        ) from error


def _make_folder(folder: Path, root: Path) -> None:
    """Create the folder and those above it up to `root`, durably."""
    if folder != root and not folder.is_dir():
        _make_folder(folder.parent, root)
        folder.mkdir(exist_ok=True)
        _sync_folder(folder.parent)


def _sync_folder(folder: Path) -> None:
    """Make renames and new names in the folder survive a power failure."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
