"""Each 2xx with content names exactly one entry, whatever is asked, and bytes imply an entry."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from access_service import ELSEWHERE, OFFICE, Access, Person, Tenant

pytestmark = [pytest.mark.postgres, pytest.mark.s3, pytest.mark.kafka]

PEOPLE = ("supervisor", "agent", "auditor", "evidence-officer")
ranges = st.one_of(
    st.none(),
    st.tuples(st.integers(0, 70_000), st.integers(0, 70_000)).map(lambda r: f"bytes={r[0]}-{r[1]}"),
    st.integers(0, 70_000).map(lambda n: f"bytes={n}-"),
    st.integers(0, 70_000).map(lambda n: f"bytes=-{n}"),
    st.sampled_from(["bytes=", "items=0-1", "bytes=0-1,5-9", "bytes=a-b", "bytes=5-1"]),
)
requests = st.fixed_dictionaries(
    {
        "who": st.sampled_from(PEOPLE),
        "address": st.sampled_from([OFFICE, OFFICE, OFFICE, ELSEWHERE]),
        "what": st.sampled_from(["audio", "audio", "transcript", ""]),
        "which": st.sampled_from(["own", "own", "other tenant", "missing", "live"]),
        "purpose": st.sampled_from(["quality", "quality", "training"]),
        "reason": st.sampled_from([None, "case 7"]),
        "range": ranges,
    }
)


class House:
    """A tenant with people and calls, and a stranger's call."""

    def __init__(self, access: Access, tenant: Tenant) -> None:
        self.access = access
        self.people: dict[str, Person] = {
            role: tenant.person(role, **({"agent_ids": ["2041"]} if role == "agent" else {}))
            for role in PEOPLE
        }
        self.own = tenant.call(audio=bytes(66_000))
        unsealed = tenant.call()
        access.query("UPDATE calls SET manifest = NULL WHERE call_id = :id", id=unsealed.id)
        self.calls = {
            "own": self.own.id,
            "other tenant": access.tenant().call().id,
            "missing": uuid4(),
            "live": unsealed.id,
        }

    def ask(self, request: dict[str, Any]) -> tuple[int, str | None, int]:
        """Status, entry id and number of bytes of the answer."""
        token = self.people[request["who"]].token
        path = f"/v1/calls/{self.calls[request['which']]}/{request['what']}".rstrip("/")
        params = {name: request[name] for name in ("purpose", "reason") if request[name]}
        headers = {"Range": request["range"]} if request["range"] else {}
        with self.access.client(token, address=request["address"]) as client:
            response = client.get(path, params=params, headers=headers)
        return response.status_code, response.headers.get("Otokura-Entry-Id"), len(response.content)


@pytest.mark.guarantee("R1")
@settings(
    max_examples=5,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(asked=st.lists(requests, min_size=20, max_size=40))
def test_each_answer_with_content_is_one_entry(access: Access, asked: list[dict[str, Any]]) -> None:
    house = House(access, access.tenant())
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(house.ask, asked))
    given_ids = Counter(entry_id for _, entry_id, _ in answers if entry_id is not None)
    entries = {entry["entry_id"]: entry for entry in access.audit.entries()}
    assert set(given_ids.values()) <= {1}
    for request, (status, entry_id, size) in zip(asked, answers, strict=True):
        assert (entry_id is not None) is (status in (200, 206)), (request, status)
        if entry_id is None:
            continue
        entry = entries[entry_id]
        assert entry["action"] == ("read.opened" if request["what"] else "calls.searched")
        assert entry["reader"] == str(house.people[request["who"]].id)
        assert entry["call_id"] == str(house.calls[request["which"]])
        assert request["which"] == "own" or (request["which"] == "live" and not request["what"])
        assert request["address"] == OFFICE
        if request["what"] == "audio":
            span = entry["detail"]["range"]
            assert size == span["stop"] - span["start"]
    readers = {str(person.id) for person in house.people.values()}
    opened = {
        e["entry_id"] for e in entries.values() if e["action"] == "read.opened" and e["reader"] in readers
    }
    told = {i for i in given_ids if entries[i]["action"] == "read.opened"}
    assert opened == told
    refused = sum(status in (403, 404) for status, _, _ in answers)
    denied = [e for e in entries.values() if e["action"] == "read.denied" and e["reader"] in readers]
    assert len(denied) == refused


@pytest.mark.guarantee("R1")
@pytest.mark.parametrize("path", ["audio?purpose=quality&reason=a%00b", "transcript?purpose=a%00", "%00"])
def test_what_no_entry_could_say_is_not_read(access: Access, path: str) -> None:
    """The log takes no U+0000: with one in the reason a read would have been served without its entry."""
    tenant = access.tenant()
    person, call = tenant.person("supervisor"), tenant.call()
    with access.client(person.token) as client:
        answer = client.get(f"/v1/calls/{call.id}/{path}")
    assert (answer.status_code, answer.json()["type"]) == (400, "urn:otokura:problem:bad-request")
    assert "Otokura-Entry-Id" not in answer.headers
    assert access.audit.entries(reader=str(person.id), action="read.opened") == []
