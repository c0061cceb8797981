"""The files of the console: all there, of this origin alone, and closed to everything else."""

from __future__ import annotations

import re

import pytest

from access_service import Access
from otokura.access.console.api import PAGES

pytestmark = [pytest.mark.postgres, pytest.mark.s3, pytest.mark.kafka, pytest.mark.any_broker]

KINDS = {
    "html": "text/html; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
}
NAMES = sorted(path.name for path in PAGES.iterdir())
POLICY = {
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
    "require-trusted-types-for 'script'",
}


def test_the_page_and_all_that_it_names_are_there(access: Access) -> None:
    with access.client() as client:
        named, seen = {"/console"}, set[str]()
        while named - seen:
            path = min(named - seen)
            answer = client.get(path)
            assert answer.status_code == 200, path
            kind = path.rpartition(".")[2] if "." in path else "html"
            assert answer.headers["Content-Type"] == KINDS[kind]
            seen.add(path)
            named |= set(re.findall(r'(?:href|src)="(/[^"]+)"', answer.text))
            named |= {f"/console/{name}" for name in re.findall(r'from "\./([^"]+)"', answer.text)}
    assert {path.rpartition("/")[2] for path in seen} == {*NAMES, "console"} - {"console.html"}


@pytest.mark.guarantee("P17")
@pytest.mark.parametrize("name", NAMES)
def test_a_page_loads_and_asks_nothing_of_elsewhere(access: Access, name: str) -> None:
    with access.client() as client:
        headers = client.get(f"/console/{name}").headers
    assert set(headers["Content-Security-Policy"].split("; ")) == POLICY
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["Cross-Origin-Opener-Policy"] == headers["Cross-Origin-Resource-Policy"] == "same-origin"
    text = (PAGES / name).read_text()
    assert not re.search(
        r"https?://|innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b|style=", text
    )
    assert not re.search(r"<script(?![^>]* src=)|\son[a-z]+=\"", text)


def test_what_a_browser_has_is_not_sent_again(access: Access) -> None:
    with access.client() as client:
        first = client.get("/console")
        again = client.get("/console", headers={"If-None-Match": f'"other", W/{first.headers["ETag"]}'})
        head = client.head("/console/console.js")
    assert (again.status_code, again.content) == (304, b"")
    assert (head.status_code, head.content) == (200, b"")


@pytest.mark.parametrize(
    ("name", "status"),
    [
        ("api.py", 404),
        ("..%2fapi.py", 404),
        ("%2e%2e/api.py", 404),
        ("nothing.js", 404),
        ("console.html%00", 400),
    ],
)
def test_there_are_no_other_files(access: Access, name: str, status: int) -> None:
    with access.client() as client:
        answer = client.get(f"/console/{name}")
    assert (answer.status_code, answer.headers["Content-Type"]) == (status, "application/problem+json")
