"""What auditors are shown of an entry, checked against the leaf before it is shown."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal, cast
from uuid import UUID

from pydantic import BaseModel, Field

from otokura.audit.leaves import commit
from otokura.audit.models import Entry
from otokura.shared.errors import IntegrityError

Why = Literal["erasure", "retention"]
WHY = "With the call that it is about, or because its time had passed."


class EntryView(BaseModel):
    """One entry. `detail`, `salt` and what says who read what are null once they were removed."""

    shard: int = Field(description="The year of the log that holds it.")
    index: int = Field(description="Its place in that log.")
    entry_id: UUID
    source: str
    seq: int
    time: datetime
    action: str
    reader: str | None
    call_id: UUID | None
    detail: dict[str, Any] | None
    salt: str | None = Field(description="Base64 of 16 bytes.")
    commitment: str = Field(description="SHA-256(salt ‖ canonical JSON of the whole entry), hexadecimal.")
    erased_at: datetime | None = Field(description="When detail, salt and reader were removed.")
    erased_why: Why | None = Field(description=WHY)


class Receipt(BaseModel):
    """All that proves offline that an entry is in the log; `otokura verify --receipt` reads it."""

    origin: str
    shard: int
    index: int
    leaf: dict[str, Any]
    entry: dict[str, Any] | None = Field(description="The whole entry as its source signed it.")
    salt: str | None
    proof: str = Field(description="c2sp.org/tlog-proof@v1, with the signed checkpoint.")
    erased_at: datetime | None = Field(default=None, description="When entry and salt were removed.")
    erased_why: Why | None = Field(default=None, description=WHY)


class Consistency(BaseModel):
    """The proof that the first `from` entries of a log are a prefix of the first `to` (RFC 6962 §2.1.2)."""

    shard: int
    from_size: int = Field(serialization_alias="from")
    to_size: int = Field(serialization_alias="to")
    hashes: list[str] = Field(description="Base64, in the order of RFC 6962.")


class ShardView(BaseModel):
    """One log."""

    shard: int
    origin: str
    key: str = Field(description="Its public key (vkey). Get it from somewhere else too.")
    size: int = Field(description="Entries published.")


class ShardList(BaseModel):
    """The logs of this service, one a year."""

    items: list[ShardView]


def view(entry: Entry) -> EntryView:
    """The entry as auditors see it."""
    leaf, recorded = opened(entry)
    return EntryView(
        shard=entry.shard,
        index=entry.index,
        entry_id=entry.entry_id,
        source=entry.source,
        seq=entry.seq,
        time=entry.time,
        action=entry.action,
        reader=entry.reader,
        call_id=entry.call_id,
        detail=None if recorded is None else recorded["detail"],
        salt=encoded_salt(entry),
        commitment=leaf["commitment"],
        erased_at=entry.erased_at,
        erased_why=why(entry),
    )


def why(entry: Entry) -> Why | None:
    """Why the detail is not there."""
    return cast("Why | None", entry.erased_why)


def encoded_salt(entry: Entry) -> str | None:
    """The salt in base64."""
    return None if entry.salt is None else base64.b64encode(entry.salt).decode()


def opened(entry: Entry) -> tuple[dict[str, Any], dict[str, Any] | None]:
    """The leaf, and what it commits to.

    Raises:
        IntegrityError: the row was altered: its parts contradict each other.
    """
    leaf: dict[str, Any] = json.loads(entry.leaf)
    recorded: dict[str, Any] | None = None if entry.recorded is None else json.loads(entry.recorded)
    if not (_agrees(entry, leaf) and (recorded is None or _committed(entry, leaf, recorded))):
        raise IntegrityError(
            f"Entry {entry.index} of shard {entry.shard} is not what the log committed to: "
            "its row was altered after it was sequenced."
        )
    return leaf, recorded


def _agrees(entry: Entry, leaf: Mapping[str, Any]) -> bool:
    """Whether the row names the source, number and time of its leaf."""
    same_time = datetime.fromisoformat(leaf["time"]) == entry.time
    return same_time and (leaf["source"], leaf["seq"]) == (entry.source, entry.seq)


def _committed(entry: Entry, leaf: Mapping[str, Any], recorded: Mapping[str, Any]) -> bool:
    """Whether the leaf commits to the entry, and the row's columns are the entry's."""
    if (
        entry.salt is None
        or entry.recorded is None
        or commit(entry.salt, entry.recorded) != leaf["commitment"]
    ):
        return False
    columns = {
        "entry_id": str(entry.entry_id),
        "source": entry.source,
        "seq": entry.seq,
        "time": leaf["time"],
        "tenant_id": None if entry.tenant_id is None else str(entry.tenant_id),
        "action": entry.action,
        "reader": entry.reader,
        "call_id": None if entry.call_id is None else str(entry.call_id),
    }
    return all(recorded[name] == value for name, value in columns.items())
