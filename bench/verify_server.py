"""A folder over HTTP/1.1 on 127.0.0.1, in the shortest way: what is measured is who asks.

python bench/verify_server.py FOLDER PORT
"""

from __future__ import annotations

import asyncio
import sys
from functools import partial
from pathlib import Path


async def _answer(folder: Path, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            path = folder / head.split(b" ", 2)[1].decode().lstrip("/")
            found = path.is_file()
            body = path.read_bytes() if found else b""
            status = b"200 OK" if found else b"404 Not Found"
            writer.write(b"HTTP/1.1 %b\r\nContent-Length: %d\r\n\r\n%b" % (status, len(body), body))
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()


async def _serve(folder: Path, port: int) -> None:
    server = await asyncio.start_server(partial(_answer, folder), "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_serve(Path(sys.argv[1]), int(sys.argv[2])))
