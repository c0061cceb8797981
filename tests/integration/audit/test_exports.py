"""Exports: every line proved against one checkpoint; cut, changed, repeated or swapped lines are found."""

from __future__ import annotations

import asyncio
import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest
from typer.testing import CliRunner

from audit_service import AuditService, public_text
from otokura.audit.export_formats import FORMULA, guarded
from otokura.cli.verify import Code, VerificationError, verify_export
from otokura.cli.verify.command import app
from otokura.shared.audit_entries import Action, AuditDraft
from otokura.shared.ids import uuid7

pytestmark = [pytest.mark.postgres, pytest.mark.s3, pytest.mark.kafka]

HOSTILE = ["=cmd|' /C calc'!A0", "+1", "-2+3", "@SUM(A1)", "＝１", "'=1", '"quoted", and\nlines', "\tx"]


async def written(audit: AuditService, tenant_id: UUID) -> list[UUID]:
    async with audit.source() as writer:
        drafts = [
            AuditDraft(
                action=Action.READ_OPENED, tenant_id=tenant_id, reader=reader, call_id=uuid7(),
                detail={"reason": reader, "address": "192.0.2.7"},
            )
            for reader in HOSTILE
        ]  # fmt: skip
        drafts.append(AuditDraft(action=Action.READ_DENIED, tenant_id=tenant_id, reader="yamada"))
        drafts.append(AuditDraft(action=Action.READ_OPENED, tenant_id=await audit.add_tenant(), reader="x"))
        ids = await audit.write(writer, drafts)
    [row] = await audit.query("SELECT max(index) + 1 AS size FROM entries")
    await audit.published(row.size)
    return ids


async def export(client: httpx.AsyncClient, path: Path, **params: str) -> Path:
    response = await client.get("/v1/entries/export", params=params)
    assert response.status_code == 200, response.text
    UUID(response.headers["Otokura-Entry-Id"])
    await asyncio.to_thread(path.write_bytes, response.content)
    return path


@pytest.mark.guarantee("L21")
@pytest.mark.parametrize("form", ["jsonl", "csv"])
async def test_an_export_verifies_offline_and_says_what_the_log_says(
    audit: AuditService, auditor: httpx.AsyncClient, tenant_id: UUID, tmp_path: Path, form: str
) -> None:
    ids = await written(audit, tenant_id)
    await audit.query(
        "UPDATE entries SET recorded = NULL, salt = NULL, reader = NULL, erased_at = now(), "
        "erased_why = 'retention' WHERE entry_id = :id",
        id=ids[1],
    )
    path = await export(auditor, tmp_path / f"export.{form}", format=form)
    keys = {"access": public_text(audit.source_key), "audit": audit.source_keys()["audit"]}
    found = verify_export(path, audit.vkey, source_keys=keys)
    assert (found.entries, found.removed, found.tenant_id) == (len(HOSTILE) + 1, 1, str(tenant_id))
    one = await export(auditor, tmp_path / f"one.{form}", format=form, action="read.denied")
    assert verify_export(one, [audit.vkey]).entries == 1
    none = await export(auditor, tmp_path / f"none.{form}", format=form, reader="nobody")
    assert verify_export(none, audit.vkey).entries == 0
    keyfile = tmp_path / "key"
    keyfile.write_text(audit.vkey)
    shown = CliRunner().invoke(app, ["export", str(path), "--key", str(keyfile), "--json"])
    assert (shown.exit_code, json.loads(shown.stdout)["entries"]) == (0, len(HOSTILE) + 1)


def _change(line: int, **members: Any) -> Callable[[list[dict[str, Any]]], None]:
    def apply(lines: list[dict[str, Any]]) -> None:
        lines[line] |= members

    return apply


def _without(line: int) -> Callable[[list[dict[str, Any]]], None]:
    def apply(lines: list[dict[str, Any]]) -> None:
        del lines[line]

    return apply


def _reason(lines: list[dict[str, Any]]) -> None:
    lines[3]["entry"]["detail"]["reason"] = "another"


def _swapped(lines: list[dict[str, Any]]) -> None:
    lines[3], lines[4] = lines[4], lines[3]


def _repeated(lines: list[dict[str, Any]]) -> None:
    lines.insert(3, lines[3])
    lines[-1]["entries"] += 1


