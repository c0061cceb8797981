"""A bundle of evidence: whole, written down, and nothing for who may not have it."""

from __future__ import annotations

import base64
import hashlib
import json
import zipfile
from pathlib import Path
from typing import Any

import jwt
import numpy as np
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

import customer
from access_service import ELSEWHERE, Person, Tenant, once
from evidence_bundles import assert_every_flip_is_found, regions
from evidence_site import REASON, SAID, Site
from otokura.cli.verify import VerificationError
from otokura.cli.verify.evidence_command import describe
from redacted_calls import flac, noise, recorded, transcribed_again, wav_samples

pytestmark = [pytest.mark.postgres, pytest.mark.s3, pytest.mark.kafka, pytest.mark.any_broker]


def unpacked(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as file:
        assert file.testzip() is None
        return {name: file.read(name) for name in file.namelist()}


@pytest.mark.guarantee("L28")
def test_a_bundle_holds_everything_and_verifies(
    site: Site, tenant: Tenant, officer: Person, tmp_path: Path
) -> None:
    call = site.call(tenant)
    outside = site.make(officer, call, address=ELSEWHERE)
    assert outside.status_code == 403
    response = site.make(officer, call)
    assert response.status_code == 200, response.text
    path = tmp_path / "evidence.zip"
    path.write_bytes(response.content)
    content = unpacked(path)
    assert content["audio/received.flac"] == call.audio
    assert np.array_equal(wav_samples(content["audio/playable.wav"]), SAID)
    assert (
        json.loads(content["transcript/transcript.json"])["turns"][0]["text"]
        in content["transcript/transcript.txt"].decode()
    )
    manifest = json.loads(content["manifest.json"])
    assert manifest["recording"]["purposes"][0]["label_ja"] == "応対品質の向上"
    assert manifest["recording"]["notice"]["given"] == call.manifest.notice.given
    assert {it["name"] for it in manifest["files"]} == set(content) - {"manifest.json", "manifest.json.sig"}
    for told in manifest["files"]:
        assert hashlib.sha256(content[told["name"]]).hexdigest() == told["sha256"]
        assert len(content[told["name"]]) == told["bytes"]
    found = site.verified(path)
    assert (found.call_id, found.reason) == (str(call.id), REASON)
    assert found.made_by == f"evidence-officer 花子 ({officer.id})"
    actions = found.history.actions
    assert actions["recording.sealed"] == actions["recording.transcribed"] == actions["read.denied"] == 1
    assert actions["read.opened"] == 1
    [opened] = site.access.audit.entries(entry_id=response.headers["Otokura-Entry-Id"])
    assert opened["detail"]["action"] == "make-evidence"
    assert opened["detail"]["reason"] == REASON
    closed = site.access.audit.closed(opened["entry_id"])["detail"]
    assert (closed["outcome"], closed["bytes_sent"]) == ("complete", len(response.content))
    assert "Verified." in describe(found)
    assert "確かめられないこと" in content["README.txt"].decode()
    assert "What it cannot show" in content["README.txt"].decode()


@pytest.mark.guarantee("L28")
def test_the_vcon_in_it_is_signed_and_names_the_audio(
    site: Site, tenant: Tenant, officer: Person, tmp_path: Path
) -> None:
    call = site.call(tenant)
    path = tmp_path / "evidence.zip"
    path.write_bytes(site.make(officer, call).content)
    jws = json.loads(unpacked(path)["vcon.json"])
    payload = json.loads(base64.urlsafe_b64decode(jws["payload"] + "=="))
    [signature] = jws["signatures"]
    assert set(signature) == {"header", "protected", "signature"}
    [encoded] = signature["header"]["x5c"]
    vouched = x509.load_der_x509_certificate(base64.b64decode(encoded)).public_key()
    assert isinstance(vouched, Ed25519PublicKey)
    assert base64.b64encode(vouched.public_bytes_raw()).decode() == site.source_keys["access"]
    compact = f"{signature['protected']}.{jws['payload']}.{signature['signature']}"
    assert json.loads(jwt.PyJWS().decode(compact, vouched, algorithms=["EdDSA"])) == payload
    with pytest.raises(jwt.InvalidSignatureError):
        jwt.PyJWS().decode(compact, Ed25519PrivateKey.generate().public_key(), algorithms=["EdDSA"])
    digest = base64.urlsafe_b64encode(hashlib.sha512(call.audio).digest()).decode().rstrip("=")
    assert payload["dialog"][0]["content_hash"] == f"sha512-{digest}"
    assert payload["dialog"][0]["filename"] == "audio/received.flac"


@pytest.mark.guarantee("L28")
def test_nobody_else_makes_one_and_nobody_without_a_reason(
    site: Site, tenant: Tenant, officer: Person
) -> None:
    call = site.call(tenant)
    for role in ("supervisor", "agent", "analyst", "auditor", "admin"):
        assert site.make(tenant.person(role), call).status_code in {403, 404}
    with site.access.client(site.access.operator()) as client:
        asked = client.post(f"/v1/calls/{call.id}/evidence", json={"reason": REASON})
    assert asked.status_code in {403, 404}
    assert site.make(officer, call, reason=" ").status_code == 422
    assert site.make(site.tenant().person("evidence-officer"), call).status_code == 404
    assert site.access.audit.entries(action="read.opened", call_id=str(call.id)) == []


@pytest.mark.guarantee("L28")
def test_what_is_missing_is_said_in_it(site: Site, tenant: Tenant, officer: Person, tmp_path: Path) -> None:
    call = site.call(tenant)
    site.access.query(
        "UPDATE calls SET transcript_erased_at = now() WHERE call_id = :call", call=str(call.id)
    )
    path = tmp_path / "evidence.zip"
    path.write_bytes(site.make(officer, call).content)
    assert site.verified(path).missing == {"transcript": "transcript-erased"}
    site.access.query("UPDATE calls SET recording_erased_at = now() WHERE call_id = :call", call=str(call.id))
    path.write_bytes(site.make(officer, call).content)
    found = site.verified(path)
    assert found.missing == {"audio": "recording-erased", "transcript": "transcript-erased"}
    assert (found.audio_sha256, found.history.actions["read.opened"]) == (None, 2)
    text = unpacked(path)["README.txt"].decode()
    assert "消去されています" in text
    assert "its time has passed" in text


@pytest.mark.guarantee("L28")
def test_a_call_that_only_its_customer_opens_and_one_under_way_give_a_clear_refusal(
    site: Site, tenant: Tenant, officer: Person
) -> None:
    held = tenant.call(customer_key=customer.public_pem())
    refused = site.make(officer, held)
    assert (refused.status_code, "sealed" in refused.json()["detail"]) == (409, True)
    call = site.call(tenant)
    site.access.query("UPDATE calls SET manifest = NULL WHERE call_id = :call", call=str(call.id))
    assert site.make(officer, call).status_code == 409
    assert site.access.audit.entries(action="read.opened", call_id=str(held.id)) == []


@pytest.mark.guarantee("L28")
@pytest.mark.guarantee("L29")
def test_a_bundle_whose_recording_was_tampered_with_breaks_off(
    site: Site, tenant: Tenant, officer: Person, tmp_path: Path
) -> None:
    call = site.call(tenant, noise(120))

    def late(data: bytes) -> bytes:
        at = len(data) * 3 // 4
        return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]

    site.access.replace_object(call.manifest.recording.name, late)
    path = tmp_path / "evidence.zip"
    site.keep_what_comes(officer, call, path)
    assert path.stat().st_size > 100_000
    with pytest.raises(VerificationError):
        site.verified(path)
    [opened] = site.access.audit.entries(action="read.opened", call_id=str(call.id))
    closed = site.access.audit.closed(opened["entry_id"])["detail"]
    assert (closed["outcome"], closed["bytes_sent"] > 0) == ("integrity", True)


