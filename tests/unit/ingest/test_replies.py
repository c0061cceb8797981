"""What the process keeps of text that goes back: for as long as somebody asks, and never without end."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any, cast
from uuid import UUID

import pytest

from live_partials import sealed
from messaging import eventually
from otokura.ingest import replies as module
from otokura.ingest.replies import Replies
from otokura.shared.keys import new_dek
from otokura.shared.live_hub import BEGINNING

TENANT, CALL = UUID(int=1), UUID(int=2)


def nothing() -> Replies:
    unused = cast("Any", SimpleNamespace())
    return Replies(unused, unused, unused)


def test_what_was_sent_is_remembered_of_a_bounded_number_of_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that had no session for longest give way."""
    monkeypatch.setattr(module, "MOST_CALLS", 3)
    replies = nothing()
    first = replies.told(UUID(int=0))
    for number in (1, 2, 0, 3):
        replies.told(UUID(int=number))
    assert replies.told(UUID(int=0)) is first
    assert len(replies._told) == 3


async def test_a_call_is_followed_a_little_longer_than_its_sessions(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that the next session finds what came meanwhile; then its text is let go."""
    monkeypatch.setattr(module, "LINGER_SECONDS", 0.05)
    replies = nothing()
    assert not replies._follows(str(CALL).encode())
    with replies.following(CALL) as news:
        replies.hub.add(sealed(TENANT, CALL, new_dek(), 1))
        assert news.is_set()
    assert replies._follows(str(CALL).encode())
    with replies.following(CALL):
        await asyncio.sleep(0.1)
        assert replies._follows(str(CALL).encode())
        assert replies.hub.newer(CALL, TENANT, BEGINNING)
    await asyncio.sleep(0.1)
    assert not replies._follows(str(CALL).encode())
    assert not replies.hub.newer(CALL, TENANT, BEGINNING)


async def test_the_topic_is_listened_to_only_for_somebody(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the first call that is followed it begins, with the last it ends; a failure ends nothing else."""
    running: list[str] = []

    class Listener:
        def __init__(self, *_arguments: object) -> None:
            running.append("made")

        async def run(self) -> None:
            if len(running) == 1:
                raise RuntimeError("the first one fails")
            try:
                await asyncio.Event().wait()
            finally:
                running.append("ended")

    monkeypatch.setattr(module, "PartialsListener", Listener)
    monkeypatch.setattr(module, "LINGER_SECONDS", 0.01)
    monkeypatch.setattr(module, "_RETRY_SECONDS", 0.01)
    replies = nothing()
    work = asyncio.create_task(replies.run())
    await asyncio.sleep(0.05)
    assert running == []
    with replies.following(CALL):
        await eventually(lambda: running == ["made", "made"])
    await eventually(lambda: running == ["made", "made", "ended"])
    assert not work.done()
    work.cancel()
