"""What a process counts of its reads, and what of it is news."""

from __future__ import annotations

from otokura.shared.audit_events import ReadsOfTenant
from otokura.shared.ids import uuid7
from otokura.shared.read_counts import MOST_TENANTS, ReadCounts


def test_counts_are_since_the_start_and_told_when_they_change() -> None:
    counts, one, other = ReadCounts(), uuid7(), uuid7()
    assert counts.news() == {}
    counts.serve(one)
    counts.serve(one)
    counts.drop(other)
    assert counts.news() == {
        one: ReadsOfTenant(served=2, unserved=0),
        other: ReadsOfTenant(served=0, unserved=1),
    }
    assert counts.news() == {}
    counts.serve(one)
    assert counts.news() == {one: ReadsOfTenant(served=3, unserved=0)}


def test_many_tenants_are_told_in_pieces() -> None:
    counts = ReadCounts()
    tenants = [uuid7() for _ in range(MOST_TENANTS + 1)]
    for tenant in tenants:
        counts.serve(tenant)
    first, second = counts.news(), counts.news()
    assert (len(first), len(second)) == (MOST_TENANTS, 1)
    assert {*first, *second} == set(tenants)
    assert counts.news() == {}
