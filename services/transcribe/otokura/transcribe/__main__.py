"""`python -m otokura.transcribe`."""

from otokura.shared.http import run
from otokura.transcribe.app import create_app
from otokura.transcribe.settings import Settings

if __name__ == "__main__":
    run(create_app, Settings.load())
