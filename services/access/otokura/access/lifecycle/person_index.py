"""What lies in an archive for the person concerned, in words: Japanese, and English below it. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from html import escape

from otokura.shared.events import TenantSettings

TOKYO = timezone(timedelta(hours=9), "JST")
"""Without a database of time zones: Japan has one, and no summer time."""
_DIRECTIONS = {
    "inbound": ("お客様から", "from you"),
    "outbound": ("当社から", "from us"),
    "internal": ("内部", "internal"),
}
_MISSING = {
    "no-recording": ("録音はありません", "There is no recording"),
    "recording-erased": ("録音は消去されています", "The recording is erased"),
    "no-transcript": ("文字起こしはありません", "There is no transcript"),
    "not-ready": ("まだ準備ができていません", "Not ready yet"),
    "held-by-customer": (
        "このシステムにない鍵で保管されているため含みません",
        "Left out: kept under a key that this system does not have",
    ),
    "not-searched": (
        "第三者の情報を確認できていないため含みません",
        "Left out: not checked for others' data",
    ),
    "undecodable": ("録音を再生できません", "The recording cannot be played"),
    "cut-short": ("録音は途中までです", "The recording breaks off: the rest of it cannot be played"),
}
_HEAD = """<!doctype html>
<html lang="ja"><head><meta charset="utf-8">
<title>保有個人データの開示 / Disclosure of personal data</title>
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<style>
body { font-family: sans-serif; max-width: 60em; margin: 2em auto; padding: 0 1em }
table { border-collapse: collapse }
td, th { border: 1px solid #999; padding: .4em; text-align: left; vertical-align: top }
small { color: #555 }
</style></head><body>
"""
_ABOUT = ("お客様との通話の録音と文字起こしです。", "Recordings and transcripts of your calls.")
_WITHOUT = (
    "第三者の権利利益を守るため、番号、氏名、住所などは伏せてあります。",
    "Numbers, names, addresses and the like are left out, to protect the rights of others.",
)


@dataclass
class Shown:
    """One call in the archive."""

    number: int
    started_at: datetime
    direction: str
    duration_ms: int | None
    purposes: Sequence[str]
    files: list[str] = field(default_factory=list[str])
    missing: list[str] = field(default_factory=list[str])


def index_html(calls: Sequence[Shown], settings: TenantSettings, made_at: datetime, *, redacted: bool) -> str:
    """The page to begin with: who answers, which calls there are, and what is not in it and why."""
    company = settings.company
    names = {purpose.name: (purpose.label_ja, purpose.label_en) for purpose in settings.purposes}
    rows = "".join(_row(call, names) for call in calls)
    lines = [company.name, company.address] if company else []
    who = "<p>" + "<br>".join(escape(line) for line in lines if line) + "</p>"
    return "".join(
        [
            _HEAD,
            "<h1>保有個人データの開示<br><small>Disclosure of personal data</small></h1>",
            who,
            _contact(settings),
            f"<p>{_when(made_at)}</p>",
            _both(*_ABOUT),
            _both(*_WITHOUT) if redacted else "",
            "<table><tr><th>No.</th><th>日時<br><small>When</small></th>",
            "<th>発信<br><small>Called</small></th><th>利用目的<br><small>Purposes</small></th>",
            "<th>内容<br><small>Files</small></th></tr>",
            rows,
            "</table></body></html>\n",
        ]
    )


def _contact(settings: TenantSettings) -> str:
    contact = settings.contact
    if contact is None:
        return ""
    ways = [escape(way) for way in (contact.email, contact.phone) if way]
    return f"<p>お問い合わせ <small>Contact</small>: {escape(contact.name)} {' / '.join(ways)}</p>"


def _row(call: Shown, names: Mapping[str, tuple[str, str]]) -> str:
    length = "" if call.duration_ms is None else f"<br>{call.duration_ms // 1000} 秒 <small>s</small>"
    purposes = "".join(_both(*names.get(name, (name, name))) for name in call.purposes)
    files = "".join(f'<a href="{escape(file)}">{escape(file)}</a><br>' for file in call.files)
    missing = "".join(_both(*_MISSING[why]) for why in call.missing)
    called = _both(*_DIRECTIONS.get(call.direction, (call.direction, call.direction)))
    when = _when(call.started_at)
    return (
        f"<tr><td>{call.number}</td><td>{when}{length}</td><td>{called}</td><td>{purposes}</td>"
        f"<td>{files}{missing}</td></tr>"
    )


def _both(japanese: str, english: str) -> str:
    return f"<p>{escape(japanese)}<br><small>{escape(english)}</small></p>"


def _when(at: datetime) -> str:
    local = at.astimezone(TOKYO)
    return f"{local:%Y-%m-%d %H:%M} <small>(JST)</small>"
