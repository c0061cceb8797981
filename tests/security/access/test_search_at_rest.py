"""What the database holds of the index tells nothing of what was said to who has no key."""

from __future__ import annotations

from hashlib import blake2b, sha256
from typing import Any
from uuid import UUID

import pytest

from access_audit import run
from access_calls import Call
from access_service import Access, Tenant
from otokura.access.search.text import fold, pieces
from otokura.shared.errors import IntegrityError
from otokura.shared.keys import KeyContext, KeyUse, WrappedDek
from search_requests import found, indexed, look
from searched_calls import saying

pytestmark = [pytest.mark.postgres, pytest.mark.s3, pytest.mark.kafka]
TURNS = ("お電話ありがとうございます、解約したい", "My secret word is Zeppelin 4111 1111 1111 1111")
TABLES = ("search_index", "search_keys", "search_jobs")


def said(tenant: Tenant) -> Call:
    call = tenant.call(b"audio", said=saying(*TURNS, hidden=["4111 1111 1111 1111"]))
    indexed(tenant.access, call)
    return call


def hashes(access: Access, call: Call) -> set[int]:
    [row] = access.query("SELECT hashes FROM search_index WHERE call_id = :id", id=call.id)
    return set(row.hashes)


@pytest.mark.guarantee("R40")
def test_no_row_holds_any_piece_of_what_was_said(access: Access, tenant: Tenant) -> None:
    said(tenant)
    dump = " ".join(
        row[0]
        for table in TABLES
        for row in access.query(f"SELECT t::text FROM {table} t")  # noqa: S608 - constants
    )
    assert dump
    words = {piece for turn in TURNS for piece in pieces(fold(turn))} | {"Zeppelin", "4111", *TURNS}
    plain = {word for word in words if not word.replace(" ", "").isalnum() or not word.isascii()}
    for word in (*plain, "zep", "Zeppelin", "secret"):
        assert word not in dump
        if len(word.encode()) > 3:  # what is shorter stands by chance in keys and hashes
            assert word.encode().hex() not in dump


@pytest.mark.guarantee("R40")
def test_a_hash_cannot_be_made_without_the_key(access: Access, tenant: Tenant) -> None:
    held = hashes(access, said(tenant))
    for piece in (piece for turn in TURNS for piece in pieces(fold(turn))):
        for guess in (
            blake2b(piece.encode(), digest_size=4).digest(),
            blake2b(piece.encode(), digest_size=4, person=b"redacted").digest(),
            blake2b(piece.encode(), digest_size=4, person=b"raw").digest(),
            blake2b(piece.encode(), digest_size=4, key=tenant.id.bytes, person=b"redacted").digest(),
            sha256(piece.encode()).digest()[:4],
        ):
            assert int.from_bytes(guess, "little", signed=True) not in held


@pytest.mark.guarantee("R40")
def test_the_same_text_of_two_tenants_has_nothing_in_common(access: Access, tenant: Tenant) -> None:
    ours, theirs = said(tenant), said(access.tenant())
    again = said(tenant)
    assert hashes(access, ours) == hashes(access, again)
    assert len(hashes(access, ours)) > 50
    assert not hashes(access, ours) & hashes(access, theirs)


@pytest.mark.guarantee("R40")
def test_an_index_key_opens_for_its_own_tenant_and_index_only(access: Access, tenant: Tenant) -> None:
    call = said(tenant)
    [row] = access.query("SELECT id, kek_id, wrapped FROM search_keys WHERE tenant_id = :id", id=tenant.id)
    wrapped = WrappedDek(row.kek_id, row.wrapped)
    for context in (
        KeyContext(tenant.id, call.id),
        KeyContext(access.tenant().id, row.id),
        KeyContext(tenant.id, UUID(int=0)),
    ):
        with pytest.raises(IntegrityError):
            run(access.keys.unwrap(wrapped, context, KeyUse.SEARCH, "test"))
    [key] = access.query("SELECT kek_id, wrapped FROM call_keys WHERE call_id = :id", id=call.id)
    with pytest.raises(IntegrityError):
        run(
            access.keys.unwrap(
                WrappedDek(key.kek_id, key.wrapped), KeyContext(tenant.id, row.id), KeyUse.SEARCH, "test"
            )
        )


@pytest.mark.guarantee("R3")
def test_hashes_that_are_moved_to_another_tenant_find_nothing_there(access: Access, tenant: Tenant) -> None:
    """Whoever can write to the database gains no text: what is found is opened as the call that it is."""
    ours, other = said(tenant), access.tenant()
    theirs = said(other)
    access.query("UPDATE search_index SET tenant_id = :to WHERE call_id = :id", to=other.id, id=ours.id)
    assert found(access, other.person("supervisor").token, "zeppelin") == [str(theirs.id)]
    assert found(access, tenant.person("supervisor").token, "zeppelin") == []


@pytest.mark.guarantee("S1")
def test_no_log_line_holds_a_phrase_or_a_number(access: Access, tenant: Tenant) -> None:
    said(tenant)
    token = tenant.person("supervisor").token
    assert look(access, token, "Zeppelin", customer="03-9999-8888").status_code == 200
    assert look(access, token, "Zeppelin", customer="03-9999-8888", cursor="e30").status_code == 400
    assert look(access, token, "解約", signals=["Zeppelin"]).status_code == 422
    log = access.log_text().casefold()
    for word in ("zeppelin", "解約", "9999-8888", "99998888"):
        assert word not in log


@pytest.mark.guarantee("S2")
def test_no_error_repeats_what_was_looked_for(access: Access, tenant: Tenant) -> None:
    token = tenant.person("supervisor").token
    asked: tuple[tuple[str, dict[str, Any]], ...] = (
        ("Zeppelin", {"signals": ["Zeppelin"]}),
        ("ぜ", {}),
        ("Zeppelin" * 30, {}),
    )
    for phrase, about in asked:
        refused = look(access, token, phrase, **about)
        assert refused.status_code == 422
        assert "eppelin" not in refused.text
        assert "ぜ" not in refused.text
