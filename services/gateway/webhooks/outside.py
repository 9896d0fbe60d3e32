"""Requests to addresses that users name, and that must not lead into our own network.

A webhook's URL comes from whoever may manage webhooks; without a check it would let them reach
every service and metadata endpoint that the gateway can reach. So the name is resolved here, each
address is judged, and the connection goes to the very address that was judged: a name that
resolves differently a moment later gains nothing. Redirects are not followed.
"""

import contextlib
import socket
import ssl
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from http.client import HTTPException
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import TypeAlias
from urllib.parse import SplitResult, urlsplit

from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError

from callscope.errors import ForbiddenUri, InvalidInput, Unavailable

__all__ = ["Answer", "Network", "Outside"]

Address: TypeAlias = IPv4Address | IPv6Address
Network: TypeAlias = IPv4Network | IPv6Network

_NAT64 = ip_network("64:ff9b::/96")
_PORTS = {"https": 443, "http": 80}
_REMEDY = "Name a public https:// address, or have CALLSCOPE_GATEWAY_WEBHOOK_NETWORKS allow it."


@dataclass(frozen=True, slots=True)
class Answer:
    """What a receiver answered; `retry_after` in seconds, where it asked for it."""

    status: int
    retry_after: float | None


@dataclass(frozen=True, slots=True)
class Outside:
    """The network outside, with the exceptions an operator made.

    Attributes:
        allowed: networks that are not public and may be reached all the same, without TLS too.
        timeout: seconds for one request, everything included.
    """

    allowed: Sequence[Network]
    timeout: float

    def check(self, url: str) -> None:
        """Refuse a URL that would not be called.

        Raises:
            InvalidInput: no http or https URL, or its name has no address.
            ForbiddenUri: it leads into a network that is not public, or goes without TLS.
        """
        parts = _split(url)
        try:
            self._address(parts)
        except Unavailable as error:
            raise InvalidInput(error.message, remedy="Check the URL's host.") from None

    def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        """Send a request.

        Raises:
            InvalidInput, ForbiddenUri: as `check`.
            Unavailable: no answer in time.
        """
        parts = _split(url)
        connection = self._connection(parts)
        path = f"{parts.path or '/'}{'?' + parts.query if parts.query else ''}"
        try:
            with self._within_time(connection) as cut:
                connection.request(
                    "POST", path, body=body, headers={"Host": parts.netloc, **headers}
                )
                response = connection.getresponse()
        except (HTTPError, HTTPException, OSError) as error:
            raise Unavailable("no answer in time" if cut.is_set() else _reason(error)) from error
        finally:
            connection.close()
        return Answer(response.status, _seconds(response.headers.get("Retry-After")))

    def _connection(self, parts: SplitResult) -> HTTPConnection:
        address, port = str(self._address(parts)), parts.port or _PORTS[parts.scheme]
        if parts.scheme == "http":
            return HTTPConnection(address, port, timeout=self.timeout)
        return HTTPSConnection(
            address,
            port,
            timeout=self.timeout,
            server_hostname=parts.hostname,
            cert_reqs="CERT_REQUIRED",
        )

    def _address(self, parts: SplitResult) -> Address:
        """The address to connect to: all that the name stands for are judged."""
        host = parts.hostname or ""
        addresses = _resolve(host, parts.port or _PORTS[parts.scheme])
        for address in addresses:
            if any(address in network for network in self.allowed):
                continue
            if not _is_public(address):
                # Without the address: it would tell whoever asks how our network is made.
                raise ForbiddenUri(
                    f"{host} leads into a network that is not public", remedy=_REMEDY
                )
            if parts.scheme != "https":
                raise ForbiddenUri("a webhook outside goes over https only", remedy=_REMEDY)
        return addresses[0]

    @contextlib.contextmanager
    def _within_time(self, connection: HTTPConnection) -> Iterator[threading.Event]:
        """Cut a connection that trickles: socket time-outs begin anew with every byte.

        The event is set where that was done.
        """
        late = threading.Event()

        def cut() -> None:
            late.set()
            with contextlib.suppress(OSError):
                if connection.sock is not None:
                    connection.sock.shutdown(socket.SHUT_RDWR)

        timer = threading.Timer(self.timeout, cut)
        timer.daemon = True
        timer.start()
        try:
            yield late
        finally:
            timer.cancel()


def _split(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise InvalidInput("the webhook's URL cannot be read") from None
    plain = url.isascii() and url.isprintable() and " " not in url
    if parts.scheme not in _PORTS or not parts.hostname or port == 0 or not plain:
        raise InvalidInput("a webhook's URL begins with https:// and a host's name")
    if parts.username is not None or parts.fragment:
        raise InvalidInput(
            "a webhook's URL has no user, password or fragment",
            remedy="Receivers know us by the signature.",
        )
    return parts


def _resolve(host: str, port: int) -> list[Address]:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise Unavailable(f"the name {host} has no address") from None
    return [ip_address(str(each[4][0]).partition("%")[0]) for each in found]


def _is_public(address: Address) -> bool:
    inner = _inner(address)
    return address.is_global and not address.is_multicast and (inner is None or _is_public(inner))


def _inner(address: Address) -> IPv4Address | None:
    """The IPv4 address inside an IPv6 one that only carries it."""
    if isinstance(address, IPv4Address):
        return None
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    teredo = address.teredo
    return address.ipv4_mapped or address.sixtofour or (teredo[1] if teredo else None)


def _seconds(text: str | None) -> float | None:
    return float(text) if text is not None and text.isdecimal() and len(text) < 7 else None


def _reason(error: Exception) -> str:
    """Why there was no answer, in words that name nothing inside."""
    if isinstance(error, TimeoutError) or "timed out" in str(error):
        return "no answer in time"
    if isinstance(error, ssl.SSLError):
        return "no connection: the receiver's certificate is not valid for this name"
    return f"no answer: {type(error).__name__}"
