"""Webhooks over REST."""

from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Annotated, Any, Self

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, ConfigDict, Field

from services.gateway.http.identity import Who, caller_of
from services.gateway.http.paging import PageSize, PageToken
from services.gateway.http.problems import PROBLEMS
from services.gateway.pages import DEFAULT_PAGE, cursor, cut
from services.gateway.webhooks.event import EventType
from services.gateway.webhooks.registry import MAX_OVERLAP, Registry
from services.gateway.webhooks.webhook import Delivery, DeliveryState, Webhook

__all__ = ["build_webhook_routes"]

_URL = "https://qa.example.com/hooks/callscope"
_SECRET = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oDazV5hJ2kWl8="  # noqa: S105 - an example
_EVENTS: list[EventType] = [each for each in EventType if each is not EventType.PING]


class NewWebhookBody(BaseModel):
    """Whom to tell what."""

    model_config = ConfigDict(extra="forbid")

    url: str = Field(description="Where events are sent: https, a public address.", examples=[_URL])
    events: list[EventType] = Field(
        default=_EVENTS, min_length=1, description="What to tell of; everything by default."
    )


class ChangedWebhookBody(BaseModel):
    """What to change; what is absent stays."""

    model_config = ConfigDict(extra="forbid")

    url: str | None = Field(default=None, description="Where events are sent.", examples=[_URL])
    events: list[EventType] | None = Field(
        default=None, min_length=1, description="What to tell of."
    )
    active: bool | None = Field(default=None, description="False to send nothing for now.")


class WebhookBody(BaseModel):
    """Whom is told what."""

    id: str = Field(description="The webhook's id.")
    url: str = Field(description="Where events are sent.", examples=[_URL])
    events: list[EventType] = Field(description="What it is told of.")
    active: bool = Field(
        description="Whether anything is sent; false too after the receiver answered 410."
    )
    failures: int = Field(description="Attempts in a row that failed.", examples=[0])
    paused_until: datetime | None = Field(description="Until then nothing is sent: it failed.")
    created_at: datetime = Field(description="When it was made.")
    updated_at: datetime = Field(description="When it was last changed.")

    @classmethod
    def of(cls, webhook: Webhook, **more: Any) -> Self:
        """The body that describes `webhook`."""
        return cls.model_validate(asdict(webhook) | more)


class WebhookWithSecretBody(WebhookBody):
    """A webhook and its secret, which is shown once."""

    secret: str = Field(
        description="What signatures are made with; it is not shown again.", examples=[_SECRET]
    )


class WebhooksBody(BaseModel):
    """The tenant's webhooks."""

    webhooks: list[WebhookBody] = Field(description="Oldest first.")


class RotationBody(BaseModel):
    """How to change a webhook's secret."""

    model_config = ConfigDict(extra="forbid")

    overlap_hours: float = Field(
        default=24,
        ge=0,
        le=MAX_OVERLAP.total_seconds() / 3600,
        description="For so long the old secret signs as well.",
    )


class AttemptBody(BaseModel):
    """One attempt at a delivery."""

    at: datetime = Field(description="When.")
    status: int | None = Field(description="The receiver's HTTP status.", examples=[503])
    error: str | None = Field(description="Why there was none.", examples=["no answer in time"])
    seconds: float = Field(description="How long it took.", examples=[0.12])


class DeliveryBody(BaseModel):
    """An event on its way to a webhook."""

    id: str = Field(description="The delivery's id; later ones have greater ids.")
    event_id: str = Field(description="The event's id, as the receiver sees it.")
    event_type: EventType = Field(description="What happened.")
    call_id: str | None = Field(description="To which call.")
    state: DeliveryState = Field(description="What became of it.")
    attempts: list[AttemptBody] = Field(description="Each attempt, the first first.")
    due_at: datetime | None = Field(description="When it is tried next.")
    created_at: datetime = Field(description="When it happened.")

    @classmethod
    def of(cls, delivery: Delivery) -> Self:
        """The body that describes `delivery`."""
        return cls.model_validate(asdict(delivery))


