"""Alembic's environment: see `otokura.shared.alembic_env`."""

from otokura.audit.models import Table
from otokura.shared.alembic_env import run

run(Table.metadata)
