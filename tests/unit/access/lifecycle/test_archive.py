"""The archive for the person concerned: any program opens it, and its page holds no surprise."""

from __future__ import annotations

import hashlib
import io
import zipfile
from datetime import UTC, datetime
from html.parser import HTMLParser

from otokura.access.lifecycle.archive import Archive
from otokura.access.lifecycle.person_index import Shown, index_html
from otokura.shared.events import Purpose, TenantSettings
from otokura.shared.publication import Company, Contact

MOMENT = (2026, 11, 30, 12, 34, 56)
AT = datetime(2026, 11, 29, 15, 30, tzinfo=UTC)


def test_members_are_read_back_as_they_were_written_and_nothing_is_held() -> None:
    archive, out, largest = Archive(MOMENT), b"", 0
    growing = archive.begin("calls/001/audio.wav")
    for number in range(50):
        growing.write(bytes([number]) * 65536)
        taken = archive.take()
        largest = max(largest, len(taken))
        out += taken
    growing.end()
    archive.add("index.html", "開示".encode())
    out += archive.finish()
    assert largest < 2 * 65536
    with zipfile.ZipFile(io.BytesIO(out)) as file:
        assert file.testzip() is None
        assert file.namelist() == ["calls/001/audio.wav", "index.html"]
        audio = file.read("calls/001/audio.wav")
        assert file.read("index.html").decode() == "開示"
    assert audio == b"".join(bytes([number]) * 65536 for number in range(50))
    assert archive.members[0].sha256 == hashlib.sha256(audio).hexdigest()
    assert archive.members[0].bytes == len(audio)


class Page(HTMLParser):
    """The tags and the text of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str] = []
        self.words = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.links += [value or "" for name, value in attrs if name == "href"]

    def handle_data(self, data: str) -> None:
        self.words += data


def test_the_page_says_in_two_languages_what_there_is_and_what_is_not() -> None:
    settings = TenantSettings(
        purposes=[Purpose(name="quality", label_ja="応対品質の向上", label_en="Quality of service")],
        company=Company(name="みどり<script>", address="東京"),
        contact=Contact(name="窓口", phone="0120-000-000"),
    )
    calls = [
        Shown(1, AT, "inbound", 61_000, ["quality", "x<b>"], files=["calls/001/audio.wav"]),
        Shown(2, AT, "outbound", None, [], missing=["no-transcript", "not-searched"]),
    ]
    page = Page(index_html(calls, settings, AT, redacted=True))
    assert "script" not in page.tags
    assert "b" not in page.tags
    assert page.links == ["calls/001/audio.wav"]
    for words in (
        "みどり<script>",
        "応対品質の向上",
        "Quality of service",
        "x<b>",
        "2026-11-30 00:30",
        "61 秒",
    ):
        assert words in page.words
    for words in ("伏せてあります", "to protect the rights of others", "There is no transcript"):
        assert words in page.words
    assert "伏せてあります" not in index_html(calls, settings, AT, redacted=False)
