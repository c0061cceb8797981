"""What a subscription may say, and the broker's lists that follow from it."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest
from pydantic import ValidationError

from otokura.access.feeds.acls import Operation, Pattern, Resource, wanted
from otokura.access.feeds.views import FeedBody, FeedChange, Redaction
from otokura.shared.feeds import topic_of

BODY: dict[str, Any] = {"name": "Voice", "purpose": "quality", "principals": ["User:analytics"]}


def test_a_feed_is_redacted_and_without_live_text_unless_it_asks() -> None:
    body = FeedBody.model_validate(BODY)
    assert (body.redaction, body.partials, sorted(body.fields)) == (
        Redaction.REDACTED,
        False,
        ["call", "turns"],
    )


@pytest.mark.parametrize(
    "wrong",
    [
        {"principals": ["User:*"]},
        {"principals": ["Group:all"]},
        {"principals": ["analytics"]},
        {"principals": ["User:a\nUser:b"]},
        {"principals": []},
        {"fields": []},
        {"fields": ["audio"]},
        {"fields": ["words"]},
        {"purpose": "Any Thing"},
        {"redaction": "none"},
        {"name": ""},
        {"name": "two\nlines"},
        {"tenant_id": str(UUID(int=1))},
    ],
    ids=str,
)
def test_a_feed_that_makes_no_sense_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        FeedBody.model_validate(BODY | wrong)


@pytest.mark.parametrize(
    "wrong", [{"name": None}, {"enabled": None}, {"fields": ["words"]}, {"topic": "x"}], ids=str
)
def test_a_change_that_makes_no_sense_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        FeedChange.model_validate(wrong)


def test_a_readers_lines_name_one_topic_and_the_groups_that_begin_like_it() -> None:
    topic = topic_of(UUID(int=1), UUID(int=2))
    lines = wanted(topic, ["User:a", "User:b"])
    assert {line.name for line in lines} == {topic}
    assert {(line.resource, line.pattern) for line in lines} == {
        (Resource.TOPIC, Pattern.LITERAL),
        (Resource.GROUP, Pattern.PREFIXED),
    }
    assert {line.operation for line in lines} == {Operation.READ, Operation.DESCRIBE}
    assert {line.principal for line in lines} == {"User:a", "User:b"}
    assert wanted(topic, []) == frozenset()


def test_no_feeds_groups_begin_with_another_feeds_name() -> None:
    """Topics' names are of one length, so that none is the beginning of another."""
    names = {topic_of(UUID(int=tenant), UUID(int=feed)) for tenant in (1, 16) for feed in (1, 16, 2**127)}
    assert len({len(name) for name in names}) == 1
