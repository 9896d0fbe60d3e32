"""Checked access to a recording's bytes: from the request, an allowed folder, bucket or host.

A service reads URIs that others send it, so nothing outside its configured folders, buckets and
hosts may be reached, whatever the URI looks like: the path is resolved first (dot segments, percent
signs, symbolic links), compared with the folders, and then opened component by component without
following links, so that a link swapped in meanwhile leads nowhere.
"""

import io
import os
import stat
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast
from urllib.parse import unquote_to_bytes, urlsplit

from minio import Minio
from minio.error import MinioException, S3Error
from urllib3.exceptions import HTTPError

from callscope.errors import AudioNotFound, AudioTooLarge, ForbiddenUri, Unavailable
from callscope.links import Links
from callscope.types import AudioSource

__all__ = ["Sources"]

_IN_MEMORY = 32 << 20  # bytes; larger objects go to an unnamed temporary file
_COPY = 1 << 20  # bytes a read
_MISSING = {"NoSuchKey", "NoSuchObject", "NoSuchBucket", "NoSuchVersion"}


class Sources:
    """Opens recordings in `roots` (`file://`), `buckets` (`s3://`) and behind `links` (`https://`).

    Args:
        roots: folders whose files may be read, with everything below them.
        buckets: names of buckets that may be read.
        s3: the client of their store; None where there is none.
        max_bytes: objects above this size are refused while they are fetched.
        links: fetches those to the hosts that may be read.
    """

    def __init__(
        self,
        *,
        roots: Sequence[Path],
        buckets: Sequence[str] = (),
        s3: Minio | None = None,
        max_bytes: int,
        links: Links,
    ) -> None:
        self._roots = tuple(Path(os.path.realpath(root)) for root in roots)
        self._buckets = frozenset(buckets)
        self._s3 = s3
        self._max_bytes = max_bytes
        self._links = links

    @contextmanager
    def open(self, source: AudioSource, folder: str | None = None) -> Iterator[BinaryIO]:
        """The source's bytes as a seekable file, closed at the end of the block.

        With a `folder`, only what lies in the folder of that name in a root or bucket; a link is
        known to those alone whom its host has told it.

        Raises:
            ForbiddenUri: no `file://`, `s3://` or `https://` URI, or outside what may be read.
            AudioNotFound: nothing readable there, or no regular file.
            AudioTooLarge: the object is larger than `max_bytes`.
            Unavailable: the store or host does not answer, or the store refuses this service.
        """
        if source.data is not None:
            yield io.BytesIO(source.data)
            return
        uri = source.uri or ""
        scheme = uri.partition("://")[0].lower()
        if scheme == "file":
            with self._open_file(uri, folder) as file:
                yield file
        elif scheme == "s3":
            with self._fetch_object(uri, folder) as file:
                yield file
        elif scheme == "https":
            with _spool() as file:
                self._links.fetch(uri, file)
                file.seek(0)
                yield file
        else:
            raise ForbiddenUri(
                f"a recording's URI starts with file://, s3:// or https://, not {scheme[:20]!r}",
                remedy="Send such a URI, or the bytes themselves.",
            )

    def _open_file(self, uri: str, folder: str | None) -> BinaryIO:
        path = _local_path(uri)
        for root in self._roots:
            if path.is_relative_to(root / (folder or "")):
                try:
                    return _open_beneath(root, path)
                except OSError as error:
                    reason = os.strerror(error.errno or 0).lower()
                    raise AudioNotFound(f"cannot read {uri}: {reason}") from error
        raise (
            _outside(uri, folder)
            if folder
            else ForbiddenUri(f"{uri} is outside the folders this service may read")
        )

    @contextmanager
    def _fetch_object(self, uri: str, folder: str | None) -> Iterator[BinaryIO]:
        bucket, key = _bucket_and_key(uri)
        if bucket not in self._buckets:
            raise ForbiddenUri(f"this service may not read the bucket {bucket!r}")
        if folder is not None and not key.startswith(f"{folder}/"):
            raise _outside(uri, folder)
        if self._s3 is None:
            raise Unavailable(
                f"no object store is configured to read {uri} from",
                remedy="Set CALLSCOPE_S3_ENDPOINT and the keys.",
            )
        with _spool() as file:
            try:
                self._download(self._s3, bucket, key, file)
            except (MinioException, HTTPError) as error:
                raise _translated(error, uri) from error
            file.seek(0)
            yield file

    def _download(self, s3: Minio, bucket: str, key: str, into: BinaryIO) -> None:
        response = s3.get_object(bucket, key)
        try:
            while block := response.read(_COPY):
                if into.tell() + len(block) > self._max_bytes:
                    raise AudioTooLarge(
                        f"s3://{bucket}/{key} is larger than {self._max_bytes} bytes"
                    )
                into.write(block)
        finally:
            response.close()
            response.release_conn()


@contextmanager
def _spool() -> Iterator[BinaryIO]:
    with tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY) as file:
        yield cast(BinaryIO, file)


def _outside(uri: str, folder: str) -> ForbiddenUri:
    return ForbiddenUri(
        f"{uri} is not in a folder {folder}/",
        remedy=f"Put it into the folder {folder}/ of a folder or bucket that the gateway may read, "
        "or send the bytes; CALLSCOPE_GATEWAY_SHARED_SOURCES=true lets every key read all.",
    )


def _local_path(uri: str) -> Path:
    """The resolved path a `file://` URI means (RFC 8089, this host only)."""
    parts = urlsplit(uri)
    path = os.fsdecode(unquote_to_bytes(parts.path))
    if parts.netloc not in ("", "localhost"):
        raise ForbiddenUri(
            f"{uri} names another host", remedy="Write file:///absolute/path for a local file."
        )
    if parts.query or parts.fragment or "\0" in path or not path.startswith("/"):
        raise ForbiddenUri(
            f"{uri!r} is no plain file URI",
            remedy="Percent-encode '?' and '#' in file names; leave out control characters.",
        )
    return Path(os.path.realpath(path))


def _open_beneath(root: Path, path: Path) -> BinaryIO:
    """Open a resolved path below `root`, following no links and blocking on no pipe."""
    *folders, name = path.relative_to(root).parts or (".",)
    here = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
    try:
        for folder in folders:
            inner = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=here)
            os.close(here)
            here = inner
        handle = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=here)
    finally:
        os.close(here)
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise AudioNotFound(f"{path} is not a regular file")
    return os.fdopen(handle, "rb")


def _bucket_and_key(uri: str) -> tuple[str, str]:
    """Split an `s3://` URI; the key is taken literally, as S3 tools write it."""
    bucket, _, key = uri.partition("://")[2].partition("/")
    segments = key.split("/")
    if not bucket or not key or "\0" in key or {"", ".", ".."} & set(segments):
        raise ForbiddenUri(
            f"{uri!r} is no s3://bucket/key", remedy="Name one object by its plain key."
        )
    return bucket, key


def _translated(error: Exception, uri: str) -> Exception:
    code = error.code if isinstance(error, S3Error) else None
    if code in _MISSING:
        return AudioNotFound(f"there is no {uri}")
    if code == "AccessDenied":
        return ForbiddenUri(
            f"the object store does not let this service read {uri}",
            remedy="Grant s3:GetObject on the bucket to this service's key.",
        )
    return Unavailable(
        f"the object store failed on {uri}: {code or type(error).__name__}",
        remedy="Try again; if it lasts, check CALLSCOPE_S3_ENDPOINT and the keys.",
    )
