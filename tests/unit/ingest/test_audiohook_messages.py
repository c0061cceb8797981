"""AudioHook's messages: those of the protocol are read; refusing anything else repeats nothing of it."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otokura.ingest.dialects.audiohook_messages import (
    LONGEST_TEXT,
    NO_CONVERSATION,
    Exchange,
    Open,
    ProtocolError,
    Resumed,
    choose,
    parse,
    samples,
)

SESSION = UUID("30b0e395-84d3-4570-ac13-9a62d8f514c0")
OPEN: dict[str, Any] = {
    "organizationId": "d7934305-0972-4844-938e-9060eef73d05",
    "conversationId": "090eaa2f-72fa-480a-83e0-8667ff89c0ec",
    "participant": {
        "id": "883efee8-3d6c-4537-b500-6d7ca4b92fa0",
        "ani": "+1-555-555-1234",
        "aniName": "John Doe",
        "dnis": "+1-800-555-6789",
    },
    "media": [
        {"type": "audio", "format": "PCMU", "channels": ["external", "internal"], "rate": 8000},
        {"type": "audio", "format": "PCMU", "channels": ["external"], "rate": 8000},
    ],
    "language": "ja-JP",
    "customConfig": {"anything": [1, {"deep": None}]},
}


def text(kind: str, parameters: dict[str, Any] | None = None, **changes: Any) -> str:
    message = {
        "version": "2",
        "id": str(SESSION),
        "type": kind,
        "seq": 1,
        "serverseq": 0,
        "position": "PT0S",
        "parameters": parameters or {},
    }
    return json.dumps({name: value for name, value in {**message, **changes}.items() if value is not ...})


@pytest.mark.parametrize(
    ("kind", "parameters"),
    [
        ("open", OPEN),
        ("open", {**OPEN, "conversationId": str(NO_CONVERSATION), "media": []}),
        ("open", {**OPEN, "continuedSessions": [{"id": str(SESSION), "serverseq": 3, "clientseq": 7}]}),
        ("close", {"reason": "end"}),
        ("discarded", {"start": "PT6.3S", "discarded": "PT0.3S"}),
        ("resumed", {"start": "PT6S", "discarded": "PT12.125S"}),
        ("paused", {}),
        ("ping", {}),
        ("ping", {"rtt": "PT0.05S"}),
        ("error", {"code": 429, "message": "slow down", "retryAfter": "PT1S"}),
        ("update", {"language": "en-US"}),
    ],
)
def test_every_message_of_a_client_is_read(kind: str, parameters: dict[str, Any]) -> None:
    assert parse(text(kind, parameters)).type == kind


def test_what_the_protocol_may_gain_is_passed_over() -> None:
    message = parse(text("open", {**OPEN, "color": "red"}, weather="fine"))
    assert isinstance(message, Open)
    assert message.parameters.participant.ani == "+1-555-555-1234"


@pytest.mark.parametrize(
    "bad",
    [
        "",
        "hello",
        "[]",
        "null",
        '"open"',
        "{" * 5000,
        "[" * 30000 + "]" * 30000,
        text("open", OPEN) + "x",
        text("opened"),
        text("open", {}),
        text("open", {**OPEN, "conversationId": "not a uuid"}),
        text("open", {**OPEN, "participant": None}),
        text("open", {**OPEN, "media": "all"}),
        text("open", {**OPEN, "media": [{}] * 40}),
        text("close", {"reason": "boredom"}),
        text("close").replace(', "parameters": {}', ""),
        text("resumed", {"start": "PT1S"}),
        text("resumed", {"start": "PT1S", "discarded": "PT-1S"}),
        text("resumed", {"start": "PT1S", "discarded": "P1DT1S"}),
        text("resumed", {"start": "PT1S", "discarded": 5}),
        text("resumed", {"start": "PT1S", "discarded": "PT" + "9" * 400 + "S"}),
        text("resumed", {"start": "PT1S", "discarded": "PT１S"}),
        text("ping", version="1"),
        text("ping", version=2),
        text("ping", seq="1"),
        text("ping", seq=-1),
        text("ping", seq=1.5),
        text("ping", seq=True),
        text("ping", seq=10**30),
        text("ping", serverseq=...),
        text("ping", position=...),
        text("ping", position="now"),
        text("ping", position="PT12.S"),
        text("ping", id="me"),
        text("update", {"language": "x" * 36}),
    ],
)
def test_anything_else_is_refused(bad: str) -> None:
    with pytest.raises(ProtocolError):
        parse(bad)


def test_a_message_may_have_so_many_characters_and_no_more() -> None:
    """65,535 by the protocol."""
    room = LONGEST_TEXT - len(text("ping", {"x": ""}))
    assert parse(text("ping", {"x": "a" * room})).type == "ping"
    with pytest.raises(ProtocolError, match="65535"):
        parse(text("ping", {"x": "a" * (room + 1)}))


def test_no_refusal_repeats_what_came() -> None:
    """Neither values nor the names of members that only the sender chose."""
    secret = "+81312345678"
    for bad in (
        text("open", {**OPEN, "conversationId": secret}),
        text(secret),
        text("close", {"reason": secret}),
        json.dumps({secret: secret}),
        secret,
    ):
        with pytest.raises(ProtocolError) as refused:
            parse(bad)
        assert secret not in str(refused.value)
        assert "312345" not in str(refused.value)
        assert refused.value.__cause__ is None


def test_numbers_of_people_are_not_shown() -> None:
    assert "555" not in repr(parse(text("open", OPEN)))


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_any_json_is_read_or_refused(value: object) -> None:
    for body in (json.dumps(value), text("open", parameters=value), text("resumed", parameters=value)):  # type: ignore[arg-type]
        with pytest.raises(ProtocolError):
            parse(body)


@given(st.text())
def test_any_text_is_read_or_refused(body: str) -> None:
    with pytest.raises(ProtocolError):
        parse(body)


def media(form: str, *channels: str, **changes: Any) -> dict[str, Any]:
    return {"type": "audio", "format": form, "channels": list(channels), "rate": 8000, **changes}


@pytest.mark.parametrize(
    ("offered", "chosen"),
    [
        ([media("L16", "external"), media("PCMU", "external", "internal")], 1),
        ([media("L16", "external", "internal"), media("PCMU", "external")], 0),
        ([media("L16", "internal", "external"), media("PCMU", "internal", "external")], 1),
        ([media("PCMU", "internal"), media("PCMU", "external")], 0),
        ([media("opus", "external"), media("PCMU", "internal", "internal"), media("L16", "external")], 2),
        ([media("PCMU", "external", rate=16000), media("PCMU", "internal")], 1),
    ],
)
def test_both_channels_before_one_and_mulaw_before_linear(offered: list[dict[str, Any]], chosen: int) -> None:
    """And exactly one that was offered, as it was offered."""
    assert choose(offered).model_dump() == offered[chosen]


@pytest.mark.parametrize("offered", [[], [media("opus", "external")], [{}], [media("PCMU")]])
def test_nothing_that_can_be_recorded_is_refused(offered: list[dict[str, Any]]) -> None:
    with pytest.raises(ProtocolError, match="PCMU or L16"):
        choose(offered)


def test_durations_are_exact_samples() -> None:
    message = parse(text("resumed", {"start": "PT.5S", "discarded": "PT1.500062499999S"}))
    assert isinstance(message, Resumed)
    assert samples(message.parameters.start, 8000) == 4000
    assert samples(message.parameters.discarded, 8000) == 12000
    assert samples(Decimal("0.000125"), 8000) == 1


@pytest.mark.parametrize("shown", ["PT1.0000000000000007S", "PT0.30000000000000004S", "PT86400S"])
def test_durations_may_be_as_long_as_a_number_is_shown(shown: str) -> None:
    """As JavaScript writes them."""
    assert parse(text("ping", position=shown)).position == Decimal(shown[2:-1])


def test_both_sides_count() -> None:
    exchange = Exchange(SESSION)
    exchange.heard(parse(text("ping", seq=1)))
    first, second = json.loads(exchange.say("opened", {"media": []})), json.loads(exchange.say("pong"))
    assert (first["seq"], second["seq"], second["clientseq"]) == (1, 2, 1)
    assert first["version"] == "2"
    assert first["id"] == str(SESSION)
    assert second["parameters"] == {}
    exchange.heard(parse(text("ping", seq=2, serverseq=2)))


@pytest.mark.parametrize(
    "changes",
    [{"seq": 1}, {"seq": 3}, {"seq": 0}, {"seq": 2, "serverseq": 2}, {"seq": 2, "id": str(UUID(int=5))}],
    ids=["repeated", "jumped", "backwards", "answers what was not said", "another session"],
)
def test_numbers_that_do_not_fit_are_refused(changes: dict[str, Any]) -> None:
    exchange = Exchange(SESSION)
    exchange.heard(parse(text("ping", seq=1)))
    exchange.say("pong")
    with pytest.raises(ProtocolError):
        exchange.heard(parse(text("ping", **changes)))
