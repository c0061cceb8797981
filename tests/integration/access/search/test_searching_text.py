"""Looking for what was said: each reader finds what they may see of it, and nothing else shows or counts."""

from __future__ import annotations

import pytest

from access_audit import run
from access_calls import Call
from access_service import Access, Tenant
from otokura.shared.cipher import encrypt
from otokura.shared.events import CallStarted, KeyWrapped
from otokura.shared.insight.settings import FindingKind
from otokura.shared.keys import KeyContext, KeyUse, Kind, WrappedDek, associated_data, derive
from redaction_texts import shows
from search_requests import at, found, ids, indexed, look, page, pages, said
from searched_calls import finding

pytestmark = [pytest.mark.postgres, pytest.mark.s3, pytest.mark.kafka, pytest.mark.any_broker]
CARD = "4111 1111 1111 1111"
CARD_SAID = f"番号は{CARD}です"


@pytest.mark.guarantee("R41")
def test_phrases_are_found_in_japanese_and_english_however_they_are_written(
    access: Access, tenant: Tenant
) -> None:
    calls = [
        said(tenant, "お電話ありがとうございます", "あのう、プランを解約、したいのですが", **at(0)),
        said(tenant, "Thank you for calling", "I’d like to CANCEL my plan, please", language="en", **at(1)),
        said(tenant, "はい", "Amazon プライムの会費が1,000円です", **at(2)),
    ]
    indexed(access, *calls)
    token = tenant.person("supervisor").token
    for phrase, expected in (
        ("解約したい", [calls[0]]),
        ("ﾌﾟﾗﾝヲ", [calls[0]]),
        ("アリガトウ", [calls[0]]),
        ("cancel my plan", [calls[1]]),
        ("id like to cancel", [calls[1]]),
        ("amazonプライム", [calls[2]]),
        ("１０００円", [calls[2]]),
        ("プラ", [calls[2], calls[0]]),
        ("plan", [calls[1]]),
        ("解約しない", []),
        ("cancel my plane", []),
        ("ございますあのう", []),
    ):
        assert found(access, token, phrase) == ids(*expected), phrase
    [item] = pages(access, token, "解約したい")
    [place] = item["highlights"]
    assert place["text"][place["start"] : place["end"]] == "解約、したい"
    assert (place["turn"], place["role"], place["start_ms"]) == (1, "customer", 1080)
    assert (item["view"], item["matches"], item["transcript_version"]) == ("raw", 1, 1)
    assert item["call"]["agent_id"] == "2041"


@pytest.mark.guarantee("R42")
def test_each_reader_finds_the_calls_that_they_may_read(access: Access, tenant: Tenant) -> None:
    agent = tenant.person("agent", agent_ids=["a-1"], team="tokyo")
    tenant.person("agent", agent_ids=["a-2"], team="osaka")
    calls = [said(tenant, "解約したい", agent_id=f"a-{n}", **at(n)) for n in range(3)]
    theirs = said(access.tenant(), "解約したい", agent_id="a-1")
    secret = said(tenant, "解約したい", purposes=["training"], agent_id="a-1", **at(9))
    indexed(access, *calls, theirs, secret)
    newest = ids(*calls[::-1])
    assert found(access, agent.token, "解約") == ids(calls[1])
    assert found(access, tenant.person("supervisor").token, "解約") == newest
    assert found(access, tenant.person("supervisor", team="osaka").token, "解約") == ids(calls[2])
    assert found(access, tenant.person("supervisor", team="kyoto").token, "解約") == []
    assert found(access, tenant.person("evidence-officer").token, "解約", reason="case 7") == newest
    assert found(access, tenant.person("supervisor").token, "解約", purpose="training") == ids(secret)


@pytest.mark.guarantee("R42")
def test_who_reads_redacted_text_finds_nothing_by_what_is_redacted(access: Access, tenant: Tenant) -> None:
    calls = [
        said(tenant, "はい", CARD_SAID, hidden=[CARD], agent_id="a-1", **at(0)),
        said(tenant, "はい", "番号は9999です", agent_id="a-1", **at(1)),
        said(tenant, "はい", "番号は知りません", hidden=None, agent_id="a-1", **at(2)),
        said(tenant, "はい", CARD_SAID, hidden=[CARD], agent_id="a-2", **at(3)),
    ]
    indexed(access, *calls)
    analyst, supervisor = tenant.person("analyst").token, tenant.person("supervisor").token
    both = tenant.person("agent", agent_ids=["a-1"], roles=["agent", "analyst"]).token
    assert found(access, supervisor, CARD) == ids(calls[3], calls[0])
    assert found(access, supervisor, "番号は") == ids(*calls[::-1])
    assert found(access, analyst, CARD) == []
    assert found(access, analyst, "1111") == []
    assert found(access, analyst, "番号は") == ids(calls[3], calls[1], calls[0])
    assert found(access, both, CARD) == ids(calls[0])
    items = {item["call"]["id"]: item for item in pages(access, both, "番号は")}
    assert {call_id: item["view"] for call_id, item in items.items()} == {
        str(calls[0].id): "raw",
        str(calls[1].id): "raw",
        str(calls[2].id): "raw",
        str(calls[3].id): "redacted",
    }
    assert items[str(calls[3].id)]["highlights"][0]["text"] == "番号は[card-number]です"
    shown = look(access, analyst, "番号は").text
    assert not shows(shown, "1111")
    [entry] = access.audit.entries(entry_id=look(access, analyst, CARD).headers["Otokura-Entry-Id"])
    assert (entry["detail"]["calls"], entry["detail"]["opened"]) == ([], 0)


