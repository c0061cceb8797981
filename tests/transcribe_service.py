"""A real transcribe process for tests, and the topics through which it is spoken to."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar
from uuid import UUID

from aiokafka import AIOKafkaConsumer
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

import forked
import servers
import speech
from otokura.cli.local.ports import free_ports
from otokura.cli.local.program import accepts
from otokura.shared.cloudevents import decode, encode, read_type
from otokura.shared.events import EventData
from otokura.shared.ids import uuid7
from otokura.shared.kafka import Producer
from otokura.shared.kafka_settings import KafkaSettings
from otokura.shared.keys import LocalKeyProvider, create_keyring

RECEIVE_SECONDS = 300
"""A killed member of the group is replaced only when its session ends, and the machine may be busy."""
E = TypeVar("E", bound=EventData)


@dataclass
class TranscribeService:
    """One transcribe process on its own database; it can be killed and started again."""

    folder: Path
    database_url: str
    store: servers.ObjectStoreSettings
    kafka: KafkaSettings
    overrides: dict[str, str] = field(default_factory=dict[str, str])

    def __post_init__(self) -> None:
        self.port = free_ports(1)[0]
        self._keyring = self.folder / "keyring.json"
        create_keyring(self._keyring)
        self.keys = LocalKeyProvider(self._keyring)
        signing = Ed25519PrivateKey.generate()
        pem = signing.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        (self.folder / "audit.pem").write_bytes(pem)
        log = self.folder / "transcribe.log"
        self.program = forked.program("transcribe", env=self.environment(), log=log)

    def environment(self) -> dict[str, str]:
        kafka = {
            f"OTOKURA_{name.upper()}": str(getattr(self.kafka, name))
            for name in (
                "kafka_bootstrap",
                "kafka_idempotence",
                "kafka_replication",
                "kafka_min_insync",
                "kafka_partitions",
                "development",
            )
        }
        return {
            **servers.inherited_environment(),
            "OTOKURA_PORT": str(self.port),
            "OTOKURA_DATABASE_URL": self.database_url,
            "OTOKURA_S3_ENDPOINT": self.store.endpoint,
            "OTOKURA_S3_ACCESS_KEY": self.store.access_key,
            "OTOKURA_S3_SECRET_KEY": self.store.secret_key,
            "OTOKURA_ISSUER": "https://access.test",
            "OTOKURA_AUDIT_SIGNING_KEY_FILE": str(self.folder / "audit.pem"),
            "OTOKURA_KEYRING_FILE": str(self._keyring),
            "OTOKURA_MODEL_DIR": str(speech.model_dir()),
            **kafka,
            **self.overrides,
        }

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def start(self) -> None:
        self.program.start()
        await asyncio.to_thread(self.program.wait_until, lambda: accepts(self.port), 60.0)

    def log_text(self) -> str:
        return (self.folder / "transcribe.log").read_text()


async def send(producer: Producer, *events: EventData) -> None:
    """Sends events as another service's relay would, each with an id of its own."""
    await producer.send(*(encode(event, uuid7(), "test", datetime.now(UTC)) for event in events))


async def received(
    kafka: KafkaSettings, model: type[E], enough: Callable[[list[tuple[UUID, E]]], bool]
) -> list[tuple[UUID, E]]:
    """Ids and data of the events of a type, from the topic's beginning, until there are enough."""
    consumer = AIOKafkaConsumer(
        str(model.TOPIC),
        bootstrap_servers=kafka.kafka_bootstrap,
        auto_offset_reset="earliest",
        enable_auto_commit=False,
        group_id=None,
    )
    found: list[tuple[UUID, E]] = []
    await consumer.start()
    try:
        async with asyncio.timeout(RECEIVE_SECONDS):
            while not enough(found):
                batches = await consumer.getmany(timeout_ms=200)
                every = [record for records in batches.values() for record in records]
                envelopes = [decode(record) for record in every if read_type(record.headers) == model.TYPE]
                found += [(one.event_id, one.parse(model)) for one in envelopes]
    finally:
        await consumer.stop()
    return found
