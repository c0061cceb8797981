"""Entity tags of pages."""

from __future__ import annotations

import pytest

from otokura.shared.entity_tags import entity_tag, is_known

TAG = entity_tag(b"page")


def test_another_content_has_another_tag() -> None:
    assert TAG == entity_tag(b"page") != entity_tag(b"page ")


@pytest.mark.parametrize(
    ("header", "known"),
    [
        (TAG, True),
        (f"W/{TAG}", True),
        (f'"other" , W/{TAG}', True),
        ('"other"', False),
        (TAG.strip('"'), False),
        ("", False),
        (None, False),
    ],
)
def test_a_browser_names_what_it_has(header: str | None, known: bool) -> None:
    assert is_known(TAG, header) is known
