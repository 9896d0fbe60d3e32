"""A gateway over REST, as the commands use it; its problem documents come back as our errors."""

import contextlib
import json
from collections.abc import Iterator, Mapping
from typing import IO, Any, ClassVar
from urllib.parse import urlencode, urlsplit

import urllib3
from pydantic import Field, SecretStr
from urllib3.exceptions import HTTPError
from urllib3.response import BaseHTTPResponse

from callscope.errors import CallscopeError, InvalidSetting, Unavailable, error_classes
from callscope.serving.settings import ServiceSettings

__all__ = ["ClientSettings", "GatewayClient"]

_BLOCK = 1 << 20  # bytes a read
_BY_CODE = {kind.code: kind for kind in error_classes()}


class ClientSettings(ServiceSettings):
    """Settings of the commands that talk to a gateway."""

    service: ClassVar[str] = "client"
    gateway: str = Field("http://localhost:8080", description="Address of the gateway's REST API.")
    api_key: SecretStr | None = Field(
        None, description="The key to send; empty for a gateway that asks for none."
    )


class GatewayClient:
    """Requests to one gateway. Thread-safe.

    Args:
        settings: where it is, and the key.
        connections: kept open at the same time.

    Raises:
        InvalidSetting: the address is no http or https URL.
    """

    def __init__(self, settings: ClientSettings, connections: int = 1) -> None:
        parts = urlsplit(settings.gateway)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise InvalidSetting(
                f"the gateway's address {settings.gateway!r} is no URL",
                remedy="Write http://host:8080, with --gateway or CALLSCOPE_CLIENT_GATEWAY.",
            )
        self._base = settings.gateway.rstrip("/")
        self._headers = {"User-Agent": "callscope"}
        if settings.api_key is not None:
            self._headers["Authorization"] = f"Bearer {settings.api_key.get_secret_value()}"
        self._pool = urllib3.PoolManager(
            maxsize=connections,
            retries=False,
            # A large recording is copied to the store before the answer comes.
            timeout=urllib3.Timeout(connect=10, read=600),
        )

    def upload(self, fields: Mapping[str, str], audio: IO[bytes], size: int, key: str) -> Any:
        """Send a recording; the call it is. The file is read from where it stands.

        Raises:
            CallscopeError: as the gateway says.
            Unavailable: it does not answer.
        """
        form = _Form(fields, audio, size)
        headers = {
            "Content-Type": form.content_type,
            "Content-Length": str(form.size),
            "Idempotency-Key": key,
        }
        with self._request("POST", "/v1/calls", body=form, headers=headers) as response:
            return json.loads(response.read())

    def ask(
        self, method: str, path: str, body: Any = None, query: Mapping[str, str] | None = None
    ) -> Any:
        """A JSON answer to a request that carries JSON, or none; raises as `upload`."""
        address = path if not query else f"{path}?{urlencode(query)}"
        headers = {} if body is None else {"Content-Type": "application/json"}
        content = None if body is None else json.dumps(body)
        with self._request(method, address, headers=headers, body=content) as response:
            return json.loads(response.read())

    def download(self, path: str, query: Mapping[str, str]) -> Iterator[bytes]:
        """An answer's bytes as they come; raises as `upload`."""
        with self._request("GET", path, fields=dict(query)) as response:
            try:
                yield from response.stream(_BLOCK)
            except HTTPError as error:
                raise Unavailable(
                    "the gateway broke off in the middle", remedy="Try again."
                ) from error

    @contextlib.contextmanager
    def _request(
        self, method: str, path: str, headers: Mapping[str, str] | None = None, **more: Any
    ) -> Iterator[BaseHTTPResponse]:
        url = f"{self._base}{path}"
        try:
            response = self._pool.request(
                method,
                url,
                headers={**self._headers, **(headers or {})},
                preload_content=False,
                redirect=False,
                **more,
            )
        except (HTTPError, OSError) as error:
            raise Unavailable(
                f"the gateway at {self._base} does not answer",
                remedy="Check --gateway, and that it is running.",
            ) from error
        try:
            if response.status >= 300:
                raise _problem(response)
            yield response
        finally:
            response.close()


def _problem(response: BaseHTTPResponse) -> CallscopeError:
    try:
        body = json.loads(response.read())
        kind = _BY_CODE.get(body["code"], CallscopeError)
        message, remedy, details = body["detail"], body["remedy"], body.get("details")
    except (ValueError, KeyError, TypeError, HTTPError):
        return Unavailable(
            f"what answers there is no gateway, or one that is ill: HTTP {response.status}",
            remedy="Check --gateway.",
        )
    wait = response.headers.get("Retry-After", "")
    after = float(wait) if wait.isdecimal() else None
    return kind(message, remedy=remedy, details=details, retry_after=after)


class _Form:
    """A multipart form around a file that is sent as it is read."""

    _BOUNDARY = "callscope-1f6e0b9d5c2a4e83"

    def __init__(self, fields: Mapping[str, str], audio: IO[bytes], size: int) -> None:
        parts = [
            f'--{self._BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{text}\r\n'
            for name, text in fields.items()
        ]
        head = f'--{self._BOUNDARY}\r\nContent-Disposition: form-data; name="audio"\r\n\r\n'
        self._before = memoryview("".join([*parts, head]).encode())
        self._audio = audio
        self._after = memoryview(f"\r\n--{self._BOUNDARY}--\r\n".encode())
        self.content_type = f"multipart/form-data; boundary={self._BOUNDARY}"
        self.size = len(self._before) + size + len(self._after)

    def read(self, count: int = _BLOCK) -> bytes:
        """The next bytes, at most so many."""
        if self._before:
            piece, self._before = self._before[:count], self._before[count:]
            return bytes(piece)
        if block := self._audio.read(count):
            return block
        piece, self._after = self._after[:count], self._after[count:]
        return bytes(piece)
