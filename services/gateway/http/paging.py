"""What every list asks for: how many things, and from where on."""

from typing import Annotated, TypeAlias

from fastapi import Query

from services.gateway.pages import MAX_PAGE

__all__ = ["PageSize", "PageToken"]

PageSize: TypeAlias = Annotated[int, Query(ge=1, le=MAX_PAGE, description="At most this many.")]
PageToken: TypeAlias = Annotated[
    str | None, Query(max_length=64, description="From the page before.")
]
