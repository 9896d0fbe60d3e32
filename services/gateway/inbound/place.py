"""Where recordings arrive in a bucket, and what a bucket's events say about it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote_plus

from callscope.errors import InvalidInput
from services.gateway.facts import is_sidecar

__all__ = ["Found", "Place", "created"]

_CREATED = "ObjectCreated"
_MAX_NAME = 1024  # bytes, S3's own limit
_MAX_VERSION = 128


@dataclass(frozen=True, slots=True)
class Found:
    """An object as it was seen: its `version` is its ETag, which other content does not have."""

    name: str
    version: str


@dataclass(frozen=True, slots=True)
class Place:
    """A bucket, and which of its objects are recordings.

    Attributes:
        bucket: its name.
        prefix: what the names of recordings begin with; may be empty.
        suffixes: what they end with, in any case of letters.
        tenant: whose recordings they are.
        sidecars_required: whether a recording waits for its sidecar.
    """

    bucket: str
    prefix: str
    suffixes: tuple[str, ...]
    tenant: str
    sidecars_required: bool

    def holds(self, name: str) -> bool:
        """Whether an object of that name is a recording to take in."""
        return name.startswith(self.prefix) and name.lower().endswith(self.suffixes)

    def may_describe(self, name: str) -> bool:
        """Whether an object of that name may be a recording's sidecar."""
        return name.startswith(self.prefix) and is_sidecar(name)


def created(event: Mapping[str, Any], bucket: str) -> Iterator[Found]:
    """The objects that an S3 event says were created in `bucket`.

    Raises:
        InvalidInput: it is no S3 event.
    """
    records = event.get("Records")
    if not isinstance(records, list):
        raise InvalidInput(
            "the body is no bucket event",
            remedy="Point a bucket's notification here; docs/api.md shows how.",
        )
    for record in records:
        try:
            kind, inside = record["eventName"], record["s3"]
            place, item = inside["bucket"]["name"], inside["object"]
            found = Found(unquote_plus(item["key"]), str(item.get("eTag", "")).strip('"'))
        except (KeyError, TypeError, AttributeError):
            raise InvalidInput("a record of the bucket event lacks its name or object") from None
        if place == bucket and _CREATED in str(kind) and _is_sound(found):
            yield found


def _is_sound(found: Found) -> bool:
    return (
        0 < len(found.name.encode("utf-8", "replace")) <= _MAX_NAME
        and "\0" not in found.name
        and 0 < len(found.version) <= _MAX_VERSION
    )