class DeliveriesBody(BaseModel):
    """A page of deliveries."""

    deliveries: list[DeliveryBody] = Field(description="Newest first.")
    next_page_token: str | None = Field(description="For the next page; null on the last.")


def build_webhook_routes(registry: Registry) -> APIRouter:
    """The routes over `registry`."""
    routes = APIRouter(
        prefix="/v1/webhooks",
        responses=PROBLEMS,
        tags=["webhooks"],
        dependencies=[Depends(caller_of)],
    )

    @routes.post(
        "", status_code=201, response_model=WebhookWithSecretBody, summary="Create a webhook"
    )
    def create_webhook(who: Who, body: NewWebhookBody) -> WebhookWithSecretBody:
        """Tells `url` what happens to calls, signed with the secret in the answer."""
        webhook, secret = registry.create(who, body.url, body.events)
        return WebhookWithSecretBody.of(webhook, secret=secret)

    @routes.get("", response_model=WebhooksBody, summary="List webhooks")
    def list_webhooks(who: Who) -> WebhooksBody:
        """All of the tenant's, without their secrets."""
        return WebhooksBody(webhooks=[WebhookBody.of(each) for each in registry.all(who)])

    @routes.get("/{webhook_id}", response_model=WebhookBody, summary="A webhook")
    def get_webhook(who: Who, webhook_id: str) -> WebhookBody:
        """The webhook, without its secret."""
        return WebhookBody.of(registry.get(who, webhook_id))

    @routes.patch("/{webhook_id}", response_model=WebhookBody, summary="Change a webhook")
    def change_webhook(who: Who, webhook_id: str, body: ChangedWebhookBody) -> WebhookBody:
        """Changes what is given; what waits is sent at once."""
        changed = registry.change(
            who, webhook_id, url=body.url, events=body.events, active=body.active
        )
        return WebhookBody.of(changed)

    @routes.delete("/{webhook_id}", status_code=204, summary="Remove a webhook")
    def delete_webhook(who: Who, webhook_id: str) -> None:
        """Forgets it, with its deliveries."""
        registry.remove(who, webhook_id)

    @routes.post(
        "/{webhook_id}/rotate",
        response_model=WebhookWithSecretBody,
        summary="Change a webhook's secret",
    )
    def rotate_secret(
        who: Who, webhook_id: str, body: RotationBody | None = None
    ) -> WebhookWithSecretBody:
        """Gives it a new secret; for a while every event carries a signature with each."""
        hours = (body or RotationBody()).overlap_hours
        secret = registry.rotate(who, webhook_id, timedelta(hours=hours))
        return WebhookWithSecretBody.of(registry.get(who, webhook_id), secret=secret)

    @routes.post(
        "/{webhook_id}/ping",
        status_code=202,
        response_model=DeliveryBody,
        summary="Try a webhook out",
    )
    def ping(who: Who, webhook_id: str) -> DeliveryBody:
        """Sends it an event that says nothing."""
        return DeliveryBody.of(registry.ping(who, webhook_id))

    @routes.get(
        "/{webhook_id}/deliveries", response_model=DeliveriesBody, summary="A webhook's deliveries"
    )
    def list_deliveries(
        who: Who,
        webhook_id: str,
        page_size: PageSize = DEFAULT_PAGE,
        page_token: PageToken = None,
        state: Annotated[
            DeliveryState | None, Query(description="Only those in this state.")
        ] = None,
    ) -> DeliveriesBody:
        """What was sent, when, and what came of each attempt; kept for 30 days."""
        found = registry.deliveries(who, webhook_id, page_size + 1, cursor(page_token), state)
        shown, token = cut(found, page_size)
        return DeliveriesBody(
            deliveries=[DeliveryBody.of(each) for each in shown], next_page_token=token
        )

    @routes.post(
        "/{webhook_id}/deliveries/{delivery_id}/retry",
        status_code=202,
        response_model=DeliveryBody,
        summary="Send an event again",
    )
    def retry_delivery(who: Who, webhook_id: str, delivery_id: str) -> DeliveryBody:
        """Sends it once more, whatever became of it."""
        return DeliveryBody.of(registry.retry(who, webhook_id, delivery_id))

    return routes
