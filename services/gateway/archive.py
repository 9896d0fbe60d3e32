"""How values are kept in the database: their protobuf bytes, compressed.

Protobuf, because fields may be added without rewriting what is stored; never pickles, which break
when a class moves.
"""

import zlib
from typing import TypeVar

from callscope.wire import MESSAGES, from_proto, to_proto

__all__ = ["TEXT", "pack", "unpack"]

TEXT = "text"
"""The artifact that a call begins with where it was sent as text, named as a stage is."""

T = TypeVar("T")


def pack(value: object) -> bytes:
    """The bytes that keep `value`, an instance of a class in `callscope.wire.MESSAGES`."""
    return zlib.compress(to_proto(value).SerializeToString(deterministic=True))


def unpack(kind: type[T], content: bytes) -> T:
    """The value of class `kind` that `pack` made `content` of."""
    return from_proto(kind, MESSAGES[kind].FromString(zlib.decompress(content)))
