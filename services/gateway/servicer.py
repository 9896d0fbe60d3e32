"""The gRPC door: `callscope.v1.Gateway` over `services.gateway.calls`."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import asdict
from typing import Any

from google.protobuf.message import Message

from callscope.errors import InvalidInput
from callscope.serving.server import Service
from callscope.serving.work import Context
from callscope.v1 import gateway_pb2 as pb
from callscope.v1 import gateway_pb2_grpc
from callscope.vcon import to_vcon
from callscope.wire import published, to_proto
from services.gateway.access import Authenticate, Caller
from services.gateway.call import Call, CallStatus, Lane
from services.gateway.calls import Calls
from services.gateway.desk_servicer import DeskServicer
from services.gateway.desks import Desks
from services.gateway.messages import to_query, to_text, to_timestamp
from services.gateway.reading_servicer import ReadingServicer
from services.gateway.settings import GatewaySettings
from services.gateway.submission import Submission
from services.gateway.wiring import Gateway

__all__ = ["GatewayServicer", "build"]

_MAX_CHUNK = 1 << 20  # bytes, as the proto says
_STATUS: Mapping[CallStatus, pb.CallStatus] = {
    status: getattr(pb, f"CALL_STATUS_{status.name}") for status in CallStatus
}
_LANE: Mapping[Lane, pb.Lane] = {lane: getattr(pb, f"LANE_{lane.name}") for lane in Lane}
_FROM_LANE: Mapping[int, Lane] = {
    pb.LANE_UNSPECIFIED: Lane.LIVE,
    **{number: lane for lane, number in _LANE.items()},
}


def build(settings: GatewaySettings) -> Service:
    """The gateway as a service: gRPC through its server, HTTP beside it."""
    gateway = Gateway(settings)
    return Service(
        name=settings.service,
        grpc_services=("callscope.v1.Gateway",),
        register=lambda server: gateway_pb2_grpc.add_GatewayServicer_to_server(
            GatewayServicer(gateway.calls, gateway.desks, gateway.authenticate), server
        ),
        lifespan=gateway.lifespan,
        drain=gateway.drain,
    )


class GatewayServicer(ReadingServicer, DeskServicer):
    """Converts messages; what is done with them is in `Calls`."""

    def __init__(self, calls: Calls, desks: Desks, authenticate: Authenticate) -> None:
        self._calls = calls
        self._desks = desks
        self._authenticate = authenticate

    async def _caller(self, context: Context) -> Caller:
        """Who sends the request; raises `Unauthenticated`."""
        sent = dict(context.invocation_metadata() or ())
        credentials = sent.get("authorization")
        return await self._authenticate(None if credentials is None else str(credentials))

    async def SubmitCall(  # noqa: N802
        self, request: pb.SubmitCallRequest, context: Context
    ) -> pb.SubmitCallResponse:
        """Take in a recording by URI, a text or a vCon."""
        caller = await self._caller(context)
        call = await asyncio.to_thread(self._submit, caller, request)
        return pb.SubmitCallResponse(call=_message(call))

    def _submit(self, caller: Caller, request: pb.SubmitCallRequest) -> Call:
        submission, key = _submission(request), _given(request, "idempotency_key")
        match request.WhichOneof("source"):
            case "transcript":
                return self._calls.read(caller, to_text(request.transcript), submission, key)
            case "vcon":
                return self._calls.unpack(caller, request.vcon, submission, key)
            case _:
                return self._calls.submit(caller, request.uri, submission, key)

    async def UploadCall(  # noqa: N802
        self, requests: AsyncIterator[pb.UploadCallRequest], context: Context
    ) -> pb.UploadCallResponse:
        """Take in a recording's bytes."""
        caller = await self._caller(context)
        first = await anext(requests, None)
        if first is None or first.WhichOneof("part") != "header":
            raise InvalidInput("an upload begins with its header")
        submission = _submission(first.header)
        key = _given(first.header, "idempotency_key")
        call = await self._calls.upload(caller, _chunks(requests), lambda: submission, key)
        return pb.UploadCallResponse(call=_message(call))

    async def GetCall(  # noqa: N802
        self, request: pb.GetCallRequest, context: Context
    ) -> pb.GetCallResponse:
        """Say where a call stands."""
        caller = await self._caller(context)
        call = await asyncio.to_thread(self._calls.get, caller, request.id)
        return pb.GetCallResponse(call=_message(call))

    async def WatchCall(  # noqa: N802
        self, request: pb.WatchCallRequest, context: Context
    ) -> AsyncIterator[pb.WatchCallResponse]:
        """Send each change until nothing more will change."""
        caller = await self._caller(context)
        async with contextlib.aclosing(self._calls.watch(caller, request.id)) as changes:
            async for call in changes:
                yield pb.WatchCallResponse(call=_message(call))

    async def ListCalls(  # noqa: N802
        self, request: pb.ListCallsRequest, context: Context
    ) -> pb.ListCallsResponse:
        """A page of calls, newest first."""
        caller = await self._caller(context)
        page = await asyncio.to_thread(
            self._calls.page,
            caller,
            to_query(request.filter),
            request.page_size or None,
            _given(request, "page_token"),
        )
        return pb.ListCallsResponse(
            calls=[_message(call) for call in page.calls], next_page_token=page.next_token
        )

    async def GetRecord(  # noqa: N802
        self, request: pb.GetRecordRequest, context: Context
    ) -> pb.GetRecordResponse:
        """A version of a finished call's record."""
        caller = await self._caller(context)
        version = _given(request, "version")
        record = await asyncio.to_thread(self._calls.record, caller, request.id, version)
        return pb.GetRecordResponse(record=published(record))

    async def GetVcon(  # noqa: N802
        self, request: pb.GetVconRequest, context: Context
    ) -> pb.GetVconResponse:
        """A finished call as vCon."""
        caller = await self._caller(context)
        record = await asyncio.to_thread(self._calls.record, caller, request.id)
        return pb.GetVconResponse(vcon=to_vcon(record))

    async def ListDeadLetters(  # noqa: N802
        self, request: pb.ListDeadLettersRequest, context: Context
    ) -> pb.ListDeadLettersResponse:
        """A page of calls that were given up."""
        caller = await self._caller(context)
        page = await asyncio.to_thread(
            self._calls.failed,
            caller,
            request.page_size or None,
            _given(request, "page_token"),
            _given(request, "code"),
        )
        return pb.ListDeadLettersResponse(
            calls=[_message(call) for call in page.calls], next_page_token=page.next_token
        )

    async def RetryCall(  # noqa: N802
        self, request: pb.RetryCallRequest, context: Context
    ) -> pb.RetryCallResponse:
        """Have a failed call analyzed again."""
        caller = await self._caller(context)
        call = await asyncio.to_thread(self._calls.retry, caller, request.id)
        return pb.RetryCallResponse(call=_message(call))

    async def RetryDeadLetters(  # noqa: N802
        self, request: pb.RetryDeadLettersRequest, context: Context
    ) -> pb.RetryDeadLettersResponse:
        """Have failed calls analyzed again."""
        caller = await self._caller(context)
        code = _given(request, "code")
        retried = await asyncio.to_thread(self._calls.retry_all, caller, code)
        return pb.RetryDeadLettersResponse(retried=retried)

    async def DeleteCall(  # noqa: N802
        self, request: pb.DeleteCallRequest, context: Context
    ) -> pb.DeleteCallResponse:
        """Remove a call."""
        caller = await self._caller(context)
        await asyncio.to_thread(self._calls.delete, caller, request.id)
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
            "lane": _lane(request.lane),
            "external_id": _given(request, "external_id"),
            "file_name": _given(request, "file_name"),
            "notes": [
                {"source": note.source, "fact": _given(note, "fact"), "reason": note.reason}
                for note in request.notes
            ],
        }
    )


def _lane(number: int) -> Lane:
    if number not in _FROM_LANE:
        raise InvalidInput(f"{number} is no lane")
    return _FROM_LANE[number]


def _given(message: Message, name: str) -> Any:
    return getattr(message, name) if message.HasField(name) else None


def _message(call: Call) -> pb.Call:
    message = pb.Call(
        id=call.id,
        status=_STATUS[call.status],
        recording=to_proto(call.recording),
        stage=call.stage,
        progress=call.progress,
        created_at=to_timestamp(call.created_at),
        updated_at=to_timestamp(call.updated_at),
        lane=_LANE[call.lane],
        external_id=call.external_id,
        notes=[pb.Note(**note.model_dump()) for note in call.notes],
    )
    if call.problem is not None:
        message.problem.CopyFrom(pb.Problem(**asdict(call.problem)))
    return message
