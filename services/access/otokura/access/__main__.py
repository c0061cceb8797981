"""`python -m otokura.access`."""

from __future__ import annotations

from otokura.access.app import create_app
from otokura.access.settings import Settings
from otokura.shared.http import run

if __name__ == "__main__":
    run(create_app, Settings.load())
