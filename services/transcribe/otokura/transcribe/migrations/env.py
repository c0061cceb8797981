"""Alembic's environment: see `otokura.shared.alembic_env`."""

from otokura.shared.alembic_env import run
from otokura.transcribe.models import Table

run(Table.metadata)
