"""Alembic's environment: see `otokura.shared.alembic_env`."""

from otokura.access.break_glass.models import BreakGlass
from otokura.access.feeds.models import FeedRecord
from otokura.access.grants.models import GrantRecord
from otokura.access.identity.models import PrincipalRecord
from otokura.access.lifecycle.models import Erasure
from otokura.access.logins.models import Login
from otokura.access.models import Table
from otokura.access.oidc.models import OidcIssuerRecord
from otokura.access.policy.models import ZoneRecord
from otokura.access.reads.models import CallRecord
from otokura.access.rotations.models import KeyRotation
from otokura.access.search.models import IndexKeyRecord
from otokura.access.signals.models import SeenCall
from otokura.access.tenancy.models import Tenant
from otokura.access.transcriptions.models import TranscriptionRequest
from otokura.shared.alembic_env import run

SLICES = (
    Tenant,
    PrincipalRecord,
    Login,
    OidcIssuerRecord,
    ZoneRecord,
    CallRecord,
    GrantRecord,
    BreakGlass,
    SeenCall,
    IndexKeyRecord,
    FeedRecord,
    KeyRotation,
    Erasure,
    TranscriptionRequest,
)
"""Importing each slice's models is what puts its tables into the metadata."""

run(Table.metadata)
