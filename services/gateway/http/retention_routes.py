"""How long a tenant's calls are kept, over REST."""

from typing import Self

from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict, Field

from services.gateway.erasure import Retention, RetentionDesk
from services.gateway.http.identity import Who, caller_of
from services.gateway.http.problems import PROBLEMS

__all__ = ["build_retention_routes"]


class RetentionBody(BaseModel):
    """How long calls are kept, in days since they were accepted; null is for ever."""

    model_config = ConfigDict(extra="forbid")

    audio_days: int | None = Field(description="Then the audio is erased.", examples=[90])
    record_days: int | None = Field(description="Then the whole call is erased.", examples=[730])

    @classmethod
    def of(cls, retention: Retention) -> Self:
        """The body that describes `retention`."""
        return cls(audio_days=retention.audio_days, record_days=retention.record_days)


def build_retention_routes(desk: RetentionDesk) -> APIRouter:
    """The routes over `desk`."""
    routes = APIRouter(
        prefix="/v1", responses=PROBLEMS, tags=["retention"], dependencies=[Depends(caller_of)]
    )

    @routes.get("/retention", response_model=RetentionBody, summary="How long calls are kept")
    def get_retention(who: Who) -> RetentionBody:
        """The tenant's own choice, or the gateway's settings where it has made none."""
        return RetentionBody.of(desk.get(who))

    @routes.put("/retention", response_model=RetentionBody, summary="Set how long calls are kept")
    def set_retention(who: Who, body: RetentionBody) -> RetentionBody:
        """From now on, instead of the gateway's settings; what is older goes within the hour."""
        return RetentionBody.of(desk.set(who, Retention(body.audio_days, body.record_days)))

    return routes
