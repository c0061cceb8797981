"""What a vendor says of a call inside its dialect, where the dialect leaves room for words of others.

The names are those of `POST /v1/calls`; values are strings almost everywhere, so commas separate lists. What
is not said comes from the vendor's connection (`/v1/connections`), what is said goes before it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, TypeAdapter, ValidationError

from otokura.ingest.connections.lookup import Told, start_call
from otokura.ingest.connections.views import CallDefaults, Dialect, NoticeDefault
from otokura.ingest.dependencies import Caller
from otokura.ingest.errors import ChannelsDiffer
from otokura.ingest.opening import find_or_start
from otokura.ingest.repository import find
from otokura.ingest.state import State
from otokura.ingest.views import ChannelInput, Identifier, NoticeVersion, Number, PurposeName
from otokura.shared.errors import Unprocessable
from otokura.shared.events import ChannelRole, Direction
from otokura.shared.logs import get_logger

log = get_logger(__name__)

MAX_SECRET = 4096
_NUMBER = TypeAdapter[str](Number)


def _split(value: object) -> object:
    if isinstance(value, str):
        return [part.strip() for part in value.split(",") if part.strip()] or None
    return value


def _not_empty(value: object) -> object:
    """Phone systems fill a template: what they do not know stays empty."""
    return None if value == "" else value


class CallFields(BaseModel):
    """All that may be said; other members are the vendor's own business."""

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)
    api_key: Annotated[SecretStr, Field(max_length=MAX_SECRET)] | None = None
    access_token: Annotated[SecretStr, Field(max_length=MAX_SECRET)] | None = None
    call_id: Annotated[UUID | None, BeforeValidator(_not_empty)] = None
    """Of a call that was started by `POST /v1/calls`; then the other members are not needed."""
    external_id: Annotated[Identifier | None, BeforeValidator(_not_empty)] = None
    direction: Annotated[Direction | None, BeforeValidator(_not_empty)] = None
    caller: Annotated[Number | None, BeforeValidator(_not_empty)] = None
    callee: Annotated[Number | None, BeforeValidator(_not_empty)] = None
    agent_id: Annotated[Identifier | None, BeforeValidator(_not_empty)] = None
    language: Annotated[str | None, BeforeValidator(_not_empty)] = Field(default=None, pattern=r"^[a-z]{2}$")
    notice: Annotated[Literal["announced", "attested", "none"] | None, BeforeValidator(_not_empty)] = None
    notice_version: Annotated[NoticeVersion | None, BeforeValidator(_not_empty)] = None
    purposes: Annotated[list[PurposeName] | None, BeforeValidator(_split)] = Field(
        default=None, max_length=20
    )
    channels: Annotated[list[ChannelRole] | None, BeforeValidator(_split)] = Field(
        default=None, min_length=1, max_length=2
    )
    """Whose voice each channel carries, in the dialect's own order."""
    inbound_track: Annotated[Literal["customer", "agent"] | None, BeforeValidator(_not_empty)] = None
    """Twilio and Telnyx: who is at the far end of the leg that is streamed."""
    stream_track: Annotated[
        Literal["inbound_track", "outbound_track", "both_tracks"] | None, BeforeValidator(_not_empty)
    ] = None
    """Telnyx: the tracks that were asked for, where they are not both."""


def parse_fields(told: Mapping[str, Any]) -> CallFields:
    """Read the fields among whatever else the vendor sends.

    Raises:
        Unprocessable: names the fields that are wrong, and repeats no value.
    """
    try:
        return CallFields.model_validate(told)
    except ValidationError as error:
        wrong = sorted({str(found["loc"][0]) for found in error.errors(include_input=False)})
        raise Unprocessable(
            f"These fields of the call are not valid: {', '.join(wrong)}. They take what POST /v1/calls"
            " takes, and commas separate lists."
        ) from None


def number(told: str | None) -> str | None:
    """A number as the phone system tells it, if it can be kept; a call is not lost for an odd one."""
    try:
        return None if told is None else _NUMBER.validate_python(told)
    except ValidationError:
        return None


async def call_for(
    state: State, caller: Caller, dialect: Dialect, told: Told, fields: CallFields
) -> tuple[UUID, list[ChannelRole]]:
    """The call that a stream is for, and whose voice its channels carry.

    Args:
        state: the process's connections.
        caller: the vendor's client.
        dialect: in which the stream comes.
        told: what the dialect itself says; its channels are the usual ones of the stream.
        fields: what the vendor says.

    Raises:
        CallNotFound: the vendor names a call that is not there.
        ChannelsDiffer: it names more or fewer channels than come.
        Unavailable: the database or the key provider is away.
    """
    call_id = fields.call_id or await _find_or_start(state, caller, dialect, told, fields)
    async with state.database.session() as session:
        call = await find(session, call_id, caller.tenant_id)
    return call_id, [ChannelRole(channel["role"]) for channel in call.channels]


async def _find_or_start(
    state: State, caller: Caller, dialect: Dialect, told: Told, fields: CallFields
) -> UUID:
    if fields.channels is not None and len(fields.channels) != len(told.channels):
        raise ChannelsDiffer(len(fields.channels), len(told.channels))
    connection = await state.connections.find(caller.client_id, dialect)
    defaults = _over(CallDefaults() if connection is None else connection.defaults, fields)
    settings = await state.tenant_settings(caller.tenant_id)
    asked, withdrawn = start_call(told, defaults, settings)
    if withdrawn:
        log.warning("call.purposes-not-disclosed", dialect=dialect.value, purposes=withdrawn)
    return await find_or_start(state, caller, asked)


def _over(defaults: CallDefaults, fields: CallFields) -> CallDefaults:
    """The connection's defaults with what the vendor says of this call in their place."""
    said: dict[str, Any] = {}
    if fields.purposes is not None:
        said["purposes"] = fields.purposes
    if fields.notice is not None:
        said["notice"] = NoticeDefault(given=fields.notice, version=fields.notice_version)
    if fields.channels is not None:
        said["channels"] = [ChannelInput(role=role) for role in fields.channels]
    return defaults.model_copy(update=said)
