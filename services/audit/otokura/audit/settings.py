"""What the audit service reads from its environment."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, Self

from pydantic import Field, field_validator, model_validator

from otokura.audit.notes import NoteError, read_verifier_keys, valid_name
from otokura.audit.siem_receivers import read_receivers
from otokura.audit.witnesses import read_witnesses
from otokura.shared.audit import read_signing_key
from otokura.shared.settings import ServiceSettings


class Settings(ServiceSettings):
    """Settings of the audit service."""

    service: ClassVar[str] = "audit"
    port: int = Field(default=8104, ge=0, le=65535)

    log_signing_key_file: Path
    """The log's Ed25519 key, PKCS8 PEM."""
    log_second_signing_key_file: Path | None = None
    """A second key that signs each checkpoint too, while readers change from one to the other."""
    log_other_keys_file: Path | None = None
    """vkeys, one a line: former keys of the log, and one that is to come, whose checkpoints are believed."""
    log_origin: str
    """The log's name, a scheme-less URL such as `audit.example.jp/log`. Shards are named `<it>/<year>`."""
    source_keys_file: Path
    """JSON: by service, base64 of the Ed25519 public key with which it signs its entries."""
    log_bucket: str = "audit-log"
    publish_interval_seconds: float = Field(default=0.5, gt=0, le=1)
    """Between two checkpoints, while there is anything new to publish."""
    gap_seconds: float = Field(default=30, gt=0)
    """How long a number may be missing before it is a gap."""
    silence_seconds: float = Field(default=30, gt=0)
    """How long a source that did not say `closed` may be silent."""
    detail_days: int = Field(default=1_826, ge=365, le=36_500)
    """How long details of entries of no tenant are kept; each tenant has a setting of its own."""
    siem_file: Path | None = None
    """JSON: to whom entries are sent as they come; see docs/siem.md."""
    details_look_seconds: float = Field(default=3_600, gt=0)
    """How often is looked for details that are kept no longer."""
    clock_seconds: float = Field(default=60, gt=0)
    """How far a source's clock may be ahead before that is told."""
    late_seconds: float = Field(default=900, gt=0)
    """How long an entry may take from its time to the broker before that is told."""
    lock_days: int = Field(default=366, ge=1)
    """How long, after the end of its year, a shard's full tiles and bundles stay under Object Lock."""
    witnesses_file: Path | None = None
    """JSON `[{"url": "https://…", "vkey": "…"}]`: the witnesses that are asked to cosign each checkpoint."""
    witness_quorum: int | None = Field(default=None, ge=1)
    """How many of them make a checkpoint a cosigned one; more than half if not given."""
    witness_interval_seconds: float = Field(default=2, gt=0)
    """Between two rounds of asking."""
    witness_answer_seconds: float = Field(default=10, gt=0)
    """How long a witness may take for an answer."""
    witness_silence_seconds: float = Field(default=900, gt=0)
    """How long a witness may fail to cosign before that is told."""

    guard_seconds: float = Field(default=3600, gt=0)
    """How often every version of every immutable object in the bucket is looked at."""

    @field_validator("log_signing_key_file", "log_second_signing_key_file")
    @classmethod
    def _holds_a_key(cls, value: Path | None) -> Path | None:
        if value is not None:
            try:
                read_signing_key(value)
            except (OSError, TypeError, ValueError) as error:
                raise ValueError(
                    f"{value} holds no unencrypted Ed25519 key in PKCS #8 PEM: {error}"
                ) from None
        return value

    @field_validator("log_other_keys_file")
    @classmethod
    def _holds_vkeys(cls, value: Path | None) -> Path | None:
        if value is not None:
            try:
                read_verifier_keys(value)
            except (OSError, NoteError) as error:
                raise ValueError(f"{value} cannot be used: {error}") from None
        return value

    @model_validator(mode="after")
    def _lists_can_be_used(self) -> Self:
        try:
            read_receivers(self.siem_file, development=self.development)
            read_witnesses(self.witnesses_file, development=self.development)
        except (OSError, ValueError) as error:
            raise ValueError(f"a file of receivers or witnesses cannot be used: {error}") from None
        return self

    @field_validator("log_origin")
    @classmethod
    def _names_a_log(cls, value: str) -> str:
        if not valid_name(value) or "://" in value or value.endswith("/"):
            raise ValueError("must be a URL without scheme, spaces, plus or a slash at the end")
        return value
