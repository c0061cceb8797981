"""`python -m otokura.ingest`: serve until SIGTERM."""

import sys

from otokura.ingest.app import create_app
from otokura.ingest.settings import Settings
from otokura.shared.http import run

SWITCH_SECONDS = 0.0005
"""A busy event loop gives way to the threads that store segments ten times sooner than by default: each of
them needs the interpreter for moments only, a dozen times a segment."""

if __name__ == "__main__":
    sys.setswitchinterval(SWITCH_SECONDS)
    run(create_app, Settings.load())
