"""TLS from settings: what a server shows, whom it asks for a certificate, whom a client trusts.

Files are read when a process starts: a new certificate is taken up by a restart.
"""

import ssl
from pathlib import Path

import grpc

from callscope.errors import InvalidSetting
from callscope.serving.settings import ServiceSettings

__all__ = ["channel_credentials", "server_context", "server_credentials"]


def server_context(settings: ServiceSettings) -> ssl.SSLContext | None:
    """TLS for a server in Python, such as the REST API; None where no certificate is set.

    Raises:
        InvalidSetting: a file is missing or unusable, or a certificate has no key.
    """
    cert, key, authority = settings.tls_cert, settings.tls_key, settings.tls_client_ca
    if cert is None and key is None and authority is None:
        return None
    if cert is None or key is None:
        raise InvalidSetting("CALLSCOPE_TLS_CERT and CALLSCOPE_TLS_KEY belong together")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    _load_pair(context, cert, key, "CALLSCOPE_TLS_CERT and CALLSCOPE_TLS_KEY")
    if authority is not None:
        _load_authority(context, authority, "CALLSCOPE_TLS_CLIENT_CA")
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def server_credentials(settings: ServiceSettings) -> grpc.ServerCredentials | None:
    """The same for a gRPC server; raises as `server_context`, whose checks gRPC does not make."""
    if server_context(settings) is None or settings.tls_cert is None or settings.tls_key is None:
        return None
    authority = settings.tls_client_ca
    return grpc.ssl_server_credentials(
        [(settings.tls_key.read_bytes(), settings.tls_cert.read_bytes())],
        root_certificates=None if authority is None else authority.read_bytes(),
        require_client_auth=authority is not None,
    )


def channel_credentials(
    ca: Path | None, cert: Path | None, key: Path | None, prefix: str
) -> grpc.ChannelCredentials | None:
    """TLS for a gRPC client; None where no authority is set.

    Args:
        ca: PEM file of the authorities whose servers are trusted.
        cert: PEM file of the client's own certificate, for servers that ask for one.
        key: PEM file of its key.
        prefix: how the three settings' names begin, for messages.

    Raises:
        InvalidSetting: a file is missing or unusable, or one of them lacks another.
    """
    if ca is None and cert is None and key is None:
        return None
    if ca is None or (cert is None) != (key is None):
        raise InvalidSetting(f"{prefix}CERT and {prefix}KEY belong together, and need {prefix}CA")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    _load_authority(context, ca, f"{prefix}CA")
    if cert is None or key is None:
        return grpc.ssl_channel_credentials(ca.read_bytes())
    _load_pair(context, cert, key, f"{prefix}CERT and {prefix}KEY")
    return grpc.ssl_channel_credentials(ca.read_bytes(), key.read_bytes(), cert.read_bytes())


def _load_pair(context: ssl.SSLContext, cert: Path, key: Path, names: str) -> None:
    try:
        # OpenSSL would ask on the terminal for the password of a key that has one.
        context.load_cert_chain(cert, key, password=lambda: "")
    except OSError as error:  # ssl.SSLError is one
        raise InvalidSetting(
            f"{names}: {_reason(error)}",
            remedy=f"Check that {cert} and {key} are PEM files that belong together, and that the "
            "key has no password.",
        ) from None


def _load_authority(context: ssl.SSLContext, ca: Path, name: str) -> None:
    try:
        context.load_verify_locations(ca)
    except OSError as error:
        raise InvalidSetting(
            f"{name}: {_reason(error)}", remedy=f"Check that {ca} is a PEM file of certificates."
        ) from None


def _reason(error: OSError) -> str:
    if isinstance(error, ssl.SSLError):
        return (error.reason or "not usable").lower().replace("_", " ")
    return (error.strerror or "cannot be read").lower()
