"""Keys are rotated in Vault: whatever is killed meanwhile, reads go on, and the old versions end."""

from __future__ import annotations

import asyncio
import base64
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import httpx
import pytest

import servers
from access_audit import run
from access_calls import Call, context_of
from access_grants import until
from access_people import somebody, status
from access_service import Access, Tenant, kafka_of
from access_service import running as running_access
from key_installations import Vault
from keys_at_rest import Interrupted, Interrupting, KeysAtRest
from oidc_people import second_instance
from otokura.access.rotations import handlers
from otokura.cli.keys.keks import VaultServer as CommandsVault
from otokura.cli.local.postgres import PostgresServer
from otokura.cli.local.seaweedfs import SeaweedServer
from otokura.shared import rewrapping
from otokura.shared.database import Database, migrate
from otokura.shared.errors import NotFound
from otokura.shared.events import KeyHolder, KeysRewrapped, KeyWrapped
from otokura.shared.keys import KeyContext, KeyProvider, KeyUse, WrappedDek
from vault_server import VaultServer

pytestmark = [pytest.mark.postgres, pytest.mark.s3, pytest.mark.kafka, pytest.mark.any_broker]
QUALITY = {"purpose": "quality"}
ROTATIONS = "/v1/key-rotations"
PATIENCE_SECONDS = 150.0
COMMAND = """
from functools import partial
from otokura.cli.__main__ import app
from otokura.cli.api import asking
asking.Api = partial(asking.Api, source="127.0.0.2")
app()
"""
"""`otokura`, from an address that is not that of the tests' proxy: who comes from there is nobody."""
WRAPPED = (
    "SELECT tenant_id, call_id AS context, kek_id, wrapped FROM call_keys"
    " UNION ALL SELECT tenant_id, principal_id, kek_id, wrapped FROM logins WHERE kek_id IS NOT NULL"
)


@dataclass(frozen=True)
class ByTheCommand(Vault):
    """A service's token wraps; that of `otokura keys rotate` makes and ends keys, by its own code."""

    def provider(self) -> KeyProvider:
        return self.server.provider("otokura-ingest", mount=self.mount)

    async def rotate(self) -> str | None:
        return await asyncio.to_thread(self._keks().make)

    async def destroy(self, kek_ids: Collection[str]) -> None:
        await asyncio.to_thread(self._keks().destroy, kek_ids)

    def _keks(self) -> CommandsVault:
        return CommandsVault(self.server.address, self.server.token_file("otokura-rotation"), self.mount)


