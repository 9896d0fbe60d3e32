"""Channels to other services: every pod gets its share, and one that comes back is found soon.

What fails is tried again by who called, never by gRPC: where a call under gRPC's `retryPolicy` is
cancelled or late in a pause between attempts, it may never end (github.com/grpc/grpc/issues/41036).
"""

import json

import grpc

__all__ = ["MESSAGE_OPTIONS", "connect"]

_MESSAGE_BYTES = 64 << 20  # a ten-hour call's words fit; audio travels by reference
MESSAGE_OPTIONS = (
    ("grpc.max_receive_message_length", _MESSAGE_BYTES),
    ("grpc.max_send_message_length", _MESSAGE_BYTES),
)
_SERVICE_CONFIG = json.dumps({"loadBalancingConfig": [{"round_robin": {}}]})
_RECONNECT_MS = 2_000  # gRPC's own pauses grow to two minutes


def connect(target: str, credentials: grpc.ChannelCredentials | None = None) -> grpc.Channel:
    """Open a channel to `target` (host:port or any gRPC name); it connects when first used.

    With `credentials` over TLS: the server's certificate must be of the target's name.
    """
    options = [
        *MESSAGE_OPTIONS,
        ("grpc.service_config", _SERVICE_CONFIG),
        ("grpc.max_reconnect_backoff_ms", _RECONNECT_MS),
        ("grpc.keepalive_time_ms", 30_000),
        ("grpc.keepalive_timeout_ms", 10_000),
    ]
    if credentials is None:
        return grpc.insecure_channel(target, options)
    return grpc.secure_channel(target, credentials, options)
