"""A call's text while it lasts: gated and written down like any read, and over when it must be."""

from __future__ import annotations

from typing import Any

import pytest

from access_live import Live, events, live_call, texts
from access_service import ELSEWHERE, Access, Person, Tenant

pytestmark = [pytest.mark.postgres, pytest.mark.s3, pytest.mark.kafka, pytest.mark.any_broker]
QUALITY = {"purpose": "quality"}


@pytest.fixture
def live(access: Access, tenant: Tenant) -> Live:
    return live_call(access, tenant)


@pytest.fixture
def supervisor(tenant: Tenant) -> Person:
    return tenant.person("supervisor")


@pytest.mark.guarantee("T47")
def test_text_comes_as_it_is_said_and_the_read_is_written_down(
    access: Access, live: Live, supervisor: Person
) -> None:
    """One opened entry before the first word, one closed entry with what was sent after the last."""
    live.say(1, (0, "もしもし", False))
    with (
        access.client(supervisor.token) as client,
        client.stream("GET", live.path, params=QUALITY) as response,
    ):
        assert response.status_code == 200
        assert response.headers["Content-Type"].startswith("text/event-stream")
        assert response.headers["Cache-Control"] == "private, no-store"
        entry_id = response.headers["Otokura-Entry-Id"]
        stream = events(response.iter_lines())
        name, data, event_id = next(stream)
        assert (name, texts(data), event_id) == ("partial", [("もしもし", False)], "1.1")
        live.say(3, (0, "もしもし。", True), (900, "田中", False))
        assert texts(next(stream)[1]) == [("もしもし。", True), ("田中", False)]
        live.say(2, (0, "古い", True))
        live.say(4, (0, "もしもし。", True), (900, "[name]です", False))
        assert texts(next(stream)[1]) == [("[name]です", False)]
    opened = access.audit.of([entry_id])[entry_id]
    assert (opened["action"], opened["detail"]["kind"]) == ("read.opened", "live-transcript")
    closed = access.audit.closed(entry_id)["detail"]
    assert closed["outcome"] == "aborted"
    assert closed["bytes_sent"] > 0


@pytest.mark.guarantee("T95")
@pytest.mark.parametrize(
    ("role", "about"),
    [
        ("analyst", {}),
        ("agent", {"agent_ids": ["2041"]}),
        ("supervisor", {}),
        ("supervisor", {"team": "tokyo"}),
        ("evidence-officer", {}),
    ],
)
def test_who_may_read_redacted_text_may_follow_a_call(
    access: Access, live: Live, tenant: Tenant, role: str, about: dict[str, Any]
) -> None:
    """An analyst as well as those who may read all of it; the entry says that it was the redacted view."""
    if "team" in about:
        tenant.person("agent", agent_ids=["2041"], **about)
    who = tenant.person(role, **about)
    live.say(1, (0, "番号は[card-number]です。", True))
    with (
        access.client(who.token) as client,
        client.stream("GET", live.path, params=QUALITY | {"reason": "case 7"}) as response,
    ):
        assert response.status_code == 200
        entry_id = response.headers["Otokura-Entry-Id"]
        assert texts(next(events(response.iter_lines()))[1]) == [("番号は[card-number]です。", True)]
    detail = access.audit.of([entry_id])[entry_id]["detail"]
    assert (detail["action"], detail["view"]) == ("read-redacted", "redacted")
    assert access.audit.closed(entry_id)["detail"]["outcome"] == "aborted"


@pytest.mark.guarantee("T95")
def test_an_analyst_who_followed_a_call_still_has_no_raw_text(
    access: Access, live: Live, tenant: Tenant
) -> None:
    """What takes the place of live text says in which view it is theirs."""
    live.complete()
    analyst = tenant.person("analyst")
    with access.client(analyst.token) as client:
        with client.stream("GET", live.path, params=QUALITY) as response:
            [(name, where, _)] = events(response.iter_lines())
        raw = client.get(where["transcript"], params=QUALITY)
    assert (name, where["view"], raw.status_code) == ("completed", "redacted", 403)