@pytest.mark.guarantee("L28")
@pytest.mark.parametrize("good", [0.0, 0.75], ids=["at all", "to its end"])
def test_what_cannot_be_decoded_any_more_becomes_evidence_all_the_same(
    site: Site, tenant: Tenant, officer: Person, tmp_path: Path, good: float
) -> None:
    said = noise(60)
    file = flac(said)
    kept = int(good * len(file))
    call = recorded(tenant, file[:kept] + bytes(len(file) - kept), [], samples=len(said))
    site.seal(call)
    path = tmp_path / "evidence.zip"
    path.write_bytes(site.make(officer, call).content)
    why = "cut-short" if good else "undecodable"
    assert site.verified(path).missing == {"audio/playable.wav": why}
    content = unpacked(path)
    assert content["audio/received.flac"] == call.audio
    assert ("audio/playable.wav" in content) is bool(good)
    if good:
        heard = np.frombuffer(content["audio/playable.wav"][44:], "<i2").reshape(-1, 2)
        assert len(heard) > len(said) // 2
        assert np.array_equal(heard, said[: len(heard)])


@pytest.mark.guarantee("L28")
def test_the_newest_transcript_is_in_it(site: Site, tenant: Tenant, officer: Person, tmp_path: Path) -> None:
    call = site.call(tenant, hidden=False)
    newest = transcribed_again(site.access, call, [(0, 0, 1000)])
    path = tmp_path / "evidence.zip"
    path.write_bytes(site.make(officer, call).content)
    stored = unpacked(path)["transcript/transcript.json"]
    assert hashlib.sha256(stored).hexdigest() == newest.plaintext_sha256
    with pytest.raises(VerificationError, match=r"transcript\.json: no entry has its hash"):
        site.verified(path)  # nobody wrote down that it was made


