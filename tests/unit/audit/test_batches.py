"""A batch of messages: what becomes a leaf, what is noted of its source, and what is set aside."""

from __future__ import annotations

import hashlib
import itertools
import json
import re
from dataclasses import fields, replace
from pathlib import Path

import pytest
import rfc8785

from audit_logs import Scribe, keys_of, message, record
from otokura.audit.batches import Batch, join, read_batch
from otokura.audit.leaves import prepare
from otokura.audit.source_keys import SourceKeys
from otokura.shared.audit_events import AuditHeartbeat, AuditRecorded
from otokura.shared.cloudevents import Record
from otokura.shared.ids import uuid7


@pytest.fixture
def scribe() -> Scribe:
    return Scribe()


def altered(sent: Record, old: bytes, new: bytes) -> Record:
    assert sent.value is not None
    assert old in sent.value
    return replace(sent, value=sent.value.replace(old, new))


def test_signed_entries_become_leaves_in_the_order_in_which_they_came(scribe: Scribe) -> None:
    events = [scribe.entry() for _ in range(3)]
    batch = read_batch([message(event, at) for at, event in enumerate(events)], keys_of(scribe))
    assert [item.event for item in batch.prepared] == events
    assert not batch.rejected
    assert batch.news[scribe.source].seqs == [1, 2, 3]


def test_a_leaf_holds_five_members_in_canonical_json_and_nothing_of_the_detail(scribe: Scribe) -> None:
    item = prepare(scribe.entry(reader="yamada"))
    leaf = json.loads(item.leaf)
    assert set(leaf) == {"v", "source", "seq", "time", "commitment"}
    assert rfc8785.dumps(leaf) == item.leaf
    assert (leaf["v"], leaf["source"], leaf["seq"]) == (1, scribe.source, 1)
    assert re.fullmatch("[0-9a-f]{64}", leaf["commitment"])
    assert b"yamada" in item.recorded
    assert b"yamada" not in item.leaf


def test_the_commitment_binds_the_whole_entry_with_its_signature(scribe: Scribe) -> None:
    item = prepare(scribe.entry())
    recorded = json.loads(item.recorded)
    assert rfc8785.dumps(recorded) == item.recorded
    assert "signature" in recorded
    expected = hashlib.sha256(item.salt + item.recorded).hexdigest()
    assert json.loads(item.leaf)["commitment"] == expected


def test_one_entry_prepared_twice_has_two_salts_and_two_commitments(scribe: Scribe) -> None:
    event = scribe.entry()
    first, second = prepare(event), prepare(event)
    assert len(first.salt) == 16
    assert first.salt != second.salt
    assert first.leaf != second.leaf


def test_heartbeats_are_noted_and_are_no_leaves(scribe: Scribe) -> None:
    messages = [
        message(scribe.heartbeat(7)),
        message(scribe.heartbeat(5)),
        message(scribe.heartbeat(7, closed=True)),
    ]
    batch = read_batch(messages, keys_of(scribe))
    assert not batch.prepared
    assert batch.news[scribe.source].last_seq == 7
    assert batch.news[scribe.source].closed


def test_a_batch_that_was_read_in_pieces_lacks_nothing(scribe: Scribe) -> None:
    """Every member of it: entries, their messages, counts, news, and what is set aside."""
    messages = [
        message(scribe.entry(), 0),
        message(scribe.counted({uuid7(): (1, 0)}), 1),
        message(scribe.heartbeat(), 2),
        message(Scribe().entry(), 3),
    ]
    whole = read_batch(messages, keys_of(scribe))
    joined = join([read_batch([one], keys_of(scribe)) for one in messages])
    for member in fields(Batch):
        assert getattr(whole, member.name), member.name
        if member.name != "prepared":  # each preparation has a salt of its own
            assert getattr(joined, member.name) == getattr(whole, member.name), member.name
    assert [item.event for item in joined.prepared] == [item.event for item in whole.prepared]


