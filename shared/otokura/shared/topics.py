"""The topics: how they are created, and whether the audit topic is as strong as production asks."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable
from contextlib import asynccontextmanager
from typing import Any, cast

import structlog
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError, TopicAlreadyExistsError, UnknownTopicOrPartitionError, for_code

from otokura.shared.errors import Unavailable
from otokura.shared.events import Topic
from otokura.shared.kafka_settings import KafkaSettings

DLQ_SUFFIX = ".dlq"
STRONG_REPLICATION = 3
STRONG_MIN_INSYNC = 2
_HOUR_MS = 3_600_000
_DAY_MS = 24 * _HOUR_MS
_DEFAULT = {"retention.ms": str(30 * _DAY_MS)}
_TOPIC_CONFIGS: dict[str, dict[str, str]] = {
    Topic.LIVE: {"retention.ms": str(_HOUR_MS)},
    # A wrapped key outlives its erasure by at most this long (and its KEK's next rotation).
    Topic.KEYS: {"cleanup.policy": "delete", "retention.ms": str(7 * _DAY_MS)},
    Topic.TENANTS: {"cleanup.policy": "compact"},
    # Read again by a service whose database came back from a backup: what was erased stays erased.
    Topic.ERASURES: {"retention.ms": "-1"},
    Topic.AUDIT_CHECKPOINTS: {"retention.ms": "-1"},
}
_REQUEST_TIMEOUT_MS = 10_000

log = structlog.stdlib.get_logger(__name__)


def dead_letter_topic(topic: str) -> str:
    """Where what could not be handled goes."""
    return str(topic) + DLQ_SUFFIX


@asynccontextmanager
async def admin_client(settings: KafkaSettings) -> AsyncGenerator[AIOKafkaAdminClient, None]:
    """An administration client.

    Raises:
        Unavailable: the broker is away, or refuses.
    """
    client = AIOKafkaAdminClient(
        bootstrap_servers=settings.kafka_bootstrap, request_timeout_ms=_REQUEST_TIMEOUT_MS
    )
    try:
        await client.start()
        yield client
    except (KafkaError, OSError, TimeoutError) as error:
        raise Unavailable("The message broker cannot be reached; try again shortly.") from error
    finally:
        await client.close()


async def ensure_topics(
    settings: KafkaSettings, topics: Iterable[str], *, retention_days: int | None = None
) -> None:
    """Creates those of the topics that do not exist; an existing one is left as it is.

    Args:
        settings: the broker.
        topics: their names.
        retention_days: how long records of those that are created are kept; by default as `Topic` has it.

    Raises:
        Unavailable: the broker is away, or a topic is missing and may not be created.
    """
    async with admin_client(settings) as client:
        missing = sorted({str(topic) for topic in topics} - set(await client.list_topics()))
        if not missing:
            return
        answer: Any = await client.create_topics(
            [_new_topic(settings, name, retention_days) for name in missing]
        )
        for name, code, *_ in cast("list[tuple[str, int, str]]", answer.topic_errors):
            error = for_code(code)
            # Another replica may have been faster.
            if code and error is not TopicAlreadyExistsError:
                raise Unavailable(f"Topic {name} could not be created: {error.__name__}.")
            log.info("kafka.topic_created", topic=name)


async def delete_topic(settings: KafkaSettings, topic: str) -> None:
    """Deletes a topic with all it holds; one that is not there is no error.

    Raises:
        Unavailable: the broker is away, or does not permit it.
    """
    async with admin_client(settings) as client:
        answer: Any = await client.delete_topics([topic])
        for name, code in cast("list[tuple[str, int]]", answer.topic_error_codes):
            error = for_code(code)
            if code and error is not UnknownTopicOrPartitionError:
                raise Unavailable(f"Topic {name} could not be deleted: {error.__name__}.")
            log.info("kafka.topic_deleted", topic=name)


def _new_topic(settings: KafkaSettings, name: str, retention_days: int | None) -> NewTopic:
    kept = {"retention.ms": str(retention_days * _DAY_MS)} if retention_days else {}
    return NewTopic(
        name,
        settings.kafka_partitions,
        settings.kafka_replication,
        topic_configs={
            **_TOPIC_CONFIGS.get(name, _DEFAULT),
            **kept,
            "min.insync.replicas": str(min(settings.kafka_min_insync, settings.kafka_replication)),
        },
    )


async def check_strength(settings: KafkaSettings, topic: str = Topic.AUDIT) -> None:
    """Readiness: an acknowledged audit entry must survive the loss of a broker.

    Raises:
        Unavailable: the topic has fewer than 3 replicas or `min.insync.replicas` below 2, and this is not
            development (there it is a warning).
    """
    async with admin_client(settings) as client:
        described = await client.describe_topics([topic])
        replicas = min((len(p["replicas"]) for t in described for p in t["partitions"]), default=0)
        # Tansu, the local broker, hangs up on DescribeConfigs; one replica is weak whatever it would say.
        insync = await _min_insync(client, topic) if replicas >= STRONG_REPLICATION else 1
    if replicas >= STRONG_REPLICATION and insync >= STRONG_MIN_INSYNC:
        return
    if not settings.development:
        raise Unavailable(
            f"Topic {topic} has {replicas} replicas and min.insync.replicas {insync}; "
            f"{STRONG_REPLICATION} and {STRONG_MIN_INSYNC} are needed."
        )
    log.warning("kafka.topic_weak", topic=topic, replicas=replicas, min_insync=insync)


async def _min_insync(client: AIOKafkaAdminClient, topic: str) -> int:
    wanted = "min.insync.replicas"
    resource = ConfigResource(ConfigResourceType.TOPIC, topic, {wanted: None})
    answers = cast("list[Any]", await client.describe_configs([resource]))
    entries = cast("list[tuple[str, str]]", answers[0].resources[0][4]) if answers else []
    return next((int(entry[1]) for entry in entries if entry[0] == wanted), 1)
