"""The tables that `otokura.shared` brings into a service's database, for its first migration.

These are the tables as they were created; a later change is a further function here, called by a further
migration of each service, never an edit. A test holds migrations and models equal. `op` is Alembic's module,
which stands for the `Operations` of the migration under way as no type expresses.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from otokura.shared.database import RETIRED_KEK
from otokura.shared.rewrapping_tables import REWRAP_LOCK

_NOW = sa.text("now()")


def _instant(name: str, *, nullable: bool = False, default: bool = False) -> sa.Column[object]:
    return sa.Column(
        name, sa.DateTime(timezone=True), nullable=nullable, server_default=_NOW if default else None
    )


def create_messaging(op: Any) -> None:
    """`outbox` and `processed_events` (`otokura.shared.messaging_models`)."""
    op.create_table(
        "outbox",
        sa.Column("id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
        sa.Column("event_id", sa.Uuid, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("topic", sa.Text, nullable=False),
        sa.Column("key", sa.Text, nullable=False),
        sa.Column("type", sa.Text, nullable=False),
        sa.Column("data", sa.Text, nullable=False),
        _instant("created_at", default=True),
        _instant("sent_at", nullable=True),
    )
    op.create_index("ix_outbox_unsent", "outbox", ["id"], postgresql_where=sa.text("sent_at IS NULL"))
    op.create_index("ix_outbox_sent_at", "outbox", ["sent_at"])
    op.create_table(
        "processed_events",
        sa.Column("consumer_group", sa.Text, primary_key=True),
        sa.Column("event_id", sa.Uuid, primary_key=True),
        _instant("processed_at", default=True),
    )
    op.create_index("ix_processed_events_processed_at", "processed_events", ["processed_at"])


def create_idempotency(op: Any) -> None:
    """`idempotency_keys` (`otokura.shared.idempotency`)."""
    op.create_table(
        "idempotency_keys",
        sa.Column("scope", sa.Text, primary_key=True),
        sa.Column("key", sa.Text, primary_key=True),
        sa.Column("body_sha256", sa.Text, nullable=False),
        sa.Column("status", sa.Integer, nullable=False),
        sa.Column("headers", JSONB, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        _instant("created_at", default=True),
    )
    op.create_index("idempotency_keys_created_at", "idempotency_keys", ["created_at"])


def create_directory(op: Any) -> None:
    """`tenants`, `clients`, `issuer_keys`, `revocations` (`otokura.shared.directory_tables`)."""
    op.create_table(
        "tenants",
        sa.Column("tenant_id", sa.Uuid, primary_key=True),
        sa.Column("version", sa.BigInteger, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("disabled", sa.Boolean, nullable=False),
        sa.Column("settings", JSONB, nullable=False),
    )
    op.create_table(
        "clients",
        sa.Column("client_id", sa.Uuid, primary_key=True),
        sa.Column("tenant_id", sa.Uuid, nullable=False),
        sa.Column("version", sa.BigInteger, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("roles", JSONB, nullable=False),
        sa.Column("api_key_sha256", sa.Text, nullable=True),
        sa.Column("disabled", sa.Boolean, nullable=False),
    )
    op.create_table(
        "issuer_keys",
        sa.Column("issuer", sa.Text, primary_key=True),
        sa.Column("version", sa.BigInteger, nullable=False),
        sa.Column("jwks", JSONB, nullable=False),
    )
    op.create_table(
        "revocations",
        sa.Column("revoked", sa.Text, primary_key=True),
        _instant("at"),
    )
    op.create_index("revocations_at", "revocations", ["at"])


def add_client_keys(op: Any) -> None:
    """Several keys and the limits of a client, in `clients`.

    Only added to: while services are replaced one by one, the old go on reading `api_key_sha256`. NULL in
    `api_keys` is a row that an old one wrote, or from before.
    """
    op.add_column("clients", sa.Column("api_keys", JSONB(none_as_null=True), nullable=True))
    op.add_column("clients", sa.Column("limits", JSONB(none_as_null=True), nullable=True))


def create_rewrapping(op: Any, *wrapped: str) -> None:
    """`rewrappings` and `retired_keks` (`otokura.shared.rewrapping_tables`), and what keeps to them.

    Args:
        op: Alembic's module.
        wrapped: tables with a column `kek_id`, as far as there are any yet; `guard_wrapped` takes later ones.
    """
    op.create_table(
        "rewrappings",
        sa.Column("rotation_id", sa.Uuid, primary_key=True),
        sa.Column("kek_id", sa.Text, nullable=True),
        _instant("heard_at", default=True),
        sa.Column("version", sa.BigInteger, nullable=False),
        sa.Column("told", JSONB(none_as_null=True), nullable=True),
        _instant("finished_at", nullable=True),
    )
    op.create_table(
        "retired_keks", sa.Column("kek_id", sa.Text, primary_key=True), _instant("retired_at", default=True)
    )
    op.execute(f"""
        CREATE FUNCTION refuse_retired_kek() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            PERFORM pg_advisory_xact_lock_shared({REWRAP_LOCK});
            IF EXISTS (SELECT FROM retired_keks r WHERE r.kek_id = NEW.kek_id) THEN
                RAISE EXCEPTION 'the key-encryption key is retired' USING ERRCODE = '{RETIRED_KEK}';
            END IF;
            RETURN NEW;
        END $$
    """)
    for table in wrapped:
        guard_wrapped(op, table)


def guard_wrapped(op: Any, table: str) -> None:
    """Lets no row of the table, which has a column `kek_id`, name a retired key-encryption key."""
    op.execute(f"""
        CREATE TRIGGER refuse_retired_kek BEFORE INSERT OR UPDATE OF kek_id ON {table}
        FOR EACH ROW WHEN (NEW.kek_id IS NOT NULL) EXECUTE FUNCTION refuse_retired_kek()
    """)


def create_tombstones(op: Any) -> None:
    """`tombstones` (`otokura.shared.tombstones`)."""
    op.create_table(
        "tombstones",
        sa.Column("call_id", sa.Uuid, primary_key=True),
        sa.Column("kind", sa.Text, primary_key=True),
        sa.Column("tenant_id", sa.Uuid, nullable=False),
        sa.Column("erasure_id", sa.Uuid, nullable=False),
        _instant("requested_at"),
        _instant("shredded_at", default=True),
        sa.Column("counts", JSONB, nullable=False),
        sa.Column("kek_ids", ARRAY(sa.Text), nullable=False),
        _instant("applied_at", nullable=True),
        _instant("sweep_at", nullable=True),
    )
    due = sa.text("sweep_at IS NOT NULL")
    op.create_index("ix_tombstones_due", "tombstones", ["sweep_at"], postgresql_where=due)
