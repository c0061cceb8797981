"""A certificate of erasure proves what the log holds, and nothing else; a verifier is shown many lies."""

from __future__ import annotations

import base64
import copy
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from audit_logs import FolderLog, Scribe
from otokura.audit.certificates import Certificate, Confirmation, sign
from otokura.audit.leaves import Prepared, prepare
from otokura.cli.__main__ import app
from otokura.cli.verify import Code, VerificationError, verify_erasure
from otokura.shared.ids import uuid7

SERVICES = ("access", "audit", "ingest", "transcribe")
ORIGIN = "example.jp/log/2026"
TIMES = {"shredded_at": "2026-11-30T01:00:00Z", "applied_at": "2026-11-30T01:00:05Z"}
FINAL_AT = "2026-12-24T03:00:00Z"


@dataclass
class World:
    """Four services, their log, and the erasure of one call."""

    folder: Path

    def __post_init__(self) -> None:
        self.scribes = {name: Scribe(name) for name in SERVICES}
        self.tenant_id, self.call_id, self.erasure_id = uuid7(), uuid7(), uuid7()
        self.items: list[Prepared] = [prepare(self.scribes["access"].entry()) for _ in range(20)]
        self.where: list[int] = []

    @property
    def keys(self) -> dict[str, str]:
        return {name: scribe.public_key for name, scribe in self.scribes.items()}

    def add(self, writer: str, action: str, /, **detail: Any) -> None:
        about = {"erasure_id": str(self.erasure_id), "kind": "call", **detail}
        event = self.scribes[writer].entry(
            tenant_id=self.tenant_id, action=action, reader=None, call_id=self.call_id, detail=about
        )
        self.where.append(len(self.items))
        self.items.append(prepare(event))

    def begin(self, services: tuple[str, ...] = SERVICES) -> None:
        told = {"ground": "cease-use", "requested_at": "2026-11-30T00:59:00Z", "services": list(services)}
        self.add("access", "erasure.begun", **told)

    def apply(self, service: str, by: str | None = None) -> None:
        kek_ids = [] if service == "audit" else ["kek-1"]
        about = {"service": service, "counts": {"rows": 3}, "kek_ids": kek_ids}
        self.add(by or service, "erasure.applied", **about, **TIMES)

    def finish(self, *destroyed: str) -> None:
        told = {"kek_ids": ["kek-1"], "destroyed": dict.fromkeys(destroyed, FINAL_AT), "final_at": FINAL_AT}
        self.add("access", "erasure.final", **told)

    def log(self) -> FolderLog:
        log_key = self.scribes["audit"].key
        return FolderLog(self.folder / "log", [item.leaf for item in self.items], log_key, ORIGIN)

    async def certificate(self, *, final: bool = False, **lies: Any) -> dict[str, Any]:
        """As the audit service makes it of these entries, signed, with what a liar puts in before that."""
        log = self.log()
        proofs = [
            {**await log.receipt(index, self.items[index]), "origin": ORIGIN, "shard": 2026, "index": index}
            for index in self.where
        ]
        details = [json.loads(self.items[index].recorded)["detail"] for index in self.where]
        members: dict[str, Any] = {
            "tenant_id": self.tenant_id,
            "call_id": self.call_id,
            "erasure_id": self.erasure_id,
            "kind": "call",
            "ground": "cease-use",
            "requested_at": "2026-11-30T00:59:00Z",
            "confirmations": [Confirmation.model_validate(each) for each in details if "service" in each],
            "shredded_at": TIMES["shredded_at"],
            "erased_at": TIMES["applied_at"],
            "final_at": FINAL_AT if final else None,
            "destroyed": {"kek-1": FINAL_AT} if final else {},
            "issued_at": datetime.now(UTC),
            "proofs": proofs,
        }
        made: Certificate = sign(members | lies, self.scribes["audit"].key)
        found: dict[str, Any] = json.loads(made.model_dump_json())
        return found


@pytest.fixture
def world(tmp_path: Path) -> World:
    found = World(tmp_path)
    found.begin()
    for service in SERVICES:
        found.apply(service)
    return found


def verified(world: World, certificate: dict[str, Any]) -> Any:
    return verify_erasure(certificate, [world.log().vkey], world.keys)


@pytest.mark.guarantee("Z6")
async def test_an_honest_certificate_proves_who_confirmed_and_when(world: World) -> None:
    erased = verified(world, await world.certificate())
    assert (erased.call_id, erased.kind) == (str(world.call_id), "call")
    assert erased.services == SERVICES
    assert (erased.shredded_at, erased.erased_at) == (TIMES["shredded_at"], TIMES["applied_at"])
    assert (erased.final_at, erased.pending) == (None, ("kek-1",))


@pytest.mark.guarantee("Z6")
async def test_it_is_final_with_an_entry_that_says_so(world: World) -> None:
    world.finish("kek-1")
    erased = verified(world, await world.certificate(final=True))
    assert (erased.final_at, erased.pending) == (FINAL_AT, ())


