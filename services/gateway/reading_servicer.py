"""The part of `callscope.v1.Gateway` that hears calls, compares records and makes new ones."""

import asyncio

from google.protobuf.message import Message

from callscope.serving.work import Context
from callscope.v1 import gateway_pb2 as pb
from callscope.wire import to_proto
from services.gateway.access import Caller
from services.gateway.calls import Calls
from services.gateway.messages import to_clip, to_order, to_query, to_rescoring, to_version

__all__ = ["ReadingServicer"]


class ReadingServicer:
    """Converts messages; what is done with them is in `Calls`."""

    _calls: Calls

    async def _caller(self, context: Context) -> Caller:
        raise NotImplementedError

    async def GetClip(  # noqa: N802
        self, request: pb.GetClipRequest, context: Context
    ) -> pb.GetClipResponse:
        """Some seconds of a call."""
        caller = await self._caller(context)
        wanted = to_clip(request)
        content = await asyncio.to_thread(self._calls.clip, caller, request.id, wanted)
        return pb.GetClipResponse(content=content, media_type=wanted.format.media_type)

    async def ListRecords(  # noqa: N802
        self, request: pb.ListRecordsRequest, context: Context
    ) -> pb.ListRecordsResponse:
        """The versions of a call's record."""
        caller = await self._caller(context)
        versions = await asyncio.to_thread(self._calls.versions, caller, request.id)
        return pb.ListRecordsResponse(versions=map(to_version, versions))

    async def DiffRecords(  # noqa: N802
        self, request: pb.DiffRecordsRequest, context: Context
    ) -> pb.DiffRecordsResponse:
        """What changed between two versions."""
        caller = await self._caller(context)
        before, after = _number(request, "before"), _number(request, "after")
        found = await asyncio.to_thread(self._calls.diff, caller, request.id, before, after)
        return pb.DiffRecordsResponse(diff=to_proto(found))

    async def RescoreCall(  # noqa: N802
        self, request: pb.RescoreCallRequest, context: Context
    ) -> pb.RescoreCallResponse:
        """Have a call judged again."""
        caller = await self._caller(context)
        order = to_order(request.order)
        placed = await asyncio.to_thread(self._calls.rescore, caller, request.id, order)
        return pb.RescoreCallResponse(rescoring=to_rescoring(placed))

    async def RescoreCalls(  # noqa: N802
        self, request: pb.RescoreCallsRequest, context: Context
    ) -> pb.RescoreCallsResponse:
        """Have calls judged again."""
        caller = await self._caller(context)
        query, order = to_query(request.filter), to_order(request.order)
        placed = await asyncio.to_thread(self._calls.rescore_all, caller, query, order)
        return pb.RescoreCallsResponse(rescoring=to_rescoring(placed))

    async def GetRescoring(  # noqa: N802
        self, request: pb.GetRescoringRequest, context: Context
    ) -> pb.GetRescoringResponse:
        """How far an order is."""
        caller = await self._caller(context)
        found = await asyncio.to_thread(self._calls.rescoring, caller, request.id)
        return pb.GetRescoringResponse(rescoring=to_rescoring(found))

    async def CancelRescoring(  # noqa: N802
        self, request: pb.CancelRescoringRequest, context: Context
    ) -> pb.CancelRescoringResponse:
        """Call off what is left of an order."""
        caller = await self._caller(context)
        found = await asyncio.to_thread(self._calls.cancel_rescoring, caller, request.id)
        return pb.CancelRescoringResponse(rescoring=to_rescoring(found))


def _number(message: Message, name: str) -> int | None:
    return int(getattr(message, name)) if message.HasField(name) else None
