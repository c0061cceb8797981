"""Messaging in a process of its own, so that a test can `kill -9` it: `messaging_process.py ROLE JSON`.

Roles: `relay` sends an outbox; `consumer` dies between its commit and its offset's commit; `member` stands in
a group that misses it for long; `audit` writes entries as fast as it can. Each prints `ready` when begun.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any

from aiokafka import AIOKafkaConsumer
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlmodel.ext.asyncio.session import AsyncSession

from messaging import Broker, record_effect
from otokura.shared.audit import Action, AuditDraft, AuditWriter
from otokura.shared.consumer import Consumer, EventContext, Subscription
from otokura.shared.database import Database
from otokura.shared.events import CallEnded
from otokura.shared.kafka import Producer
from otokura.shared.outbox import OutboxRelay
from otokura.shared.partition_worker import PartitionWorker


@contextmanager
def process(role: str, broker: Broker, **options: Any) -> Iterator[subprocess.Popen[str]]:
    """Starts a role and waits until it has begun; kills what is left of it afterwards."""
    argv = [sys.executable, __file__, role, json.dumps({"broker": vars(broker), **options})]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as child:
        try:
            assert child.stdout is not None
            while (line := child.stdout.readline()).strip() != "ready":
                assert line, "the process ended before it had begun"
            yield child
        finally:
            child.kill()


async def relay(broker: Broker, database_url: str) -> None:
    work = OutboxRelay(Database(database_url, application_name="first-relay"), Producer(broker), None, "test")
    announce()
    await work.run()


async def consumer(broker: Broker, database_url: str, group: str, call_id: str) -> None:
    """Dies when the call's event has had its effect; the topic may hold events of other tests before it."""
    commit = PartitionWorker._commit
    reached = asyncio.Event()

    async def effect(session: AsyncSession, event: CallEnded, context: EventContext) -> None:
        await record_effect(session, event, context)
        if str(event.call_id) == call_id:
            reached.set()

    async def commit_or_die(worker: PartitionWorker) -> None:
        if reached.is_set():
            os._exit(9)
        await commit(worker)

    setattr(PartitionWorker, "_commit", commit_or_die)  # noqa: B010 - a method is replaced on purpose
    database = Database(database_url)
    announce()
    await Consumer(broker, group, database, [Subscription(CallEnded, effect)]).run()


async def member(broker: Broker, group: str) -> None:
    async with AIOKafkaConsumer(
        CallEnded.TOPIC,
        bootstrap_servers=broker.kafka_bootstrap,
        group_id=group,
        session_timeout_ms=20_000,
    ):
        announce()
        await asyncio.Event().wait()


async def audit(broker: Broker, key: str) -> None:
    writer = AuditWriter(
        Producer(broker),
        "access",
        Ed25519PrivateKey.from_private_bytes(bytes.fromhex(key)),
        heartbeat_seconds=0.05,
    )
    await writer.start()
    announce()

    async def write() -> None:
        while True:
            entry_id = await writer.write(AuditDraft(action=Action.READ_OPENED))
            sys.stdout.write(f"written {entry_id}\n")
            sys.stdout.flush()

    await asyncio.gather(*(write() for _ in range(8)))


def announce() -> None:
    sys.stdout.write("ready\n")
    sys.stdout.flush()


def main() -> None:
    options = json.loads(sys.argv[2])
    broker = Broker(**options.pop("broker"))
    roles: dict[str, Callable[..., Coroutine[Any, Any, None]]]
    roles = {"relay": relay, "consumer": consumer, "member": member, "audit": audit}
    asyncio.run(roles[sys.argv[1]](broker, **options))


if __name__ == "__main__":
    main()
