"""An archive breaks off when its reader may not go on, also between two of its calls."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

import core
from otokura.access.lifecycle.export import Asked, Export
from otokura.access.reads import gate
from otokura.access.reads.delivery import Revoked, ended_by
from otokura.access.reads.views import View
from otokura.access.state import AccessState
from otokura.shared.address import Reason, ResolvedAddress
from otokura.shared.errors import Forbidden, NotFound, OtokuraError, Unauthenticated, Unavailable
from otokura.shared.events import TenantSettings
from otokura.shared.ids import uuid7

NOWHERE = ResolvedAddress(None, None, (), Reason.NO_PEER)


async def archive(monkeypatch: pytest.MonkeyPatch, refusal: OtokuraError) -> bytes:
    """All bytes of an archive of one call, which is refused."""

    async def refuse(*_: Any) -> gate.Permit:
        raise refusal

    monkeypatch.setattr(gate, "permit", refuse)
    asked = Asked(core.principal(), NOWHERE, "a request", View.REDACTED)
    export = Export(cast("AccessState", SimpleNamespace()), asked, TenantSettings(), [uuid7()])
    try:
        return b"".join([chunk async for chunk in export.chunks()])
    finally:
        export._archive.finish()  # or it complains where it is collected


@pytest.mark.guarantee("R49")
@pytest.mark.parametrize("refusal", [Forbidden("outside"), Unauthenticated("over")])
async def test_it_is_said_to_have_ended_with_the_permission(
    monkeypatch: pytest.MonkeyPatch, refusal: OtokuraError
) -> None:
    with pytest.raises(Revoked) as caught:
        await archive(monkeypatch, refusal)
    assert ended_by(caught.value).value == "revoked"


async def test_what_was_erased_meanwhile_is_left_out_and_what_cannot_be_asked_breaks_it_off(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert await archive(monkeypatch, NotFound("gone")) != b""
    with pytest.raises(Unavailable):
        await archive(monkeypatch, Unavailable("away"))
