"""The inbound bucket's objects: listed, opened and listened for."""

import contextlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import urllib3
from minio import Minio
from minio.error import MinioException, S3Error
from urllib3.exceptions import HTTPError
from urllib3.response import BaseHTTPResponse

from callscope.errors import AudioNotFound, Unavailable
from services.gateway.inbound.place import Found, Place

__all__ = ["Line", "Objects", "Opened"]

_BLOCK = 1 << 20  # bytes a read
_MISSING = {"NoSuchKey", "NoSuchObject", "NoSuchVersion"}
_EVENTS = ("s3:ObjectCreated:*",)


@dataclass(frozen=True, slots=True)
class Opened:
    """An object being read."""

    version: str
    headers: Mapping[str, str]
    blocks: Iterator[bytes]


class Line(urllib3.PoolManager):
    """Connections to the store that another thread may cut, to end a long wait for events."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._last: BaseHTTPResponse | None = None

    def urlopen(self, *arguments: Any, **options: Any) -> BaseHTTPResponse:
        """As the pool does."""
        self._last = super().urlopen(*arguments, **options)
        return self._last

    def cut(self) -> None:
        """End the answer that is being read, if there is one."""
        if self._last is not None and not self._last.closed:
            with contextlib.suppress(RuntimeError, OSError, ValueError):
                self._last.shutdown()


@dataclass(frozen=True, slots=True)
class Objects:
    """The objects of a place. Every method raises `Unavailable` where the store does not answer.

    Attributes:
        client: of the store.
        place: which objects.
    """

    client: Minio
    place: Place

    def all(self) -> Iterator[Found]:
        """Every recording that is there now."""
        with _translated(self.place.bucket):
            for item in self.client.list_objects(
                self.place.bucket, prefix=self.place.prefix, recursive=True
            ):
                name = item.object_name or ""
                if self.place.holds(name) and item.etag:
                    yield Found(name, item.etag.strip('"'))

    @contextmanager
    def open(self, name: str) -> Iterator[Opened]:
        """Read an object as it is now.

        Raises:
            AudioNotFound: it is not there.
        """
        with _translated(name):
            response = self.client.get_object(self.place.bucket, name)
            try:
                version = str(response.headers.get("ETag", "")).strip('"')
                yield Opened(version, dict(response.headers), response.stream(_BLOCK))
            finally:
                response.close()
                response.release_conn()

    def small(self, name: str, limit: int) -> bytes | None:
        """A small object's bytes, `limit` and one at most; None where it is not there."""
        try:
            with self.open(name) as opened:
                content = bytearray()
                for block in opened.blocks:
                    content += block
                    if len(content) > limit:
                        break
                return bytes(content[: limit + 1])
        except AudioNotFound:
            return None

    def events(self, client: Minio) -> Iterator[Mapping[str, Any]]:
        """The bucket's own events as they happen, over `client`, until the connection ends."""
        with _translated(self.place.bucket):
            yield from client.listen_bucket_notification(
                self.place.bucket, prefix=self.place.prefix, events=_EVENTS
            )


@contextmanager
def _translated(name: str) -> Iterator[None]:
    try:
        yield
    except (MinioException, HTTPError) as error:
        code = error.code if isinstance(error, S3Error) else type(error).__name__
        if code in _MISSING:
            raise AudioNotFound(f"there is no object {name}") from None
        raise Unavailable(
            f"the inbound bucket failed: {code}",
            remedy="Check CALLSCOPE_GATEWAY_INBOUND_BUCKET, CALLSCOPE_S3_ENDPOINT and the keys.",
        ) from error
