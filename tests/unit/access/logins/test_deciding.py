"""Passwords, codes and tries."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otokura.access.logins import lockout, passwords, refresh_tokens, second_factor
from otokura.access.logins.lockout import Failures
from otokura.shared.errors import Unprocessable

RFC6238 = b"12345678901234567890"


def test_a_password_is_kept_as_argon2id_and_known_again() -> None:
    kept = passwords.hashed("correct horse battery staple")
    assert kept.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert passwords.matches("correct horse battery staple", kept)
    assert not passwords.matches("correct horse battery stapler", kept)
    assert kept != passwords.hashed("correct horse battery staple")


def test_nobody_has_no_password_and_not_the_empty_one_either() -> None:
    assert not passwords.matches("", None)
    assert not passwords.matches("correct horse battery staple", None)


def test_the_input_method_makes_no_difference() -> None:
    assert passwords.matches("ｶﾀｶﾅのﾊﾟｽﾜｰﾄﾞ１２", passwords.hashed("カタカナのパスワード12"))


@pytest.mark.parametrize(
    ("password", "told"),
    [
        ("short", "12 to 128"),
        ("a" * 129, "12 to 128"),
        ("abababababab", "repeats"),
        ("hanako-and-more-letters", "your name"),
        ("ＨＡＮＡＫＯ-and-more-letters", "your name"),
        ("私の会社はみどり通販です株式", "your name"),
        ("山田という者ですよろしく", "your name"),
        ("password1234", "tried first"),
        ("P@ssw0rd!2026", "tried first"),
        ("welcome welcome", "tried first"),
        ("１２３４５６７８９０１２", "tried first"),
        ("1q2w3e4r5t6y", "tried first"),
    ],
)
def test_what_is_easily_guessed_is_refused(password: str, told: str) -> None:
    with pytest.raises(Unprocessable, match=told):
        passwords.check(password, "Hanako", "山田", "みどり通販", "x")


@pytest.mark.parametrize(
    "password",
    ["長い合言葉は覚えやすいです", "all lower case is fine", "a summer without rain", "740219563184"],
)
def test_nothing_else_is_asked_of_a_password(password: str) -> None:
    """NIST SP 800-63B-4 §3.1.1.2: no rules of composition."""
    passwords.check(password, "Hanako", "Al", "林")


@pytest.mark.parametrize(
    ("seconds", "code"),
    [(59, "287082"), (1111111109, "081804"), (1234567890, "005924"), (20000000000, "353130")],
)
def test_codes_are_those_of_rfc_6238(seconds: int, code: str) -> None:
    """Appendix B, the last six digits."""
    at = datetime.fromtimestamp(seconds, UTC)
    assert second_factor.step_of(RFC6238, code, at, -1) == seconds // 30
    assert second_factor.step_of(RFC6238, f"{code[:3]} {code[3:]}", at, -1) == seconds // 30


def test_a_code_is_good_for_a_moment_and_once() -> None:
    at = datetime.fromtimestamp(1234567890, UTC)
    for late, good in ((-61, False), (-30, True), (0, True), (30, True), (61, False)):
        step = second_factor.step_of(RFC6238, "005924", at + timedelta(seconds=late), -1)
        assert (step == 1234567890 // 30) is good
    assert second_factor.step_of(RFC6238, "005924", at, 1234567890 // 30) is None
    assert second_factor.step_of(RFC6238, "005924", at, 1234567890 // 30 - 1) is not None


@pytest.mark.parametrize("code", ["", "00592", "0059244", "abcdef", "００５９２４", "005925"])
def test_what_is_no_code_is_none(code: str) -> None:
    assert second_factor.step_of(RFC6238, code, datetime.fromtimestamp(1234567890, UTC), -1) is None


def test_an_app_reads_what_it_is_shown() -> None:
    uri = second_factor.provisioning_uri(RFC6238, "hanako@midori.example", "みどり通販")
    assert uri.startswith("otpauth://totp/")
    assert "secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ" in uri
    assert second_factor.key_of(b"k" * 32) != second_factor.key_of(b"l" * 32)


@pytest.mark.guarantee("P4")
@given(st.integers(0, 100), st.integers(0, 10_000))
def test_whatever_others_do_the_owner_gets_in_from_where_they_usually_are(here: int, unknown: int) -> None:
    everything = {"here": here, "unknown": unknown, "unknown_today": unknown + 50}
    assert lockout.may_try(Failures(**everything, known=True)) is (here < lockout.HERE)
    elsewhere = lockout.may_try(Failures(here=here, unknown=unknown, known=False))
    assert elsewhere is (here < lockout.HERE and unknown < lockout.ELSEWHERE)


def test_who_guesses_all_day_has_a_hundred_tries() -> None:
    assert lockout.may_try(Failures(here=0, unknown=0, known=False, unknown_today=99))
    assert not lockout.may_try(Failures(here=0, unknown=0, known=False, unknown_today=100))


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("203.0.113.7", "203.0.113.7", True),
        ("203.0.113.7", "203.0.113.8", False),
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9", True),
        ("2001:db8:1:2::1", "2001:db8:1:3::1", False),
    ],
)
def test_one_customer_is_one_network(one: str, other: str, same: bool) -> None:
    networks = {lockout.network_of(ip_address(address)) for address in (one, other)}
    assert (len(networks) == 1) is same


def test_an_address_that_cannot_be_told_is_a_network_of_its_own() -> None:
    assert lockout.network_of(None) == "unknown"


@given(st.uuids())
def test_a_refresh_token_is_read_as_it_was_made_and_followed_by_another_of_its_family(session: UUID) -> None:
    token = refresh_tokens.first(session)
    assert refresh_tokens.parse(token.text) == token
    after = token.next()
    assert (after.session_id, after.family) == (session, token.family)
    assert after.once != token.once
    assert not any(secret in repr(token) for secret in (token.family, token.once))


@pytest.mark.parametrize(
    "text",
    ["", "ort_", "ort_x.y.z", "ort_" + "0" * 32, "otk_" + "0" * 32 + ".a.b", "ort_" + "0" * 32 + ".a.b.c"],
)
def test_what_is_no_refresh_token_is_none(text: str) -> None:
    assert refresh_tokens.parse(text) is None
