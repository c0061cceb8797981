"""`python -m otokura.ingest`: serve until SIGTERM."""

from otokura.ingest.app import create_app
from otokura.ingest.settings import Settings
from otokura.shared.http import run

if __name__ == "__main__":
    run(create_app, Settings.load())
