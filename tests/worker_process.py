"""A transcription worker in a process of its own, which a test can stop or `kill -9`: its argument is JSON.

Its engine needs no model: it hears one word a window, and takes as long for it as it is told.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import servers
from otokura.cli.local.program import Program
from otokura.shared.database import Database
from otokura.shared.directory import Directory
from otokura.shared.keys import key_provider
from otokura.shared.logs import configure
from otokura.shared.objects import ObjectStore
from otokura.transcribe.engine import Pcm16, Segment
from otokura.transcribe.settings import Settings
from otokura.transcribe.transcriber import Transcriber
from otokura.transcribe.worker import Worker
from worker_support import Scripted


class Slow(Scripted):
    """Takes `seconds` for a window."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self._seconds = seconds

    async def hear(self, audio: Pcm16, language: str, vocabulary: Sequence[str] = ()) -> list[Segment]:
        await asyncio.sleep(self._seconds)
        return await super().hear(audio, language, vocabulary)


def program(
    folder: Path,
    name: str,
    settings: dict[str, Any],
    store: servers.ObjectStoreSettings,
    *,
    seconds: float,
) -> Program:
    """A worker that is not started yet; it logs to `folder`/`name`.log.

    Args:
        folder: for its log.
        name: what it is called.
        settings: transcribe's, as in `WorkerParts`.
        store: how to reach the store.
        seconds: how long its engine takes for a window.
    """
    where = {"endpoint": store.endpoint, "access_key": store.access_key, "secret_key": store.secret_key}
    plain = {key: str(value) for key, value in settings.items()}
    argument = json.dumps({"settings": plain, "store": where, "seconds": seconds})
    environment = {**servers.inherited_environment(), "PYTHONPATH": os.pathsep.join(sys.path)}
    argv = [sys.executable, __file__, argument]
    return Program(name, argv, env=environment, log=folder / f"{name}.log")


async def main(about: dict[str, Any]) -> None:
    """Works for ever."""
    settings = Settings.model_validate(about["settings"])
    database = Database(settings.database_url)
    transcriber = Transcriber(
        ObjectStore(**about["store"]),
        key_provider(settings),
        Directory(database),
        Slow(about["seconds"]),
    )
    await Worker(database, transcriber, settings).run()


if __name__ == "__main__":
    configure("worker")
    asyncio.run(main(json.loads(sys.argv[1])))
