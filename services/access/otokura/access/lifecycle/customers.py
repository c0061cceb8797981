"""A customer's calls, by number. Numbers are kept as ciphertext under each call's key, so each is opened.

They are compared as a search does it (`numbers`). A call whose number may be the customer's, when nobody can
say, is possible: to erase somebody else's cannot be undone, and to pass over the customer's breaks the law.
No more are opened than asked for, and not before an entry says who asked: its id is the reason that the key
provider is told.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import datetime
from itertools import product
from typing import Any
from uuid import UUID

from sqlalchemy import text

from otokura.access.lifecycle.views import CustomerBody
from otokura.access.numbers import Number, customer_numbers
from otokura.access.state import AccessState
from otokura.shared.cipher import decrypt
from otokura.shared.errors import IntegrityError, NotFound, Unprocessable
from otokura.shared.events import Direction
from otokura.shared.keys import (
    KeyContext,
    KeyUse,
    Kind,
    WrappedDek,
    associated_data,
    check_commitment,
    derive,
)
from otokura.shared.logs import get_logger

_PAGE = 500
_PAGE_OF_CALLS = text("""
    SELECT c.call_id, c.tenant_id, c.direction, c.started_at, c.personal, k.kek_id, k.wrapped, k.commitment
    FROM calls c LEFT JOIN call_keys k ON k.call_id = c.call_id AND k.tenant_id = c.tenant_id
    WHERE c.tenant_id = :tenant_id AND c.personal IS NOT NULL AND c.external_id IS NOT NULL
        AND (CAST(:since AS timestamptz) IS NULL OR c.started_at >= :since)
        AND (CAST(:until AS timestamptz) IS NULL OR c.started_at < :until)
        AND (CAST(:at AS timestamptz) IS NULL OR (c.started_at, c.call_id) > (:at, CAST(:after AS uuid)))
    ORDER BY c.started_at, c.call_id LIMIT :limit
""")

log = get_logger(__name__)


@dataclass
class Found:
    """A customer's calls; those that may be theirs; and those of which nobody can say whose they are."""

    call_ids: list[UUID] = field(default_factory=list[UUID])
    unreadable: list[UUID] = field(default_factory=list[UUID])
    possible: list[UUID] = field(default_factory=list[UUID])
    entry_id: UUID | None = None
    """The entry that says that they were looked for; None when they were named."""


async def find(state: AccessState, tenant_id: UUID, customer: CustomerBody, entry_id: UUID) -> Found:
    """The calls of a customer, oldest first.

    Args:
        state: the service's.
        tenant_id: whose calls.
        customer: by which numbers.
        entry_id: the entry that says that they are looked for.

    Raises:
        Unprocessable: more calls would have to be opened than may be at once.
        Unavailable: the database or the key provider is away.
    """
    wanted = [Number.of(number) for number in customer.numbers]
    found, opened = Found(entry_id=entry_id), 0
    at: datetime | None = None
    after: UUID | None = None
    while rows := await _page(state, tenant_id, customer, at, after):
        opened += len(rows)
        if opened > state.settings.customer_calls_opened:
            raise Unprocessable(
                f"More than {state.settings.customer_calls_opened} calls would have to be opened: "
                "say since and until."
            )
        for row in rows:
            try:
                numbers = await _numbers(state, row, entry_id)
            except (IntegrityError, NotFound) as error:
                # A key that was handed over, or is still to come, is missing by right: nothing to look into.
                if row.wrapped is not None:
                    log.warning("customer.unreadable", call_id=str(row.call_id), error=error)
                found.unreadable.append(row.call_id)
                continue
            _sort(found, row.call_id, numbers, wanted)
        at, after = rows[-1].started_at, rows[-1].call_id
    return found


async def _page(
    state: AccessState, tenant_id: UUID, customer: CustomerBody, at: datetime | None, after: UUID | None
) -> list[Any]:
    values = {"tenant_id": tenant_id, "limit": _PAGE, "at": at, "after": after}
    window = {"since": customer.since, "until": customer.until}
    async with state.database.reading() as connection:
        return list((await connection.execute(_PAGE_OF_CALLS, values | window)).all())


def _sort(found: Found, call_id: UUID, numbers: list[Number], wanted: list[Number]) -> None:
    pairs = list(product(numbers, wanted))
    if any(number.folded == one.folded for number, one in pairs):
        found.call_ids.append(call_id)
    elif any(number.could_be(one) for number, one in pairs):
        found.possible.append(call_id)


async def _numbers(state: AccessState, row: Any, entry_id: UUID) -> list[Number]:
    """The customer's numbers in a call.

    Raises:
        IntegrityError: key or numbers were changed.
        NotFound: the call's key is not here, or its own key no longer exists.
    """
    if row.wrapped is None:
        raise NotFound("The call's key is not here: its tenant alone holds it, or it has not come yet.")
    context = KeyContext(row.tenant_id, row.call_id)
    wrapped = WrappedDek(row.kek_id, row.wrapped)
    dek = await state.keys.unwrap(wrapped, context, KeyUse.READ, str(entry_id))
    check_commitment(dek, row.call_id, row.commitment)
    binding = associated_data(row.tenant_id, row.call_id, Kind.EVENT)
    numbers: dict[str, str | None] = json.loads(
        decrypt(derive(dek, Kind.EVENT, row.call_id), row.personal, binding)
    )
    return list(map(Number.of, customer_numbers(Direction(row.direction), numbers)))
