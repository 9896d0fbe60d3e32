"""The queues of the two lanes, and how a call is put into its own."""

from collections.abc import Mapping
from types import TracebackType
from typing import Self

from dbos import DBOSClient, DBOSPortableJSONSerializer, EnqueueOptions

from services.gateway.call import Call, Lane

__all__ = ["APPLICATION", "NAME", "QUEUES", "VERSION", "Sender", "enqueuing", "workflow_id"]

# Raised when steps come, go or change places. Unfinished calls are then started afresh under the
# new version, and find what their stages had already made in the journal.
VERSION = "calls-2"
APPLICATION = "callscope"
NAME = "analyze_call"
# Two queues with workers of their own: however many wait in one, the other does not.
QUEUES: Mapping[Lane, str] = {Lane.LIVE: "calls", Lane.BACKFILL: "backfill"}


def workflow_id(call: Call) -> str:
    """Of the call's present run: a retry is another workflow."""
    return f"{VERSION}/{call.id}/{call.run}"


def enqueuing(call: Call) -> EnqueueOptions:
    """How DBOS is asked to analyze the call; asking twice in one run is asking once."""
    return {
        "workflow_name": NAME,
        "queue_name": QUEUES[call.lane],
        "workflow_id": workflow_id(call),
        "app_version": VERSION,
    }


class Sender:
    """Puts calls into their lanes from outside a gateway; left with its `with` block.

    Args:
        database_url: where DBOS keeps its tables.
    """

    def __init__(self, database_url: str) -> None:
        self._client = DBOSClient(
            system_database_url=database_url,
            serializer=DBOSPortableJSONSerializer(),
            application_name=APPLICATION,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._client.destroy()

    def enqueue(self, call: Call) -> None:
        """Have a gateway analyze the call."""
        self._client.enqueue(enqueuing(call), call.id)