@pytest.fixture
async def filled(
    vault: VaultServer, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[KeysAtRest]:
    """Ingest's tables, with 8 keys that Vault wrapped."""
    monkeypatch.setattr(rewrapping, "BATCH", 3)
    monkeypatch.setattr(rewrapping, "_PAUSE_SECONDS", 0)
    await migrate(database_url, "otokura.ingest.migrations")
    database = Database(database_url)
    at_rest = KeysAtRest(database, ByTheCommand(vault, "transit"))
    await at_rest.add_tenant()
    await at_rest.add_calls(6)
    await at_rest.add_secrets()
    yield at_rest
    await database.close()


@pytest.mark.guarantee("S20")
@pytest.mark.guarantee("S23")
@pytest.mark.parametrize("last", [1, 2, 3, 5, 9, 14, 20, 25])
async def test_wherever_it_is_interrupted_another_process_goes_on(filled: KeysAtRest, last: int) -> None:
    """8 keys, each opened, wrapped and opened again: 25 uses of Vault in all."""
    [old] = await filled.kek_ids()
    new = await filled.rotate()
    assert (old.rpartition(":")[2], new.rpartition(":")[2]) == ("v1", "v2")
    with pytest.raises(Interrupted):
        await filled.rewrapper(Interrupting(filled.keys.provider(), last)).step()
    await filled.everything_opens()
    await filled.rewrapper().step()
    assert await filled.kek_ids() == {new}
    await filled.keys.destroy([old])
    await filled.everything_opens()
    for call_id, copied in filled.copied.items():
        context = KeyContext(filled.tenant_id, call_id)
        with pytest.raises(NotFound):
            await filled.provider.unwrap(copied, context, KeyUse.READ, "a stolen copy")


async def test_the_uses_that_are_interrupted_are_all_there_are(filled: KeysAtRest) -> None:
    await filled.rotate()
    provider = Interrupting(filled.keys.provider())
    await filled.rewrapper(provider).step()
    assert provider.uses == 25


@pytest.fixture(scope="module")
def access(vault: VaultServer, postgres_server: PostgresServer, s3_server: SeaweedServer) -> Iterator[Access]:
    """Access with a token of its own policy."""
    settings = {**vault.environment("access"), "OTOKURA_REWRAP_SETTLE_SECONDS": "0"}
    with (
        servers.kafka() as broker,
        running_access(postgres_server, s3_server, kafka_of(broker), **settings) as process,
    ):
        process.keys = vault.provider("otokura-ingest")  # type: ignore[assignment] # as ingest would wrap
        yield process


@dataclass
class Rotating:
    """A rotation in Vault, with the command as it is run by whoever holds the token of its policy.

    Ingest and transcribe are played: that they wrap anew is tested above and in `test_copies.py`.
    """

    access: Access
    vault: VaultServer
    operator: dict[str, str] = field(default_factory=dict[str, str])

    def __post_init__(self) -> None:
        self.access.operator()
        assert self.access._operator is not None
        self.operator = {name: self.access._operator[name] for name in ("client_id", "client_secret")}

    @contextmanager
    def command(self) -> Iterator[subprocess.Popen[str]]:
        """`otokura keys rotate`, under way; it is killed with the block, if it has not ended."""
        argv = [sys.executable, "-c", COMMAND, "keys", "rotate", "--grace", "0"]
        token_file = self.vault.token_file("otokura-rotation")
        argv += ["--vault", self.vault.address, "--vault-token", str(token_file)]
        argv += ["--url", self.access.url, "--client-id", self.operator["client_id"]]
        env = servers.inherited_environment() | {"OTOKURA_CLIENT_SECRET": self.operator["client_secret"]}
        pipe = subprocess.PIPE
        with subprocess.Popen(argv, env=env, stdout=pipe, stderr=pipe, text=True) as running:
            try:
                yield running
            finally:
                running.kill()

    def begun_by(self, command: subprocess.Popen[str]) -> dict[str, Any]:
        """The rotation that it begins."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while (found := self.newest()) is None:
            assert command.poll() is None, command.communicate()
            assert time.monotonic() < deadline, "it begins none"
            time.sleep(0.2)
        return found

    def newest(self) -> dict[str, Any] | None:
        """The rotation that was begun last."""
        with self.access.client(self.access.operator()) as client:
            items: list[dict[str, Any]] = client.get(ROTATIONS).json()["items"]
        return items[0] if items else None

    def ingest_wraps_anew(self, tenant: Tenant, *calls: Call) -> None:
        """What its events bring to access."""
        provider = self.access.keys
        for call in calls:
            [before] = [event for event in call.events if isinstance(event, KeyWrapped)]
            context = KeyContext(tenant.id, call.id)

            async def again(before: KeyWrapped = before, context: KeyContext = context) -> WrappedDek:
                old = WrappedDek(before.kek_id, before.wrapped)
                dek = await provider.unwrap(old, context, KeyUse.ROTATE, "rotation")
                return await provider.wrap(dek, context)

            new = run(again())
            told = {"version": 2, "kek_id": new.kek_id, "wrapped": base64.b64encode(new.wrapped)}
            self.access.apply(KeyWrapped.model_validate({**before.model_dump(), **told}))

    def says_that_it_has_finished(self, rotation_id: str, service: KeyHolder) -> None:
        """A service's word."""
        event = KeysRewrapped(
            rotation_id=UUID(rotation_id),
            service=service,
            version=1,
            remaining=0,
            unreadable=0,
            finished=True,
            at=datetime.now(UTC),
        )

        async def apply() -> None:
            async with self.access.database() as database, database.session() as session:
                await handlers.keys_rewrapped(session, event, context_of(event))

        run(apply())

    def opens(self, row: Any) -> bool:
        """Whether what a thief has of a row is worth anything."""
        wrapped, context = WrappedDek(row.kek_id, row.wrapped), KeyContext(row.tenant_id, row.context)
        try:
            run(self.vault.provider().unwrap(wrapped, context, KeyUse.READ, "a copy"))
        except NotFound:
            return False
        return True


@contextmanager
def reading(ask: Callable[[], httpx.Response]) -> Iterator[list[tuple[int, bytes]]]:
    """Reads again and again meanwhile; what was answered."""
    done, answers = threading.Event(), list[tuple[int, bytes]]()

    def read_on() -> None:
        while not done.is_set():
            answer = ask()
            answers.append((answer.status_code, answer.content))
            time.sleep(0.1)

    thread = threading.Thread(target=read_on)
    thread.start()
    try:
        yield answers
    finally:
        done.set()
        thread.join()


@pytest.mark.slow
@pytest.mark.guarantee("S20")
@pytest.mark.guarantee("S23")
@pytest.mark.guarantee("S25")
def test_a_rotation_in_vault_survives_kills_while_calls_are_read(access: Access, vault: VaultServer) -> None:
    """The command is killed, then access is: another instance reads on, and the next command ends it."""
    rotating, tenant = Rotating(access, vault), access.tenant()
    calls, supervisor, person = [tenant.call(), tenant.call()], tenant.person("supervisor"), somebody(tenant)
    stolen = access.query(WRAPPED)
    assert {call.id for call in calls} | {person.id} <= {row.context for row in stolen}
    assert {row.kek_id.rpartition(":")[2] for row in stolen} == {"v1"}
    with second_instance(access) as other:
        other.headers["Authorization"] = f"Bearer {supervisor.token}"
        audio = f"/v1/calls/{calls[0].id}/audio"
        with reading(lambda: other.get(audio, params=QUALITY)) as answers:
            with rotating.command() as first:
                rotation = rotating.begun_by(first)
            assert (rotation["state"], rotation["kek_id"]) == ("rewrapping", None)
            assert f"otokura-{tenant.id}:v1" in rotation["retiring"]
            with rotating.command() as second:
                assert second.stdout is not None
                assert second.stdout.readline() == f"Going on with rotation {rotation['id']}.\n"
                access.program.kill()
                _, said = second.communicate(timeout=PATIENCE_SECONDS)
                assert (second.returncode, "run the command again" in said) == (1, True)
            access.start()
            rotating.ingest_wraps_anew(tenant, *calls)
            for service in ("ingest", "transcribe"):
                rotating.says_that_it_has_finished(rotation["id"], service)
            with rotating.command() as third:
                told, said = third.communicate(timeout=PATIENCE_SECONDS)
                assert third.returncode == 0, told + said
            count = len(answers)
            until(lambda: len(answers) > count)
    assert set(answers) == {(200, calls[0].audio)}
    assert f"Destroyed {len(rotation['retiring'])} old keys" in told
    after = rotating.newest()
    assert after is not None
    assert (after["id"], after["state"]) == (rotation["id"], "done")
    assert not [row for row in stolen if rotating.opens(row)]
    now = access.query(WRAPPED)
    assert all(rotating.opens(row) for row in now)
    assert {row.kek_id.rpartition(":")[2] for row in now} == {"v2"}
    assert status(access, person.session()["access_token"]) == 200
    entry = access.audit.entry(action="keys.destroyed")
    assert entry["detail"]["rotation_id"] == rotation["id"]