def _drop(member: str) -> Callable[[dict[str, Any]], None]:
    def change(certificate: dict[str, Any]) -> None:
        certificate[member].pop()

    return change


def _set(**members: Any) -> Callable[[dict[str, Any]], None]:
    def change(certificate: dict[str, Any]) -> None:
        certificate.update(members)

    return change


@pytest.mark.guarantee("Z6")
@pytest.mark.parametrize(
    "change",
    [
        _set(call_id=str(uuid7())),
        _set(shredded_at="2026-01-01T00:00:00Z"),
        _set(final_at=FINAL_AT),
        _set(signature=base64.b64encode(bytes(64)).decode()),
        _set(signature="?"),
        _set(type="otokura.erasure-certificate.v2"),
        _drop("proofs"),
        _drop("confirmations"),
    ],
)
async def test_what_was_changed_after_it_was_signed_does_not_verify(
    world: World, change: Callable[[dict[str, Any]], None]
) -> None:
    certificate = copy.deepcopy(await world.certificate())
    change(certificate)
    with pytest.raises(VerificationError) as failure:
        verified(world, certificate)
    assert failure.value.finding.code in {Code.CERTIFICATE_SIGNATURE, Code.MALFORMED}


@pytest.mark.guarantee("Z6")
@pytest.mark.parametrize(
    "lies",
    [
        {"shredded_at": "2026-01-01T00:00:00Z"},
        {"erased_at": "2026-01-01T00:00:00Z"},
        {"ground": "retention"},
        {"call_id": uuid7()},
        {"tenant_id": uuid7()},
        {"erasure_id": uuid7()},
        {"kind": "recording"},
        {"final_at": FINAL_AT, "destroyed": {"kek-1": FINAL_AT}},
        {"destroyed": {"kek-1": FINAL_AT}},
        {"confirmations": []},
    ],
)
async def test_a_signed_lie_does_not_verify(world: World, lies: dict[str, Any]) -> None:
    """Whoever has the audit service's key still cannot say what no service has signed."""
    with pytest.raises(VerificationError) as failure:
        verified(world, await world.certificate(**lies))
    assert failure.value.finding.code is Code.CERTIFICATE_MISMATCH


@pytest.mark.guarantee("Z6")
async def test_a_service_that_did_not_confirm_is_missed(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.begin(SERVICES[:3])  # nor does it help to have asked fewer
    for service in SERVICES[:3]:
        world.apply(service)
    with pytest.raises(VerificationError) as failure:
        verified(world, await world.certificate())
    assert failure.value.finding.code is Code.NOT_CONFIRMED


@pytest.mark.guarantee("Z6")
async def test_nobody_confirms_for_another(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.begin()
    for service in SERVICES:
        world.apply(service, by="audit")
    with pytest.raises(VerificationError) as failure:
        verified(world, await world.certificate())
    assert failure.value.finding.code is Code.CERTIFICATE_MISMATCH


@pytest.mark.guarantee("Z6")
async def test_it_is_not_final_while_a_key_is_left(world: World) -> None:
    world.finish("kek-2")
    lies: dict[str, Any] = {"final_at": FINAL_AT, "destroyed": {"kek-2": FINAL_AT}}
    with pytest.raises(VerificationError) as failure:
        verified(world, await world.certificate(**lies))
    assert failure.value.finding.code is Code.CERTIFICATE_MISMATCH


@pytest.mark.guarantee("Z6")
async def test_an_entry_that_is_not_in_the_log_proves_nothing(world: World) -> None:
    certificate = await world.certificate()
    other = World(world.folder)
    with pytest.raises(VerificationError):
        verify_erasure(certificate, [other.log().vkey], world.keys)
    with pytest.raises(VerificationError):
        verify_erasure(certificate, [], world.keys)
    with pytest.raises(VerificationError):
        verify_erasure(certificate, [world.log().vkey], other.keys)


async def test_the_command_says_what_it_found(world: World) -> None:
    file, keys = world.folder / "certificate.json", world.folder / "keys.json"
    certificate = await world.certificate()
    file.write_text(json.dumps(certificate))
    keys.write_text(json.dumps(world.keys))
    given = ["verify", "erasure", str(file), "--key", world.log().vkey, "--source-keys", str(keys)]
    found = CliRunner().invoke(app, given)
    assert (found.exit_code, "Verified." in found.output) == (0, True)
    assert "not final: these keys still exist: kek-1" in found.output
    assert CliRunner().invoke(app, [*given, "--final"]).exit_code == 1
    told = json.loads(CliRunner().invoke(app, [*given, "--json"]).output)
    assert (told["ok"], told["call_id"]) == (True, str(world.call_id))
    file.write_text(json.dumps({**certificate, "erased_at": "2026-01-01T00:00:00Z"}))
    lied = CliRunner().invoke(app, given)
    assert (lied.exit_code, "NOT verified." in lied.output) == (1, True)
    file.write_text("[]")
    assert CliRunner().invoke(app, given).exit_code == 2
