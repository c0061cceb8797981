"""The witness over HTTP: POST add-checkpoint, and its public key for whoever sets it up."""

from __future__ import annotations

import asyncio
import sqlite3
import sys
from http import HTTPStatus

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from otokura.cli.verify.findings import VerificationError
from otokura.cli.witness.judging import MAX_BODY_BYTES, TEXT_TYPE, Answer, Witness

_BODY_SECONDS = 15.0


def create_app(witness: Witness, vkey: str) -> Starlette:
    """The ASGI app.

    Args:
        witness: judges.
        vkey: its public key.
    """

    async def add_checkpoint(request: Request) -> Response:
        body = await _read(request)
        answer = body if isinstance(body, Answer) else await run_in_threadpool(_judge, witness, body)
        # Given as a header, or the framework would add a charset that the specification does not have.
        return Response(answer.body, answer.status, headers={"Content-Type": answer.media_type})

    async def key(_: Request) -> Response:
        return Response(f"{vkey}\n", media_type=TEXT_TYPE)

    return Starlette(
        routes=[
            Route("/add-checkpoint", add_checkpoint, methods=["POST"]),
            Route("/vkey", key, methods=["GET"]),
        ]
    )


async def _read(request: Request) -> bytes | Answer:
    body = bytearray()
    try:
        async with asyncio.timeout(_BODY_SECONDS):
            async for chunk in request.stream():
                body += chunk
                if len(body) > MAX_BODY_BYTES:
                    return Answer(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "larger than any submission\n")
    except TimeoutError:
        return Answer(HTTPStatus.REQUEST_TIMEOUT, "not sent in time\n")
    except ClientDisconnect:
        return Answer(HTTPStatus.BAD_REQUEST, "gone\n")
    return bytes(body)


def _judge(witness: Witness, body: bytes) -> Answer:
    try:
        answer = witness.add_checkpoint(body)
    except (sqlite3.Error, OSError, VerificationError) as error:
        # Its own folder is at fault: nothing was signed, and the log will ask again.
        sys.stderr.write(f"cannot judge: {type(error).__name__}: {error}\n")
        return Answer(HTTPStatus.SERVICE_UNAVAILABLE, "the witness cannot judge now\n")
    if answer.status in {HTTPStatus.CONFLICT, HTTPStatus.UNPROCESSABLE_ENTITY}:
        sys.stderr.write(f"not cosigned: {answer.status.value} {answer.body}")
    return answer
