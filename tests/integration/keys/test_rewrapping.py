"""A service wraps all its keys anew, whatever interrupts it, and then takes nothing under an old key."""

from __future__ import annotations

import asyncio
import base64
from datetime import timedelta
from types import SimpleNamespace
from typing import Any, cast

import pytest

from keys_at_rest import Interrupted, Interrupting, KeysAtRest
from messaging import eventually
from otokura.ingest.call_keys import CallKeys
from otokura.ingest.models import Call
from otokura.ingest.repository import Claim
from otokura.ingest.state import State
from otokura.ingest.uploads.sealing import UploadSealer
from otokura.shared import rewrapping
from otokura.shared.errors import NotFound, Unavailable
from otokura.shared.events import KeyWrapped
from otokura.shared.keyring import add_kek, destroy_keks
from otokura.shared.keys import KeyContext, KeyUse, LocalKeyProvider, WrappedDek

pytestmark = [pytest.mark.postgres]

KEY_WRAPPED = "otokura.key.wrapped.v1"
REWRAPPED = "otokura.keys.rewrapped.v1"


@pytest.fixture(autouse=True)
def brisk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small batches without pauses."""
    monkeypatch.setattr(rewrapping, "BATCH", 5)
    monkeypatch.setattr(rewrapping, "_PAUSE_SECONDS", 0)


@pytest.fixture
async def filled(at_rest: KeysAtRest) -> KeysAtRest:
    await at_rest.add_tenant()
    await at_rest.add_calls(12)
    await at_rest.add_secrets()
    return at_rest


@pytest.mark.guarantee("S20")
@pytest.mark.guarantee("S23")
async def test_everything_is_wrapped_anew_and_the_old_copies_die(filled: KeysAtRest) -> None:
    [old] = await filled.kek_ids()
    new = await filled.rotate()
    await filled.rewrapper().step()
    assert await filled.kek_ids() == {new}
    destroy_keks(filled.keyring, [old])
    await filled.everything_opens()
    for call_id, copied in filled.copied.items():
        with pytest.raises(NotFound):
            await filled.provider.unwrap(
                copied, KeyContext(filled.tenant_id, call_id), KeyUse.READ, "a stolen copy"
            )
    told = (await filled.told(REWRAPPED))[-1]
    assert (told["service"], told["finished"], told["remaining"], told["unreadable"]) == (
        "ingest",
        True,
        0,
        0,
    )


async def test_each_call_is_told_of_once_with_a_newer_version(filled: KeysAtRest) -> None:
    new = await filled.rotate()
    await filled.rewrapper().step()
    await filled.rewrapper().step()
    events = [KeyWrapped.model_validate(data) for data in await filled.told(KEY_WRAPPED)]
    assert sorted(event.call_id for event in events) == sorted(filled.deks)
    assert {(event.version, event.kek_id) for event in events} == {(2, new)}
    for event in events:
        context = KeyContext(filled.tenant_id, event.call_id)
        opened = await filled.provider.unwrap(
            WrappedDek(event.kek_id, event.wrapped), context, KeyUse.READ, "r"
        )
        assert opened == filled.deks[event.call_id]


@pytest.mark.guarantee("S23")
@pytest.mark.parametrize("last", [*range(1, 9), 16, 17, 25, 33, 40, 43])
async def test_wherever_it_is_interrupted_another_process_goes_on(filled: KeysAtRest, last: int) -> None:
    """14 keys, each opened, wrapped and opened again: 43 uses of the provider in all."""
    new = await filled.rotate()
    provider = Interrupting(filled.provider, last)
    with pytest.raises(Interrupted):
        await filled.rewrapper(provider).step()
    await filled.everything_opens()
    assert not any(told["finished"] for told in await filled.told(REWRAPPED))
    await filled.rewrapper().step()
    assert await filled.kek_ids() == {new}
    await filled.everything_opens()
    assert (await filled.told(REWRAPPED))[-1]["finished"]
    calls = [data["call_id"] for data in await filled.told(KEY_WRAPPED)]
    assert len(calls) == len(set(calls)) == 12


async def test_the_uses_that_are_interrupted_are_all_there_are(filled: KeysAtRest) -> None:
    """So that the numbers of the test before go to the end."""
    await filled.rotate()
    provider = Interrupting(filled.provider)
    await filled.rewrapper(provider).step()
    assert provider.uses == 43


async def test_two_processes_do_not_work_at_once(filled: KeysAtRest) -> None:
    await filled.rotate()
    one, other = Interrupting(filled.provider), Interrupting(filled.keys.provider())
    await asyncio.gather(filled.rewrapper(one).step(), filled.rewrapper(other).step())
    assert 43 <= one.uses + other.uses <= 44
    await filled.everything_opens()


@pytest.mark.guarantee("S24")
async def test_a_row_under_a_retired_key_is_refused(filled: KeysAtRest) -> None:
    """From whichever process, in whichever table: a keyring that is behind stores nothing any more."""
    behind = LocalKeyProvider(filled.keyring)
    behind._current = lambda: behind._keyring  # type: ignore[method-assign] # reads its file no more
    await filled.rotate()
    await filled.rewrapper().step()
    with pytest.raises(Unavailable, match="replaced"):
        async with filled.database.session() as session:
            await filled.add_call(session, behind)
    for table in ("calls", "connections", "webhook_secrets"):
        with pytest.raises(Unavailable, match="replaced"):
            await filled.query(f"UPDATE {table} SET kek_id = :old", old=behind._keyring.current)  # noqa: S608


@pytest.mark.guarantee("S24")
async def test_what_is_being_stored_under_the_old_key_is_waited_for(filled: KeysAtRest) -> None:
    """The last look and the retiring are one transaction, which no storing one overlaps."""
    await filled.rotate()
    behind = LocalKeyProvider(filled.keyring)
    old = behind._keyring.model_copy(update={"current": next(iter(filled.copied.values())).kek_id})
    behind._current = lambda: old  # type: ignore[method-assign] # has not seen the new key
    async with filled.database.session() as session:
        late = await filled.add_call(session, behind)
        step = asyncio.create_task(filled.rewrapper().step())
        await eventually(lambda: waits(filled))
        assert not step.done()
    await step
    if not any(told["finished"] for told in await filled.told(REWRAPPED)):
        await filled.rewrapper().step()
    destroy_keks(filled.keyring, [old.current])
    await filled.everything_opens()
    assert late in filled.deks


async def waits(at_rest: KeysAtRest) -> bool:
    rows = await at_rest.query("SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted")
    return bool(rows)


async def test_a_key_that_does_not_open_holds_the_rotation_and_nothing_else(filled: KeysAtRest) -> None:
    """It was changed; the old key is kept, for somebody to look into it."""
    broken = next(iter(filled.deks))
    change = "UPDATE calls SET wrapped_dek = :bytes WHERE id = :id"
    await filled.query(change, bytes=bytes(60), id=broken)
    new = await filled.rotate()
    await filled.rewrapper().step()
    told = (await filled.told(REWRAPPED))[-1]
    assert (told["remaining"], told["unreadable"], told["finished"]) == (1, 1, False)
    rows = await filled.query("SELECT count(*) AS n FROM calls WHERE kek_id = :new", new=new)
    assert rows[0].n == 11
    await filled.query("DELETE FROM calls WHERE id = :id", id=broken)
    del filled.deks[broken]
    await filled.rewrapper().step()
    assert (await filled.told(REWRAPPED))[-1]["finished"]
    await filled.everything_opens()


async def test_nothing_is_finished_before_other_instances_can_know_the_new_key(filled: KeysAtRest) -> None:
    await filled.rotate()
    await filled.rewrapper(settle=timedelta(minutes=2)).step()
    assert not any(told["finished"] for told in await filled.told(REWRAPPED))
    await filled.query("UPDATE rewrappings SET heard_at = heard_at - interval '2 minutes'")
    await filled.rewrapper(settle=timedelta(minutes=2)).step()
    assert (await filled.told(REWRAPPED))[-1]["finished"]


async def test_a_process_that_does_not_know_the_new_key_does_nothing(filled: KeysAtRest) -> None:
    behind = LocalKeyProvider(filled.keyring)
    keyring = behind._keyring
    behind._current = lambda: keyring  # type: ignore[method-assign] # reads its file no more
    await filled.rotate()
    with pytest.raises(Unavailable, match="not known here"):
        await filled.rewrapper(behind).step()
    assert await filled.told(REWRAPPED) == []


async def test_a_key_made_while_it_runs_is_for_the_next_rotation(filled: KeysAtRest) -> None:
    """Somebody was interrupted between making a key and saying so, and began again."""
    await filled.rotate()
    newest = add_kek(filled.keyring)
    await filled.rewrapper().step()
    assert await filled.kek_ids() == {newest}
    await filled.everything_opens()


@pytest.mark.guarantee("S23")
async def test_a_call_that_was_read_before_a_rotation_is_not_failed_after_it(filled: KeysAtRest) -> None:
    """A sealer that was frozen between its query and the opening of the key: it begins again."""
    [old] = await filled.kek_ids()
    async with filled.database.session() as session:
        stale = await session.get_one(Call, next(iter(filled.deks)))
    await filled.rotate()
    await filled.rewrapper().step()
    destroy_keks(filled.keyring, [old])
    state = SimpleNamespace(
        database=filled.database, keys=CallKeys(filled.provider), settings=SimpleNamespace(seal_attempts=10)
    )
    sealer = UploadSealer(cast("State", state))
    with pytest.raises(Unavailable, match="anew"):
        await sealer._outcome(stale, cast("Claim", None), [])


async def test_without_a_rotation_the_provider_is_not_asked(filled: KeysAtRest) -> None:
    provider = Interrupting(filled.provider)
    await filled.rewrapper(provider).step()
    assert provider.uses == 0


async def test_an_event_shows_a_key_only_wrapped(filled: KeysAtRest) -> None:
    await filled.rotate()
    await filled.rewrapper().step()
    rows: list[Any] = await filled.query("SELECT data FROM outbox")
    written = "".join(row.data for row in rows)
    for dek in filled.deks.values():
        assert dek.hex() not in written
        assert base64.b64encode(dek).decode() not in written
