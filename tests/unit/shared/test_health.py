from __future__ import annotations

import asyncio

from structlog.testing import capture_logs

from otokura.shared.health import Readiness


async def hang() -> None:
    await asyncio.Event().wait()


async def pass_() -> None:
    return None


async def test_a_check_that_hangs_is_cut_off() -> None:
    readiness = Readiness(timeout=0.01)
    readiness.add("kafka", hang)
    readiness.add("database", pass_)
    assert await readiness.report() == {"kafka": "timeout", "database": "ok"}


async def test_nothing_to_check_is_ready() -> None:
    assert await Readiness().report() == {}


async def test_only_changes_are_logged() -> None:
    state = {"fails": True}

    async def check() -> None:
        if state["fails"]:
            raise RuntimeError("away")

    readiness = Readiness()
    readiness.add("s3", check)
    with capture_logs() as captured:
        await readiness.report()
        await readiness.report()
        state["fails"] = False
        await readiness.report()
    assert [(line["check"], line["result"]) for line in captured] == [("s3", "failed"), ("s3", "ok")]
    assert isinstance(captured[0]["error"], RuntimeError)
