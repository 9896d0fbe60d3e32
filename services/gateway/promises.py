"""What a sender says of a recording's bytes, held against them."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field

from callscope.errors import InvalidAudio
from services.gateway.store import Incoming

__all__ = ["NOTHING", "Promised"]


@dataclass(frozen=True, slots=True)
class Promised:
    """What a sender says of a recording's bytes.

    Attributes:
        hashes: their digests, by `hashlib`'s names.
        channels: how many channels they hold, should they hold `agent_channel`.
        agent_channel: the agent's, in a recording with so many.
    """

    hashes: Mapping[str, bytes] = field(default_factory=dict)
    channels: int | None = None
    agent_channel: int | None = None

    def check(self, incoming: Incoming) -> None:
        """Refuse bytes that are others than their sender says.

        Raises:
            InvalidAudio: a digest differs.
        """
        for name, wanted in self.hashes.items():
            with incoming.reading() as file:
                digest = hashlib.file_digest(file, name)
            if digest.digest() != wanted:
                raise InvalidAudio(
                    f"the recording's {name} is not the one that was promised",
                    remedy="Send the recording that the hash was made of, or its own hash.",
                )


NOTHING = Promised()
