"""Where the bulk loader finds recordings: a folder, or a bucket."""

import contextlib
import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Protocol

from minio import Minio

from callscope.errors import AudioNotFound, InvalidInput, InvalidSetting
from callscope.serving.recordings import s3_client
from services.gateway.facts import MAX_SIDECAR, Said, said_by_object
from services.gateway.inbound.objects import Objects
from services.gateway.inbound.place import Place
from services.gateway_client import ClientSettings

__all__ = ["Item", "Opened", "Source", "open_source"]

_IN_MEMORY = 32 << 20  # bytes of an object; larger ones go to a temporary file


@dataclass(frozen=True, slots=True)
class Item:
    """A recording: its name below the source, and what changes when it does."""

    name: str
    version: str


@dataclass(frozen=True, slots=True)
class Opened:
    """A recording's bytes, and what its source says of it."""

    file: IO[bytes]
    size: int
    said: tuple[Said, ...]


class Source(Protocol):
    """Recordings and their sidecars."""

    def items(self) -> Iterator[Item]:
        """All recordings, in order of their names."""
        ...

    def open(self, name: str) -> contextlib.AbstractContextManager[Opened]:
        """One of them; raises `AudioNotFound` where it is gone."""
        ...

    def small(self, name: str) -> bytes | None:
        """A sidecar's bytes, or one more than it may have; None where there is none."""
        ...


def open_source(where: str, suffixes: tuple[str, ...], settings: ClientSettings) -> Source:
    """The source that `where` names, a folder or `s3://bucket/prefix`.

    Raises:
        InvalidInput: there is no such folder.
        InvalidSetting: a bucket, and no server is set.
    """
    if not where.startswith("s3://"):
        folder = Path(where)
        if not folder.is_dir():
            raise InvalidInput(
                f"{where} is no folder", remedy="Name a folder, or s3://bucket/prefix."
            )
        return _Folder(folder, suffixes)
    client = s3_client(settings)
    if client is None:
        raise InvalidSetting(
            f"no server is set to read {where} from", remedy="Set CALLSCOPE_S3_ENDPOINT and keys."
        )
    bucket, _, prefix = where.removeprefix("s3://").partition("/")
    return _Bucket(client, Place(bucket, prefix, suffixes, "", sidecars_required=False))


class _Folder:
    def __init__(self, folder: Path, suffixes: tuple[str, ...]) -> None:
        self._folder = folder
        self._suffixes = suffixes

    def items(self) -> Iterator[Item]:
        for where, folders, files in os.walk(self._folder):
            folders.sort()
            for file in sorted(files):
                if file.lower().endswith(self._suffixes):
                    path = Path(where) / file
                    with contextlib.suppress(OSError):  # gone already
                        known = path.stat()
                        name = path.relative_to(self._folder).as_posix()
                        yield Item(name, f"{known.st_size}-{known.st_mtime_ns}")

    @contextlib.contextmanager
    def open(self, name: str) -> Iterator[Opened]:
        try:
            file = (self._folder / name).open("rb")
        except OSError as error:
            raise AudioNotFound(f"cannot read {name}: {error.strerror}") from None
        with file:
            yield Opened(file, os.fstat(file.fileno()).st_size, ())

    def small(self, name: str) -> bytes | None:
        try:
            with (self._folder / name).open("rb") as file:
                return file.read(MAX_SIDECAR + 1)
        except OSError:
            return None


class _Bucket:
    def __init__(self, client: Minio, place: Place) -> None:
        self._objects = Objects(client, place)

    def items(self) -> Iterator[Item]:
        for found in self._objects.all():
            yield Item(found.name, found.version)

    @contextlib.contextmanager
    def open(self, name: str) -> Iterator[Opened]:
        with (
            tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY) as file,
            self._objects.open(name) as opened,
        ):
            for block in opened.blocks:
                file.write(block)
            size = file.tell()
            file.seek(0)
            yield Opened(file, size, (said_by_object(opened.headers),))

    def small(self, name: str) -> bytes | None:
        return self._objects.small(name, MAX_SIDECAR)