@pytest.mark.guarantee("L3")
@pytest.mark.parametrize(
    ("old", "new"),
    [(b'"yamada"', b'"suzuki"'), (b'"seq":1', b'"seq":2'), (b"2026-05-01T09", b"2026-05-01T10"),
     (b"read.opened", b"read.closed"), ("品質管理".encode(), "他".encode())],
)  # fmt: skip
def test_an_altered_entry_is_never_a_leaf(scribe: Scribe, old: bytes, new: bytes) -> None:
    batch = read_batch([message(altered(record(scribe.entry()), old, new))], keys_of(scribe))
    assert not batch.prepared
    assert not batch.news
    (rejected,) = batch.rejected
    assert rejected.kind == "bad-signature"
    assert rejected.source == scribe.source


def test_a_service_cannot_write_in_the_name_of_another(scribe: Scribe) -> None:
    ingest = Scribe("ingest")
    impostor = Scribe("access", key=ingest.key)
    batch = read_batch([message(impostor.entry()), message(ingest.entry())], keys_of(scribe, ingest))
    assert [item.event.source for item in batch.prepared] == [ingest.source]
    assert [rejected.source for rejected in batch.rejected] == [impostor.source]


@pytest.mark.parametrize("service", ["stranger", "", "access "])
def test_a_source_without_a_known_key_is_rejected(scribe: Scribe, service: str) -> None:
    batch = read_batch([message(Scribe(service, key=scribe.key).entry())], keys_of(scribe))
    assert not batch.prepared
    assert "whose key is known" in batch.rejected[0].reason


def test_what_is_no_event_is_set_aside_and_the_rest_goes_on(scribe: Scribe) -> None:
    good = record(scribe.entry())
    bad = [replace(good, value=b"{"), replace(good, headers=[]), altered(good, b'"seq":1', b'"seq":0')]
    batch = read_batch([message(one) for one in (*bad, good)], keys_of(scribe))
    assert len(batch.prepared) == 1
    assert len(batch.rejected) == 3
    assert {rejected.kind for rejected in batch.rejected} == {"rejected"}


def test_reasons_do_not_repeat_what_the_message_held(scribe: Scribe) -> None:
    sent = altered(record(scribe.entry(reader="yamada")), b'"seq":1', b'"seq":"yamada"')
    (rejected,) = read_batch([message(sent)], keys_of(scribe)).rejected
    assert "yamada" not in rejected.reason


def test_a_forged_heartbeat_tells_nothing(scribe: Scribe) -> None:
    sent = altered(record(scribe.heartbeat(3)), b'"last_seq":3', b'"last_seq":9')
    batch = read_batch([message(sent)], keys_of(scribe))
    assert not batch.news
    assert batch.rejected[0].kind == "bad-signature"


def test_the_keys_file_is_json_of_base64_keys(tmp_path: Path, scribe: Scribe) -> None:
    path = tmp_path / "keys.json"
    path.write_text(json.dumps({"access": scribe.public_key}))
    assert SourceKeys.read(path).objection(scribe.entry()) is None
    for wrong in ("[]", "{}", '{"access": "AAAA"}', '{"access": "not base64!"}'):
        path.write_text(wrong)
        with pytest.raises(ValueError, match=r".+"):
            SourceKeys.read(path)


@pytest.mark.guarantee("L27")
@pytest.mark.parametrize("cuts", [(0,), (1, 4), (3, 3, 7), (8,)])
def test_what_is_read_in_stretches_is_what_is_read_at_once(scribe: Scribe, cuts: tuple[int, ...]) -> None:
    ingest = Scribe("ingest")
    events: list[AuditRecorded | AuditHeartbeat] = [
        scribe.entry(), ingest.entry(), scribe.heartbeat(1), Scribe().entry(),
        ingest.heartbeat(9), scribe.entry(), ingest.heartbeat(2, closed=True), scribe.entry(),
    ]  # fmt: skip
    messages = [message(event, at) for at, event in enumerate(events)]
    keys = keys_of(scribe, ingest)
    whole = read_batch(messages, keys)
    bounds = [0, *cuts, len(messages)]
    joined = join([read_batch(messages[a:b], keys) for a, b in itertools.pairwise(bounds)])
    assert [(item.event, item.recorded) for item in joined.prepared] == [
        (item.event, item.recorded) for item in whole.prepared
    ]
    assert (joined.origins, joined.rejected, joined.news) == (whole.origins, whole.rejected, whole.news)
    assert len(joined.rejected) == 1
