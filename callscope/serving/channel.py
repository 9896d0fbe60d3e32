"""Channels to other services: every pod gets its share, and what can pass is tried again."""

import json

import grpc

__all__ = ["MESSAGE_OPTIONS", "connect"]

_MESSAGE_BYTES = 64 << 20  # a ten-hour call's words fit; audio travels by reference
MESSAGE_OPTIONS = (
    ("grpc.max_receive_message_length", _MESSAGE_BYTES),
    ("grpc.max_send_message_length", _MESSAGE_BYTES),
)
_SERVICE_CONFIG = {
    "loadBalancingConfig": [{"round_robin": {}}],
    "methodConfig": [
        {
            "name": [{}],
            "retryPolicy": {
                "maxAttempts": 4,
                "initialBackoff": "0.2s",
                "maxBackoff": "2s",
                "backoffMultiplier": 2,
                "retryableStatusCodes": ["UNAVAILABLE"],
            },
        }
    ],
}


def connect(target: str, credentials: grpc.ChannelCredentials | None = None) -> grpc.Channel:
    """Open a channel to `target` (host:port or any gRPC name); it connects when first used.

    With `credentials` over TLS: the server's certificate must be of the target's name.
    """
    options = [
        *MESSAGE_OPTIONS,
        ("grpc.service_config", json.dumps(_SERVICE_CONFIG)),
        ("grpc.keepalive_time_ms", 30_000),
        ("grpc.keepalive_timeout_ms", 10_000),
    ]
    if credentials is None:
        return grpc.insecure_channel(target, options)
    return grpc.secure_channel(target, credentials, options)
