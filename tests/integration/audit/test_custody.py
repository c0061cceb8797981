"""The history of a call: all of it, of one tenant, each entry proved in one tree."""

from __future__ import annotations

import base64
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import httpx
import pytest

from audit_service import AuditService, until
from erasures import requested
from otokura.audit import sequencer
from otokura.cli.verify import Checkpoint, verify_receipt
from otokura.shared.audit_entries import Action, AuditDraft
from otokura.shared.cloudevents import encode
from otokura.shared.events import Role
from otokura.shared.ids import uuid7

pytestmark = [pytest.mark.postgres, pytest.mark.s3, pytest.mark.kafka]

ACTIONS = [Action.RECORDING_SEALED, *[Action.READ_OPENED] * 5, Action.READ_DENIED, Action.HOLD_SET]


def drafts(tenant_id: UUID, call_id: UUID, actions: list[Action]) -> list[AuditDraft]:
    mine = {"tenant_id": tenant_id, "call_id": call_id}
    return [AuditDraft(action=action, reader="yamada", detail={"n": 1}, **mine) for action in actions]


async def custody(
    client: httpx.AsyncClient, call_id: UUID, *, cursor: str | None = None, **params: Any
) -> tuple[list[Any], list[Any]]:
    """The trees and all items, page by page."""
    trees, items = [], []
    while True:
        asked = {name: str(it) for name, it in (params | {"cursor": cursor}).items() if it is not None}
        response = await client.get(f"/v1/calls/{call_id}/custody", params=asked)
        assert response.status_code == 200, response.text
        page: dict[str, Any] = response.json()
        trees += page["trees"]
        items += page["items"]
        cursor = page["next_cursor"]
        if cursor is None:
            return trees, items


def proved(audit: AuditService, trees: list[Any], item: dict[str, Any]) -> Checkpoint:
    """The checkpoint in which the verifier finds the item."""
    [tree] = [each for each in trees if each["shard"] == item["shard"]]
    lines = ["c2sp.org/tlog-proof@v1", f"index {item['index']}", *item["path"], "", tree["checkpoint"]]
    receipt = {**item, "proof": "\n".join(lines)}
    return verify_receipt(receipt, audit.vkey_of(item["shard"]), source_keys=audit.source_keys()).checkpoint


@pytest.mark.guarantee("L15")
async def test_all_of_it_is_proved_in_one_tree_however_much_is_written_meanwhile(
    audit: AuditService, auditor: httpx.AsyncClient, tenant_id: UUID
) -> None:
    call_id = uuid7()
    async with audit.source() as writer:
        ids = await audit.write(writer, drafts(tenant_id, call_id, ACTIONS))
        await audit.write(writer, drafts(tenant_id, uuid7(), ACTIONS[:1]))
        asked: dict[str, str | int] = {"holding": str(ids[-1]), "limit": 3}
        first = (await auditor.get(f"/v1/calls/{call_id}/custody", params=asked)).json()
        later = await audit.write(writer, drafts(tenant_id, call_id, [Action.READ_CLOSED]))
        await audit.published(first["trees"][0]["size"] + 1)
        _, rest = await custody(auditor, call_id, cursor=first["next_cursor"], limit=3)
        items = first["items"] + rest
        assert [item["entry"]["entry_id"] for item in items] == [str(each) for each in ids]
        sizes = {proved(audit, first["trees"], item).size for item in items}
        assert sizes == {first["trees"][0]["size"]}
        _, items = await custody(auditor, call_id, holding=later[0])
        assert [item["entry"]["action"] for item in items] == [*ACTIONS, "read.closed"]


@pytest.mark.guarantee("L15")
async def test_what_is_erased_shows_as_erased_and_is_proved_still(
    audit: AuditService, auditor: httpx.AsyncClient, tenant_id: UUID
) -> None:
    event = requested(uuid7(), tenant_id)
    async with audit.source() as writer:
        actions = [Action.RECORDING_SEALED, Action.READ_OPENED, Action.HOLD_SET]
        ids = await audit.write(writer, drafts(tenant_id, event.call_id, actions))
        await audit.send(encode(event, uuid7(), "access/test", datetime.now(UTC)))

        async def gone() -> bool:
            _, items = await custody(auditor, event.call_id, holding=ids[-1])
            return any(item["erased_at"] is not None for item in items)

        await until(gone)
        trees, items = await custody(auditor, event.call_id, holding=ids[-1])
    shown = [None if item["entry"] is None else item["entry"]["action"] for item in items]
    assert shown[:3] == [None, None, "hold.set"]
    for item in items:
        assert (item["entry"] is None) is (item["salt"] is None) is (item["erased_at"] is not None)
        assert proved(audit, trees, item).size == trees[0]["size"]


