"""A request's body as it arrives."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any

from fastapi import Request
from starlette.requests import ClientDisconnect

from callscope.errors import AudioTooLarge, Cancelled, InvalidInput

__all__ = ["Body"]

_FORM_MARGIN = 2 << 20  # bytes a form may have besides the audio
_LINGER = 10.0  # seconds


class Body:
    """The body of `request`."""

    def __init__(self, request: Request) -> None:
        self._stream = request.stream()
        length = request.headers.get("content-length", "")
        self._announced = int(length) if length.isdecimal() else 0
        self._wanted = True

    def check_length(self, max_bytes: int) -> None:
        """Refuse before the bytes are read what their announced number already rules out.

        Raises:
            AudioTooLarge: more than `max_bytes` of audio.
        """
        if self._announced > max_bytes + _FORM_MARGIN:
            self._wanted = False
            raise AudioTooLarge(f"the recording has more than {max_bytes} bytes")

    async def chunks(self) -> AsyncIterator[bytes]:
        """The bytes, in pieces of any size.

        Raises:
            Cancelled: the client went away before the end.
        """
        try:
            async for chunk in self._stream:
                yield chunk
        except ClientDisconnect:
            raise Cancelled("the upload broke off") from None

    async def whole(self, max_bytes: int) -> bytes:
        """All of it.

        Raises:
            InvalidInput: more than `max_bytes`.
        """
        if self._announced > max_bytes:
            self._wanted = False
            raise InvalidInput(f"the body has more than {max_bytes} bytes")
        content = bytearray()
        async for chunk in self.chunks():
            content += chunk
            if len(content) > max_bytes:
                raise InvalidInput(f"the body has more than {max_bytes} bytes")
        return bytes(content)

    async def json(self, max_bytes: int) -> dict[str, Any]:
        """The body as a JSON object.

        Raises:
            InvalidInput: more than `max_bytes`, no JSON, or no object.
        """
        content = await self.whole(max_bytes)
        try:
            fields = await asyncio.to_thread(json.loads, content)
        except (ValueError, RecursionError):
            raise InvalidInput("the body is no JSON") from None
        if not isinstance(fields, dict):
            raise InvalidInput("the body is no JSON object")
        return fields

    async def discard(self) -> None:
        """Read what still comes, for some seconds, so that the client gets to read its answer.

        Most clients send all before they read; an early end of the connection would look to them
        like a failure of the network. One that announced too much is answered at once: it may be
        waiting for that, and the server passes over what it sends.
        """
        if not self._wanted:
            return
        with contextlib.suppress(Cancelled, TimeoutError):
            async with asyncio.timeout(_LINGER):
                async for _ in self.chunks():
                    pass
