"""The client's side of tus 1.0.0: https://tus.io/protocols/resumable-upload.

Three requests, over the connections that every command uses. The protocol's own Python client (tuspy, which
plays the client in the tests of ingest) knows no timeouts, holds each chunk in memory and opens a connection
for each: an import that runs over night needs the opposite.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Iterator
from pathlib import Path, PurePath

from otokura.cli.api.http import Api

_PIECE = 1 << 18
_VERSION = {"Tus-Resumable": "1.0.0"}


class Tus:
    """Uploads, at one ingest.

    Args:
        api: the ingest, with a credential.
    """

    def __init__(self, api: Api) -> None:
        self._api = api

    def create(self, call_id: str, name: str, size: int) -> str:
        """Announce a file; the address of its upload.

        Raises:
            ApiError: ingest refuses it.
            httpx.TransportError: there is no answer.
        """
        filename = b64encode(PurePath(name).name.encode()).decode()
        headers = {**_VERSION, "Upload-Length": str(size), "Upload-Metadata": f"filename {filename}"}
        answer = self._api.request("POST", f"/v1/calls/{call_id}/uploads", headers=headers)
        return str(answer.headers["location"])

    def offset(self, upload: str) -> int:
        """How many bytes are stored."""
        return int(self._api.request("HEAD", upload, headers=_VERSION).headers["upload-offset"])

    def send(self, upload: str, path: Path, offset: int, progress: Callable[[int], None]) -> None:
        """Send the file from the offset to its end.

        Args:
            upload: the address.
            path: the file.
            offset: where to begin.
            progress: gets how far it was sent; what it raises ends the request, and what came is kept.
        """
        size = path.stat().st_size
        headers = {
            **_VERSION,
            "Upload-Offset": str(offset),
            "Content-Length": str(size - offset),
            "Content-Type": "application/offset+octet-stream",
        }
        self._api.request("PATCH", upload, headers=headers, content=_pieces(path, offset, size, progress))


def _pieces(path: Path, offset: int, size: int, progress: Callable[[int], None]) -> Iterator[bytes]:
    with path.open("rb") as file:
        file.seek(offset)
        while offset < size:
            piece = file.read(min(_PIECE, size - offset))
            if not piece:
                raise OSError(f"{path} became shorter while it was sent")
            yield piece
            offset += len(piece)
            progress(offset)
