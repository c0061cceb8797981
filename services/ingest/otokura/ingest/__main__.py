"""`python -m otokura.ingest`: serve until SIGTERM."""

import gc
import sys

SWITCH_SECONDS = 0.0005
"""A busy event loop gives way to the threads that store segments ten times sooner than by default: each of
them needs the interpreter for moments only, a dozen times a segment."""

if __name__ == "__main__":
    gc.disable()  # until it serves: otokura.shared.http._Server turns it on and says why
    sys.setswitchinterval(SWITCH_SECONDS)
    from otokura.ingest.app import create_app
    from otokura.ingest.settings import Settings
    from otokura.shared.http import run

    run(create_app, Settings.load())
