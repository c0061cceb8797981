"""The headers of tus: whatever they hold, they are understood or refused in words."""

from __future__ import annotations

import base64
import hashlib
from contextlib import suppress
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otokura.ingest.uploads import tus
from otokura.ingest.uploads.errors import ChecksumMismatch, UnsupportedChecksum, WrongUploadMedia
from otokura.shared.errors import BadRequest

BODY = b"some bytes of a recording"
HEADERS = st.one_of(st.text(), st.text(alphabet="abc sha1256,=+/-0123456789"))


def header(algorithm: str, digest: bytes) -> str:
    return f"{algorithm} {base64.b64encode(digest).decode()}"


@pytest.mark.parametrize(("text", "number"), [("0", 0), ("42", 42), ("007", 7), ("9" * 18, 10**18 - 1)])
def test_a_number_of_bytes(text: str, number: int) -> None:
    assert tus.count("Upload-Length", text) == number


@pytest.mark.parametrize("text", [None, "", "-1", "+1", "1.0", "1e3", " 1", "1 ", "٣", "9" * 19])
def test_what_is_no_number_of_bytes(text: str | None) -> None:
    with pytest.raises(BadRequest, match="Upload-Length"):
        tus.count("Upload-Length", text)


@pytest.mark.parametrize("text", ["filename", "filename d29ybGQ=", "a YQ==,b,c Yw==", "a YQ==, b", "k" * 99])
def test_metadata_as_clients_send_it(text: str) -> None:
    tus.check_metadata(text)


@pytest.mark.parametrize(
    "text", ["", ",", "a,", "a a!", "a YQ=", "a YQ==,a", "a  YQ== ", "ключ YQ==", "a b c"]
)
def test_metadata_as_nobody_may_send_it(text: str) -> None:
    with pytest.raises(BadRequest, match="Upload-Metadata"):
        tus.check_metadata(text)


@pytest.mark.parametrize("algorithm", tus.CHECKSUM_ALGORITHMS.split(","))
def test_a_checksum_holds_or_does_not(algorithm: str) -> None:
    """However the body is cut."""
    checksum = tus.Checksum(header(algorithm, hashlib.new(algorithm, BODY).digest()))
    checksum.update(BODY[:7])
    with pytest.raises(ChecksumMismatch):
        checksum.check()
    checksum.update(BODY[7:])
    checksum.check()


@pytest.mark.parametrize("text", ["", "sha1", "md5 AAAA", "sha1 AAAA", "SHA1 AAAA", "sha256 ????", "sha256"])
def test_what_is_no_checksum(text: str) -> None:
    with pytest.raises(UnsupportedChecksum):
        tus.Checksum(text)


@pytest.mark.parametrize("value", [None, "", "application/json", "application/offset+octet-streams"])
def test_bytes_are_declared_as_bytes(value: str | None) -> None:
    tus.check_media_type("Application/Offset+Octet-Stream; charset=binary")
    with pytest.raises(WrongUploadMedia):
        tus.check_media_type(value)


def test_a_time_is_written_as_http_writes_it() -> None:
    tokyo = datetime(2026, 11, 24, 9, 5, 7, tzinfo=timezone(timedelta(hours=9)))
    assert tus.expires(tokyo) == "Tue, 24 Nov 2026 00:05:07 GMT"
    assert tus.expires(datetime(2026, 1, 1, tzinfo=UTC)) == "Thu, 01 Jan 2026 00:00:00 GMT"


@given(HEADERS)
def test_no_header_makes_anything_but_a_refusal(text: str) -> None:
    understand = (lambda: tus.count("X", text), lambda: tus.check_metadata(text), lambda: tus.Checksum(text))
    for attempt in understand:
        with suppress(BadRequest):
            attempt()
