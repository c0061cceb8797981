"""What the routes of zones take and give."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from otokura.access.policy.zones import parse_network
from otokura.shared.moments import Moment


class ZoneChange(BaseModel):
    """The networks of a zone (CIDR, IPv4 or IPv6), and when it is in force: always, without times."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"networks": ["203.0.113.0/28", "2001:db8:7::/48"]}]},
    )
    networks: list[Annotated[str, Field(max_length=64)]] = Field(min_length=1, max_length=64)
    valid_from: Moment | None = None
    valid_until: Moment | None = None

    @field_validator("networks")
    @classmethod
    def _parse(cls, networks: list[str]) -> list[str]:
        return [str(parse_network(network)) for network in networks]

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.valid_from and self.valid_until and self.valid_from >= self.valid_until:
            raise ValueError("valid_until must be later than valid_from")
        return self


class ZoneBody(ZoneChange):
    """A named set of networks from which recordings may be read, and when."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [{"name": "office", "networks": ["203.0.113.0/28", "2001:db8:7::/48"]}]
        },
    )
    name: str = Field(pattern=r"^[a-z][a-z0-9-]{0,62}$")


class ZoneView(BaseModel):
    """A zone."""

    id: UUID
    name: str
    networks: list[str]
    valid_from: datetime | None
    valid_until: datetime | None
    created_at: datetime


class ZoneList(BaseModel):
    """All zones of a tenant."""

    items: list[ZoneView]
