"""`python -m otokura.audit`: the audit service."""

from otokura.audit.app import create_app
from otokura.audit.settings import Settings
from otokura.shared.http import run

if __name__ == "__main__":
    run(create_app, Settings.load())