@pytest.mark.guarantee("L28")
def test_a_history_of_many_pages_is_whole(
    site: Site, tenant: Tenant, officer: Person, tmp_path: Path
) -> None:
    """A page holds three (`conftest.py`)."""
    call = site.call(tenant)
    for _ in range(7):
        assert site.make(officer, call, address=ELSEWHERE).status_code == 403
    path = tmp_path / "evidence.zip"
    path.write_bytes(site.make(officer, call).content)
    found = site.verified(path)
    assert (found.history.actions["read.denied"], found.history.actions["read.opened"]) == (7, 1)
    lines = [json.loads(line) for line in unpacked(path)["custody/entries.jsonl"].splitlines()]
    assert len({line["index"] for line in lines}) == len(lines) == found.history.entries >= 10


@pytest.mark.guarantee("L29")
def test_after_any_byte_of_a_whole_bundle_is_changed_it_fails(
    site: Site, tenant: Tenant, officer: Person, tmp_path: Path
) -> None:
    path = tmp_path / "evidence.zip"
    path.write_bytes(site.make(officer, site.call(tenant)).content)
    site.verified(path)
    seen = regions(path)
    files = {"audio/playable.wav", "transcript/transcript.txt", "summary.pdf", "vcon.json", "README.txt"}
    assert {f"data of {name}" for name in files} < set(seen)
    assert_every_flip_is_found(path, seen, site.verified)


def test_evidence_of_an_erased_call_is_not_made(site: Site, tenant: Tenant, officer: Person) -> None:
    call = site.call(tenant)
    body: dict[str, Any] = {"call_ids": [str(call.id)], "ground": "cease-use", "reason": "r"}
    with site.access.client(officer.token) as client:
        asked = client.post("/v1/erasures", json=body, headers=once())
        assert asked.status_code == 201
        while client.get(f"/v1/erasures/{asked.json()['id']}").json()["waiting"] == 1:
            pass
    assert site.make(officer, call).status_code == 404
