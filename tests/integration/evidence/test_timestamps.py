"""A bundle's timestamp: of its manifest, by a real authority, and plainly absent where there is none."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

import evidence_site
import servers
from evidence_bundles import assert_every_flip_is_found, regions
from evidence_site import Site
from otokura.access.evidence.timestamp import Authority
from otokura.cli.local.postgres import PostgresServer
from otokura.cli.local.seaweedfs import SeaweedServer
from otokura.cli.verify import VerificationError
from otokura.cli.verify.evidence_archive import EvidenceArchive
from otokura.cli.verify.evidence_command import describe
from otokura.shared.errors import Unavailable
from stamping_authority import StampingAuthority

pytestmark = [pytest.mark.postgres, pytest.mark.s3, pytest.mark.kafka, pytest.mark.any_broker]


@pytest.fixture(scope="module")
def site(
    postgres_server: PostgresServer,
    s3_server: SeaweedServer,
    kafka_server: servers.KafkaServer,
    authority: StampingAuthority,
) -> Iterator[Site]:
    with evidence_site.running(postgres_server, s3_server, kafka_server, **authority.settings) as found:
        yield found


@pytest.mark.guarantee("L28")
@pytest.mark.guarantee("L29")
def test_the_manifest_is_stamped_as_openssl_verifies_and_without_the_authority_it_says_so(
    site: Site, authority: StampingAuthority, tmp_path: Path
) -> None:
    tenant = site.tenant()
    officer, call = tenant.person("evidence-officer"), site.call(tenant)
    path = tmp_path / "evidence.zip"
    path.write_bytes(site.make(officer, call).content)
    with zipfile.ZipFile(path) as archive:
        archive.extract("manifest.json", tmp_path)
        archive.extract("manifest.json.tsr", tmp_path)
        assert authority.url in archive.read("README.txt").decode()
    stamp, manifest = tmp_path / "manifest.json.tsr", tmp_path / "manifest.json"
    assert "Verification: OK" in authority.verify(stamp, manifest)
    roots = [authority.root.read_bytes()]
    found = site.verified(path, tsa_roots=roots)
    assert found.stamp is not None
    assert (found.stamp.trusted, found.stamp.authority) == (True, authority.url)
    bare = site.verified(path)
    assert bare.stamp is not None
    assert not bare.stamp.trusted
    assert any("NOT verified: give --tsa-root" in line for line in describe(bare))

    authority.away = True
    try:
        path.write_bytes(site.make(officer, call).content)
    finally:
        authority.away = False
    found = site.verified(path, tsa_roots=roots)
    assert (found.stamp, found.stamp_missing) == (None, "unavailable")
    with zipfile.ZipFile(path) as archive:
        told = json.loads(archive.read("manifest.json"))["timestamp"]
        assert told == {"authority": authority.url, "file": None, "why": "unavailable"}
        assert "認証局に接続できず" in archive.read("README.txt").decode()


@pytest.mark.guarantee("L29")
def test_a_stranger_among_authorities_is_not_believed(site: Site, tmp_path: Path) -> None:
    tenant = site.tenant()
    officer, call = tenant.person("evidence-officer"), site.call(tenant)
    path = tmp_path / "evidence.zip"
    path.write_bytes(site.make(officer, call).content)
    tmp_path.joinpath("other").mkdir()
    other = StampingAuthority(tmp_path / "other")
    with pytest.raises(VerificationError, match="timestamp"):
        site.verified(path, tsa_roots=[other.root.read_bytes()])


@pytest.mark.guarantee("L29")
def test_a_stamp_of_something_else_is_none_whoever_is_believed(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tenant = site.tenant()
    path = tmp_path / "evidence.zip"
    path.write_bytes(site.make(tenant.person("evidence-officer"), site.call(tenant)).content)
    read = EvidenceArchive.read

    def other(archive: EvidenceArchive, name: str, most: int) -> bytes:
        found = read(archive, name, most)
        return replayed if name == "manifest.json.tsr" else found

    path_of_another = tmp_path / "another.zip"
    path_of_another.write_bytes(site.make(tenant.person("evidence-officer"), site.call(tenant)).content)
    with zipfile.ZipFile(path_of_another) as archive:
        replayed = archive.read("manifest.json.tsr")
    monkeypatch.setattr(EvidenceArchive, "read", other)
    with pytest.raises(VerificationError, match="not of this manifest"):
        site.verified(path)


@pytest.mark.guarantee("L29")
def test_after_any_byte_of_a_stamped_bundle_is_changed_it_fails(site: Site, tmp_path: Path) -> None:
    tenant = site.tenant()
    path = tmp_path / "evidence.zip"
    path.write_bytes(site.make(tenant.person("evidence-officer"), site.call(tenant)).content)
    seen = {region: places for region, places in regions(path).items() if "manifest.json" in region}
    assert "data of manifest.json.tsr" in seen
    assert_every_flip_is_found(path, seen, site.verified)


async def test_an_answer_to_another_question_is_none_and_where_it_must_be_nothing_is_made(
    authority: StampingAuthority,
) -> None:
    for roots in (authority.root, None):
        asking = Authority(authority.url, required=True, roots=roots, seconds=10)
        await asking.check()
        first = await asking.must(b"one")
        assert first is not None
        authority.replayed = first
        try:
            assert await asking.stamp(b"one") is None  # the nonce is another
            with pytest.raises(Unavailable):
                await asking.must(b"two")
        finally:
            authority.replayed = None
    authority.away = True
    try:
        with pytest.raises(Unavailable):
            await asking.check()
        relaxed = Authority(authority.url, required=False, roots=None, seconds=10)
        await relaxed.check()
        assert await relaxed.must(b"one") is None
    finally:
        authority.away = False
