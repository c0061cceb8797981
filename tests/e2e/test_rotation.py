"""Keys are rotated under a whole Otokura at work: nothing living is lost, and every stale copy dies."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from typer.testing import CliRunner

from flac_decoding import decoded
from otokura.cli.__main__ import app
from otokura.cli.keys import rotation
from otokura.cli.keys.keks import KeyringFile
from otokura.shared.errors import NotFound
from otokura.shared.keyring import read_keyring
from otokura.shared.keys import KeyContext, KeyUse, LocalKeyProvider, WrappedDek
from whole import PATIENCE, Whole, a_call, settled, stream, transcribed, upload
from worker_support import silent_wav

pytestmark = [pytest.mark.kafka, pytest.mark.postgres, pytest.mark.s3, pytest.mark.slow]
QUALITY = {"purpose": "quality"}
TABLES = {
    "ingest": "SELECT id AS call_id, tenant_id, kek_id, wrapped_dek AS wrapped FROM calls"
    " WHERE wrapped_dek <> ''",
    "transcribe": "SELECT call_id, tenant_id, kek_id, wrapped FROM call_keys",
    "access": "SELECT call_id, tenant_id, kek_id, wrapped FROM call_keys",
}
RUN = CliRunner()


class Interrupted(Exception):  # noqa: N818 - stands for a Ctrl-C
    """The command ends here."""


@dataclass(frozen=True)
class Interrupting(KeyringFile):
    """Ends the command before or after a step."""

    at: str = ""

    def make(self) -> str | None:
        self._look("before the new key")
        made = super().make()
        self._look("after the new key")
        return made

    def destroy(self, kek_ids: Collection[str]) -> None:
        self._look("before the destruction")
        super().destroy(kek_ids)
        self._look("after the destruction")

    def _look(self, place: str) -> None:
        if place == self.at:
            raise Interrupted


def a_silent_call(whole: Whole, folder: Path, name: str) -> str:
    file = folder / f"{name}.wav"
    file.write_bytes(silent_wav(2))
    call = upload(whole, a_call(name, "en"), file)
    transcribed(whole, call)
    return call


async def copies(whole: Whole) -> list[Any]:
    """What a thief of the three databases has."""
    return [row for service, query in TABLES.items() for row in await whole.query(service, query)]


async def opens(whole: Whole, row: Any) -> bool:
    provider = LocalKeyProvider(whole.stack.layout.keyring)
    wrapped, context = WrappedDek(row.kek_id, row.wrapped), KeyContext(row.tenant_id, row.call_id)
    try:
        await provider.unwrap(wrapped, context, KeyUse.READ, "a copy")
    except NotFound:
        return False
    return True


def is_read(whole: Whole, call: str) -> bytes:
    """The recording and its transcript, as the supervisor has them."""
    with whole.api("supervisor") as api:
        assert api.json("GET", f"/v1/calls/{call}/transcript", params=QUALITY)["call_id"] == call
        return api.request("GET", f"/v1/calls/{call}/audio", params=QUALITY).content


@pytest.mark.guarantee("S20")
@pytest.mark.guarantee("S23")
async def test_keys_are_rotated_while_a_call_is_recorded_and_others_are_read(
    whole: Whole, tmp_path: Path
) -> None:
    call = a_silent_call(whole, tmp_path, "before")
    before = is_read(whole, call)
    stolen = await copies(whole)
    assert {UUID(call)} <= {row.call_id for row in stolen}
    spoken = tmp_path / "live.wav"
    spoken.write_bytes(silent_wav(8))
    done, reads, ended = threading.Event(), [], []

    def read_on() -> None:
        while not done.is_set():
            reads.append(is_read(whole, call))
            time.sleep(0.1)

    def record() -> None:
        ended.append(stream(whole, a_call("during", "en"), spoken, speed=1))

    threads = [threading.Thread(target=read_on), threading.Thread(target=record)]
    for thread in threads:
        thread.start()
    folder = ["--data", str(whole.stack.layout.folder)]
    command = RUN.invoke(app, ["keys", "rotate", "--grace", "1", *folder])
    threads[1].join()
    done.set()
    threads[0].join()
    assert command.exit_code == 0, command.stderr
    assert "Destroyed 1 old keys" in command.stdout
    assert reads
    assert set(reads) == {before}
    assert settled(whole, ended[0])["state"] == "sealed"
    transcribed(whole, ended[0])
    assert len(decoded(is_read(whole, ended[0]), 1)) == len(decoded(spoken.read_bytes(), 1))
    assert not [row for row in stolen if await opens(whole, row)]
    assert all([await opens(whole, row) for row in await copies(whole)])
    said = RUN.invoke(app, ["keys", "status", *folder])
    assert (said.exit_code, "Done: 1 old keys were destroyed" in said.stdout) == (0, True)


@pytest.mark.guarantee("S23")
@pytest.mark.guarantee("S25")
@pytest.mark.parametrize(
    "place",
    [
        "before the new key",
        "after the new key",
        "as it is begun",
        "while it is wrapped anew",
        "before the destruction",
        "after the destruction",
    ],
)
async def test_an_interrupted_rotation_goes_on_from_there(
    whole: Whole, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    call = a_silent_call(whole, tmp_path, f"interrupted {place}")
    before, stolen = is_read(whole, call), await copies(whole)
    entries = await rotations_written(whole)
    keks = Interrupting(whole.stack.layout.keyring, at=place)
    with monkeypatch.context() as patched:
        interrupt(patched, place)
        with pytest.raises(Interrupted):
            rotate(whole, keks)
    assert is_read(whole, call) == before
    if place in ("as it is begun", "while it is wrapped anew"):
        kill_services(whole)
    rotate(whole, KeyringFile(whole.stack.layout.keyring))
    assert is_read(whole, call) == before
    assert not [row for row in stolen if await opens(whole, row)]
    assert all([await opens(whole, row) for row in await copies(whole)])
    assert len(read_keyring(whole.stack.layout.keyring)[0].keks) == 1
    deadline = time.monotonic() + PATIENCE
    wanted = sorted([*entries, "keys.destroyed", "keys.rotated"])
    while (written := await rotations_written(whole)) != wanted:
        assert time.monotonic() < deadline, written
        await asyncio.sleep(0.2)


def interrupt(patched: pytest.MonkeyPatch, place: str) -> None:
    """Ends the command between steps that are not the key store's."""

    def raise_interrupted(*_: object) -> Any:
        raise Interrupted

    if place == "as it is begun":
        # Access has the rotation; the command never hears of it.
        begin = rotation._begin

        def begun(*arguments: Any) -> Any:
            begin(*arguments)
            raise Interrupted

        patched.setattr(rotation, "_begin", begun)
    if place == "while it is wrapped anew":
        patched.setattr(rotation, "_until_rewrapped", raise_interrupted)


def rotate(whole: Whole, keks: KeyringFile) -> None:
    with whole.api("operator") as api:
        rotation.rotate(api, keks, lambda _: None, 0)


def kill_services(whole: Whole) -> None:
    """`kill -9` of every service that keeps wrapped keys; the stack starts them again."""
    for service in ("ingest", "transcribe", "access"):
        whole.stack.services[service].program.kill()
    deadline = time.monotonic() + PATIENCE
    while not all(whole.stack.services[service].program.running for service in TABLES):
        assert time.monotonic() < deadline, "a killed service is not started again"
        time.sleep(0.1)
    while not answers(whole):
        assert time.monotonic() < deadline, "access does not answer"
        time.sleep(0.1)


def answers(whole: Whole) -> bool:
    try:
        with whole.api("operator") as api:
            api.json("GET", "/v1/key-rotations")
    except Exception:  # noqa: BLE001 - whatever it says, it is asked again
        return False
    return True


async def rotations_written(whole: Whole) -> list[str]:
    """The entries of the log about rotations."""
    rows = await whole.query("audit", "SELECT action FROM entries WHERE action LIKE 'keys.%'")
    return sorted(row.action for row in rows)
