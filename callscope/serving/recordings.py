"""From settings to what a service may read: limits, and a reader inside them."""

import urllib3
from minio import Minio

from callscope.audio import AudioLimits, AudioReader
from callscope.errors import InvalidSetting
from callscope.serving.settings import ServiceSettings

__all__ = ["audio_limits", "audio_reader", "s3_client"]


def audio_limits(settings: ServiceSettings) -> AudioLimits:
    """The limits on a recording that the settings give."""
    return AudioLimits(
        max_bytes=settings.max_audio_bytes,
        max_seconds=settings.max_audio_seconds,
        max_sample_rate=settings.max_sample_rate,
        extra_channels=settings.extra_channels,
    )


def audio_reader(settings: ServiceSettings) -> AudioReader:
    """A reader for the folders, buckets and hosts that the settings allow."""
    return AudioReader(
        roots=settings.audio_roots,
        buckets=settings.audio_buckets,
        s3=s3_client(settings),
        hosts=settings.audio_hosts,
        limits=audio_limits(settings),
    )


def s3_client(
    settings: ServiceSettings, connections: urllib3.PoolManager | None = None
) -> Minio | None:
    """The store's client, or None where no endpoint is set. Nothing is sent yet.

    Args:
        settings: where the store is, and the keys.
        connections: to use instead of ones that suit short requests.

    Raises:
        InvalidSetting: the endpoint is no host:port.
    """
    if settings.s3_endpoint is None:
        return None
    keys = (settings.s3_access_key, settings.s3_secret_key)
    access, secret = (key.get_secret_value() if key else None for key in keys)
    try:
        return Minio(
            settings.s3_endpoint,
            access_key=access,
            secret_key=secret,
            secure=settings.s3_secure,
            # minio's own default waits five minutes for a connection
            http_client=connections
            or urllib3.PoolManager(
                maxsize=16,  # connections kept: several threads share the client
                timeout=urllib3.Timeout(connect=5, read=60),
                retries=urllib3.Retry(3, backoff_factor=0.3, status_forcelist=(502, 503, 504)),
            ),
        )
    except ValueError as error:
        raise InvalidSetting(f"CALLSCOPE_S3_ENDPOINT: {error}") from None
