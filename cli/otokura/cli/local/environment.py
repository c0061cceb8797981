"""The `OTOKURA_…` variables of each service of the local stack."""

from __future__ import annotations

from dataclasses import dataclass

from otokura.cli.local.apache_kafka import ApacheKafkaServer
from otokura.cli.local.layout import Layout, Secrets
from otokura.cli.local.postgres import PostgresServer
from otokura.cli.local.seaweedfs import SeaweedServer
from otokura.cli.local.tansu import TansuServer

ISSUER = "https://otokura.localhost"
"""Stands in every token; a name, not an address, so that it outlives a change of ports."""

LOG_ORIGIN = "otokura.localhost/log"


@dataclass(frozen=True)
class Servers:
    """What the services run on."""

    postgres: PostgresServer
    store: SeaweedServer
    broker: TansuServer | ApacheKafkaServer
    audiosocket_port: int
    """On which ingest takes Asterisk's AudioSocket."""
    audit_port: int
    """On which audit answers: access asks it for the history of a call."""


def service_environment(
    service: str, *, layout: Layout, secrets: Secrets, servers: Servers
) -> dict[str, str]:
    """What `service` needs to know, as its settings read it.

    `development` is set because one machine cannot replicate; everything else is as in production.
    """
    identity = servers.store.identities[service]
    common = {
        "DEVELOPMENT": "true",
        "DATABASE_URL": servers.postgres.url(service, service, secrets.databases[service]),
        "KAFKA_BOOTSTRAP": servers.broker.bootstrap,
        "KAFKA_IDEMPOTENCE": str(servers.broker.idempotence).lower(),
        "KAFKA_REPLICATION": "1",
        "KAFKA_MIN_INSYNC": "1",
        "KAFKA_PARTITIONS": "1",
        "S3_ENDPOINT": servers.store.endpoint,
        "S3_ACCESS_KEY": identity.access_key,
        "S3_SECRET_KEY": identity.secret_key,
        "ISSUER": ISSUER,
        "AUDIT_SIGNING_KEY_FILE": str(layout.audit_key(service)),
    }
    # One file for all: a changed keyring is everybody's at once.
    keyring = {"KEYRING_FILE": str(layout.keyring), "REWRAP_SETTLE_SECONDS": "1"}
    own = {
        "ingest": {
            **keyring,
            "SPOOL_FOLDER": str(layout.spool),
            "AUDIOSOCKET_PORT": str(servers.audiosocket_port),
            # A receiver under development is on this machine; no other private address is reached.
            "WEBHOOK_ALLOWED_NETWORKS": "127.0.0.0/8,::1/128",
        },
        "transcribe": {**keyring, "MODEL_DIR": str(layout.model)},
        "access": {
            **keyring,
            "TOKEN_SIGNING_KEY_FILE": str(layout.token_key),
            "AUDIT_URL": f"http://127.0.0.1:{servers.audit_port}",
        },
        "audit": {
            "LOG_SIGNING_KEY_FILE": str(layout.log_key),
            "LOG_ORIGIN": LOG_ORIGIN,
            "SOURCE_KEYS_FILE": str(layout.source_keys),
        },
    }
    return {f"OTOKURA_{name}": value for name, value in (common | own[service]).items()}
