from otokura.shared.alembic_env import run
from otokura.shared.directory_tables import directory_metadata
from otokura.shared.idempotency import idempotency_metadata
from otokura.shared.messaging_models import messaging_metadata

run(messaging_metadata, idempotency_metadata, directory_metadata)
