"""Messages between the service and its engine's process."""

from __future__ import annotations

import asyncio
import io

import pytest

from otokura.transcribe import frames

HEAD = {"do": "hear", "vocabulary": ["音蔵"]}


def test_what_was_packed_is_read() -> None:
    stream = io.BytesIO(frames.pack(HEAD, b"\x00\x01") + frames.pack({}))
    assert frames.read(stream) == (HEAD, b"\x00\x01")
    assert frames.read(stream) == ({}, b"")
    assert frames.read(stream) is None


@pytest.mark.parametrize("kept", [3, 9, 20])
def test_a_stream_that_ends_inside_a_message_is_an_error(kept: int) -> None:
    with pytest.raises(EOFError):
        frames.read(io.BytesIO(frames.pack(HEAD, b"x" * 100)[:kept]))


def test_what_is_no_message_is_refused_before_memory_is_taken_for_it() -> None:
    with pytest.raises(ValueError, match="absurd"):
        frames.read(io.BytesIO(b"Traceback (most recent call last)"))


async def test_the_asynchronous_reader_reads_the_same() -> None:
    reader = asyncio.StreamReader()
    reader.feed_data(frames.pack(HEAD, b"abc"))
    reader.feed_eof()
    assert await frames.read_async(reader) == (HEAD, b"abc")
    with pytest.raises(EOFError):
        await frames.read_async(reader)
