"""What is not a token in every way is one in none."""

from __future__ import annotations

import base64
import json

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from oidc_support import PRIVATE, assembled, claims, segment, token, why_refused
from otokura.access.oidc.tokens import MAX_BYTES, issuer_named

NO_TEXT = b'{"iss": "\xff"}'
HEADER = {"kid": "rsa", "typ": "at+jwt", "alg": "RS256"}


def signed_text(body: str, header: str | None = None) -> str:
    """A good signature over JSON that is not what it seems."""
    unsigned = assembled(header or json.dumps(HEADER), body).rstrip(".")
    signature = jwt.get_algorithm_by_name("RS256").sign(unsigned.encode(), PRIVATE["rsa"])
    return f"{unsigned}.{segment(signature)}"


def odd_tokens() -> dict[str, str]:
    good, text = token(), json.dumps(claims())
    head, body, signature = good.split(".")
    twice = json.dumps(HEADER)[:-1]
    detached = segment(json.dumps({**HEADER, "b64": False, "crit": ["b64"]}).encode())
    return {
        "a member twice": signed_text(text[:-1] + ', "sub": "admin"}'),
        "a header twice": signed_text(text, twice + ', "alg": "none"}'),
        "a deep member": signed_text(text[:-1] + ', "x": ' + "[" * 5000 + "]" * 5000 + "}"),
        "not a number": signed_text(text[:-1] + ', "x": NaN}'),
        "no object": signed_text("[]"),
        "no JSON": signed_text("{"),
        "no UTF-8": f"{head}.{segment(NO_TEXT)}.{signature}",
        "nothing": "",
        "one part": head,
        "two parts": f"{head}.{body}",
        "four parts": f"{good}.{signature}",
        "five parts, as JWE has": f"{head}.{body}.{signature}.{signature}.{signature}",
        "padding": f"{head}=.{body}.{signature}",
        "junk in base64": f"{head}.{body[:10]}!!!!{body[10:]}.{signature}",
        "a line end": f"{head}\n.{body}.{signature}",
        "standard base64": f"{head}.{base64.b64encode(text.encode() + b'???>>>').decode()}.{signature}",
        "JSON serialisation": json.dumps({"payload": body, "protected": head, "signature": signature}),
        "too long": token(x="x" * MAX_BYTES),
        "far too long": "a" * 1_000_000,
        "detached": f"{detached}..{signature}",
    }


@pytest.mark.guarantee("P10")
@pytest.mark.parametrize("name", odd_tokens())
async def test_what_is_no_token_in_one_way_only_is_refused(name: str) -> None:
    assert await why_refused(odd_tokens()[name]) in ("malformed", "size", "header", "audience", "issuer")


async def test_a_token_with_one_letter_changed_is_refused() -> None:
    for key in PRIVATE:
        good = token(key)
        for position in range(0, len(good) - 1, 5):
            other = "A" if good[position] != "A" else "B"
            await why_refused(good[:position] + other + good[position + 1 :])


@given(text=st.text() | st.from_regex(r"[A-Za-z0-9_-]{0,40}\.[A-Za-z0-9_-]{0,40}\.[A-Za-z0-9_-]{0,40}"))
async def test_junk_is_refused_and_nothing_else(text: str) -> None:
    issuer_named(text)
    await why_refused(text)
