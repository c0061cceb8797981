"""How many redacted recordings are decoded at once."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import cast

import pytest

from otokura.access.reads import decoded_audio
from otokura.access.state import AccessState
from otokura.shared.errors import Unavailable


@pytest.mark.guarantee("T94")
async def test_while_all_decoders_are_taken_there_is_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who waits in vain is told to come back, and takes nobody's place."""
    monkeypatch.setattr(decoded_audio, "_LONGEST_WAIT_SECONDS", 0.01)
    state = cast("AccessState", SimpleNamespace(decoding=asyncio.Semaphore(1)))
    async with decoded_audio._decoder_of(state):
        with pytest.raises(Unavailable) as refused:
            async with decoded_audio._decoder_of(state):
                raise AssertionError("two decoders, and one may run")
        assert refused.value.headers["Retry-After"]
    async with decoded_audio._decoder_of(state):
        assert state.decoding.locked()
