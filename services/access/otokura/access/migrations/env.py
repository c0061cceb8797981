"""Alembic's environment: see `otokura.shared.alembic_env`."""

from otokura.access.feeds.models import FeedRecord
from otokura.access.identity.models import PrincipalRecord
from otokura.access.lifecycle.models import Erasure
from otokura.access.models import Table
from otokura.access.policy.models import ZoneRecord
from otokura.access.reads.models import CallRecord
from otokura.access.tenancy.models import Tenant
from otokura.access.transcriptions.models import TranscriptionRequest
from otokura.shared.alembic_env import run

SLICES = (Tenant, PrincipalRecord, ZoneRecord, CallRecord, FeedRecord, TranscriptionRequest, Erasure)
"""Importing each slice's models is what puts its tables into the metadata."""

run(Table.metadata)
