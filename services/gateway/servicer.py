"""The gRPC door: `callscope.v1.Gateway` over `services.gateway.calls`."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any

from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from callscope.errors import InvalidInput
from callscope.serving.server import Service
from callscope.serving.work import Context
from callscope.v1 import gateway_pb2 as pb
from callscope.v1 import gateway_pb2_grpc
from callscope.wire import to_proto
from services.gateway.call import Call, CallStatus
from services.gateway.calls import Calls
from services.gateway.settings import GatewaySettings
from services.gateway.submission import Submission
from services.gateway.wiring import Gateway

__all__ = ["GatewayServicer", "build"]

_MAX_CHUNK = 1 << 20  # bytes, as the proto says
_STATUS: Mapping[CallStatus, pb.CallStatus] = {
    status: getattr(pb, f"CALL_STATUS_{status.name}") for status in CallStatus
}
_FROM_STATUS: Mapping[int, CallStatus] = {number: status for status, number in _STATUS.items()}


def build(settings: GatewaySettings) -> Service:
    """The gateway as a service: gRPC through its server, HTTP beside it."""
    gateway = Gateway(settings)
    return Service(
        name=settings.service,
        grpc_services=("callscope.v1.Gateway",),
        register=lambda server: gateway_pb2_grpc.add_GatewayServicer_to_server(
            GatewayServicer(gateway.calls), server
        ),
        lifespan=gateway.lifespan,
        drain=gateway.drain,
    )


class GatewayServicer(gateway_pb2_grpc.GatewayServicer):
    """Converts messages; what is done with them is in `Calls`."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    async def SubmitCall(  # noqa: N802
        self, request: pb.SubmitCallRequest, _: Context
    ) -> pb.SubmitCallResponse:
        """Take in a recording by URI."""
        key = _given(request, "idempotency_key")
        call = await asyncio.to_thread(self._calls.submit, request.uri, _submission(request), key)
        return pb.SubmitCallResponse(call=_message(call))

    async def UploadCall(  # noqa: N802
        self, requests: AsyncIterator[pb.UploadCallRequest], _: Context
    ) -> pb.UploadCallResponse:
        """Take in a recording's bytes."""
        first = await anext(requests, None)
        if first is None or first.WhichOneof("part") != "header":
            raise InvalidInput("an upload begins with its header")
        submission = _submission(first.header)
        key = _given(first.header, "idempotency_key")
        call = await self._calls.upload(_chunks(requests), lambda: submission, key)
        return pb.UploadCallResponse(call=_message(call))

    async def GetCall(  # noqa: N802
        self, request: pb.GetCallRequest, _: Context
    ) -> pb.GetCallResponse:
        """Say where a call stands."""
        call = await asyncio.to_thread(self._calls.get, request.id)
        return pb.GetCallResponse(call=_message(call))

    async def WatchCall(  # noqa: N802
        self, request: pb.WatchCallRequest, _: Context
    ) -> AsyncIterator[pb.WatchCallResponse]:
        """Send each change until nothing more will change."""
        async with contextlib.aclosing(self._calls.watch(request.id)) as changes:
            async for call in changes:
                yield pb.WatchCallResponse(call=_message(call))

    async def ListCalls(  # noqa: N802
        self, request: pb.ListCallsRequest, _: Context
    ) -> pb.ListCallsResponse:
        """A page of calls, newest first."""
        page = await asyncio.to_thread(
            self._calls.page,
            request.page_size or None,
            _given(request, "page_token"),
            _status(_given(request, "status")),
        )
        return pb.ListCallsResponse(
            calls=[_message(call) for call in page.calls], next_page_token=page.next_token
        )

    async def GetRecord(  # noqa: N802
        self, request: pb.GetRecordRequest, _: Context
    ) -> pb.GetRecordResponse:
        """A finished call's record."""
        record = await asyncio.to_thread(self._calls.record, request.id)
        return pb.GetRecordResponse(record=to_proto(record))

    async def DeleteCall(  # noqa: N802
        self, request: pb.DeleteCallRequest, _: Context
    ) -> pb.DeleteCallResponse:
        """Remove a call."""
        await asyncio.to_thread(self._calls.delete, request.id)
        return pb.DeleteCallResponse()


async def _chunks(requests: AsyncIterator[pb.UploadCallRequest]) -> AsyncIterator[bytes]:
    async for request in requests:
        if request.WhichOneof("part") != "chunk":
            raise InvalidInput("after its header, an upload has chunks only")
        if len(request.chunk) > _MAX_CHUNK:
            raise InvalidInput(f"a chunk has at most {_MAX_CHUNK} bytes")
        yield request.chunk


def _submission(request: pb.SubmitCallRequest | pb.UploadHeader) -> Submission:
    options = request.options
    rubric = options.rubric.WhichOneof("source")
    fields: dict[str, Any] = {
        name: _given(options, name)
        for name in (
            "agent_channel",
            "language",
            "min_speakers",
            "max_speakers",
            "transcribe_model",
        )
    }
    if rubric is not None:
        fields["rubric_yaml" if rubric == "yaml" else "rubric"] = getattr(options.rubric, rubric)
    return Submission.read(
        {
            **fields,
            "hotwords": list(options.hotwords),
            "metadata": dict(request.metadata),
            "started_at": _given(request, "started_at"),
        }
    )


def _given(message: Message, name: str) -> Any:
    return getattr(message, name) if message.HasField(name) else None


def _status(number: int | None) -> CallStatus | None:
    if number is None:
        return None
    if number not in _FROM_STATUS:
        raise InvalidInput(f"{number} is no status of a call")
    return _FROM_STATUS[number]


def _message(call: Call) -> pb.Call:
    message = pb.Call(
        id=call.id,
        status=_STATUS[call.status],
        recording=to_proto(call.recording),
        stage=call.stage,
        progress=call.progress,
        created_at=_timestamp(call.created_at),
        updated_at=_timestamp(call.updated_at),
    )
    if call.problem is not None:
        message.problem.CopyFrom(pb.Problem(**asdict(call.problem)))
    return message


def _timestamp(time: datetime) -> Timestamp:
    stamp = Timestamp()
    stamp.FromDatetime(time)
    return stamp
