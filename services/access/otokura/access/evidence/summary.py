"""The summary of a bundle on one page, Japanese and English, for who opens nothing else.

The font is embedded, so it looks the same everywhere; a character that the font lacks becomes a white square.
What is longer than its room on the page ends with …: it stands whole in README and manifest.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import pylopdf

from otokura.access.evidence.facts import Facts, Timestamp
from otokura.access.evidence.readme import (
    MISSING,
    NOTICES,
    in_japan,
    in_utc,
    length,
    one_line,
    timestamp_words,
)

_LEFT, _MIDDLE, _RIGHT, _TOP, _BOTTOM = 48.0, 190.0, 547.0, 40.0, 800.0
_SIZE, _SMALL, _LARGE = 9.0, 7.5, 17.0
_LEADING = 1.2
_ENDLESS = 10_000.0
_GREY = (0.35, 0.35, 0.35)
_LACKING = "\N{WHITE SQUARE}"
_CUT = "…"
_ROWS = {"inbound": "着信 / inbound", "outbound": "発信 / outbound", "internal": "内線 / internal"}
_ABOUT = """\
これは要約です。証拠は、これを含む一式 (ZIP) の音声と記録です。一式は一バイトでも変わると検証に失敗します。
This page is a summary. The evidence is the audio and the records in the bundle (ZIP) that holds it; \
after any byte of the bundle is changed, its verification fails."""
_BELOW = """\
検証 / To verify:  otokura verify evidence FILE.zip --key LOG.vkey --source-keys KEYS.json
公開鍵は別の経路で受け取ってください。 / Get the public keys from somewhere else than the bundle.
証明しないこと: 話者の本人性、Otokura に届く前の音声、文字起こしの正確さ、時計の正確さ。
Not proved: who the speakers are, what happened to the audio before it reached Otokura, \
that the transcript and the clocks were right."""


def summary(facts: Facts, timestamp: Timestamp) -> bytes:
    """The page, as PDF. Takes a moment of CPU: call it in a thread."""
    document = pylopdf.Document()
    page = _Page(document.new_page())
    page.footer(_BELOW.splitlines())
    page.text("通話録音の証拠", _LARGE)
    page.text("Evidence of a recorded call", _SIZE + 2, _GREY)
    page.rule()
    for line in _ABOUT.splitlines():
        page.text(line, _SIZE)
    page.rule()
    for japanese, english, room, value in _told(facts, timestamp):
        page.row(japanese, english, room, value)
    document.set_metadata({"title": f"Evidence of call {facts.manifest.call_id}", "producer": "Otokura"})
    return document.tobytes(deflate=True)


def _told(facts: Facts, timestamp: Timestamp) -> list[tuple[str, str, int, str]]:
    """Rows: what it is called, in how many lines it has room, and what it is. All of them fit on the page."""
    recording, told = facts.manifest, facts.told
    notice, stamped = NOTICES[recording.notice.given], timestamp_words(timestamp)
    purposes = [
        one_line(" / ".join(dict.fromkeys([it.get("label_ja", it["name"]), it.get("label_en", it["name"])])))
        for it in facts.purposes()
    ]
    actions = ", ".join(f"{action} {count}" for action, count in sorted(told.actions.items()))
    logs = "\n".join(f"{tree.origin}: {tree.size} entries" for tree in facts.trees)
    return [
        ("一式の番号", "bundle", 1, str(facts.evidence_id)),
        ("通話", "call", 1, str(recording.call_id)),
        ("日時", "time", 2, f"{in_japan(recording.started_at)}\n{in_utc(recording.started_at)}"),
        ("長さ・向き", "length, direction", 1, f"{length(facts)}  {_ROWS[recording.direction]}"),
        ("告知", "notice", 1, f"{notice[0]} / {notice[1]}"),
        ("利用目的", "purposes", 4, "\n".join(purposes) or "なし / none"),
        ("音声の SHA-256", "SHA-256 of the audio", 2, recording.recording.plaintext_sha256),
        ("取扱記録", "history", 6, f"{told.entries} ({told.erased} erased)\n{actions}"),
        ("ログ", "log", 3, logs),
        ("含まないもの", "not in it", 4, _missing(facts)),
        ("作成者", "made by", 2, one_line(facts.made_by["name"])),
        ("作成日時", "made", 2, f"{in_japan(facts.made_at)}\n{in_utc(facts.made_at)}"),
        ("理由", "reason", 9, one_line(facts.reason)),
        ("タイムスタンプ", "timestamp", 2, f"{stamped[0]} / {stamped[1]}"),
    ]


def _missing(facts: Facts) -> str:
    lines = [f"{what}: {MISSING[why][0]} / {MISSING[why][1]}" for what, why in facts.missing.items()]
    return "\n".join(lines) or "なし / nothing"


class _Page:
    """A page that is filled from its top."""

    def __init__(self, page: pylopdf.Page) -> None:
        self._page = page
        self._at = _TOP

    def footer(self, lines: Sequence[str]) -> None:
        """What stands at the bottom, whatever comes above it."""
        self._at = _BOTTOM - sum(_height(line, _RIGHT - _LEFT, _SMALL) + 3 for line in lines) - 10
        self.rule()
        for line in lines:
            self.text(line, _SMALL, _GREY)
        self._at = _TOP

    def text(self, text: str, size: float, color: tuple[float, float, float] = (0, 0, 0)) -> None:
        """A paragraph over the whole width."""
        self._at += self._draw(text, _LEFT, _RIGHT, size, color) + 3

    def row(self, japanese: str, english: str, room: int, value: str) -> None:
        """What something is called, and what it is, in so many lines at most."""
        label = self._draw(japanese, _LEFT, _MIDDLE - 10, _SIZE)
        self._at += label
        below = self._draw(english, _LEFT, _MIDDLE - 10, _SMALL, _GREY)
        self._at -= label
        shown = _cut(value, _RIGHT - _MIDDLE, _SIZE, room)
        self._at += max(label + below, self._draw(shown, _MIDDLE, _RIGHT, _SIZE)) + 2

    def rule(self) -> None:
        """A line."""
        self._page.draw_line((_LEFT, self._at + 3), (_RIGHT, self._at + 3), color=_GREY, width=0.5)
        self._at += 10

    def _draw(
        self,
        text: str,
        left: float,
        right: float,
        size: float,
        color: tuple[float, float, float] = (0, 0, 0),
    ) -> float:
        """Draws at the current height; how much of it that took."""
        height = _height(text, right - left, size)
        box = (left, self._at, right, self._at + height + 1)  # a point for what adding and taking away rounds
        self._page.insert_textbox(
            box, _drawable(text), font=_font(), fontsize=size, lineheight=_LEADING, color=color
        )
        return height


def _cut(text: str, width: float, size: float, lines: int) -> str:
    """As much of the text as has room."""
    room = _height("\n" * (lines - 1) + "国", width, size) + 1
    if _height(text, width, size) <= room:
        return text
    fits, too_long = 0, len(text)
    while too_long - fits > 1:
        middle = (fits + too_long) // 2
        if _height(text[:middle] + _CUT, width, size) <= room:
            fits = middle
        else:
            too_long = middle
    return text[:fits] + _CUT


def _height(text: str, width: float, size: float) -> float:
    """What a text takes, measured on a page that nobody sees."""
    page = pylopdf.Document().new_page(height=_ENDLESS)
    box = (0, 0, width, _ENDLESS)
    font = _font()
    spare = page.insert_textbox(box, _drawable(text), font=font, fontsize=size, lineheight=_LEADING)
    # What it says to have used is less than from the first line's top to the last one's bottom.
    lines = round((_ENDLESS - spare) / (_LEADING * size))
    return size * (font.ascender - font.descender + (lines - 1) * _LEADING * font.ascender)


@lru_cache(maxsize=1)
def _font() -> pylopdf.Font:
    return pylopdf.Font(language="ja")


def _drawable(text: str) -> str:
    font = _font()
    return "".join(it if it == "\n" or font.has_glyph(it) else _LACKING for it in text)
