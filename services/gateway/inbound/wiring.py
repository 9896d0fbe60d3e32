"""The collector put together from settings."""

import sqlalchemy as sa
import urllib3

from callscope.errors import InvalidSetting
from callscope.serving.recordings import s3_client
from services.gateway.access import checked_tenant
from services.gateway.inbound.arrivals import Arrivals
from services.gateway.inbound.collector import Collector, Rhythm
from services.gateway.inbound.objects import Line, Objects
from services.gateway.inbound.place import Place
from services.gateway.intake import Intake
from services.gateway.settings import GatewaySettings

__all__ = ["build_collector"]

# Seconds after which what a dead gateway had begun is begun again. Should it only have been slow,
# the second one finds the first one's call by its key.
_LEASE = 60.0
# A server that keeps the line says something every few seconds, if only that it is there.
_LISTENING = urllib3.Timeout(connect=5, read=60)


def build_collector(
    settings: GatewaySettings, engine: sa.Engine, intake: Intake
) -> Collector | None:
    """The collector of the inbound bucket; None where there is none.

    Raises:
        InvalidSetting: the bucket is on no server, or its tenant is no name.
    """
    if settings.inbound_bucket is None:
        return None
    client = s3_client(settings)
    if client is None:
        raise InvalidSetting(
            "CALLSCOPE_GATEWAY_INBOUND_BUCKET names a bucket, and CALLSCOPE_S3_ENDPOINT no server"
        )
    place = Place(
        bucket=settings.inbound_bucket,
        prefix=settings.inbound_prefix,
        suffixes=tuple(each.lower() for each in settings.inbound_suffixes),
        tenant=checked_tenant(settings.inbound_tenant),
        sidecars_required=settings.inbound_sidecar == "required",
    )
    listener = None
    if settings.inbound_listen:
        line = Line(timeout=_LISTENING, retries=False)
        listening = s3_client(settings, line)
        assert listening is not None  # noqa: S101 - as the one above
        listener = listening, line
    return Collector(
        Objects(client, place),
        Arrivals(engine, place, _LEASE),
        intake,
        Rhythm(settings.poll_seconds, settings.inbound_sweep_seconds, settings.retry_seconds),
        listener,
    )
