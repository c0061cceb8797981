"""Puts the parts of live text together and runs them."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

from otokura.shared.background import Supervisor
from otokura.shared.database import Database
from otokura.shared.directory import Directory
from otokura.shared.errors import Unavailable
from otokura.shared.keys import KeyProvider
from otokura.shared.logs import get_logger
from otokura.transcribe.engine_process import EngineProcess
from otokura.transcribe.live import repository
from otokura.transcribe.live.consumer import LiveConsumer
from otokura.transcribe.live.worker import LiveWorker
from otokura.transcribe.options import EngineOptions
from otokura.transcribe.settings import Settings

log = get_logger(__name__)

WINDOW_SECONDS = 120.0
"""An engine that takes longer for one window, of half a minute at most, hangs: it is not merely slow."""
_FORGET_SECONDS = 3600.0


def run_live(
    stack: AsyncExitStack,
    supervisor: Supervisor,
    settings: Settings,
    database: Database,
    keys: KeyProvider,
    options: EngineOptions,
    shared: EngineProcess,
) -> None:
    """Starts hearing live calls, where the settings want it.

    Args:
        stack: closes what is opened here.
        supervisor: runs the work.
        settings: the service's.
        database: the service's.
        keys: unwraps the calls' keys.
        options: of an engine of our own.
        shared: the engine that hears recordings.
    """
    if settings.live_engine == "none":
        return
    engine, rest = shared, None
    if settings.live_engine == "own":
        engine = EngineProcess(options, timeout=WINDOW_SECONDS)
        stack.push_async_callback(engine.close)
        rest = engine.close
    worker = LiveWorker(database, keys, Directory(database), engine, rest)
    supervisor.start("live-text", worker.run)
    supervisor.start("live-chunks", LiveConsumer(settings, worker).run)
    supervisor.start("live-house", lambda: _keep_house(database))


async def _keep_house(database: Database) -> None:
    while True:
        try:
            async with database.session() as session:
                await repository.forget_old(session)
        except Unavailable as error:
            log.info("live text: old progress kept", error=error)
        await asyncio.sleep(_FORGET_SECONDS)