CHANGES: dict[str, Callable[[list[dict[str, Any]]], None]] = {
    "cut off": _without(-1),
    "a line left out": _without(3),
    "a line beyond the end": lambda lines: lines.append(lines[3]),
    "a reader": _change(3, reader="suzuki"),
    "an action": _change(3, action="read.denied"),
    "a call": _change(3, call_id="0" * 8),
    "removed, but not": _change(3, erased_why="retention"),
    "a place": _change(3, index=0),
    "a salt": _change(3, salt="AAAAAAAAAAAAAAAAAAAAAA=="),
    "a path": _change(3, path=[]),
    "a reason": _reason,
    "another tenant": _change(0, tenant_id=None),
    "another year": _change(0, shard=2001),
    "another form": _change(0, type="x"),
    "a member more": _change(3, note="this is a lie"),
    "a member of another line": _change(3, made_at="2020-01-01T00:00:00Z"),
    "a member more at the end": _change(-1, reader="suzuki"),
    "no detail, and nobody knows since when": _change(3, entry=None, salt=None),
    "no checkpoint": _change(0, checkpoint=""),
    "swapped": _swapped,
    "repeated": _repeated,
}


@pytest.mark.guarantee("L21")
async def test_whatever_is_changed_in_an_export_is_found(
    audit: AuditService, auditor: httpx.AsyncClient, tenant_id: UUID, tmp_path: Path
) -> None:
    await written(audit, tenant_id)
    path = await export(auditor, tmp_path / "export.jsonl")
    text = path.read_text()
    for name, change in CHANGES.items():
        lines = [json.loads(line) for line in text.splitlines()]
        change(lines)
        path.write_text("".join(json.dumps(line) + "\n" for line in lines))
        with pytest.raises(VerificationError) as caught:
            verify_export(path, audit.vkey)
        assert caught.value.finding.code in set(Code), name
    twice = text.replace('"reader":', '"reader":"suzuki","reader":', 1)
    for changed in (text.replace("read.opened", "read.closed"), twice):
        path.write_text(changed)
        with pytest.raises(VerificationError):
            verify_export(path, audit.vkey)


@pytest.mark.guarantee("L21")
async def test_of_a_line_whose_detail_was_held_back_it_says_what_is_not_proved(
    audit: AuditService, auditor: httpx.AsyncClient, tenant_id: UUID, tmp_path: Path
) -> None:
    """The log knows of the leaf alone: whoever hands over an export can say that a detail was removed."""
    await written(audit, tenant_id)
    path = await export(auditor, tmp_path / "export.jsonl")
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    lines[3] |= {"entry": None, "salt": None, "erased_at": "2026-04-01T00:00:00+00:00", "reader": "suzuki"}
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert verify_export(path, audit.vkey).removed == 1
    keyfile = tmp_path / "key"
    keyfile.write_text(audit.vkey)
    told = CliRunner().invoke(app, ["export", str(path), "--key", str(keyfile)]).stdout
    assert "of 1 the detail is gone or held back" in told
    assert "the exporter's word" in told


@pytest.mark.guarantee("L12")
def test_a_row_without_an_end_takes_no_memory_and_no_column_stands_twice(tmp_path: Path) -> None:
    path = tmp_path / "export.csv"
    with path.open("w") as file:
        file.write("type,time\n" + "," * (16 << 20))
    with pytest.raises(VerificationError, match="too long"):
        verify_export(path, [])
    path.write_text('"type","reader","reader"\n')
    with pytest.raises(VerificationError, match="twice"):
        verify_export(path, [])


@pytest.mark.guarantee("L21")
async def test_no_cell_of_a_csv_is_a_formula_and_shown_columns_are_the_entrys(
    audit: AuditService, auditor: httpx.AsyncClient, tenant_id: UUID, tmp_path: Path
) -> None:
    await written(audit, tenant_id)
    path = await export(auditor, tmp_path / "export.csv", format="csv")
    raw = path.read_bytes()
    assert raw.startswith("\ufeff".encode())
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file, strict=True))
    cells = [cell for row in rows for cell in row.values()]
    assert not [cell for cell in cells if cell.startswith(FORMULA) and not cell.startswith("'")]
    assert [row["reader"] for row in rows[1:-2]] == [guarded(reader) for reader in HOSTILE]
    assert {row["address"] for row in rows[1:-2]} == {"192.0.2.7"}
    for column, value in (("reader", "suzuki"), ("address", "192.0.2.8"), ("time", "2020-01-01T00:00:00Z")):
        changed = [dict(row) for row in rows]
        changed[2][column] = value
        with path.open("w", encoding="utf-8", newline="") as file:
            table = csv.DictWriter(file, list(rows[0]))
            table.writeheader()
            table.writerows(changed)
        with pytest.raises(VerificationError) as caught:
            verify_export(path, audit.vkey)
        assert column in caught.value.finding.detail
    twice = raw.replace(b'""reader"": ""', b'""reader"": ""suzuki"", ""reader"": ""', 1)
    assert twice != raw
    path.write_bytes(twice)
    with pytest.raises(VerificationError, match="one way only"):
        verify_export(path, audit.vkey)


async def test_a_year_without_a_log_has_no_export(auditor: httpx.AsyncClient) -> None:
    assert (await auditor.get("/v1/entries/export", params={"shard": "2001"})).status_code == 404
    assert (await auditor.get("/v1/entries/export", params={"format": "xlsx"})).status_code == 422
