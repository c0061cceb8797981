"""What can go wrong with a webhook, said so that its vendor knows what to do."""

from __future__ import annotations

from typing import ClassVar
from uuid import UUID

from otokura.shared.errors import Conflict, NotFound, Unprocessable


class WebhookNotFound(NotFound):
    """No such endpoint of this client; another client's looks the same."""

    code: ClassVar[str] = "webhook-not-found"
    title: ClassVar[str] = "No such webhook"

    def __init__(self, webhook_id: UUID) -> None:
        super().__init__(f"Your client has no webhook {webhook_id}. GET /v1/webhooks lists those it has.")


class DeliveryNotFound(NotFound):
    """No such delivery to this endpoint, or it is too old."""

    code: ClassVar[str] = "webhook-delivery-not-found"
    title: ClassVar[str] = "No such delivery"

    def __init__(self, delivery_id: UUID) -> None:
        super().__init__(f"This webhook has no delivery {delivery_id}. Deliveries are kept for some weeks.")


class WebhookUrlRefused(Unprocessable):
    """The URL is none, or one to which Otokura does not send. The text never repeats it."""

    code: ClassVar[str] = "webhook-url-refused"
    title: ClassVar[str] = "Webhooks are not sent to this URL"


class TooManyWebhooks(Conflict):
    """The client has as many endpoints as it may."""

    code: ClassVar[str] = "too-many-webhooks"
    title: ClassVar[str] = "Too many webhooks"

    def __init__(self, limit: int) -> None:
        super().__init__(f"A client has at most {limit} webhooks. Delete one, or change one with PATCH.")


class TooManySecrets(Conflict):
    """Several secrets sign already."""

    code: ClassVar[str] = "too-many-webhook-secrets"
    title: ClassVar[str] = "Too many secrets"

    def __init__(self, limit: int) -> None:
        super().__init__(
            f"{limit} secrets of this webhook sign now. Each ends 24 hours after its successor was made:"
            " wait for the oldest, or register the endpoint anew."
        )


class WebhookDisabled(Conflict):
    """Nothing is sent to the endpoint now."""

    code: ClassVar[str] = "webhook-disabled"
    title: ClassVar[str] = "The webhook is disabled"

    def __init__(self, webhook_id: UUID) -> None:
        super().__init__(
            "The webhook is disabled and is sent nothing. Start it again with"
            f" POST /v1/webhooks/{webhook_id}/enable."
        )
