"""The public notice: what it says, in which language, to whom, and how it may be kept."""

from __future__ import annotations

import base64
import hashlib
import re
from html.parser import HTMLParser
from typing import Any
from uuid import uuid4

import httpx
import pytest

from ingest_service import IngestService, MakeIngest

pytestmark = [pytest.mark.postgres, pytest.mark.s3, pytest.mark.kafka, pytest.mark.any_broker]

MARKUP = "<script>alert(1)</script>\"'&"
SETTINGS: dict[str, Any] = {
    "require_notice": True,
    "retention_days": 180,
    "notice_version": "2026-04",
    "company": {
        "name": "株式会社みどり",
        "name_en": "Midori Inc.",
        "address": "東京都千代田区1-1",
        "representative": "緑川 一郎",
    },
    "contact": {
        "name": "個人情報窓口",
        "email": "privacy@midori.example",
        "phone": "+81 (0)3-1234-5678",
        "url": "https://midori.example/privacy",
    },
    "requests_ja": "窓口へ。\n無料です。",
}


class Page(HTMLParser):
    """What is on a page: its text, and every tag with its attributes."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.text = ""
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self._hidden = False
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._hidden = tag in ("style", "title")

    def handle_endtag(self, tag: str) -> None:
        del tag
        self._hidden = False

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self.text += data

    def all(self, tag: str, attribute: str) -> list[str | None]:
        return [attributes.get(attribute) for name, attributes in self.tags if name == tag]


async def get(ingest: IngestService, tenant: object, **headers: str) -> httpx.Response:
    async with httpx.AsyncClient(base_url=ingest.url, headers=headers) as anybody:
        return await anybody.get(f"/notice/{tenant}")


@pytest.mark.guarantee("A22")
async def test_whoever_was_recorded_reads_what_the_law_asks_for(ingest: IngestService) -> None:
    tenant = (await ingest.add_tenant(**SETTINGS)).tenant_id
    japanese = await get(ingest, tenant)
    assert (japanese.status_code, japanese.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    page = Page(japanese.text)
    for said in (
        "株式会社みどり", "東京都千代田区1-1", "緑川 一郎", "応対品質の向上", "180日間",
        "窓口へ。\n無料です。", "個人情報窓口", "privacy@midori.example", "+81 (0)3-1234-5678",
        "苦情", "安全管理", "2026-04", "お伝えする前の音声は、録音しません",
    ):  # fmt: skip
        assert said in page.text
    links = [
        "?lang=en",
        "tel:+810312345678",
        "mailto:privacy@midori.example",
        "https://midori.example/privacy",
    ]
    assert page.all("a", "href") == links
    english = Page((await get(ingest, f"{tenant}?lang=en")).text)
    for said in ("Midori Inc.", "東京都千代田区1-1", "Quality of service", "180 days", "個人情報窓口"):
        assert said in english.text
    assert "You may ask" in english.text  # no requests_en: what the law gives in any case


async def test_a_tenant_that_set_nothing_still_says_who_records(ingest: IngestService) -> None:
    tenant = (await ingest.add_tenant(purposes=[])).tenant_id
    page = Page((await get(ingest, tenant)).text)
    assert "Test" in page.text
    assert "利用目的は、まだ公表されていません" in page.text
    assert "お伝えする前の音声" not in page.text


@pytest.mark.parametrize(
    ("query", "accepted", "language"),
    [
        ("", "", "ja"),
        ("", "en", "en"),
        ("", "en-GB,en;q=0.9,ja;q=0.8", "en"),
        ("", "fr, en;q=0.3, ja-JP;q=0.4", "ja"),
        ("", "fr", "ja"),
        ("", "en;q=0", "ja"),
        ("", ";;;q=,en;q=x," * 50, "ja"),
        ("?lang=en", "ja", "en"),
        ("?lang=ja", "en", "ja"),
        ("?lang=fr", "en", "en"),
    ],
)
async def test_the_language_is_the_one_asked_for(
    ingest: IngestService, query: str, accepted: str, language: str
) -> None:
    tenant = (await ingest.add_tenant()).tenant_id
    response = await get(ingest, f"{tenant}{query}", **{"Accept-Language": accepted})
    page = Page(response.text)
    assert (response.headers["Content-Language"], page.all("html", "lang")) == (language, [language])
    assert response.headers["Vary"] == "Accept-Language"


@pytest.mark.guarantee("A22")
async def test_an_unknown_and_a_disabled_tenant_have_no_notice(ingest: IngestService) -> None:
    disabled = await ingest.add_tenant()
    await ingest.disable(disabled)
    answers = [
        await get(ingest, which) for which in (uuid4(), disabled.tenant_id, "midori", "%01", "a" * 5000)
    ]
    assert [answer.status_code for answer in answers] == [404] * 5
    assert (await get(ingest, "%00")).status_code == 400
    details = {answer.json()["detail"] for answer in answers}
    assert details == {"There is no such notice."}


@pytest.mark.guarantee("A22")
async def test_markup_in_a_setting_is_text(ingest: IngestService) -> None:
    settings = {
        "purposes": [{"name": "a", "label_ja": MARKUP, "label_en": MARKUP}],
        "company": {"name": MARKUP, "address": MARKUP},
        "contact": {"name": MARKUP, "phone": "110"},
        "requests_ja": MARKUP,
    }
    tenant = (await ingest.add_tenant(**settings)).tenant_id
    response = await get(ingest, tenant)
    page = Page(response.text)
    assert page.text.count(MARKUP) == 6
    assert "script" not in {name for name, _ in page.tags}


async def test_the_page_brings_everything_with_it_and_permits_nothing_else(ingest: IngestService) -> None:
    tenant = (await ingest.add_tenant(**SETTINGS)).tenant_id
    response = await get(ingest, tenant)
    page = Page(response.text)
    assert {"script", "img", "link", "iframe", "form"}.isdisjoint(name for name, _ in page.tags)
    assert not any(
        "style" in attributes or any(key.startswith("on") for key in attributes)
        for _, attributes in page.tags
    )
    policy = response.headers["Content-Security-Policy"]
    [style] = re.findall(r"<style>(.*?)</style>", response.text, re.DOTALL)
    hashed = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert policy.startswith(f"default-src 'none'; style-src 'sha256-{hashed}'; ")
    assert "unsafe" not in policy
    assert re.findall(r"https?://[^\"<]+", response.text) == ["https://midori.example/privacy"] * 2


async def test_a_cache_may_keep_it_and_ask_again(ingest: IngestService) -> None:
    tenant = (await ingest.add_tenant()).tenant_id
    first = await get(ingest, tenant)
    etag = first.headers["ETag"]
    assert first.headers["Cache-Control"] == "public, max-age=300"
    again = await get(ingest, tenant, **{"If-None-Match": f'"other", W/{etag}'})
    assert (again.status_code, again.content, again.headers["ETag"]) == (304, b"", etag)
    assert (await get(ingest, f"{tenant}?lang=en")).headers["ETag"] != etag
    async with httpx.AsyncClient(base_url=ingest.url) as anybody:
        head = await anybody.head(f"/notice/{tenant}")
    assert (head.status_code, head.content, head.headers["ETag"]) == (200, b"", etag)
    assert head.headers["Content-Length"] == str(len(first.content))


@pytest.fixture(scope="module")
def few(make_ingest: MakeIngest) -> IngestService:
    """An ingest process behind a proxy, that answers few requests without credentials."""
    return make_ingest(public_requests_per_minute=3, trusted_proxies="127.0.0.1")


async def test_from_one_address_so_many_requests_are_answered(few: IngestService) -> None:
    tenant = (await few.add_tenant()).tenant_id
    answers = [await get(few, tenant, **{"X-Forwarded-For": "192.0.2.1"}) for _ in range(5)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429, 429]
    assert int(answers[-1].headers["Retry-After"]) >= 1
    assert (await get(few, tenant, **{"X-Forwarded-For": "192.0.2.2"})).status_code == 200
