"""The log asks witnesses to cosign: beside publishing, through outages, and a fork becomes an alert."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import text

from audit_fixtures import ORIGIN, YEAR, Log
from audit_logs import FolderLog, Scribe, prepared_entries
from neighbours import Handler, Neighbours
from otokura.audit.witnesses import read_witnesses, submission
from otokura.audit.witnessing import Patience, Witnessing
from otokura.cli.verify import verify_log
from otokura.cli.witness.keys import create
from otokura.shared.errors import Unavailable

pytestmark = [pytest.mark.postgres, pytest.mark.s3, pytest.mark.guarantee("L25")]

PATIENT = Patience(interval=0.01, answer=10.0, silence=timedelta(seconds=0))


@pytest.fixture
def neighbours(log: Log, tmp_path: Path) -> Neighbours:
    return Neighbours(tmp_path, log.signer().vkey)


@pytest.fixture
async def client(neighbours: Neighbours) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(transport=neighbours) as found:
        yield found


def witnessing(log: Log, neighbours: Neighbours, folder: Path, quorum: int = 2) -> Witnessing:
    """As another process would have it."""
    return Witnessing(log.database, log.shelf, log.signer, neighbours.witnesses(folder), quorum, PATIENT)


async def grow(log: Log, count: int) -> None:
    await log.append(prepared_entries(Scribe(), count))
    await log.publish()


async def test_each_checkpoint_is_cosigned_and_the_log_stays_a_log(
    log: Log, neighbours: Neighbours, client: httpx.AsyncClient, tmp_path: Path
) -> None:
    asking = witnessing(log, neighbours, tmp_path)
    size = 0
    for count in (1, 300, 7):
        await grow(log, count)
        size += count
        await asking.ask_all(client)
        assert [each.size for each in neighbours.all] == [size] * 3
        folder = await log.download(tmp_path / f"{size}")
        report = verify_log(folder, log.signer().vkey, witnesses=neighbours.trusted(3))
        assert report.ok, report.findings
        assert {each.name for at, each in report.cosigned if at == size} == {
            "w1.example", "w2.example", "w3.example"
        }  # fmt: skip
        assert (folder / "cosigned").read_text() == (folder / "checkpoint").read_text()
    asked = [each.asked for each in neighbours.all]
    await asking.ask_all(client)
    assert [each.asked for each in neighbours.all] == asked, "what is cosigned is not asked for again"
    assert await log.alerts() == []


async def test_a_process_that_begins_anew_learns_what_each_has_seen(
    log: Log, neighbours: Neighbours, client: httpx.AsyncClient, tmp_path: Path
) -> None:
    await grow(log, 20)
    await witnessing(log, neighbours, tmp_path).ask_all(client)
    await grow(log, 5)
    await witnessing(log, neighbours, tmp_path).ask_all(client)
    await witnessing(log, neighbours, tmp_path).ask_all(client)
    assert [each.size for each in neighbours.all] == [25] * 3
    assert await log.alerts() == []


async def test_a_log_that_grows_while_they_answer_keeps_what_they_cosigned_beside_it(
    log: Log, neighbours: Neighbours, client: httpx.AsyncClient, tmp_path: Path
) -> None:
    await grow(log, 20)
    published = await log.shelf.checkpoint(YEAR, log.signer())
    assert published is not None
    await grow(log, 5)
    asking = witnessing(log, neighbours, tmp_path)
    lines = await asyncio.gather(
        *(asking._try(client, each, YEAR, published) for each in neighbours.witnesses(tmp_path))
    )
    await asking._publish(YEAR, published, [line for each in lines for line in each])
    folder = await log.download(tmp_path / "log")
    report = verify_log(folder, log.signer().vkey, witnesses=neighbours.trusted(3))
    assert report.ok, report.findings
    assert (report.size, {size for size, _ in report.cosigned}, report.pinned) == (25, {20}, 1)
    await asking.ask_all(client)
    assert (await log.shelf.cosigned(YEAR, log.signer())).checkpoint.size == 25  # type: ignore[union-attr]
    await asking._publish(YEAR, published, [line for each in lines for line in each])
    cosigned = await log.shelf.cosigned(YEAR, log.signer())
    assert cosigned is not None
    assert cosigned.checkpoint.size == 25, "a slow process puts no older one in its place"


@pytest.mark.parametrize(
    "fault",
    [
        lambda _: httpx.Response(403),
        lambda _: httpx.Response(404),
        lambda _: httpx.Response(500, text="no"),
        lambda _: httpx.Response(302, headers={"Location": "https://w2.example/add-checkpoint"}),
        lambda _: httpx.Response(200, text="\N{EM DASH} w1.example AAAA\n"),
        lambda _: httpx.Response(200, content=b"\xff" * (1 << 20)),
        lambda _: httpx.Response(409, text="seven"),
        lambda _: httpx.Response(409, text="9" * 5000),
    ],
)
async def test_a_witness_that_fails_costs_the_others_nothing(
    log: Log, neighbours: Neighbours, client: httpx.AsyncClient, tmp_path: Path, fault: Handler
) -> None:
    neighbours.all[0].fault = fault
    asking = witnessing(log, neighbours, tmp_path)
    await grow(log, 20)
    await asking.ask_all(client)
    folder = await log.download(tmp_path / "log")
    assert verify_log(folder, log.signer().vkey, witnesses=neighbours.trusted(2)).ok
    assert not verify_log(folder, log.signer().vkey, witnesses=neighbours.trusted(3)).ok
    [(kind, source, detail)] = await log.alerts()
    assert (kind, source, detail["witness"]) == ("witness-silent", "log", "w1.example")
    neighbours.all[0].fault = None
    await grow(log, 5)
    await asyncio.sleep(0.05)
    await asking.ask_all(client)
    folder = await log.download(tmp_path / "later")
    assert verify_log(folder, log.signer().vkey, witnesses=neighbours.trusted(3)).ok


async def test_cosignatures_that_did_not_get_into_the_bucket_are_asked_for_again(
    log: Log,
    neighbours: Neighbours,
    client: httpx.AsyncClient,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    await grow(log, 5)
    asking = witnessing(log, neighbours, tmp_path)

    async def away(*_: object) -> None:
        raise Unavailable

    with monkeypatch.context() as patched:
        patched.setattr(log.shelf, "replace_note", away)
        with pytest.raises(Unavailable):
            await asking.ask_all(client)
    assert [each.size for each in neighbours.all] == [5] * 3, "they have cosigned, and nobody can see it"
    await asking.ask_all(client)
    folder = await log.download(tmp_path / "log")
    assert verify_log(folder, log.signer().vkey, witnesses=neighbours.trusted(3)).ok


async def test_two_replicas_with_one_witness_each_make_the_quorum_together(
    log: Log, neighbours: Neighbours, client: httpx.AsyncClient, tmp_path: Path
) -> None:
    """Each has one answer; the note in the bucket is one, and both put their line into it."""
    await grow(log, 5)
    published = await log.shelf.checkpoint(YEAR, log.signer())
    assert published is not None
    replicas = [witnessing(log, neighbours, tmp_path) for _ in range(2)]
    for asking, witness in zip(replicas, neighbours.witnesses(tmp_path)[:2], strict=True):
        lines = await asking._try(client, witness, YEAR, published)
        await asking._publish(YEAR, published, lines)
    assert await log.shelf.cosigned(YEAR, log.signer()) is None
    neighbours.all[2].fault = lambda _: httpx.Response(503)
    assert await replicas[1]._ask_about(client, YEAR) == 0
    assert await log.shelf.cosigned(YEAR, log.signer()) is not None


async def test_a_witness_that_hangs_holds_no_publication_up(
    log: Log, neighbours: Neighbours, tmp_path: Path
) -> None:
    hung, released = asyncio.Event(), asyncio.Event()

    class Hanging(httpx.AsyncBaseTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            hung.set()
            await released.wait()
            return await neighbours.handle_async_request(request)

    await grow(log, 3)
    async with httpx.AsyncClient(transport=Hanging()) as client:
        asking = asyncio.create_task(witnessing(log, neighbours, tmp_path).ask_all(client))
        await hung.wait()
        await grow(log, 4)
        assert (await log.shard()).published_size == 7
        released.set()
        await asking
    assert [each.size for each in neighbours.all] == [3] * 3


async def test_below_the_quorum_nothing_is_put_beside_the_log(
    log: Log, neighbours: Neighbours, client: httpx.AsyncClient, tmp_path: Path
) -> None:
    for each in neighbours.all[1:]:
        each.fault = lambda _: httpx.Response(503)
    await grow(log, 3)
    await witnessing(log, neighbours, tmp_path, quorum=2).ask_all(client)
    assert await log.shelf.cosigned(YEAR, log.signer()) is None
    assert verify_log(
        await log.download(tmp_path / "log"), log.signer().vkey, witnesses=neighbours.trusted(1)
    ).ok


async def forked(log: Log, size: int) -> FolderLog:
    """Another log of this name and key, which the witness sees before ours."""
    other = [item.leaf for item in prepared_entries(Scribe(), size)]
    return FolderLog(Path("nowhere"), other, log.key, origin=f"{ORIGIN}/{YEAR}")


@pytest.mark.parametrize(("theirs", "ours"), [(5, 5), (5, 9), (9, 5)], ids=["same", "smaller", "larger"])
async def test_a_witness_that_saw_another_log_of_ours_is_an_alarm(
    log: Log, neighbours: Neighbours, client: httpx.AsyncClient, tmp_path: Path, theirs: int, ours: int
) -> None:
    other = await forked(log, theirs)
    assert neighbours.all[0].judge.add_checkpoint(submission(0, [], other.note()).encode()).status == 200
    await grow(log, ours)
    asking = witnessing(log, neighbours, tmp_path)
    for _ in range(3):
        await asking.ask_all(client)
    [(kind, source, detail)] = await log.alerts()
    assert (kind, source) == ("witness-conflict", f"log/{YEAR}")
    assert (detail["witness"], detail["size"]) == ("w1.example", theirs)
    assert neighbours.all[0].size == theirs, "it cosigned nothing of ours"
    assert verify_log(
        await log.download(tmp_path / "log"), log.signer().vkey, witnesses=neighbours.trusted(2)
    ).ok, "the others go on"


async def test_kafka_is_told_of_what_a_quorum_cosigned(
    log: Log, neighbours: Neighbours, client: httpx.AsyncClient, tmp_path: Path
) -> None:
    await grow(log, 3)
    await witnessing(log, neighbours, tmp_path).ask_all(client)
    async with log.database.session() as session:
        query = text("SELECT data::json->>'checkpoint' FROM outbox WHERE topic = :topic ORDER BY id")
        rows = await (await session.connection()).execute(query, {"topic": "otokura.audit.checkpoints"})
        told = list(rows.scalars())
    assert told[0] == log.signer().sign(3, (await log.shard()).signed_root or b"")
    assert told[1].startswith(told[0])
    assert told[1].count("\N{EM DASH} ") == 4


@pytest.mark.parametrize(
    "content",
    ["", "{}", '[{"url": "https://w.example"}]', '[{"url": "ftp://w", "vkey": "{vkey}"}]',
     '[{"url": "http://w", "vkey": "{vkey}"}]', '[{"url": "https://w", "vkey": "w+00000000+AAAA"}]',
     '[{"url": "https://w", "vkey": "{vkey}"}, {"url": "https://v", "vkey": "{vkey}"}]',
     '[{"url": "https://w", "vkey": "{log}"}]'],
)  # fmt: skip
def test_a_list_of_witnesses_that_is_none_stops_the_start(tmp_path: Path, content: str) -> None:
    key = create(tmp_path / "w", "w.example", post_quantum=False)
    log = FolderLog(tmp_path, [], Ed25519PrivateKey.generate())
    path = tmp_path / "witnesses.json"
    path.write_text(content.replace("{vkey}", str(key.public)).replace("{log}", log.vkey))
    with pytest.raises(ValueError, match=r"witness|vkey"):
        read_witnesses(path, development=False)
