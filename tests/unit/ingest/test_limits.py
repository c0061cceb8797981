"""Open streams of a client are counted while they are open."""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import cast
from uuid import UUID

import pytest

from otokura.ingest.limits import LimitReached, Limits
from otokura.ingest.settings import Settings
from otokura.shared.clients import ClientLimits
from otokura.shared.directory import Client, Directory
from otokura.shared.ids import uuid7


class Known:
    """A directory that knows every client, with these limits."""

    def __init__(self, limits: ClientLimits) -> None:
        self._limits = limits

    async def client(self, client_id: UUID) -> Client:
        return Client(client_id, uuid7(), "CTI", frozenset(), (), self._limits, disabled=False)


def limits_of(**limits: int) -> Limits:
    settings = Settings.model_construct(
        client_calls=2, client_requests_per_minute=1000, client_upload_bytes_per_hour=1000
    )
    return Limits(settings, cast("Directory", Known(ClientLimits(**limits))))


@pytest.mark.parametrize(("calls", "most"), [(None, 4), (3, 6), (0, 4)])
async def test_a_client_has_twice_as_many_streams_open_as_calls(calls: int | None, most: int) -> None:
    """Who may start no more calls still reconnects those that are live."""
    limits, client = limits_of(**({} if calls is None else {"calls": calls})), uuid7()
    async with AsyncExitStack() as stack:
        for _ in range(most):
            await stack.enter_async_context(limits.stream(client))
        with pytest.raises(LimitReached) as refused:
            await stack.enter_async_context(limits.stream(client))
        assert refused.value.extensions["limit"] == "streams"
        await stack.enter_async_context(limits.stream(uuid7()))
    async with limits.stream(client):
        pass


async def test_what_was_set_goes_before_the_settings() -> None:
    allowed = await limits_of(requests_per_minute=7).of(uuid7())
    assert (allowed.calls, allowed.requests, allowed.bytes) == (2, 7, 1000)
    assert (await limits_of(calls=0).of(uuid7())).calls == 0