@pytest.mark.guarantee("T47")
def test_who_may_not_read_the_redacted_transcript_may_not_read_it_live(
    access: Access, live: Live, supervisor: Person, tenant: Tenant
) -> None:
    """Not from elsewhere, not for another purpose, not in another role, not of another tenant."""
    live.say(1, (0, "もしもし", False))
    stranger = access.tenant().person("supervisor")
    auditor = tenant.person("auditor")
    attempts = [
        (supervisor.token, QUALITY, ELSEWHERE, 403),
        (supervisor.token, {"purpose": "marketing"}, None, 403),
        (auditor.token, QUALITY, None, 403),
        (stranger.token, QUALITY, None, 404),
    ]
    for token, params, address, status in attempts:
        place = {"address": address} if address else {}
        with access.client(token, **place) as client:
            answer = client.get(live.path, params=params)
        assert (answer.status_code, "もしもし" in answer.text) == (status, False)


@pytest.mark.guarantee("T47")
def test_live_text_ends_when_the_permission_does(
    access: Access, live: Live, supervisor: Person, tenant: Tenant
) -> None:
    """A reader who is removed while they read is told so, and nothing more."""
    live.say(1, (0, "もしもし", False))
    with (
        access.client(supervisor.token) as client,
        client.stream("GET", live.path, params=QUALITY) as response,
    ):
        entry_id = response.headers["Otokura-Entry-Id"]
        stream = events(response.iter_lines())
        assert next(stream)[0] == "partial"
        with access.client(tenant.admin) as admin:
            assert admin.delete(f"/v1/principals/{supervisor.id}").status_code == 204
        assert next(stream)[:2] == ("ended", {"reason": "revoked"})
        assert next(stream, None) is None
    assert access.audit.closed(entry_id)["detail"]["outcome"] == "revoked"


@pytest.mark.guarantee("T48")
def test_the_final_transcript_takes_the_place_of_live_text(
    access: Access, live: Live, supervisor: Person
) -> None:
    """The stream says where it is and ends; whoever comes later is told at once."""
    live.say(1, (0, "もしもし", False))
    with access.client(supervisor.token) as client:
        with client.stream("GET", live.path, params=QUALITY) as response:
            entry_id = response.headers["Otokura-Entry-Id"]
            stream = events(response.iter_lines())
            assert next(stream)[0] == "partial"
            live.complete()
            expected = {"transcript": f"/v1/calls/{live.call_id}/transcript", "view": "redacted"}
            assert next(stream)[:2] == ("completed", expected)
            assert next(stream, None) is None
        with client.stream("GET", live.path, params=QUALITY) as response:
            assert [name for name, _, _ in events(response.iter_lines())] == ["completed"]
    assert access.audit.closed(entry_id)["detail"]["outcome"] == "complete"


def test_a_reader_who_was_cut_off_goes_on_after_what_they_have(
    access: Access, live: Live, supervisor: Person
) -> None:
    """`Last-Event-ID` leaves out what came before; text of a worker that took over counts as newer."""
    live.say(1, (0, "一つ目", True))
    live.say(2, (900, "二つ目", True), epoch=2, since=1)
    with access.client(supervisor.token) as client:
        with client.stream("GET", live.path, params=QUALITY) as response:
            stream, found = events(response.iter_lines()), list[tuple[str, bool]]()
            while len(found) < 2:
                found += texts(next(stream)[1])
            assert found == [("一つ目", True), ("二つ目", True)]
        live.say(3, (1800, "三つ目", False), epoch=2, since=2)
        headers = {"Last-Event-ID": "2.2"}
        with client.stream("GET", live.path, params=QUALITY, headers=headers) as response:
            assert texts(next(events(response.iter_lines()))[1]) == [("三つ目", False)]
