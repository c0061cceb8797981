"""A running log, a witness that another process runs, and a follower who also listens on Kafka."""

from __future__ import annotations

import asyncio
import json
import secrets
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest
from typer.testing import CliRunner

import servers
from audit_fixtures import MakeAudit
from audit_logs import FolderLog
from audit_service import AuditService, until
from otokura.cli.__main__ import app
from otokura.cli.local.ports import free_ports
from otokura.cli.local.program import accepts
from otokura.cli.verify import Witnesses, open_checkpoint, parse_vkey, verify_log, verify_receipt
from otokura.cli.verify.broker import TOPIC
from otokura.cli.verify.cosignatures import read_cosignatures
from otokura.shared.audit_entries import Action, AuditDraft
from otokura.shared.cloudevents import Record
from otokura.shared.ids import uuid7

pytestmark = [pytest.mark.postgres, pytest.mark.s3, pytest.mark.kafka]

RUN = CliRunner()


class WitnessProcess:
    """`otokura witness serve`, that can be killed and started again."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_ports(1)[0]
        made = RUN.invoke(app, ["witness", "init", "witness.example/w1", "--state", str(folder)])
        self.vkey = made.output.strip()
        self._process: subprocess.Popen[bytes] | None = None

    def _begin(self) -> None:
        command = [sys.executable, "-m", "otokura.cli", "witness", "serve"]
        command += ["--state", str(self.folder), "--port", str(self.port)]
        self._process = subprocess.Popen(command)

    async def start(self) -> None:
        self._begin()

        async def look() -> bool:
            return accepts(self.port)

        await until(look)

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


@pytest.fixture(scope="module")
def witness(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WitnessProcess]:
    found = WitnessProcess(tmp_path_factory.mktemp("witness") / "w1")
    yield found
    found.kill()


@pytest.fixture(scope="module")
def audit(
    make_audit: MakeAudit, witness: WitnessProcess, tmp_path_factory: pytest.TempPathFactory
) -> AuditService:
    listed = tmp_path_factory.mktemp("list") / "witnesses.json"
    listed.write_text(json.dumps([{"url": f"http://127.0.0.1:{witness.port}", "vkey": witness.vkey}]))
    # A name of its own: logs of other tests tell of theirs on the same broker, signed by other keys.
    origin = f"{secrets.token_hex(6)}.example.jp/log"
    often = {"witness_interval_seconds": 0.1, "witness_answer_seconds": 2}
    service = make_audit(log_origin=origin, witnesses_file=listed, **often)
    trusted = RUN.invoke(app, ["witness", "trust", service.vkey, "--state", str(witness.folder)])
    assert trusted.exit_code == 0, trusted.output
    return service


async def write(audit: AuditService, tenant_id: UUID, count: int) -> UUID:
    """The id of the last of so many entries, published."""
    drafts = [AuditDraft(action=Action.READ_OPENED, tenant_id=tenant_id) for _ in range(count)]
    async with audit.source() as writer:
        ids = await audit.write(writer, drafts)
    await audit.covered(ids[-1])
    return ids[-1]


async def cosigned_size(audit: AuditService, at_least: int) -> int:
    async def look() -> int | None:
        async with httpx.AsyncClient(verify=servers.PLAIN) as client:
            response = await client.get(f"{audit.log_url}/cosigned")
        size = 0 if response.status_code == 404 else int(response.text.split("\n")[1])
        return size if size >= at_least else None

    return await until(look)


@pytest.mark.guarantee("L25")
async def test_what_is_published_is_cosigned_and_an_outage_of_the_witness_is_made_up_for(
    audit: AuditService, witness: WitnessProcess, tenant_id: UUID, auditor: httpx.AsyncClient
) -> None:
    await witness.start()
    entry_id = await write(audit, tenant_id, 5)
    size = await audit.published()
    assert await cosigned_size(audit, size) >= size
    witness.kill()
    late = await write(audit, tenant_id, 5)
    response = await auditor.get(f"/v1/receipts/{late}")
    assert response.status_code == 200, "a receipt waits for no witness"
    witnesses = Witnesses.parse([witness.vkey])
    response = await auditor.get(f"/v1/receipts/{entry_id}")
    receipt = verify_receipt(response.json(), audit.vkey, witnesses=witnesses)
    assert [each.name for each in receipt.cosigned] == ["witness.example/w1"]
    await witness.start()
    await cosigned_size(audit, await audit.published())
    response = await auditor.get(f"/v1/receipts/{late}")
    assert verify_receipt(response.json(), audit.vkey, witnesses=witnesses).cosigned
    report = verify_log(audit.log_url, audit.vkey, witnesses=witnesses)
    assert report.ok, report.findings


@pytest.mark.guarantee("L25")
async def test_the_history_of_a_call_comes_in_a_tree_that_was_cosigned_and_without_witnesses_all_the_same(
    audit: AuditService, witness: WitnessProcess, tenant_id: UUID, auditor: httpx.AsyncClient
) -> None:
    if not accepts(witness.port):
        await witness.start()
    mine = {"tenant_id": tenant_id, "call_id": uuid7()}
    path = f"/v1/calls/{mine['call_id']}/custody"
    trusted = Witnesses.parse([witness.vkey])

    async def cosigned() -> bool:
        """Whether it is, up to an entry that was written just now."""
        async with audit.source() as writer:
            [entry_id] = await audit.write(writer, [AuditDraft(action=Action.READ_OPENED, **mine)])
            response = await auditor.get(path, params={"holding": str(entry_id)})
        assert response.status_code == 200, response.text
        [tree] = response.json()["trees"]
        note: str = tree["checkpoint"]
        assert response.json()["items"][-1]["entry"]["entry_id"] == str(entry_id)
        found = read_cosignatures(open_checkpoint(note, parse_vkey(audit.vkey)), trusted.keys, time.time())
        return bool(found)

    for _ in range(3):
        await until(cosigned)
    witness.kill()
    assert not await cosigned()


def evidence_of(told: dict[str, Any]) -> str:
    return Path(told["evidence"]).read_text()


@pytest.mark.guarantee("L26")
async def test_a_follower_who_hears_another_checkpoint_on_kafka_is_told(
    audit: AuditService, tenant_id: UUID, tmp_path: Path
) -> None:
    await write(audit, tenant_id, 3)
    state = tmp_path / "kept.json"
    command = ["verify", "follow", audit.log_url, "--state", str(state), "--key", audit.vkey, "--json"]
    command += ["--kafka", str(audit.kafka["kafka_bootstrap"])]

    async def look() -> bool:
        """Once the events of earlier tests' logs are read, and one of this log is among them."""
        done = await asyncio.to_thread(RUN.invoke, app, command)
        assert done.exit_code == 0, done.output
        told = json.loads(done.stdout)
        return bool(told["continues"] >= 1 and told["size"] >= 3)

    await until(look)
    fork = FolderLog(tmp_path, [b"another entry"], audit._log_key, origin=f"{audit.origin}/{audit.year}")
    stranger = FolderLog(tmp_path, [b"x"], origin="elsewhere.example/log/2026")
    for note in (stranger.note(), fork.note()):
        await audit.send(Record(TOPIC, b"k", [], json.dumps({"checkpoint": note}).encode()))
    done = await asyncio.to_thread(RUN.invoke, app, command)
    told = json.loads(done.stdout)
    assert (done.exit_code, told["code"]) == (1, "forked")
    assert fork.note() in evidence_of(told)


@pytest.mark.guarantee("L26")
def test_a_broker_that_does_not_answer(audit: AuditService, tmp_path: Path) -> None:
    command = ["verify", "follow", audit.log_url, "--state", str(tmp_path / "kept"), "--key", audit.vkey]
    done = RUN.invoke(app, [*command, "--kafka", "127.0.0.1:1", "--json"])
    assert (done.exit_code, json.loads(done.stdout)["code"]) == (1, "unreadable")
