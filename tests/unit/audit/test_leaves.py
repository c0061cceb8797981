"""What is written fast is, byte for byte, what the plain way gives."""

from __future__ import annotations

import base64
import hashlib
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from uuid import UUID

import pytest
import rfc8785
from hypothesis import example, given
from hypothesis import strategies as st

from otokura.audit.leaves import encode_leaf, prepare, with_signature
from otokura.audit.merkle import Frontier, leaf_hash
from otokura.cli.verify.leaves import Leaf
from otokura.shared.audit_entries import canonical
from otokura.shared.audit_events import AuditRecorded

TRAPS = [',"source":', '","source":"', '\\","source":"x', "a\\", '"', "\u2028", "音声", "\x00\x1f\x7f", "😀"]
texts = st.one_of(st.sampled_from(TRAPS), st.text(st.characters(codec="utf-8"), max_size=12))
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | texts | st.floats(-1e300, 1e300),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)
zones = st.sampled_from([UTC, timezone(timedelta(hours=9)), timezone(timedelta(hours=-3, minutes=-30))])


def event(**members: Any) -> AuditRecorded:
    plain: dict[str, Any] = {
        "entry_id": UUID(int=1),
        "source": "access/1",
        "seq": 1,
        "time": datetime(2026, 5, 1, 9, tzinfo=UTC),
        "tenant_id": None,
        "action": "read.opened",
        "reader": None,
        "call_id": None,
        "detail": {},
        "signature": base64.b64encode(b"s" * 64),
    }
    return AuditRecorded(**{**plain, **members})


@pytest.mark.guarantee("L27")
@given(
    source=texts,
    seq=st.integers(1, 2**53 - 1),
    time=st.datetimes(timezones=zones),
    tenant_id=st.none() | st.uuids(),
    action=texts,
    reader=st.none() | texts,
    detail=st.dictionaries(texts, values, max_size=4),
    signature=st.binary(max_size=70),
)
@example(
    source='","source":"',
    seq=1,
    time=datetime(2026, 5, 1, 9, tzinfo=UTC),
    tenant_id=None,
    action=',"source":',
    reader='","source":"',
    detail={"source": {"a": ',"source":"'}, "z": 1, "source2": 1},
    signature=b"",
)
def test_an_entry_prepared_from_what_was_signed_is_the_one_prepared_from_its_members(**members: Any) -> None:
    signature = base64.b64encode(members.pop("signature"))
    entry = event(**members, signature=signature)
    item = prepare(entry, bytes, signed=canonical(entry))
    dumped = entry.model_dump(mode="json")
    recorded = rfc8785.dumps(dumped)
    assert item.recorded == recorded
    commitment = hashlib.sha256(bytes(16) + recorded).hexdigest()
    leaf = {
        "v": 1,
        "source": entry.source,
        "seq": entry.seq,
        "time": dumped["time"],
        "commitment": commitment,
    }
    assert item.leaf == rfc8785.dumps(leaf)


@pytest.mark.guarantee("L27")
@given(source=texts, seq=st.integers(1, 2**53 - 1))
def test_a_leaf_is_written_as_the_verifier_writes_it(source: str, seq: int) -> None:
    time, commitment = "2026-05-01T09:00:00.123456Z", "0f" * 32
    assert encode_leaf(source, seq, time, commitment) == Leaf(source, seq, time, commitment).encode()


def test_a_signature_is_put_before_the_source_and_nowhere_else() -> None:
    signed = rfc8785.dumps({"seq": 1, "source": ',"source":', "detail": {"a": 0, "source": 1}})
    expected = rfc8785.dumps(
        {"seq": 1, "source": ',"source":', "detail": {"a": 0, "source": 1}, "signature": "c2ln"}
    )
    assert with_signature(signed, b"sig") == expected


@pytest.mark.guarantee("L27")
@given(sizes=st.lists(st.integers(0, 700), max_size=5))
def test_many_leaves_at_once_make_the_tree_that_one_after_another_make(sizes: list[int]) -> None:
    fast, plain = Frontier(), Frontier()
    number = 0
    for size in sizes:
        leaves = [leaf_hash(b"%d" % at) for at in range(number, number + size)]
        number += size
        completed = [node for leaf in leaves for node in plain.append(leaf)]
        assert fast.extend(leaves) == completed
        assert (fast.size, fast.peaks) == (plain.size, plain.peaks)
