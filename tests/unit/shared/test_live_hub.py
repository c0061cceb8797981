"""Live text in memory: the newest of each call, all of it, bounded, and without a key to it."""

from __future__ import annotations

import base64
from datetime import UTC, datetime
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from otokura.shared.errors import IntegrityError
from otokura.shared.events import TranscriptPartial
from otokura.shared.keys import new_dek
from otokura.shared.live_hub import BEGINNING, Hub
from otokura.shared.live_text import open_partial, seal_partial
from otokura.shared.transcripts import PartialTranscript

CALL, TENANT = UUID(int=5), UUID(int=6)


def partial(
    revision: int, *, epoch: int = 1, since: int = 0, call_id: UUID = CALL, size: int = 10
) -> TranscriptPartial:
    return TranscriptPartial(
        call_id=call_id,
        tenant_id=TENANT,
        version=revision,
        epoch=epoch,
        revision=revision,
        since=since,
        final_through_ms=0,
        language="ja",
        sealed=base64.b64encode(bytes(size)),
        at=datetime.now(UTC),
    )


@pytest.mark.guarantee("T45")
@settings(deadline=None)
@given(st.integers(1, 12), st.integers(0, 200), st.integers(0, 200))
def test_what_is_kept_covers_every_revision_and_is_little(window: int, revisions: int, takeover: int) -> None:
    """However long a call is, nothing that became final is missing, and few partials are kept."""
    hub = Hub()
    for revision in range(1, revisions + 1):
        epoch, floor = (2, takeover) if revision > takeover else (1, 0)
        hub.add(partial(revision, epoch=epoch, since=max(revision - window, floor)))
    kept = hub.newer(CALL, TENANT, BEGINNING)
    covered = {one for event in kept for one in range(event.since + 1, event.revision + 1)}
    assert covered == set(range(1, revisions + 1))
    assert len(kept) <= 2 * (revisions // window) + 4


def test_an_older_partial_is_dropped() -> None:
    """By epoch first, then by revision, whatever comes when."""
    hub = Hub()
    for event in (partial(5, epoch=2), partial(9, epoch=1), partial(4, epoch=2), partial(5, epoch=2)):
        hub.add(event)
    assert [(one.epoch, one.revision) for one in hub.newer(CALL, TENANT, BEGINNING)] == [(2, 5)]
    assert hub.newer(CALL, TENANT, (2, 5)) == []


def test_another_tenants_text_is_nobodys() -> None:
    """A call's text is given for its own tenant alone."""
    hub = Hub()
    hub.add(partial(1))
    assert hub.newer(CALL, UUID(int=99), BEGINNING) == []


@pytest.mark.guarantee("T45")
def test_memory_is_bounded_by_calls_and_by_bytes() -> None:
    """The calls that were silent longest give way."""
    hub = Hub(most_calls=3, most_bytes=1000)
    for number in range(10):
        hub.add(partial(1, call_id=UUID(int=number)))
    present = [n for n in range(10) if hub.newer(UUID(int=n), TENANT, BEGINNING)]
    assert present == [7, 8, 9]
    hub.add(partial(1, call_id=UUID(int=20), size=995))
    assert [n for n in range(30) if hub.newer(UUID(int=n), TENANT, BEGINNING)] == [20]


def test_who_listens_hears_of_news_and_of_the_end() -> None:
    """Each listener is woken, and only by its own call."""
    hub = Hub()
    with hub.listening(CALL) as one, hub.listening(CALL) as two, hub.listening(UUID(int=9)) as other:
        hub.add(partial(1))
        assert (one.is_set(), two.is_set(), other.is_set()) == (True, True, False)
        one.clear()
        hub.add(partial(1))
        assert not one.is_set()
        hub.settled(CALL)
        assert one.is_set()
    assert hub.newer(CALL, TENANT, BEGINNING) == []


@pytest.mark.guarantee("T46")
@pytest.mark.parametrize("change", ["revision", "epoch", "call_id", "tenant_id", "sealed"])
def test_a_partial_opens_only_where_it_was_sealed(change: str) -> None:
    """Tenant, call, epoch and revision are bound into the ciphertext."""
    dek = new_dek()
    text = PartialTranscript(call_id=CALL, epoch=1, revision=3, final_through_ms=0, turns=[])
    event = seal_partial(dek, TENANT, text, language="ja", since=0)
    assert open_partial(dek, event) == text
    other: dict[str, object] = {
        "revision": 4,
        "epoch": 2,
        "call_id": UUID(int=7),
        "tenant_id": UUID(int=7),
        "sealed": event.sealed[:-1] + bytes([event.sealed[-1] ^ 1]),
    }
    with pytest.raises(IntegrityError):
        open_partial(dek, event.model_copy(update={change: other[change]}))
