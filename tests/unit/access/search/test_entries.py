"""What the index holds: keyed hashes by which all is found, and what is redacted by nobody who may not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otokura.access.search.entries import Probe, Properties, entries_of, names_of, probe_of, properties_of
from otokura.access.search.hashes import Domain, IndexKey
from otokura.access.search.text import fold, pieces
from otokura.shared.cipher import encrypt
from otokura.shared.errors import IntegrityError
from otokura.shared.insight.settings import FindingKind
from otokura.shared.keys import Kind, associated_data, derive
from otokura.shared.transcripts import Transcript
from searched_calls import finding, saying

TENANT, CALL = UUID(int=1), UUID(int=2)
KEY = IndexKey(TENANT, UUID(int=3), b"k" * 32)
OTHER = IndexKey(UUID(int=4), UUID(int=5), b"o" * 32)
DEK = b"d" * 32
CARD = "4111 1111 1111 1111"
NONE = Properties()


def entries(said: Callable[[UUID], Transcript], properties: Properties = NONE) -> set[int]:
    found = entries_of(KEY, said(CALL), properties)
    assert found == sorted(set(found))
    return set(found)


def probe(phrase: str, wanted: Properties = NONE) -> Probe:
    return probe_of(KEY, fold(phrase), wanted)


@pytest.mark.guarantee("R41")
@given(st.text(min_size=3, max_size=40), st.data())
def test_everything_that_was_said_is_found(text: str, data: st.DataObject) -> None:
    said = fold(text)
    if len(said) < 3:
        return
    start = data.draw(st.integers(0, len(said) - 3))
    phrase = said[start : data.draw(st.integers(start + 3, len(said)))]
    if phrase != fold(phrase) or not pieces(phrase):
        return
    for hidden, of in (((), "redacted"), (None, "raw")):
        assert set(getattr(probe(phrase), of)) <= entries(saying(text, hidden=hidden))


@pytest.mark.guarantee("R42")
def test_the_hashes_of_redacted_text_are_made_of_that_text_alone() -> None:
    """Whoever is answered by them learns nothing of what is redacted, not even by how long it takes."""
    redacted = KEY.hashes(Domain.REDACTED, pieces(fold(CARD)))
    raw = KEY.hashes(Domain.RAW, pieces(fold(CARD)))
    held = entries(saying("はい", f"番号は{CARD}です", hidden=[CARD]))
    assert not redacted & held
    assert raw <= held
    elsewhere = entries(saying("はい", "番号は9999です", hidden=["9999"]))
    shown = KEY.hashes(Domain.REDACTED, pieces(fold("番号は[card-number]です")) | {"はい"})
    assert shown <= held & elsewhere
    assert held - raw - elsewhere <= KEY.hashes(Domain.RAW, pieces(fold(f"番号は{CARD}です")))


@pytest.mark.guarantee("R42")
def test_a_transcript_that_nobody_searched_is_not_found_by_who_may_see_redacted_text() -> None:
    held = entries(saying("解約したい", hidden=None))
    assert not held & set(probe("解約").redacted)
    assert set(probe("解約").raw) <= held


def test_a_transcript_in_which_nothing_is_redacted_has_each_hash_once() -> None:
    held = entries(saying("解約したい"))
    assert len(held) == len(pieces("解約したい"))
    assert set(probe("解約").redacted) <= held


def test_no_piece_reaches_over_two_turns() -> None:
    assert not set(probe("約し").redacted) <= entries(saying("解約", "したい"))


@pytest.mark.guarantee("R40")
def test_another_tenants_hashes_are_others() -> None:
    said = saying("解約したい、お電話ありがとうございます", "The cat sat on the mat")(CALL)
    ours, theirs = (set(entries_of(key, said, NONE)) for key in (KEY, OTHER))
    assert len(ours) > 30
    assert not ours & theirs
    assert KEY.mac("解約") != OTHER.mac("解約")
    assert KEY.derived(Domain.CURSOR) != OTHER.derived(Domain.CURSOR)
    assert "kkkk" not in repr(KEY)


@pytest.mark.guarantee("R40")
def test_a_hash_of_one_use_is_none_of_another() -> None:
    found = [KEY.hashes(domain, {"解約", "約し", "cat"}) for domain in Domain]
    assert len(set().union(*found)) == sum(map(len, found))
    assert all(-(2**31) <= one < 2**31 for some in found for one in some)


def test_properties_are_looked_for_like_text() -> None:
    has = Properties(
        language="ja",
        purposes=frozenset({"quality", "training"}),
        signals=frozenset({"complaint", "complaint/waiting"}),
        customers=frozenset({"0312345678"}),
    )
    held = entries(saying("解約したい"), has)
    for wanted, there in (
        (Properties(language="ja"), True),
        (Properties(purposes=frozenset({"quality"}), signals=frozenset({"complaint"})), True),
        (Properties(customers=frozenset({"0312345678"})), True),
        (Properties(language="en"), False),
        (Properties(signals=frozenset({"complaint", "abuse"})), False),
        (Properties(customers=frozenset({"0312345679"})), False),
        (Properties(purposes=frozenset({"marketing"})), False),
    ):
        assert has.fit(wanted) is there
        assert (set(probe("解約", wanted).redacted) <= held) is there


def row(direction: str, caller: str | None, callee: str | None) -> dict[str, Any]:
    numbers = f'{{"caller": {repr(caller or "").replace(chr(39), chr(34))}, "callee": "{callee or ""}"}}'
    binding = associated_data(TENANT, CALL, Kind.EVENT)
    personal = encrypt(derive(DEK, Kind.EVENT, CALL), numbers.encode(), binding)
    return {
        "tenant_id": TENANT,
        "call_id": CALL,
        "direction": direction,
        "purposes": ["quality"],
        "personal": personal,
    }


@pytest.mark.parametrize(
    ("direction", "customers"),
    [
        ("inbound", {"0311112222"}),
        ("outbound", {"0333334444"}),
        ("internal", {"0311112222", "0333334444"}),
    ],
)
def test_the_customer_is_the_other_side(direction: str, customers: set[str]) -> None:
    of = properties_of(row(direction, "+81-3-1111-2222", "03-3333-4444"), DEK, saying("はい")(CALL))
    assert of.customers == customers


def test_a_call_without_numbers_has_no_customer() -> None:
    of = properties_of({**row("inbound", None, None), "personal": None}, DEK, saying("はい")(CALL))
    assert of == Properties(language="ja", purposes=frozenset({"quality"}))
    assert properties_of(row("inbound", None, "1"), DEK, saying("はい")(CALL)).customers == frozenset()


def test_numbers_of_another_call_are_not_believed() -> None:
    with pytest.raises(IntegrityError):
        properties_of({**row("inbound", "03", "04"), "tenant_id": UUID(int=9)}, DEK, saying("はい")(CALL))


def test_findings_have_names() -> None:
    assert set(names_of(finding(FindingKind.ABUSE, "threat"))) == {"abuse", "abuse/threat"}
    assert set(names_of(finding(FindingKind.PROMISE, "call-back"))) == {"promise", "promise/call-back"}
