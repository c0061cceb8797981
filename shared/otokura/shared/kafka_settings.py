"""What messaging needs to know about the broker."""

from __future__ import annotations

from typing import Protocol


class KafkaSettings(Protocol):
    """What messaging needs to know; `ServiceSettings` has it."""

    @property
    def kafka_bootstrap(self) -> str:
        """`host:port`, comma separated."""
        ...

    @property
    def kafka_idempotence(self) -> bool:
        """Whether the broker knows InitProducerId."""
        ...

    @property
    def kafka_replication(self) -> int:
        """Replicas of a topic that we create."""
        ...

    @property
    def kafka_min_insync(self) -> int:
        """`min.insync.replicas` of a topic that we create."""
        ...

    @property
    def kafka_partitions(self) -> int:
        """Partitions of a topic that we create."""
        ...

    @property
    def development(self) -> bool:
        """Whether a weak broker is a warning rather than a refusal."""
        ...
