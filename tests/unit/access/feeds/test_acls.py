"""A broker tells of its lists from a copy, which follows what was changed a moment later (KRaft)."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.protocol.admin import CreateAclsRequest, DeleteAclsRequest, DescribeAclsRequest

from otokura.access.feeds import acls
from otokura.access.feeds.acls import Binding
from otokura.shared.errors import Unavailable

TOPIC = "otokura.feed.midori.voice"


class Broker:
    """Lists, and the copy that is told of: some answers behind.

    Args:
        late: how many answers after a change still tell of what was before it.
    """

    def __init__(self, late: float) -> None:
        self.lists: set[Binding] = set()
        self._copy: set[Binding] = set()
        self._late = late
        self._old_answers = 0.0

    async def _send_request(self, request: Any) -> Any:
        line = Binding(*vars(request).values())
        if isinstance(request, CreateAclsRequest | DeleteAclsRequest):
            self._copy, self._old_answers = set(self.lists), self._late
            (self.lists.add if isinstance(request, CreateAclsRequest) else self.lists.discard)(line)
            return SimpleNamespace(filter_responses=[(0,)], creation_responses=[(0,)])
        assert isinstance(request, DescribeAclsRequest)
        self._old_answers -= 1
        told = self.lists if self._old_answers < 0 else self._copy
        found = [one for one in told if one[:3] == line[:3]]
        return SimpleNamespace(error_code=0, resources=[(*one[:3], [one[3:]]) for one in found])


def client(broker: Broker) -> AIOKafkaAdminClient:
    return cast("AIOKafkaAdminClient", broker)


async def test_lists_that_show_a_moment_later_are_waited_for() -> None:
    broker = Broker(late=5)
    await acls.replace(client(broker), TOPIC, ["User:new"])
    assert broker.lists == acls.wanted(TOPIC, ["User:new"])


async def test_lists_that_stay_otherwise_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(acls, "_SOON_SECONDS", 0.2)
    with pytest.raises(Unavailable, match="not as they were set"):
        await acls.replace(client(Broker(late=float("inf"))), TOPIC, ["User:new"])
