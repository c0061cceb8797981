"""`GET /console`: pages that a browser runs. They hold nothing, and may do what their reader may.

The pages are files, the same for everybody. Who logs in there gets the tokens of `/v1/sessions`, which live
in the page's memory alone: no cookie that another site could make use of, nothing left when the page is
closed. Scripts, styles and requests come from and go to this origin only.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Header, Response

from otokura.shared.entity_tags import entity_tag, is_known
from otokura.shared.errors import NotFound

router = APIRouter(include_in_schema=False)

PAGES = Path(__file__).parent / "pages"
MEDIA_TYPES = {".html": "text/html", ".css": "text/css", ".js": "text/javascript"}
HEADERS = {
    # Asked for again each time, so that a page and its scripts are always of one version.
    "Cache-Control": "no-cache",
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; base-uri 'none';"
        " form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


@dataclass(frozen=True, slots=True)
class _File:
    content: bytes
    media_type: str
    etag: str

    @classmethod
    def read(cls, path: Path) -> _File:
        content = path.read_bytes()
        return cls(content, MEDIA_TYPES[path.suffix], entity_tag(content))


_FILES = {path.name: _File.read(path) for path in PAGES.iterdir() if path.suffix in MEDIA_TYPES}


@router.head("/console")
@router.get("/console")
async def console(if_none_match: Annotated[str | None, Header()] = None) -> Response:
    """The page that everything begins with."""
    return _answer(_FILES["console.html"], if_none_match)


@router.head("/console/{name}")
@router.get("/console/{name}")
async def file(name: str, if_none_match: Annotated[str | None, Header()] = None) -> Response:
    """A script or the style of the console.

    Raises:
        NotFound: there is no such file.
    """
    found = _FILES.get(name)
    if found is None:
        raise NotFound("The console has no such file.")
    return _answer(found, if_none_match)


def _answer(file: _File, if_none_match: str | None) -> Response:
    headers = HEADERS | {"ETag": file.etag}
    if is_known(file.etag, if_none_match):
        return Response(status_code=304, headers=headers)
    return Response(file.content, headers=headers, media_type=file.media_type)
