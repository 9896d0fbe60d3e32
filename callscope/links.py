"""Recordings behind https links, on hosts that whoever runs this service has named.

A link is fetched for whoever sends it, so a host on the list should give recordings to those alone
who know a link that cannot be guessed, such as a signed one. Redirects are not followed: they would
lead past the list. Messages leave out a link's query, where signatures are.
"""

import time
from collections.abc import Sequence
from typing import BinaryIO
from urllib.parse import SplitResult, urlsplit

import urllib3
from urllib3.exceptions import HTTPError

from callscope.errors import AudioNotFound, AudioTooLarge, ForbiddenUri, Unavailable

__all__ = ["Links"]

_PORT = 443
_COPY = 1 << 20  # bytes a read
_LONGEST = 600.0  # seconds one recording may take; its sender waits


class Links:
    """Fetches `https://` links to `hosts`, and nothing else.

    Args:
        hosts: names with or without a port, such as `recordings.example.com`.
        max_bytes: recordings above this size are refused while they are fetched.
    """

    def __init__(self, hosts: Sequence[str], max_bytes: int) -> None:
        self._hosts = frozenset(_host(urlsplit(f"//{host}")) for host in hosts)
        self._max_bytes = max_bytes
        self._connections = urllib3.PoolManager(
            timeout=urllib3.Timeout(connect=5, read=60),
            retries=urllib3.Retry(2, redirect=False, backoff_factor=0.3),
        )

    def fetch(self, uri: str, into: BinaryIO) -> None:
        """Write the bytes behind the link into a file.

        Raises:
            ForbiddenUri: no plain https link to one of the hosts, a redirect, or the host refuses.
            AudioNotFound: the host does not have it.
            AudioTooLarge: it is larger than `max_bytes`.
            Unavailable: the host does not answer, or for too long.
        """
        where = self._checked(uri)
        headers = {"Accept-Encoding": "identity"}
        try:
            response = self._connections.request(
                "GET", uri, headers=headers, redirect=False, preload_content=False
            )
            try:
                _check_status(response.status, where)
                self._copy(response, into, where)
            finally:
                response.close()
        except HTTPError as error:
            raise Unavailable(
                f"{where} could not be fetched: {type(error).__name__}",
                remedy="Try again; if it lasts, check that this service reaches that host.",
            ) from error

    def _checked(self, uri: str) -> str:
        """The link without its query, for messages."""
        try:
            parts = urlsplit(uri)
            host = _host(parts)
        except ValueError:
            raise ForbiddenUri("the recording's link cannot be read") from None
        if "@" in parts.netloc or parts.fragment or not (uri.isascii() and uri.isprintable()):
            raise ForbiddenUri(
                "the recording's link is no plain https link",
                remedy="Leave out user, password and fragment; percent-encode what is not ASCII.",
            )
        if host not in self._hosts:
            raise ForbiddenUri(
                f"this service may not fetch links to {parts.hostname or 'no host'}",
                remedy="Add the host to CALLSCOPE_AUDIO_HOSTS, or send the bytes themselves.",
            )
        return f"https://{parts.netloc}{parts.path}"

    def _copy(self, response: urllib3.BaseHTTPResponse, into: BinaryIO, where: str) -> None:
        until = time.monotonic() + _LONGEST
        size = 0
        for block in response.stream(_COPY, decode_content=False):
            size += len(block)
            if size > self._max_bytes:
                raise AudioTooLarge(f"{where} is larger than {self._max_bytes} bytes")
            if time.monotonic() > until:
                raise Unavailable(f"{where} took more than {_LONGEST:g} seconds")
            into.write(block)


def _host(parts: SplitResult) -> tuple[str, int]:
    return (parts.hostname or "").rstrip("."), parts.port or _PORT


def _check_status(status: int, where: str) -> None:
    if status == 200:
        return
    if 300 <= status < 400:
        raise ForbiddenUri(
            f"{where} redirects, which is not followed", remedy="Send the link that it leads to."
        )
    if status in (401, 403):
        raise ForbiddenUri(
            f"{where} is refused with status {status}",
            remedy="Send a link that needs no sign-in and has not expired.",
        )
    if status >= 500 or status == 429:
        raise Unavailable(f"{where} answered with status {status}", retry_after=5)
    raise AudioNotFound(f"{where} answered with status {status}")
