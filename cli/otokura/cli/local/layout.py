"""What lies where in the data folder, and the secrets that are made at its first start."""

from __future__ import annotations

import os
import secrets
import sys
from base64 import b64encode
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from otokura.cli.local.private import public_bytes, signing_key, write_private_json
from otokura.cli.local.seaweedfs import Identity, read_write
from otokura.shared.keys import create_keyring

SERVICES = ("ingest", "transcribe", "access", "audit")
BUCKETS = {"recordings": False, "transcripts": False, "audit-log": True, "tansu": False}
"""Bucket → whether it has Object Lock."""

ACTIONS: dict[str, list[str]] = {
    "administrator": ["Admin"],
    "broker": read_write("tansu"),
    "ingest": read_write("recordings"),
    "transcribe": ["Read:recordings", "List:recordings", *read_write("transcripts")],
    "access": ["Read:recordings", "List:recordings", "Read:transcripts", "List:transcripts"],
    "audit": [
        *read_write("audit-log"),
        "PutObjectRetention:audit-log",
        "GetObjectRetention:audit-log",
        "GetBucketObjectLockConfiguration:audit-log",
    ],
}
"""Who may do what in the store: each service what it needs, and no other."""


class Secrets(BaseModel):
    """Every secret of the local stack that is not a key file."""

    model_config = ConfigDict(frozen=True)
    postgres: str
    databases: dict[str, str]
    store: dict[str, str]

    @classmethod
    def make(cls) -> Secrets:
        """New ones, of 256 bits each."""

        def secret() -> str:
            return secrets.token_urlsafe(32)

        return cls(
            postgres=secret(),
            databases={service: secret() for service in SERVICES},
            store={name: secret() for name in ACTIONS},
        )

    def identities(self) -> list[Identity]:
        """The store's identities, the administrator first."""
        return [
            Identity(name, f"otokura-{name}", self.store[name], actions) for name, actions in ACTIONS.items()
        ]


@dataclass(frozen=True)
class Layout:
    """The paths in a data folder. Everything private has mode 0600 and lies where only the owner looks."""

    folder: Path

    @property
    def lock(self) -> Path:
        """Locked while a stack runs here."""
        return self.folder / "lock"

    @property
    def state(self) -> Path:
        """Addresses and process ids of the running stack."""
        return self.folder / "stack.json"

    @property
    def log_place(self) -> Path:
        """Where the audit log of the running stack is, and its public key: what `otokura verify` needs."""
        return self.folder / "log.json"

    @property
    def ports(self) -> Path:
        """The ports of the last run, used again when they are free."""
        return self.folder / "ports.json"

    @property
    def credentials(self) -> Path:
        """The demo tenant's principals."""
        return self.folder / "credentials.json"

    @property
    def private(self) -> Path:
        """Folder of keys and secrets, mode 0700."""
        return self.folder / "private"

    @property
    def keyring(self) -> Path:
        """The keyring of the `local` key provider."""
        return self.private / "keyring.json"

    @property
    def spool(self) -> Path:
        """Where ingest keeps live audio, encrypted, while the store or the database is away."""
        return self.folder / "spool"

    @property
    def token_key(self) -> Path:
        """Signs access tokens."""
        return self.private / "token.pem"

    @property
    def log_key(self) -> Path:
        """Signs the audit log's checkpoints."""
        return self.private / "log.pem"

    @property
    def source_keys(self) -> Path:
        """Public keys of the services, for the audit service and for `otokura verify`."""
        return self.folder / "source-keys.json"

    @property
    def model(self) -> Path:
        """Where the Whisper model is put together: once for each environment, where that may be written."""
        environment = Path(sys.prefix)
        root = environment / "share" / "otokura" if os.access(environment, os.W_OK) else self.folder
        return root / "whisper-base"

    def audit_key(self, service: str) -> Path:
        """Signs the service's entries."""
        return self.private / f"{service}-audit.pem"

    def log_of(self, program: str) -> Path:
        """What a service wrote."""
        return self.folder / "logs" / f"{program}.log"

    def prepare(self) -> Secrets:
        """Make what is missing. Others may pass through the folder: PostgreSQL's user must reach its own."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self.folder.chmod(0o711)
        self.private.mkdir(mode=0o700, exist_ok=True)
        self.log_of("").parent.mkdir(exist_ok=True, mode=0o700)
        file = self.private / "secrets.json"
        if not file.exists():
            write_private_json(file, Secrets.make().model_dump())
        if not self.keyring.exists():
            create_keyring(self.keyring)
        signing_key(self.token_key)
        signing_key(self.log_key)
        public = {service: public_bytes(signing_key(self.audit_key(service))) for service in SERVICES}
        write_private_json(self.source_keys, {name: b64encode(key).decode() for name, key in public.items()})
        return Secrets.model_validate_json(file.read_bytes())
