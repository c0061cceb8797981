"""A grant of a stretch of time: what lies in it is heard to the sample, and nothing else by any trick."""

from __future__ import annotations

import numpy as np
import pytest

from access_calls import Call
from access_grants import give, read
from access_service import Access, Person, Tenant
from otokura.shared.ids import uuid7
from redacted_calls import RATE, Hidden, flac, noise, recorded, wav_samples, without

pytestmark = [pytest.mark.postgres, pytest.mark.s3, pytest.mark.kafka, pytest.mark.any_broker]
SAID = noise(60)
HIDDEN: Hidden = [(1, 1000, 2000), (0, 9500, 10_500), (1, 12_000, 13_000)]
START_MS, END_MS = 10_001, 14_999
FIRST, STOP = 80_008, 119_992
SIZE = 44 + (STOP - FIRST) * 4


@pytest.fixture
def call(tenant: Tenant) -> Call:
    return recorded(tenant, flac(SAID), HIDDEN, samples=len(SAID))


@pytest.fixture
def lead(tenant: Tenant) -> Person:
    return tenant.person("supervisor")


@pytest.fixture
def analyst(tenant: Tenant) -> Person:
    return tenant.person("analyst")


@pytest.mark.guarantee("R22")
@pytest.mark.parametrize("origin", ["live", "upload"])
def test_a_stretch_is_heard_to_the_sample_raw_and_redacted(
    access: Access, tenant: Tenant, lead: Person, analyst: Person, origin: str
) -> None:
    call = recorded(tenant, flac(SAID), HIDDEN, samples=len(SAID), origin=origin)
    both = ["listen", "listen-redacted"]
    grant = give(access, lead, analyst, call, what=both, start_ms=START_MS, end_ms=END_MS, listenings=2)
    raw = read(access, analyst, call, grant)
    assert (raw.status_code, raw.headers["Content-Type"], len(raw.content)) == (200, "audio/wav", SIZE)
    assert np.array_equal(wav_samples(raw.content), SAID[FIRST:STOP])
    redacted = read(access, analyst, call, grant, view="redacted")
    assert np.array_equal(wav_samples(redacted.content), without(SAID, HIDDEN)[FIRST:STOP])
    assert raw.headers["ETag"] != redacted.headers["ETag"]
    [opened] = access.audit.entries(entry_id=raw.headers["Otokura-Entry-Id"])
    assert opened["detail"]["samples"] == {"first": FIRST, "stop": STOP}
    assert opened["detail"]["range"]["size"] == SIZE


@pytest.mark.guarantee("R22")
@pytest.mark.parametrize(
    ("part", "start", "stop"),
    [
        ("bytes=0-43", 0, 44),
        ("bytes=0-44", 0, 45),
        ("bytes=40-4099", 40, 4100),
        ("bytes=44-47", 44, 48),
        ("bytes=77777-77777", 77_777, 77_778),
        ("bytes=-1", SIZE - 1, SIZE),
        ("bytes=-9999999", 0, SIZE),
        ("bytes=100000-", 100_000, SIZE),
        (f"bytes={SIZE - 2}-99999999999999999999999", SIZE - 2, SIZE),
        ("bytes=0-9,20-29", 0, SIZE),
        ("bytes=0-9,99999999-", 0, SIZE),
        ("bytes=9-0", 0, SIZE),
        ("samples=0-9", 0, SIZE),
    ],
)
def test_a_range_is_one_of_the_stretch(
    access: Access, lead: Person, analyst: Person, call: Call, part: str, start: int, stop: int
) -> None:
    """Suffixes, several ranges (answered with the whole stretch), and ends beyond the end."""
    grant = give(access, lead, analyst, call, start_ms=START_MS, end_ms=END_MS, listenings=2)
    whole = read(access, analyst, call, grant).content
    answer = read(access, analyst, call, grant, part=part)
    single = "," not in part and part not in ("bytes=9-0", "samples=0-9")
    assert answer.status_code == (206 if single else 200)
    assert answer.content == whole[start:stop]
    assert np.array_equal(wav_samples(whole), SAID[FIRST:STOP])


@pytest.mark.guarantee("R22")
@pytest.mark.parametrize("part", [f"bytes={SIZE}-", "bytes=200000-210000", "bytes=-0", f"bytes={10**30}-"])
def test_a_range_outside_of_the_stretch_is_refused_and_uses_nothing(
    access: Access, lead: Person, analyst: Person, call: Call, part: str
) -> None:
    grant = give(access, lead, analyst, call, start_ms=START_MS, end_ms=END_MS)
    answer = read(access, analyst, call, grant, part=part)
    assert answer.status_code == 416
    assert answer.headers["Content-Range"] == f"bytes */{SIZE}"
    assert read(access, analyst, call, grant).status_code == 200


@pytest.mark.guarantee("R22")
def test_a_stretch_ends_with_the_recording_and_one_behind_it_is_not_there(
    access: Access, tenant: Tenant, lead: Person, analyst: Person, call: Call
) -> None:
    grant = give(access, lead, analyst, call, start_ms=59_000, end_ms=90_000)
    assert np.array_equal(wav_samples(read(access, analyst, call, grant).content), SAID[59 * RATE :])
    # The grant was made while the call still lasted: its length was not known.
    unsealed = recorded(tenant, flac(SAID), [], samples=len(SAID))
    [row] = access.query("SELECT manifest::text AS told FROM calls WHERE call_id = :id", id=unsealed.id)
    access.query("UPDATE calls SET manifest = NULL WHERE call_id = :id", id=unsealed.id)
    early = give(access, lead, analyst, unsealed, start_ms=61_000, end_ms=70_000)
    assert read(access, analyst, unsealed, early).status_code == 409
    access.query(
        "UPDATE calls SET manifest = cast(:told AS jsonb) WHERE call_id = :id", id=unsealed.id, told=row.told
    )
    refused = read(access, analyst, unsealed, early, read_id=str(uuid7()))
    assert refused.status_code == 416
    assert not [
        entry
        for entry in access.audit.entries(action="grant.used")
        if entry["detail"]["grant"] == early["id"]
    ]


@pytest.mark.guarantee("R22")
def test_a_grant_of_a_stretch_gives_no_text_and_no_other_form(
    access: Access, lead: Person, analyst: Person, call: Call
) -> None:
    grant = give(
        access, lead, analyst, call, what=["listen-redacted"], start_ms=START_MS, end_ms=END_MS, listenings=9
    )
    assert read(access, analyst, call, grant).json()["why"] == ["beyond-the-grant"]
    assert read(access, analyst, call, grant, what="transcript").json()["why"] == ["beyond-the-grant"]
    live = read(access, analyst, call, grant, what="transcript/live")
    assert live.json()["why"] == ["beyond-the-grant"]
