"""The HTTP side that all services share: problems, ids, logs, limits, health and metrics."""

from __future__ import annotations

import gc
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from socket import socket
from typing import Any, TypeVar

import uvicorn
from fastapi import APIRouter, FastAPI, Response
from fastapi.responses import JSONResponse
from starlette.requests import Request
from starlette.types import Lifespan

from otokura.shared import logs, metrics, problems
from otokura.shared.address import ClientAddressResolver
from otokura.shared.bodies import BodyMiddleware, body_limit
from otokura.shared.health import Readiness
from otokura.shared.http_connections import Guard, GuardedProtocol, room_for_connections
from otokura.shared.middleware import RequestMiddleware
from otokura.shared.settings import ServiceSettings
from otokura.shared.websocket_server import Rounds, WebSocketProtocol

__all__ = ["body_limit", "create_api", "run"]

S = TypeVar("S", bound=ServiceSettings)

log = logs.get_logger(__name__)

SHUTDOWN_SECONDS = 20
"""How long requests under way may take to end after SIGTERM; below the usual 30 of Kubernetes."""
_YOUNG_OBJECTS = 10_000
"""New objects after which garbage is looked for: a request makes hundreds, nearly none of them in cycles."""


class _Api(FastAPI):
    """FastAPI, with the two credentials in its OpenAPI, and each error answer as the problem that it is.

    A public route says so by `openapi_extra={"security": []}`.
    """

    def openapi(self) -> dict[str, Any]:
        schema = super().openapi()
        problems.describe(schema)
        schema.setdefault("components", {})["securitySchemes"] = {
            "accessToken": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
            "apiKey": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
        }
        schema["security"] = [{"accessToken": []}, {"apiKey": []}]
        return schema


def create_api(
    settings: ServiceSettings, *, title: str, lifespan: Lifespan[FastAPI], routers: Sequence[APIRouter]
) -> FastAPI:
    """The FastAPI app of a service.

    Its state holds `settings`, `readiness` (add checks to it) and `address_resolver`; a service with
    authenticated routes puts an `otokura.shared.authentication.Authenticator` in `authenticator`.
    """
    app = _Api(
        title=title,
        lifespan=_told(lifespan),
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        telemetry={"tracing": False, "metrics": False, "logs": False},
    )
    app.state.settings = settings
    app.state.readiness = Readiness()
    app.state.address_resolver = ClientAddressResolver(settings.trusted_proxies)
    problems.install(app)
    app.add_middleware(BodyMiddleware, limit=settings.max_body_bytes, seconds=settings.body_seconds)
    app.add_middleware(RequestMiddleware)
    # Plain Starlette routes, first and cheap to pass by: no service's catch-all can hide them.
    app.add_route("/healthz", healthz, include_in_schema=False)
    app.add_route("/readyz", readyz, include_in_schema=False)
    app.add_route("/metrics", metrics_text, include_in_schema=False)
    for router in routers:
        app.include_router(router)
    return app


def _told(lifespan: Lifespan[FastAPI]) -> Lifespan[FastAPI]:
    """The same, which tells why a service did not start, or ended: uvicorn says only that it did."""

    @asynccontextmanager
    async def telling(app: FastAPI) -> AsyncGenerator[Any]:
        try:
            async with lifespan(app) as state:
                yield state
        except Exception as error:
            log.critical("service.failed", exc_info=error)
            raise

    return telling


async def healthz(_request: Request) -> Response:
    """The process answers."""
    return Response(b'{"status":"ok"}', media_type="application/json")


async def readyz(request: Request) -> Response:
    """Everything that this process needs is there; 503 otherwise."""
    readiness: Readiness = request.app.state.readiness
    checks = await readiness.report()
    ready = all(result == "ok" for result in checks.values())
    return JSONResponse({"status": "ready" if ready else "unready", "checks": checks}, 200 if ready else 503)


async def metrics_text(_request: Request) -> Response:
    """The metrics, for Prometheus."""
    return Response(metrics.render(), headers={"Content-Type": metrics.CONTENT_TYPE})


def uvicorn_config(app: FastAPI, settings: ServiceSettings) -> uvicorn.Config:
    """How uvicorn serves an app of ours."""
    guard = Guard(room_for_connections(settings.max_connections), settings.head_seconds)
    options: dict[str, Any] = {
        "host": settings.host,
        "port": settings.port,
        "http": partial(GuardedProtocol, guard=guard),
        "ws": partial(WebSocketProtocol, rounds=Rounds()),
        "ws_max_size": settings.max_body_bytes,
        # Audio does not shrink, and each connection would hold two compressors' memory.
        "ws_per_message_deflate": False,
        "lifespan": "on",
        "log_config": None,
        "access_log": False,
        "server_header": False,
        # The raw peer is what `otokura.shared.address` starts from.
        "proxy_headers": False,
        "timeout_graceful_shutdown": SHUTDOWN_SECONDS,
    }
    return uvicorn.Config(app, **options)


class _Server(uvicorn.Server):
    """uvicorn, which keeps what it starts with out of the garbage collector's way.

    Some 250,000 objects of modules, routes and models live as long as the process. Each full collection
    walked through them with everything waiting: a quarter of a second, the 99th percentile of reads.
    Services turn it off before they import anything: looking through what stays is a quarter of the start.
    """

    async def startup(self, sockets: list[socket] | None = None) -> None:
        await super().startup(sockets)
        gc.collect()
        gc.freeze()
        gc.set_threshold(_YOUNG_OBJECTS)
        gc.enable()


def run(app_factory: Callable[[S], FastAPI], settings: S) -> None:
    """Serves until SIGTERM or SIGINT, then lets the requests under way end.

    Raises:
        SystemExit: the app could not start (3).
    """
    logs.configure(settings.service, settings.log_level)
    _Server(uvicorn_config(app_factory(settings), settings)).run()
