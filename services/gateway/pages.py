"""Pages of things that are listed newest first: a page's token is the id of its last thing."""

from collections.abc import Sequence
from typing import Protocol, TypeVar

from callscope.errors import CallNotFound, InvalidInput
from services.gateway.call import checked_id

__all__ = ["DEFAULT_PAGE", "MAX_PAGE", "checked_limit", "cursor", "cut"]

DEFAULT_PAGE = 50
MAX_PAGE = 500


class _Listed(Protocol):
    @property
    def id(self) -> str: ...


T = TypeVar("T", bound=_Listed)


def checked_limit(limit: int | None) -> int:
    """A page's size, `DEFAULT_PAGE` for None; raises `InvalidInput` where it is out of range."""
    limit = DEFAULT_PAGE if limit is None else limit
    if not 1 <= limit <= MAX_PAGE:
        raise InvalidInput(
            f"page_size: not between 1 and {MAX_PAGE}",
            remedy=f"Leave it out for {DEFAULT_PAGE}, and turn pages for more.",
        )
    return limit


def cursor(token: str | None) -> str | None:
    """The id that a page's token names; raises `InvalidInput`."""
    try:
        return None if token is None else checked_id(token)
    except CallNotFound:
        raise InvalidInput(
            "the page token is not one that a page gave", remedy="Start at the first page."
        ) from None


def cut(found: Sequence[T], limit: int) -> tuple[list[T], str | None]:
    """The page of what was found with a limit of one more, and the next page's token."""
    shown = list(found[:limit])
    return shown, shown[-1].id if len(found) > limit else None