@pytest.mark.guarantee("L15")
async def test_it_is_the_tenants_own_and_asking_is_an_entry(
    audit: AuditService, auditor: httpx.AsyncClient, tenant_id: UUID
) -> None:
    call_id, read_id = uuid7(), uuid7()
    path = f"/v1/calls/{call_id}/custody"
    async with audit.source() as writer:
        await audit.write(writer, drafts(tenant_id, call_id, ACTIONS[:1]))
    async with audit.client(tenant_id, Role.EVIDENCE_OFFICER) as officer:
        response = await officer.get(path, params={"read_id": str(read_id)})
    assert response.status_code == 200, response.text
    rows = await until(lambda: asked_about(audit, tenant_id))
    assert (rows[0].detail["custody"], rows[0].detail["shown"]) == (str(call_id), 1)
    assert rows[0].detail["read_id"] == str(read_id)
    async with audit.client(tenant_id, Role.SUPERVISOR) as client:
        assert (await client.get(path)).status_code == 403
    async with audit.client(await audit.add_tenant()) as client:
        assert (await client.get(path)).status_code == 404
    assert (await auditor.get(f"/v1/calls/{uuid7()}/custody")).status_code == 404
    late = await auditor.get(path, params={"holding": str(uuid7())})
    assert (late.status_code, late.json()["type"].rpartition(":")[2]) == (409, "not-published-yet")


async def asked_about(audit: AuditService, tenant_id: UUID) -> list[Any]:
    return await audit.query(
        "SELECT convert_from(recorded, 'utf8')::jsonb->'detail' AS detail FROM entries "
        "WHERE tenant_id = :tenant AND action = 'entries.listed'",
        tenant=tenant_id,
    )


@pytest.mark.guarantee("L15")
async def test_a_history_over_two_years_is_proved_in_the_tree_of_each(
    audit: AuditService, auditor: httpx.AsyncClient, tenant_id: UUID
) -> None:
    """From then on the log is next year's."""
    call_id, year = uuid7(), audit.year
    async with audit.source() as writer:
        ids = await audit.write(writer, drafts(tenant_id, call_id, ACTIONS[:4]))
        async with audit.database() as database, database.session() as session:
            await sequencer.open_shard(session, year + 1)
        ids += await audit.write(writer, drafts(tenant_id, call_id, ACTIONS[4:]))
        trees, items = await custody(auditor, call_id, holding=ids[-1], limit=3)
    assert [tree["shard"] for tree in trees] == [year, year + 1]
    assert [tree["origin"] for tree in trees] == [f"{audit.origin}/{year}", f"{audit.origin}/{year + 1}"]
    assert [item["entry"]["entry_id"] for item in items] == [str(each) for each in ids]
    assert [item["shard"] for item in items] == [year] * 4 + [year + 1] * 4
    for item in items:
        assert proved(audit, trees, item).origin == f"{audit.origin}/{item['shard']}"


@pytest.mark.guarantee("L15")
async def test_a_row_that_was_altered_and_a_cursor_that_was_made_up_give_nothing(
    audit: AuditService, auditor: httpx.AsyncClient, tenant_id: UUID
) -> None:
    call_id = uuid7()
    path = f"/v1/calls/{call_id}/custody"
    async with audit.source() as writer:
        ids = await audit.write(writer, drafts(tenant_id, call_id, ACTIONS[:2]))
        page = (await auditor.get(path, params={"holding": str(ids[1]), "limit": 1})).json()
    cursor = page["next_cursor"]
    text = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode()
    size = page["trees"][0]["size"]
    for lie in (
        text.replace(f'"size":{size}', f'"size":{size + 1}'),
        text.replace('"index":', '"index":1'),
        "{}",
    ):
        forged = base64.urlsafe_b64encode(lie.encode()).decode().rstrip("=")
        assert (await auditor.get(path, params={"cursor": forged})).status_code == 400
    assert (await auditor.get(f"/v1/calls/{uuid7()}/custody", params={"cursor": cursor})).status_code == 400
    assert (await auditor.get(path, params={"cursor": cursor})).status_code == 200
    # Nothing in the row contradicts itself: only the tree knows better.
    await audit.query(
        "UPDATE entries SET recorded = NULL, salt = NULL, leaf = convert_to(regexp_replace("
        "convert_from(leaf, 'utf8'), '\"commitment\":\"....', '\"commitment\":\"0000'), 'utf8') "
        "WHERE entry_id = :id RETURNING 1",
        id=ids[1],
    )
    nothing: dict[str, str] = {}
    for params in (nothing, {"cursor": cursor}):
        altered = await auditor.get(path, params=params)
        assert altered.status_code == 500
        assert "altered" in altered.json()["detail"]
