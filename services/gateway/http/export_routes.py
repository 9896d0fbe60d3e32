"""Exports over REST."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Response
from fastapi.responses import StreamingResponse

from services.gateway.exports.desk import Exports
from services.gateway.exports.render import MEDIA_TYPES, ExportFormat, Pieces
from services.gateway.http.identity import Who, caller_of
from services.gateway.http.problems import PROBLEMS

__all__ = ["build_export_routes"]

_DAY = "2026-01-31T00:00:00Z"


def build_export_routes(exports: Exports) -> APIRouter:
    """The route over `exports`."""
    routes = APIRouter(
        prefix="/v1", responses=PROBLEMS, tags=["results"], dependencies=[Depends(caller_of)]
    )
    content: dict[str, Any] = {media: {} for media in MEDIA_TYPES.values()}

    @routes.get(
        "/exports",
        summary="Export records",
        response_class=Response,
        responses={200: {"content": content}},
    )
    async def export(
        who: Who,
        form: Annotated[
            ExportFormat, Query(alias="format", description="JSON lines, CSV or Parquet.")
        ] = ExportFormat.JSONL,
        since: Annotated[
            datetime | None,
            Query(alias="from", description="Records made then or later.", examples=[_DAY]),
        ] = None,
        until: Annotated[
            datetime | None, Query(alias="to", description="Records made before.", examples=[_DAY])
        ] = None,
    ) -> StreamingResponse:
        """The newest record of each call, if it was made in that time, as a stream.

        JSON lines hold whole records; CSV and Parquet have a row for each call and each behavior
        and disclosure judged in it.
        """
        pieces = exports.export(who, form, since, until)
        first = await asyncio.to_thread(next, pieces, b"")  # what fails, fails before the answer
        return StreamingResponse(
            _stream(first, pieces),
            media_type=MEDIA_TYPES[form],
            headers={"Content-Disposition": f'attachment; filename="callscope.{form}"'},
        )

    return routes


async def _stream(first: bytes, pieces: Pieces) -> AsyncIterator[bytes]:
    piece: bytes | None = first
    with contextlib.closing(pieces):  # the client may go away in the middle
        while piece is not None:
            yield piece
            piece = await asyncio.to_thread(next, pieces, None)
