"""Transcribe's parts on a real database and a real store."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

import servers
import speech
from otokura.shared.database import Database, migrate
from otokura.shared.directory import Directory
from otokura.shared.kafka import Producer
from otokura.shared.kafka_settings import KafkaSettings
from otokura.shared.keys import LocalKeyProvider, create_keyring
from otokura.shared.objects import ObjectStore
from otokura.transcribe.engine import RemoteEngine
from otokura.transcribe.engine_process import EngineProcess
from otokura.transcribe.settings import Settings
from otokura.transcribe.transcriber import Transcriber
from otokura.transcribe.worker import Worker
from recordings import Recordings
from transcribe_service import TranscribeService

MakeWorker = Callable[..., Worker]


@pytest.fixture(scope="session")
def model_dir() -> Path:
    return speech.model_dir()


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    await migrate(database_url, "otokura.transcribe.migrations")
    database = Database(database_url)
    yield database
    await database.close()


@pytest.fixture
async def store(object_store: servers.ObjectStoreSettings) -> AsyncIterator[ObjectStore]:
    store = ObjectStore(object_store.endpoint, object_store.access_key, object_store.secret_key)
    yield store
    await store.close()


@pytest.fixture
def keyring(tmp_path: Path) -> Path:
    create_keyring(tmp_path / "keyring.json")
    return tmp_path / "keyring.json"


@pytest.fixture
def keys(keyring: Path) -> LocalKeyProvider:
    return LocalKeyProvider(keyring)


@pytest.fixture
def recordings(store: ObjectStore, keys: LocalKeyProvider) -> Recordings:
    return Recordings(store, keys)


@pytest.fixture
async def engine(model_dir: Path) -> AsyncIterator[EngineProcess]:
    engine = EngineProcess(model_dir)
    yield engine
    await engine.close()


@pytest.fixture
def kafka(kafka_settings: dict[str, object]) -> KafkaSettings:
    return cast("KafkaSettings", SimpleNamespace(**kafka_settings))


@pytest.fixture
async def service(
    tmp_path: Path, database_url: str, object_store: servers.ObjectStoreSettings, kafka: KafkaSettings
) -> AsyncIterator[TranscribeService]:
    service = TranscribeService(tmp_path, database_url, object_store, kafka, {"OTOKURA_LEASE_SECONDS": "3"})
    await service.start()
    yield service
    service.program.stop()


@pytest.fixture
async def producer(kafka: KafkaSettings) -> AsyncIterator[Producer]:
    producer = Producer(kafka)
    yield producer
    await producer.stop()


@dataclass(frozen=True)
class WorkerParts:
    """What a worker is made of, some of it replaced by a test."""

    database: Database
    store: ObjectStore
    keys: LocalKeyProvider
    settings: dict[str, Any]

    def worker(
        self, engine: RemoteEngine, *, store: ObjectStore | None = None, **overrides: object
    ) -> Worker:
        settings = Settings.model_validate(self.settings | overrides)
        transcriber = Transcriber(store or self.store, self.keys, Directory(self.database), engine)
        return Worker(self.database, transcriber, settings)


@pytest.fixture
def parts(
    database: Database, store: ObjectStore, keys: LocalKeyProvider, keyring: Path, database_url: str
) -> WorkerParts:
    settings = {
        "database_url": database_url,
        "kafka_bootstrap": "unused:9092",
        "s3_endpoint": "http://unused",
        "s3_access_key": "unused",
        "s3_secret_key": "unused",
        "issuer": "unused",
        "audit_signing_key_file": keyring,
        "keyring_file": keyring,
        "model_dir": keyring.parent,
    }
    return WorkerParts(database, store, keys, settings)
