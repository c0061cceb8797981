from __future__ import annotations

from uuid import uuid4

import pytest

from otokura.shared import api_keys


def test_a_key_names_its_client_and_matches_its_own_hash_only() -> None:
    client = uuid4()
    key, other = api_keys.new_api_key(client), api_keys.new_api_key(client)
    assert key != other
    assert api_keys.parse(key) == client
    assert api_keys.matches(key, api_keys.hash_api_key(key))
    assert not api_keys.matches(other, api_keys.hash_api_key(key))


@pytest.mark.parametrize("hashed", ["", "é", "0" * 64])
def test_a_hash_that_is_none_matches_nothing(hashed: str) -> None:
    assert not api_keys.matches(api_keys.new_api_key(uuid4()), hashed)


@pytest.mark.parametrize(
    "change", [str.upper, lambda key: key + "a", lambda key: key[:-1], lambda key: key + "\n"]
)
def test_what_has_not_the_form_of_a_key_names_no_client(change: object) -> None:
    assert callable(change)
    assert api_keys.parse(change(api_keys.new_api_key(uuid4()))) is None


@pytest.mark.parametrize("text", ["", "otk_", "otk_" + "g" * 32 + "_" + "a" * 43, "é" * 80])
def test_other_text_names_no_client(text: str) -> None:
    assert api_keys.parse(text) is None
