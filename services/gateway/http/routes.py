"""The paths under /v1."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Header, Query, Request, Response
from fastapi.responses import StreamingResponse

from callscope.clip import ClipFormat
from callscope.errors import Unavailable
from callscope.formats import render
from callscope.record import to_dict, to_json
from callscope.types import CallRecord
from services.gateway.call import Call
from services.gateway.calls import Calls
from services.gateway.clips import ClipRequest
from services.gateway.http.answers import CallBody, ListParameters, PageBody
from services.gateway.http.identity import Who, caller_of
from services.gateway.http.playback import play
from services.gateway.http.problems import PROBLEMS
from services.gateway.http.receiving import received, request_body
from services.gateway.submission import IdempotencyKey

__all__ = ["build_routes"]

_KEEP_ALIVE = 15.0  # seconds; proxies close streams that stay silent for longer
_TRANSCRIPTS = {
    "json": "application/json",
    "vtt": "text/vtt; charset=utf-8",
    "srt": "application/x-subrip; charset=utf-8",
    "txt": "text/plain; charset=utf-8",
}
_Key = Annotated[
    IdempotencyKey | None,
    Header(
        alias="Idempotency-Key",
        description="The same key with the same recording and fields is the same call.",
    ),
]


def build_routes(calls: Calls, max_audio_bytes: int) -> APIRouter:
    """The routes over `calls`."""
    routes = APIRouter(prefix="/v1", responses=PROBLEMS, dependencies=[Depends(caller_of)])

    @routes.post(
        "/calls",
        status_code=202,
        response_model=CallBody,
        summary="Take in a recording or a conversation",
        tags=["calls"],
        openapi_extra={"requestBody": request_body()},
    )
    async def create(
        who: Who, request: Request, response: Response, idempotency_key: _Key = None
    ) -> CallBody:
        """Accepts a recording as a form, as the bytes themselves, or by URI; text; or a vCon.

        The answer comes when it is stored durably: from then on it will be analyzed, whatever
        happens to the gateway.
        """
        call = await received(calls, who, request, idempotency_key, max_audio_bytes)
        response.headers["Location"] = f"/v1/calls/{call.id}"
        return CallBody.of(call)

    @routes.get("/calls", response_model=PageBody, summary="List calls", tags=["calls"])
    def list_calls(who: Who, wanted: Annotated[ListParameters, Query()]) -> PageBody:
        """The calls that pass every filter, newest first; new ones do not shift later pages."""
        return PageBody.of(calls.page(who, wanted, wanted.page_size, wanted.page_token))

    @routes.get(
        "/calls/{call_id}", response_model=CallBody, summary="Where a call stands", tags=["calls"]
    )
    def get_call(who: Who, call_id: str) -> CallBody:
        """The call, without its record."""
        return CallBody.of(calls.get(who, call_id))

    @routes.delete("/calls/{call_id}", status_code=204, summary="Remove a call", tags=["calls"])
    def delete_call(who: Who, call_id: str) -> None:
        """Stops the call's analysis and removes its audio, transcript and record."""
        calls.delete(who, call_id)

    @routes.get(
        "/calls/{call_id}/record",
        summary="A call's record",
        tags=["results"],
        responses={200: {"model": CallRecord}},
    )
    def get_record(
        who: Who,
        call_id: str,
        version: Annotated[
            int | None, Query(ge=1, le=1 << 30, description="From 1; the newest if absent.")
        ] = None,
    ) -> Response:
        """Everything Callscope says about the call; 409 until it is done."""
        record = calls.record(who, call_id, version)
        return Response(to_json(record, None), media_type="application/json")

    @routes.get(
        "/calls/{call_id}/transcript",
        summary="What was said",
        tags=["results"],
        response_class=Response,
        responses={200: {"content": {media: {} for media in _TRANSCRIPTS.values()}}},
    )
    def get_transcript(
        who: Who,
        call_id: str,
        form: Annotated[
            Literal["json", "vtt", "srt", "txt"],
            Query(alias="format", description="JSON with words, WebVTT, SubRip or plain text."),
        ] = "json",
    ) -> Response:
        """The dialogue by role; 409 until the call is done."""
        return Response(
            _transcript(calls.record(who, call_id), form), media_type=_TRANSCRIPTS[form]
        )

    @routes.get(
        "/calls/{call_id}/audio",
        summary="A call's audio",
        tags=["results"],
        response_class=Response,
        responses={
            200: {
                "description": "The whole recording, as it was sent.",
                "content": {"audio/*": {}},
            },
            206: {"description": "The range asked for.", "content": {"audio/*": {}}},
            416: {"description": "The range lies outside the recording."},
        },
    )
    def get_audio(
        who: Who,
        call_id: str,
        wanted: Annotated[
            str | None, Header(alias="Range", description="One range of bytes.")
        ] = None,
    ) -> Response:
        """The recording as it was sent, or a range of its bytes."""
        return play(calls.audio(who, call_id), wanted, calls.get(who, call_id).recording.sha256)

    @routes.get(
        "/calls/{call_id}/clip",
        summary="Hear a few seconds",
        tags=["results"],
        response_class=Response,
        responses={
            200: {
                "description": "The seconds asked for.",
                "content": {form.media_type: {} for form in ClipFormat},
            }
        },
    )
    def get_clip(who: Who, call_id: str, wanted: Annotated[ClipRequest, Query()]) -> Response:
        """Some seconds, or the evidence of a judgement, encoded for a browser's player."""
        content = calls.clip(who, call_id, wanted)
        return Response(
            content,
            media_type=wanted.format.media_type,
            headers={"X-Content-Type-Options": "nosniff", "Cache-Control": "private, max-age=300"},
        )

    @routes.get(
        "/calls/{call_id}/events",
        summary="Follow a call",
        tags=["calls"],
        response_class=Response,
        responses={
            200: {
                "description": "Server-sent events; the data of each is a call.",
                "content": {"text/event-stream": {}},
            }
        },
    )
    async def events(who: Who, call_id: str) -> StreamingResponse:
        """The call as it stands, then each change, until it is done, has failed or is deleted."""
        changes = calls.watch(who, call_id)
        first = await anext(changes)
        return StreamingResponse(
            _events(first, changes),
            media_type="text/event-stream",
            headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
        )

    return routes


def _transcript(record: CallRecord, form: str) -> str:
    if form != "json":
        return render(record, form)
    whole = to_dict(record)
    shown = {name: whole[name] for name in ("language", "participants", "utterances")}
    return json.dumps({"call_id": record.recording.id, **shown}, ensure_ascii=False)


async def _events(first: Call, changes: AsyncIterator[Call]) -> AsyncIterator[str]:
    """Calls as server-sent events, with a comment now and then so that proxies stay patient."""
    yield _event(first)
    coming = asyncio.ensure_future(anext(changes))
    try:
        # Going down, the stream just ends: clients of this protocol come back by themselves.
        with contextlib.suppress(StopAsyncIteration, Unavailable):
            while True:
                if (await asyncio.wait({coming}, timeout=_KEEP_ALIVE))[0]:
                    yield _event(await coming)
                    coming = asyncio.ensure_future(anext(changes))
                else:
                    yield ": waiting\n\n"
    finally:
        coming.cancel()
        await asyncio.gather(coming, return_exceptions=True)


def _event(call: Call) -> str:
    return f"data: {CallBody.of(call).model_dump_json()}\n\n"
