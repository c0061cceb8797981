"""Erasures: what is erased stays so."""

from alembic import op

from otokura.shared import tables

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    tables.create_tombstones(op)
