"""`GET /notice/{tenant}`: what a tenant publishes about its recordings, for whoever was recorded.

A plain page without scripts, pictures or anything from elsewhere, in Japanese and English, made from the
tenant's settings: see `otokura.shared.publication` for the articles of law that it answers to.
"""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Header, Query, Response
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from otokura.ingest.dependencies import IngestState
from otokura.ingest.state import State
from otokura.shared.address import ClientAddress
from otokura.shared.directory import Tenant
from otokura.shared.entity_tags import entity_tag, is_known
from otokura.shared.errors import NotFound, TooManyRequests
from otokura.shared.problems import responses
from otokura.shared.publication import Company

router = APIRouter()

PAGES = Path(__file__).parent / "pages"
LANGUAGES = ("ja", "en")
"""The first is shown to who asks for neither: the law that asks for the page is Japan's."""
MAX_AGE = 300
MAX_ITEMS = 32
"""Of an Accept-Language that are looked at."""
STYLE = (PAGES / "notice.css").read_text()
_STYLE_SHA256 = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
HEADERS = {
    "Cache-Control": f"public, max-age={MAX_AGE}",
    "Content-Security-Policy": (
        f"default-src 'none'; style-src 'sha256-{_STYLE_SHA256}'; base-uri 'none'; form-action 'none';"
        " frame-ancestors 'none'"
    ),
    "Referrer-Policy": "no-referrer",
    "Vary": "Accept-Language",
    "X-Content-Type-Options": "nosniff",
}


def _dialled(phone: str) -> str:
    """A number as RFC 3966 has it in a `tel:` link: digits, and a plus in front."""
    return "".join(character for character in phone if character in "+0123456789")


_PAGES = Environment(
    loader=FileSystemLoader(PAGES), autoescape=True, undefined=StrictUndefined, keep_trailing_newline=True
)
_PAGES.filters["dialled"] = _dialled


@router.head("/notice/{tenant}", include_in_schema=False)
@router.get(
    "/notice/{tenant}",
    tags=["notice"],
    response_class=Response,
    responses={200: {"content": {"text/html": {}}}, 304: {}, **responses(NotFound, TooManyRequests)},
    openapi_extra={"security": []},
)
async def show_notice(
    tenant: str,
    state: IngestState,
    place: ClientAddress,
    lang: Annotated[
        str | None, Query(description="`ja` or `en`; without it Accept-Language decides.")
    ] = None,
    accept_language: Annotated[str | None, Header()] = None,
    if_none_match: Annotated[str | None, Header()] = None,
) -> Response:
    """The public notice about a company's recordings: a page for people, needing no credentials."""
    state.limits.reader(place)
    found = await _published(state, tenant)
    language = lang if lang in LANGUAGES else preferred(accept_language or "")
    page = render(found, language)
    etag = entity_tag(page)
    headers = HEADERS | {"ETag": etag, "Content-Language": language}
    if is_known(etag, if_none_match):
        return Response(status_code=304, headers=headers)
    return Response(page, headers=headers, media_type="text/html")


async def _published(state: State, tenant: str) -> Tenant:
    try:
        found = await state.directory.tenant(UUID(tenant))
    except ValueError:
        found = None
    if found is None or found.disabled:
        raise NotFound("There is no such notice.")
    return found


def render(tenant: Tenant, language: str) -> bytes:
    """The page, in UTF-8."""
    page = _PAGES.get_template(f"notice.{language}.html")
    company = tenant.settings.company or Company(name=tenant.name)
    style = Markup(STYLE)  # noqa: S704 - a file of ours
    text = page.render(language=language, settings=tenant.settings, company=company, style=style)
    return text.encode()


def preferred(accept_language: str) -> str:
    """The language of ours that a header asks for most (RFC 9110 §12.5.4); the first if it asks for none."""
    wanted: dict[str, float] = {}
    for item in accept_language.split(",", MAX_ITEMS)[:MAX_ITEMS]:
        name, _, weight = item.partition(";")
        primary = name.strip().lower().partition("-")[0]
        if primary in LANGUAGES:
            wanted[primary] = max(wanted.get(primary, 0.0), _weight(weight))
    best = max(wanted, key=lambda name: wanted[name], default=LANGUAGES[0])
    return best if wanted.get(best) else LANGUAGES[0]


def _weight(parameter: str) -> float:
    name, _, value = parameter.strip().partition("=")
    if name.strip().lower() != "q":
        return 1.0
    try:
        return float(value)
    except ValueError:
        return 0.0
