"""Alembic's environment: see `otokura.shared.alembic_env`."""

from otokura.ingest.connections.models import StoredConnection
from otokura.ingest.models import Table
from otokura.ingest.uploads.models import Upload
from otokura.ingest.webhooks.models import Webhook
from otokura.shared.alembic_env import run

SLICES = (StoredConnection, Upload, Webhook)
"""Importing each slice's models is what puts its tables into the metadata."""

run(Table.metadata)
