"""Kafka, as the services use it: settings, topics, a producer that knows what is acknowledged, events."""

from __future__ import annotations

from otokura.shared.cloudevents import Envelope, Record, decode, encode
from otokura.shared.kafka_settings import KafkaSettings
from otokura.shared.producer import Producer
from otokura.shared.topics import check_strength, dead_letter_topic, ensure_topics

__all__ = [
    "Envelope",
    "KafkaSettings",
    "Producer",
    "Record",
    "check_strength",
    "dead_letter_topic",
    "decode",
    "encode",
    "ensure_topics",
    "producer",
]


def producer(settings: KafkaSettings) -> Producer:
    """A producer for these settings; it connects at the first send."""
    return Producer(settings)
