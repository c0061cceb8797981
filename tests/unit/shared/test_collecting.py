"""The garbage collector rests while a service starts, and only then."""

from __future__ import annotations

import subprocess
import sys
import textwrap

import servers

SERVE = """
    import asyncio, gc, uvicorn
    from otokura.shared.http import _Server

    async def app(scope, receive, send):
        raise NotImplementedError

    async def start():
        gc.disable()
        server = _Server(uvicorn.Config(app, port=0, lifespan="off", log_config=None))
        server.config.load()
        server.lifespan = server.config.lifespan_class(server.config)
        await server.startup()
        print(gc.isenabled(), gc.get_freeze_count() > 1_000)
        await server.shutdown()

    asyncio.run(start())
"""


def test_a_service_that_serves_collects_its_garbage_and_not_what_it_started_with() -> None:
    command = [sys.executable, "-c", textwrap.dedent(SERVE)]
    environment = servers.inherited_environment()
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.stdout.split() == ["True", "True"], done.stderr
