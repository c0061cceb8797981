"""What the routes of tenants take and give."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from pydantic import BaseModel

from otokura.access.identity.views import Body, Credentials, Name
from otokura.shared.events import TenantSettings


class TenantBody(Body):
    """A new tenant."""

    name: Name


class TenantView(BaseModel):
    """A tenant."""

    id: UUID
    name: str
    disabled: bool
    created_at: datetime


class TenantCreated(BaseModel):
    """A new tenant and its first administrator, whose secret is shown once."""

    tenant: TenantView
    admin: Credentials


class TenantList(BaseModel):
    """All tenants."""

    items: list[TenantView]


class SettingsBody(TenantSettings):
    """A tenant's settings. Purposes are what callers are told that recordings are used for."""

    model_config = TenantSettings.model_config | {
        "json_schema_extra": {
            "examples": [
                {
                    "require_notice": True,
                    "purposes": [
                        {
                            "name": "quality",
                            "label_ja": "応対品質の向上",
                            "label_en": "To improve our service",
                        }
                    ],
                    "language": "ja",
                    "vocabulary": ["オトクラ"],
                }
            ]
        }
    }
