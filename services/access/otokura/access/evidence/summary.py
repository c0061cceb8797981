"""The summary of a bundle on one page, Japanese and English, for who opens nothing else.

The font is embedded, so it looks the same everywhere; a character that the font lacks becomes a white square.
"""

from __future__ import annotations

from functools import lru_cache

import pylopdf

from otokura.access.evidence.facts import Facts, Timestamp
from otokura.access.evidence.readme import MISSING, NOTICES, in_japan, in_utc, length, timestamp_words

_LEFT, _MIDDLE, _RIGHT, _TOP, _BOTTOM = 48.0, 190.0, 547.0, 48.0, 800.0
_SIZE, _SMALL, _LARGE = 9.0, 7.5, 17.0
_GREY = (0.35, 0.35, 0.35)
_LACKING = "\N{WHITE SQUARE}"
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
    page.text("通話録音の証拠", _LARGE)
    page.text("Evidence of a recorded call", _SIZE + 2, _GREY)
    page.rule()
    for line in _ABOUT.splitlines():
        page.text(line, _SIZE)
    page.rule()
    for japanese, english, value in _told(facts, timestamp):
        page.row(japanese, english, value)
    page.rule()
    for line in _BELOW.splitlines():
        page.text(line, _SMALL, _GREY)
    document.set_metadata({"title": f"Evidence of call {facts.manifest.call_id}", "producer": "Otokura"})
    return document.tobytes(deflate=True)


def _told(facts: Facts, timestamp: Timestamp) -> list[tuple[str, str, str]]:
    recording, told = facts.manifest, facts.told
    notice, stamped = NOTICES[recording.notice.given], timestamp_words(timestamp)
    purposes = [
        " / ".join(dict.fromkeys([it.get("label_ja", it["name"]), it.get("label_en", it["name"])]))
        for it in facts.purposes()
    ]
    actions = ", ".join(f"{action} {count}" for action, count in sorted(told.actions.items()))
    logs = "\n".join(f"{tree.origin}: {tree.size} entries" for tree in facts.trees)
    return [
        ("通話", "call", str(recording.call_id)),
        ("日時", "time", f"{in_japan(recording.started_at)}\n{in_utc(recording.started_at)}"),
        ("長さ・向き", "length, direction", f"{length(facts)}  {_ROWS[recording.direction]}"),
        ("告知", "notice", f"{notice[0]} / {notice[1]}"),
        ("利用目的", "purposes", "\n".join(purposes) or "なし / none"),
        ("音声の SHA-256", "SHA-256 of the audio", recording.recording.plaintext_sha256),
        ("取扱記録", "history", f"{told.entries} ({told.erased} erased)\n{actions}"),
        ("ログ", "log", logs),
        ("含まないもの", "not in it", _missing(facts)),
        ("作成者", "made by", facts.made_by["name"]),
        ("作成日時", "made", f"{in_japan(facts.made_at)}\n{in_utc(facts.made_at)}"),
        ("理由", "reason", facts.reason),
        ("タイムスタンプ", "timestamp", f"{stamped[0]} / {stamped[1]}"),
        ("一式の番号", "bundle", str(facts.evidence_id)),
    ]


def _missing(facts: Facts) -> str:
    lines = [f"{what}: {MISSING[why][0]} / {MISSING[why][1]}" for what, why in facts.missing.items()]
    return "\n".join(lines) or "なし / nothing"


class _Page:
    """A page that is filled from its top; what comes after its bottom is left out."""

    def __init__(self, page: pylopdf.Page) -> None:
        self._page = page
        self._at = _TOP

    def text(self, text: str, size: float, color: tuple[float, float, float] = (0, 0, 0)) -> None:
        """A paragraph over the whole width."""
        self._at += self._draw(text, _LEFT, _RIGHT, size, color) + 3

    def row(self, japanese: str, english: str, value: str) -> None:
        """What something is called, and what it is."""
        label = self._draw(japanese, _LEFT, _MIDDLE - 10, _SIZE)
        self._at += label
        below = self._draw(english, _LEFT, _MIDDLE - 10, _SMALL, _GREY)
        self._at -= label
        self._at += max(label + below, self._draw(value, _MIDDLE, _RIGHT, _SIZE)) + 4

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
        font, shown = _font(), _drawable(text)
        height = 1.5 * size
        while self._at + height <= _BOTTOM:
            box = (left, self._at, right, self._at + height)
            spare = self._page.insert_textbox(box, shown, font=font, fontsize=size, color=color)
            if spare >= 0:
                return height - spare
            height += size
        return 0.0


@lru_cache(maxsize=1)
def _font() -> pylopdf.Font:
    return pylopdf.Font(language="ja")


def _drawable(text: str) -> str:
    font = _font()
    return "".join(it if it == "\n" or font.has_glyph(it) else _LACKING for it in text)
