"""What `POST /v1/calls` carries, by its content type: audio, a URI, a text or a vCon."""

import asyncio
from collections.abc import Mapping
from typing import Any

from fastapi import Request
from pydantic import BaseModel

from callscope.errors import CallscopeError, InvalidInput
from callscope.transcripts import TranscriptBody, checked
from callscope.transcripts import read as read_transcript
from services.gateway.access import Caller, Permission
from services.gateway.call import Call
from services.gateway.calls import Calls
from services.gateway.http.answers import UriSubmission
from services.gateway.http.body import Body
from services.gateway.http.form import Form
from services.gateway.submission import Submission
from services.gateway.texts import sound_file_name

__all__ = ["SCHEMAS", "received", "request_body"]

MAX_JSON = 16 << 20
"""Bytes of a JSON or text body: a vCon with 12 MB of audio inside. It is held in memory."""

_VCON = "application/vcon+json"
_TEXTS = {"text/vtt": "vtt", "application/x-subrip": "srt", "text/plain": "txt"}
_SOURCES = ("uri", "transcript", "vcon")


async def received(
    calls: Calls, who: Caller, request: Request, key: str | None, max_bytes: int
) -> Call:
    """Take in what the request carries; it is read to its end, unless announced as too long."""
    who.require(Permission.SEND)  # before anything is held in memory
    body = Body(request)
    try:
        return await _taken_in(calls, who, request, body, key, max_bytes)
    except CallscopeError:
        await body.discard()
        raise


async def _taken_in(
    calls: Calls, who: Caller, request: Request, body: Body, key: str | None, max_bytes: int
) -> Call:
    content_type = request.headers.get("content-type", "")
    media_type = content_type.partition(";")[0].strip().lower()
    if media_type == "application/json":
        fields = await body.json(MAX_JSON)
        return await asyncio.to_thread(_described, calls, who, fields, key)
    if media_type == _VCON or media_type in _TEXTS:
        content = await body.whole(MAX_JSON)
        submission = Submission.read(dict(request.query_params))
        if media_type == _VCON:
            return await asyncio.to_thread(calls.unpack, who, content, submission, key)
        text = await asyncio.to_thread(read_transcript, content, _TEXTS[media_type])
        return await asyncio.to_thread(calls.read, who, text, submission, key)
    body.check_length(max_bytes)
    if media_type == "multipart/form-data":
        form = Form(content_type)
        audio = form.audio(body.chunks())
        return await calls.upload(who, audio, lambda: Submission.read(_fields(form)), key)
    if media_type.startswith(("audio/", "video/")) or media_type == "application/octet-stream":
        submission = Submission.read(dict(request.query_params))
        return await calls.upload(who, body.chunks(), lambda: submission, key)
    raise InvalidInput(
        f"the Content-Type {media_type[:100]!r} carries no recording and no conversation",
        remedy="Send multipart/form-data, application/json, audio/*, application/octet-stream, "
        f"{', '.join((_VCON, *_TEXTS))}.",
    )


def _described(calls: Calls, who: Caller, fields: dict[str, Any], key: str | None) -> Call:
    """Take in what a JSON object names or holds. Blocking."""
    given = [name for name in _SOURCES if fields.get(name) is not None]
    if len(given) != 1:
        raise InvalidInput(
            f"the body has {' and '.join(given) or 'no uri'}", remedy=_one_of(_SOURCES)
        )
    if given == ["uri"]:
        recording = UriSubmission.read(fields)
        return calls.submit(who, recording.uri, recording, key)
    content = fields[given[0]]
    submission = Submission.read(
        {name: value for name, value in fields.items() if name not in _SOURCES}
    )
    if given == ["vcon"]:
        return calls.unpack(who, content, submission, key)
    return calls.read(who, checked(content), submission, key)


def _one_of(names: tuple[str, ...]) -> str:
    return f"Send one of {', '.join(names)}: where the recording is, or the conversation itself."


def _fields(form: Form) -> dict[str, Any]:
    """The form's fields, with the file's name: that of the part, where it is one."""
    named = sound_file_name(form.file_name)
    return {**({} if named is None else {"file_name": named}), **form.fields}


def request_body() -> dict[str, Any]:
    """For OpenAPI: the ways to send a call."""
    fields = _schema(Submission)
    as_text = {"type": "string"}
    in_form = {
        **fields["properties"],
        "audio": {"type": "string", "format": "binary", "description": "The recording."},
        "metadata": {**as_text, "description": "A JSON object of texts: the sender's facts."},
        "hotwords": {**as_text, "description": "Words and names to expect, comma-separated."},
    }
    form = {**fields, "properties": in_form, "required": ["audio"]}
    binary = {"schema": {"type": "string", "format": "binary"}}
    text = {"schema": as_text}
    vcon = {"type": "object", "description": "An unsigned vCon; docs/vcon.md tells what is read."}
    return {
        "required": True,
        "description": "A recording as a form, as JSON with its URI, or as the bytes themselves, "
        "with the form's other fields in the query; a conversation as JSON with its transcript, "
        "or as captions or text; a vCon as JSON or inside it.",
        "content": {
            "multipart/form-data": {"schema": form},
            "application/json": {
                "schema": {
                    "oneOf": [
                        _schema(UriSubmission),
                        _with(fields, "transcript", _schema(TranscriptBody)),
                        _with(fields, "vcon", vcon),
                    ]
                },
                "examples": _EXAMPLES,
            },
            "audio/*": binary,
            "application/octet-stream": binary,
            _VCON: {"schema": vcon},
            **dict.fromkeys(_TEXTS, text),
        },
    }


def _whole_schema(kind: type[BaseModel]) -> dict[str, Any]:
    return kind.model_json_schema(ref_template="#/components/schemas/{model}")


def _schema(kind: type[BaseModel]) -> dict[str, Any]:
    """A body's schema; what it refers to is in `SCHEMAS`."""
    return {name: part for name, part in _whole_schema(kind).items() if name != "$defs"}


SCHEMAS: Mapping[str, Any] = {
    name: schema
    for kind in (UriSubmission, TranscriptBody)
    for name, schema in _whole_schema(kind)["$defs"].items()
}
"""What the bodies' schemas refer to, for the document's components."""


def _with(fields: dict[str, Any], name: str, schema: dict[str, Any]) -> dict[str, Any]:
    properties = {**fields["properties"], name: schema}
    return {**fields, "properties": properties, "required": [name]}


_EXAMPLES: dict[str, Any] = {
    "uri": {"value": {"uri": "s3://calls/2026/01/31/a17.wav", "rubric": "collections"}},
    "chat": {
        "value": {
            "transcript": {
                "participants": [
                    {"speaker": "lea", "role": "agent", "bot": False},
                    {"speaker": "visitor", "role": "customer"},
                ],
                "utterances": [
                    {"speaker": "visitor", "text": "My parcel never arrived."},
                    {"speaker": "lea", "text": "I'm sorry about that. May I have its number?"},
                ],
                "language": "en",
            },
            "metadata": {"agent": "a-17", "queue": "chat"},
        }
    },
    "vcon": {
        "value": {
            "vcon": {
                "vcon": "0.4.0",
                "uuid": "01980a4e-2f7c-8c7d-9d52-0a6f3f0c8b11",
                "created_at": "2026-01-31T09:30:00Z",
                "parties": [{"role": "agent", "name": "a-17"}, {"role": "customer"}],
                "dialog": [
                    {
                        "type": "text",
                        "start": "2026-01-31T09:30:00Z",
                        "parties": [1, 0],
                        "body": "My parcel never arrived.",
                        "encoding": "none",
                    }
                ],
            }
        }
    },
}
