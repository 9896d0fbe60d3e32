"""Recordings in a bucket of MinIO or another S3 server."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from minio import Minio
from minio.error import MinioException, S3Error
from urllib3.exceptions import HTTPError

from callscope.errors import AudioNotFound, Unavailable

__all__ = ["BucketStore"]

_BLOCK = 1 << 20  # bytes a read
_MISSING = {"NoSuchKey", "NoSuchObject"}


class BucketStore:
    """A `services.gateway.store.BlobStore` in a bucket, which exists already.

    Args:
        client: of the server.
        bucket: its name.
    """

    def __init__(self, client: Minio, bucket: str) -> None:
        self._client = client
        self._bucket = bucket

    def keep(self, file: Path, key: str) -> None:
        """Upload the file, in parts where it is large."""
        with self._translated(key):
            self._client.fput_object(self._bucket, key, str(file))

    def uri(self, key: str) -> str:
        """An `s3://` URI."""
        return f"s3://{self._bucket}/{key}"

    def size(self, key: str) -> int:
        """Its number of bytes."""
        with self._translated(key):
            return self._client.stat_object(self._bucket, key).size or 0

    def read(self, key: str, start: int, length: int) -> Iterator[bytes]:
        """Its bytes from `start`, in blocks."""
        with self._translated(key):
            response = self._client.get_object(self._bucket, key, offset=start, length=length)
            try:
                yield from response.stream(_BLOCK)
            finally:
                response.close()
                response.release_conn()

    def remove(self, key: str) -> None:
        """Remove it; no error where it is not there."""
        with self._translated(key):
            self._client.remove_object(self._bucket, key)

    @contextlib.contextmanager
    def _translated(self, key: str) -> Iterator[None]:
        try:
            yield
        except (MinioException, HTTPError) as error:
            code = error.code if isinstance(error, S3Error) else type(error).__name__
            if code in _MISSING:
                raise AudioNotFound(f"the recording {key} is not in the store") from None
            raise Unavailable(
                f"the bucket {self._bucket} failed: {code}",
                remedy="Try again; if it lasts, check CALLSCOPE_S3_ENDPOINT, the keys and the "
                "bucket.",
            ) from error