def numbered(tenant: Tenant, made: Call, caller: str) -> None:
    """Gives a call its numbers, as ingest seals them."""
    [key] = [event for event in made.events if isinstance(event, KeyWrapped)]
    [started] = [event for event in made.events if isinstance(event, CallStarted)]
    wrapped, context = WrappedDek(key.kek_id, key.wrapped), KeyContext(tenant.id, made.id)
    dek = run(tenant.access.keys.unwrap(wrapped, context, KeyUse.READ, "test"))
    text = f'{{"caller": "{caller}", "callee": "0120-000-000"}}'.encode()
    personal = encrypt(
        derive(dek, Kind.EVENT, made.id), text, associated_data(tenant.id, made.id, Kind.EVENT)
    )
    told = started.model_copy(update={"personal": personal, "version": started.version + 1})
    tenant.access.apply(told)


def test_filters_narrow(access: Access, tenant: Tenant) -> None:
    waiting = finding(FindingKind.COMPLAINT, "waiting")
    calls = [
        said(tenant, "解約したい", agent_id="a-0", **at(0)),
        said(tenant, "解約したい", agent_id="a-1", signals=waiting, **at(1)),
        said(tenant, "解約 please", agent_id="a-1", language="en", **at(2)),
    ]
    numbered(tenant, calls[0], "+81-3-1234-5678")
    indexed(access, *calls)
    token = tenant.person("supervisor").token
    for about, expected in (
        ({"agent_id": "a-1"}, calls[2:0:-1]),
        ({"language": "en"}, [calls[2]]),
        ({"language": "ja"}, calls[1::-1]),
        ({"signals": ["complaint"]}, [calls[1]]),
        ({"signals": ["complaint", "complaint/waiting"]}, [calls[1]]),
        ({"signals": ["complaint/authority"]}, []),
        ({"customer": "03 1234 5678"}, [calls[0]]),
        ({"customer": "0120-000-000"}, []),
        ({"from": "2026-04-01T00:01:00Z"}, calls[2:0:-1]),
        ({"to": "2026-04-01T09:01:00+09:00"}, [calls[0]]),
        ({"agent_id": "a-1", "language": "ja", "from": "2026-04-01T00:00:00Z"}, [calls[1]]),
        ({"agent_id": "a-9"}, []),
    ):
        assert found(access, token, "解約", **about) == ids(*expected), about


@pytest.mark.guarantee("R42")
def test_a_number_finds_nothing_for_who_may_not_see_numbers(access: Access, tenant: Tenant) -> None:
    calls = [said(tenant, "解約したい", agent_id=f"a-{n}", **at(n)) for n in range(2)]
    for one in calls:
        numbered(tenant, one, "03-1234-5678")
    indexed(access, *calls)
    both = tenant.person("agent", agent_ids=["a-1"], roles=["agent", "analyst"]).token
    for token, expected in ((tenant.person("analyst").token, []), (both, [calls[1]])):
        assert found(access, token, "解約", customer="0312345678") == ids(*expected)
    assert found(access, both, "解約") == ids(*calls[::-1])


@pytest.mark.guarantee("R43")
def test_the_entry_says_what_was_shown_and_holds_no_content(access: Access, tenant: Tenant) -> None:
    calls = [said(tenant, "解約したい", **at(n)) for n in range(2)]
    numbered(tenant, calls[0], "0312345678")
    indexed(access, *calls)
    supervisor = tenant.person("supervisor")
    answers = (
        look(access, supervisor.token, "解約", customer="03-1234-5678", reason="ticket 7"),
        look(access, supervisor.token, "したい"),
        look(access, supervisor.token, "解 約"),
    )
    one, other, again = (
        access.audit.entry(entry_id=answer.headers["Otokura-Entry-Id"]) for answer in answers
    )
    detail = one["detail"]
    assert (one["reader"], one["tenant_id"], one["call_id"]) == (str(supervisor.id), str(tenant.id), None)
    assert detail["calls"] == ids(calls[0])
    assert (detail["purpose"], detail["reason"]) == ("quality", "ticket 7")
    assert (detail["filter"]["customer"], detail["question"]["action"]) == (True, "search-text")
    assert detail["policies"] == ["readers-search-text"]
    assert "解約" not in str(detail)
    assert not shows(str(detail), "03-1234")
    assert detail["phrase"] == again["detail"]["phrase"]
    assert detail["phrase"]["mac"] != other["detail"]["phrase"]["mac"]


@pytest.mark.guarantee("R48")
def test_a_transcript_that_was_changed_is_not_shown_and_told(access: Access, tenant: Tenant) -> None:
    calls = [said(tenant, "解約したい", **at(n)) for n in range(2)]
    indexed(access, *calls)
    name = f"transcripts/{tenant.id}/{calls[1].id}/1"
    access.replace_object(name, lambda data: data[:-1] + bytes([data[-1] ^ 1]), "transcripts")
    shown = page(access, tenant.person("supervisor").token, "解約")
    assert [item["call"]["id"] for item in shown["items"]] == ids(calls[0])
    assert shown["unreadable"] == 1
    assert "integrity failure" in access.log_text()
    [entry] = [e for e in access.audit.entries(action="transcripts.searched") if e["detail"]["unreadable"]]
    assert entry["detail"]["unreadable"] == ids(calls[1])
