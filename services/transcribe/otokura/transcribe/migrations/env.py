"""Alembic's environment: see `otokura.shared.alembic_env`."""

from otokura.shared.alembic_env import run
from otokura.transcribe.live.models import LiveProgress
from otokura.transcribe.models import Table

SLICES = (LiveProgress,)
"""Importing each slice's models is what puts its tables into the metadata."""

run(Table.metadata)
