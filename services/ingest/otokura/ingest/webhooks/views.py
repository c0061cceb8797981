"""What vendors send and see of webhooks: the bodies of the HTTP interface."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Self
from uuid import UUID

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    model_validator,
)

from otokura.ingest.webhooks.models import (
    Delivery,
    DeliveryState,
    DisabledReason,
    Webhook,
    WebhookEvent,
    WebhookState,
)
from otokura.shared.moments import Moment
from otokura.shared.pagination import Cursor

_PRINTABLE = r"^[^\x00-\x1f\x7f]+$"
Url = Annotated[str, StringConstraints(min_length=1, max_length=2048, pattern=_PRINTABLE)]
Description = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=_PRINTABLE)]


def _each_once(events: list[WebhookEvent]) -> list[WebhookEvent]:
    return list(dict.fromkeys(events))


Events = Annotated[list[WebhookEvent], Field(min_length=1, max_length=20), AfterValidator(_each_once)]


class WebhookInput(BaseModel):
    """An endpoint to be told of calls."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "url": "https://cti.example.com/otokura",
                    "events": ["call.sealed", "call.failed", "call.empty", "call.transcribed"],
                    "description": "Production",
                }
            ]
        },
    )
    url: Url
    """`https`, on a public address. Put no secret into it: requests are signed."""
    events: Events
    description: Description | None = None


class WebhookChange(BaseModel):
    """What of an endpoint changes; what is absent stays."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"events": ["call.sealed"]}]})
    url: Url | None = None
    events: Events | None = None
    description: Description | None = None

    @model_validator(mode="after")
    def _something(self) -> Self:
        given = self.model_fields_set
        if not given:
            raise ValueError("give url, events or description")
        if any(name in given and getattr(self, name) is None for name in ("url", "events")):
            raise ValueError("url and events cannot be null")
        return self


class WebhookView(BaseModel):
    """An endpoint as its vendor sees it."""

    id: UUID
    url: str
    events: list[WebhookEvent]
    description: str | None
    state: WebhookState
    """A disabled endpoint is sent nothing; what happens meanwhile waits."""
    disabled_reason: DisabledReason | None
    disabled_at: datetime | None
    failing_since: datetime | None
    """When the first attempt failed since anything was delivered; null while all is well."""
    created_at: datetime

    @classmethod
    def of(cls, webhook: Webhook) -> Self:
        """The view of a row."""
        return cls.model_validate(webhook.model_dump(include=set(WebhookView.model_fields)))


class WebhookCreated(WebhookView):
    """A new endpoint, with the secret that is shown this once."""

    secret: str | None
    """`whsec_…`; null when the answer is repeated for the same Idempotency-Key."""


class WebhookList(BaseModel):
    """All endpoints of a client."""

    items: list[WebhookView]


class SecretCreated(BaseModel):
    """A new signing secret, shown this once."""

    secret: str | None
    """`whsec_…`; null when the answer is repeated for the same Idempotency-Key."""
    previous_signs_until: datetime
    """Until then every request carries a signature by the secret before as well."""


class DeliveryView(BaseModel):
    """One event for one endpoint."""

    id: UUID
    """The `webhook-id` header of every attempt."""
    event: str
    call_id: UUID | None
    state: DeliveryState
    attempts: int
    last_status: int | None
    """The HTTP status of the last attempt; null if none came."""
    last_error: str | None
    """Why none came: timeout, connection-failed, tls-failed, address-refused, malformed-response, …"""
    last_attempt_at: datetime | None
    next_attempt_at: datetime | None
    created_at: datetime

    @classmethod
    def of(cls, delivery: Delivery) -> Self:
        """The view of a row."""
        return cls.model_validate(delivery.model_dump(include=set(cls.model_fields)))


class DeliveryCursor(Cursor):
    """A place in the list of deliveries, newest first."""

    created_at: Moment
    id: UUID


class Replay(BaseModel):
    """What is to be sent again: one delivery, or those since a time."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"since": "2026-11-24T00:00:00Z"}]}
    )
    delivery_id: UUID | None = None
    since: Moment | None = None
    """Deliveries made since then that were given up."""
    include_delivered: bool = False
    """With `since`: those that were delivered, too."""

    @model_validator(mode="after")
    def _one_of_two(self) -> Self:
        if (self.delivery_id is None) == (self.since is None):
            raise ValueError("give either delivery_id or since")
        if self.include_delivered and self.since is None:
            raise ValueError("include_delivered goes with since")
        return self

    def one(self) -> UUID:
        """The delivery, where no time is given."""
        if self.delivery_id is None:
            raise ValueError("a time is given")
        return self.delivery_id


class Replayed(BaseModel):
    """How many deliveries are due again."""

    deliveries: int
