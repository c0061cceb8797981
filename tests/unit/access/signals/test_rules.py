"""What is counted of how people read, which hours are unusual, and which rules cannot be."""

from __future__ import annotations

from datetime import datetime
from ipaddress import ip_address
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from pydantic import ValidationError

from otokura.access.signals.service import Observation, network_of, outside, tally, tenants_of
from otokura.access.signals.shipped import PREFIX, rules_of, shipped
from otokura.access.tenancy.leak_rules import LeakRulesBody
from otokura.shared.events import TenantSettings
from otokura.shared.leak_rules import HoursRule

TOKYO = ZoneInfo("Asia/Tokyo")
TENANT, ME, SHE = UUID(int=1), UUID(int=2), UUID(int=3)
CALLS = [UUID(int=100 + number) for number in range(5)]
READS = [UUID(int=200 + number) for number in range(5)]


def seen(
    who: UUID = ME, call: UUID | None = None, read: UUID | None = None, tenant: UUID | None = TENANT
) -> Observation:
    return Observation(who, tenant, "203.0.113.0/24", call is None, call, read)


@pytest.mark.guarantee("R30")
def test_requests_of_one_listening_count_once() -> None:
    batch = [seen(call=CALLS[0], read=READS[0])] * 50 + [seen(call=CALLS[0], read=READS[1])]
    [one] = tally(batch).values()
    assert one.listenings == {CALLS[0]: READS[:2]}
    assert one.begun == 2
    one.went_on[CALLS[0]] = {READS[0]}
    assert one.begun == 1, "the first went on with what was there before the batch"


@pytest.mark.guarantee("R30")
def test_one_read_id_for_every_call_hides_nothing() -> None:
    [one] = tally([seen(call=call, read=READS[0]) for call in CALLS]).values()
    assert (len(one.listenings), one.begun) == (5, 5)


def test_people_are_counted_by_themselves_and_operators_not_at_all() -> None:
    batch = [seen(SHE), seen(), seen(), seen(UUID(int=9), tenant=None), seen(call=CALLS[0], read=READS[0])]
    found = tally(batch)
    assert list(found) == [ME, SHE]
    assert [one.denials for one in found.values()] == [2, 1]
    assert {tenant: list(readers) for tenant, readers in tenants_of(found).items()} == {TENANT: [ME, SHE]}


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("203.0.113.7", "203.0.113.0/24"),
        ("203.0.113.200", "203.0.113.0/24"),
        ("2001:db8:7:1::5", "2001:db8:7::/48"),
        (None, None),
    ],
)
def test_a_place_is_a_network(address: str | None, network: str | None) -> None:
    assert network_of(ip_address(address) if address else None) == network


def hours(opens: str, closes: str, *days: int) -> HoursRule:
    return HoursRule(
        id="h",
        kind="hours",
        time_zone="Asia/Tokyo",
        opens=opens,
        closes=closes,
        days=days or tuple(range(1, 8)),
    )


@pytest.mark.guarantee("R30")
@pytest.mark.parametrize(
    ("rule", "at", "unusual"),
    [
        (hours("09:00", "18:00"), "2026-05-01 08:59", True),
        (hours("09:00", "18:00"), "2026-05-01 09:00", False),
        (hours("09:00", "18:00"), "2026-05-01 17:59", False),
        (hours("09:00", "18:00"), "2026-05-01 18:00", True),
        (hours("09:00", "18:00", 1, 2, 3, 4, 5), "2026-05-02 12:00", True),
        (hours("22:00", "06:00"), "2026-05-01 23:00", False),
        (hours("22:00", "06:00"), "2026-05-01 05:59", False),
        (hours("22:00", "06:00"), "2026-05-01 06:00", True),
        # The shift of Friday (5) lasts until Saturday morning; there is none on Saturday evening.
        (hours("22:00", "06:00", 5), "2026-05-02 05:00", False),
        (hours("22:00", "06:00", 5), "2026-05-02 23:00", True),
        (hours("22:00", "06:00", 5), "2026-05-01 05:00", True),
    ],
)
def test_hours_are_those_of_the_companys_clock(rule: HoursRule, at: str, unusual: bool) -> None:
    local = datetime.fromisoformat(at).replace(tzinfo=TOKYO)
    assert outside(rule, local) is unusual
    assert outside(rule, local.astimezone(ZoneInfo("UTC"))) is unusual


@pytest.mark.guarantee("R32")
def test_the_shipped_rules_can_be_read_and_turned_off_and_added_to() -> None:
    own = {"id": "mine", "kind": "volume", "at_least": 5, "minutes": 1, "pause": True}
    off = shipped()[0].id
    assert all(rule.id.startswith(PREFIX) and not rule.pause for rule in shipped())
    settings = TenantSettings.model_validate({"leak_rules": {"add": [own], "disable": [off]}})
    names = [rule.id for rule in rules_of(settings.model_dump(mode="json"))]
    assert names == [*(rule.id for rule in shipped()[1:]), "mine"]
    assert rules_of({}) == list(shipped()), "settings from before there were such rules"
    for rule in shipped():
        assert not isinstance(rule, HoursRule) or outside(rule, datetime.now(TOKYO).replace(hour=3))


COUNT: dict[str, Any] = {"id": "mine", "kind": "breadth", "at_least": 5, "minutes": 60}
HOURS: dict[str, Any] = {
    "id": "late",
    "kind": "hours",
    "time_zone": "Asia/Tokyo",
    "opens": "09:00",
    "closes": "18:00",
}


@pytest.mark.guarantee("R32")
@pytest.mark.parametrize(
    "rules",
    [
        {"add": [COUNT | {"id": "otokura.mine"}]},
        {"add": [COUNT, COUNT]},
        {"add": [COUNT | {"kind": "mood"}]},
        {"add": [COUNT | {"at_least": 0}]},
        {"add": [COUNT | {"minutes": 1441}]},
        {"add": [COUNT | {"opens": "09:00"}]},
        {"add": [COUNT | {"again_minutes": 0}]},
        {"add": [{"id": "x", "kind": "breadth"}]},
        {"add": [HOURS | {"time_zone": "Asia/Edo"}]},
        {"add": [HOURS | {"time_zone": "../../etc/passwd"}]},
        {"add": [HOURS | {"opens": "24:00"}]},
        {"add": [HOURS | {"closes": "09:00"}]},
        {"add": [HOURS | {"days": []}]},
        {"add": [HOURS | {"days": [0]}]},
        {"add": [{"id": "x", "kind": "new-place", "known": 0}]},
        {"disable": ["otokura.moods"]},
        {"rules": []},
    ],
)
def test_rules_that_cannot_work_are_refused(rules: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        LeakRulesBody.model_validate(rules)


@pytest.mark.guarantee("R32")
def test_rules_that_can_are_taken() -> None:
    place = {"id": "x", "kind": "new-place", "known": 3, "pause": True}
    body = LeakRulesBody.model_validate({"add": [COUNT, HOURS, place], "disable": ["otokura.hours"]})
    assert [rule.kind for rule in body.add] == ["breadth", "hours", "new-place"]
