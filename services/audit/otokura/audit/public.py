"""`/log`: what anybody may read, as C2SP tlog-tiles describes it. Served from the bucket, byte by byte."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Response
from fastapi.responses import PlainTextResponse

from otokura.audit import repository, service
from otokura.audit.errors import NoSuchShard, NoSuchTile
from otokura.audit.kept import Kept
from otokura.audit.shelf import BINARY, JSON, OPENING, TEXT, Shelf
from otokura.audit.state import State, current
from otokura.audit.tiles import TILE_WIDTH, Tile, cut, parse_path
from otokura.audit.views import Receipt, ShardList, ShardView
from otokura.shared.errors import IntegrityError, NotFound, Unavailable
from otokura.shared.problems import responses

Current = Annotated[State, Depends(current)]
Year = Annotated[int, Path(ge=2000, le=9999, description="The shard.")]

FOREVER = "public, max-age=31536000, immutable"
A_MOMENT = "public, max-age=1"

_PUBLIC: dict[str, Any] = {"openapi_extra": {"security": []}}
_TEXT: dict[str, Any] = {**_PUBLIC, "response_class": PlainTextResponse}


class TileResponse(Response):
    """Bytes, as they lie in the bucket."""

    media_type = BINARY


router = APIRouter(prefix="/log", tags=["public log"], responses=responses(NotFound, Unavailable))


@router.get("", **_PUBLIC)
async def list_shards(state: Current) -> ShardList:
    """The logs of this service, oldest first."""
    async with state.database.session() as session:
        shards = await repository.shards(session)
    items = [
        ShardView(
            shard=shard.shard,
            origin=state.signer(shard.shard).origin,
            key=state.signer(shard.shard).vkey,
            size=shard.published_size,
        )
        for shard in shards
        if shard.published_at is not None
    ]
    return ShardList(items=items)


@router.get("/{shard}/checkpoint", **_TEXT)
async def read_checkpoint(shard: Year, state: Current) -> Response:
    """The newest signed checkpoint."""
    try:
        note = await state.shelf.read(shard, "checkpoint")
    except NotFound:
        raise NoSuchShard(f"Nothing is published in shard {shard}.") from None
    return Response(note, media_type=TEXT, headers={"Cache-Control": A_MOMENT})


@router.get("/{shard}/cosigned", **_TEXT)
async def read_cosigned(shard: Year, state: Current) -> Response:
    """The newest checkpoint that enough witnesses have cosigned; it may be older than the newest."""
    try:
        note = await state.shelf.read(shard, "cosigned")
    except NotFound:
        raise NoSuchTile(f"No witness has cosigned shard {shard}.") from None
    return Response(note, media_type=TEXT, headers={"Cache-Control": A_MOMENT})


@router.get("/{shard}/key", **_TEXT)
async def read_key(shard: Year, state: Current) -> Response:
    """The log's public key, as a vkey."""
    await service.known_shard(state, shard)
    return Response(state.signer(shard).vkey + "\n", media_type=TEXT, headers={"Cache-Control": A_MOMENT})


@router.get("/{shard}/opening", response_model=Receipt, **_PUBLIC)
async def read_opening(shard: Year, state: Current) -> Response:
    """The first entry, with its proof: it names the tree in which the log of the year before was left."""
    version = await state.kept.version(shard, OPENING)
    try:
        receipt = await state.shelf.read(shard, OPENING, version)
    except NotFound:
        raise NoSuchShard(f"Shard {shard} has no such entry, or not yet.") from None
    return Response(receipt, media_type=JSON, headers={"Cache-Control": FOREVER})


@router.get("/{shard}/tile/{path:path}", response_class=TileResponse, **_PUBLIC)
async def read_tile(shard: Year, path: str, state: Current) -> Response:
    """A tile (`tile/<L>/<N>[.p/<W>]`) or a bundle of entries (`tile/entries/<N>[.p/<W>]`)."""
    tile = parse_path(f"tile/{path}")
    if tile is None:
        raise NoSuchTile("The path is not tile/<L>/<N>[.p/<W>] or tile/entries/<N>[.p/<W>].")
    data = await tile_bytes(state.shelf, state.kept, shard, tile)
    return TileResponse(data, headers={"Cache-Control": FOREVER})


async def tile_bytes(shelf: Shelf, kept: Kept, shard: int, tile: Tile) -> bytes:
    """The bytes of a tile or bundle of a shard.

    Raises:
        NoSuchTile: there is none (yet).
        IntegrityError: the full tile that a partial one is cut from is damaged.
    """
    try:
        return await _read(shelf, kept, shard, tile)
    except NotFound:
        if tile.full:
            raise NoSuchTile("There is no such tile (yet).") from None
    # Partial tiles go when their full tile comes: it begins with the same hashes.
    full = Tile(tile.level, tile.index, TILE_WIDTH)
    try:
        return cut(tile, await _read(shelf, kept, shard, full))
    except NotFound:
        raise NoSuchTile("There is no such tile (yet).") from None
    except ValueError as error:
        raise IntegrityError(f"{full.path()} of shard {shard} in the bucket is damaged: {error}.") from error


async def _read(shelf: Shelf, kept: Kept, shard: int, tile: Tile) -> bytes:
    """A tile's bytes; of a full one those that were written first, whatever lies over them now."""
    version = await kept.version(shard, tile.path()) if tile.full else None
    return await shelf.read(shard, tile.path(), version)
