"""Who is sent entries as they come (a SIEM), as the operator's file says; and what of an entry they get."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC
from pathlib import Path
from typing import Annotated, Any, Literal, cast
from urllib.parse import urlsplit
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, field_validator

from otokura.audit.models import Entry

HARMLESS = ("action", "why", "purpose", "outcome", "address", "roles", "zones", "policies", "read_id")
"""Members of a detail that hold ids and names of the installation's own, and no words of a person's."""
MAX_TEXT = 256
"""Characters of one value."""
MAX_ITEMS = 20
"""Values of one list."""


class Receiver(BaseModel):
    """What all have in common."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")
    """Under which is kept how far it was sent: another name begins anew."""
    tenant_id: UUID | None = None
    """Whose entries; all, and those of no tenant, when none is given."""
    from_beginning: bool = False
    """Whether also what was in the log when this receiver first appeared is sent."""
    also: tuple[Annotated[str, Field(pattern=r"^[a-z0-9_]{1,64}$")], ...] = ()
    """Further members of details that are sent, such as `reason` and `name`; else no words of people."""
    ca_file: Path | None = None
    """PEM of whoever signs the receiver's certificate; those that the system trusts if not given."""


class SyslogReceiver(Receiver):
    """RFC 5424 messages, octet-counted (RFC 6587 §3.4.1) over TCP or TLS (RFC 5425)."""

    kind: Literal["syslog"]
    url: str = Field(pattern=r"^(tls|tcp)://[^/@]+:[0-9]+$")
    certificate_file: Path | None = None
    key_file: Path | None = None
    """With which Otokura shows who it is."""
    enterprise: int = Field(default=32473, ge=1)
    """The private enterprise number in `otokura@…`; RFC 5612's own for examples if you have none."""

    @field_validator("url")
    @classmethod
    def _has_a_place(cls, value: str) -> str:
        return _with_a_place(value)


class EventsReceiver(Receiver):
    """CloudEvents 1.0 in batches over HTTP (HTTP protocol binding §3.3), signed or with a bearer token."""

    kind: Literal["cloudevents"]
    url: str = Field(pattern=r"^https?://[^@\s]+$")
    secret_file: Path | None = None
    """With whose content each batch is signed, HMAC-SHA256 as Standard Webhooks describes it."""
    token_file: Path | None = None
    """Whose content is sent as a bearer token."""

    @field_validator("url")
    @classmethod
    def _has_a_place(cls, value: str) -> str:
        return _with_a_place(value)


def _with_a_place(value: str) -> str:
    """An address whose host and port are such; a port out of range raises as `urlsplit` does."""
    url = urlsplit(value)
    if not url.hostname or url.port == 0:
        raise ValueError("must name a host, and no port or one from 1 to 65535")
    return value


Any_ = Annotated[SyslogReceiver | EventsReceiver, Field(discriminator="kind")]
_FILE = TypeAdapter(list[Any_])


def read_receivers(path: Path | None, *, development: bool) -> list[SyslogReceiver | EventsReceiver]:
    """The receivers of a file; none without one.

    Raises:
        ValueError: the file is something else, names two alike, or one over plain HTTP in production.
    """
    if path is None:
        return []
    try:
        found = _FILE.validate_json(path.read_bytes())
    except ValidationError as error:
        # By where it stands, never by what: there are secrets in it.
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        raise ValueError(f"{path}: {'/'.join(map(str, first['loc']))}: {first['msg']}") from None
    names = [receiver.name for receiver in found]
    if len(set(names)) != len(names):
        raise ValueError(f"{path} names two receivers alike")
    if not development and any(receiver.url.startswith("http:") for receiver in found):
        raise ValueError(f"{path}: CloudEvents are sent over https")
    return found


def told(entry: Entry, also: tuple[str, ...]) -> dict[str, Any]:
    """What a receiver gets of an entry: bounded, and without what people wrote unless it is asked for."""
    members: dict[str, Any] = {
        "entry_id": str(entry.entry_id),
        "shard": entry.shard,
        "index": entry.index,
        "source": entry.source,
        "seq": entry.seq,
        "time": entry.time.astimezone(UTC).isoformat().replace("+00:00", "Z"),
        "tenant_id": None if entry.tenant_id is None else str(entry.tenant_id),
        "action": entry.action,
        "reader": entry.reader,
        "call_id": None if entry.call_id is None else str(entry.call_id),
    }
    detail: dict[str, Any] = {} if entry.recorded is None else json.loads(entry.recorded)["detail"]
    chosen = {name: short(detail[name]) for name in (*HARMLESS, *also) if name in detail}
    return {name: short(value) for name, value in members.items()} | {"detail": chosen}


def short(value: Any) -> Any:
    """A value that cannot make a message too long: texts are cut, and what is nested is not sent."""
    if isinstance(value, str):
        return value if len(value) <= MAX_TEXT else value[: MAX_TEXT - 1] + "…"
    if isinstance(value, list):
        items = cast("Sequence[Any]", value)[:MAX_ITEMS]
        return [short(item) for item in items if not isinstance(item, list | dict)]
    return None if isinstance(value, dict) else value
