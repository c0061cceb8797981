"""The README of a bundle: what it is, how it is verified, what it proves and what not, for anybody. Pure."""

from __future__ import annotations

from datetime import UTC, datetime

from otokura.access.evidence.facts import Facts, Timestamp
from otokura.access.lifecycle.person_index import TOKYO

NOTICES = {
    "announced": ("自動音声などで告知済み", "announced to the caller"),
    "attested": ("告知したと申告あり", "attested by the phone system"),
    "none": ("告知の記録なし", "no notice is recorded"),
}
MISSING = {
    "no-transcript": ("文字起こしはありません", "there is none"),
    "transcript-erased": ("保存期間が過ぎ、消去されています", "erased: its time has passed"),
    "recording-erased": ("保存期間が過ぎ、消去されています", "erased: its time has passed"),
    "undecodable": (
        "受信した形式を再生用に変換できません",
        "what was received cannot be decoded for playing",
    ),
    "cut-short": (
        "途中までです (残りを再生用に変換できません)",
        "it breaks off: the rest of what was received cannot be decoded for playing",
    ),
}
_NO_TIMESTAMP = {
    "not-configured": ("設定されていません", "no authority is configured"),
    "unavailable": ("認証局に接続できず、付いていません", "the authority was away: there is none"),
}
_FILES = """\
  summary.pdf            一枚の要約 / a summary on one page
  audio/received.*       受信したままの音声 / the audio as it was received, to the byte
  audio/playable.wav     再生用の音声 (同じ内容) / the same, to be played anywhere
  recording.json         録音の台帳 / what was sealed: the record whose hash is in the log
  transcript/            文字起こし / the transcript, as stored and as plain text
  vcon.json              vCon (JWS 署名付き) / the call as a signed vCon
  custody/entries.jsonl  この通話のすべての記録 / every entry of the log about this call, with proofs
  custody/checkpoint-*   署名付きチェックポイント / the signed state of the log
  manifest.json          全ファイルのハッシュ値 / every file with its SHA-256
  manifest.json.sig      その署名 (Ed25519) / its signature
  manifest.json.tsr      タイムスタンプ (RFC 3161、ある場合) / a timestamp, where there is one
"""
_JA = """\
証拠一式 (通話録音)
====================

これは Otokura が保管する一つの通話の録音と、その録音に関するすべての取扱記録です。
ファイルは一つも変更できません。一バイトでも変わると、検証は失敗します。

  通話     {call_id}
  日時     {started_ja} (長さ {length})
  告知     {notice_ja}
  利用目的 {purposes_ja}
  作成者   {name} ({made_ja})
  理由     {reason}
  取扱記録 {entries} 件 (うち内容が消去されたもの {erased} 件)
  タイムスタンプ {timestamp_ja}
{missing_ja}
検証のしかた (インターネット接続は不要です)

  otokura verify evidence この一式.zip --key ログの公開鍵 --source-keys サービスの公開鍵.json

公開鍵は、この一式からではなく、別の経路で受け取ってください。偽造する者は、鍵も偽造します。

確かめられること
  ・音声が、記録 (ログ) に封印されたときのハッシュ値と一致すること
  ・この通話の取扱い (封印、閲覧、拒否、提供など) の記録が改ざんされていないこと
  ・この一式が、鍵を持つサービスによって作られ、その後変更されていないこと

確かめられないこと
  ・話している人が、本人が名乗るとおりの人物であること
  ・音声が Otokura に届く前に、電話機や回線で何が起きたか
  ・文字起こしが正しいこと (機械によるもので、誤りを含みます。音声が原本です)
  ・再生用の音声、平文の文字起こし、要約、vCon の記載内容が原本と一致すること (原本と比べてください)
  ・各サーバーの時計が正しいこと (タイムスタンプがある場合、その時刻より前に存在したことは確かめられます)
  ・この通話の記録が一件も省かれていないこと (一件ごとに証明されますが、全件であることは証明されません)
  ・ログの運用者が、別の相手に別のログを見せていないこと (第三者の副署がある場合を除く)
"""
_EN = """\
Evidence of a call
====================

This is the recording of one call that Otokura keeps, and all that the log holds of how it was handled.
No file of it can be changed: after one byte is changed, verification fails.

  call       {call_id}
  time       {started_en}, {length} long
  notice     {notice_en}
  purposes   {purposes_en}
  made by    {name}, {made_en}
  reason     {reason}
  history    {entries} entries, of which {erased} have lost their details to an erasure
  timestamp  {timestamp_en}
{missing_en}
To verify it, without a network:

  otokura verify evidence THIS.zip --key LOG.vkey --source-keys KEYS.json

Get the public keys from somewhere else than this bundle: whoever forges one forges its keys.

What that shows
  - that the audio is what was sealed: its hash stands in the log
  - that what the log says of the call (sealed, heard, refused, handed over) was not altered or reordered
  - that the bundle was made by a service that holds the key, and was not changed since

What it cannot show
  - that a speaker is who they say they are
  - what happened to the audio in phones and networks before it reached Otokura
  - that the transcript is right: a machine made it, and it has errors; the audio is the original
  - that the playable audio, the plain text, the summary and what the vCon tells agree with the originals
  - that the clocks of the servers were right (a timestamp shows that the bundle existed before its time)
  - that no entry about the call was left out: each is proved, that they are all of them is not
  - that whoever runs the log shows everybody the same one, unless witnesses have cosigned it
"""


def readme(facts: Facts, timestamp: Timestamp) -> bytes:
    """The README, Japanese and then English, UTF-8."""
    words = _words(facts, timestamp)
    return "\n".join([_JA.format(**words), _EN.format(**words), "Files / ファイル\n", _FILES]).encode()


def _words(facts: Facts, timestamp: Timestamp) -> dict[str, object]:
    recording = facts.manifest
    notice = NOTICES[recording.notice.given]
    stamped = timestamp_words(timestamp)
    purposes = facts.purposes()
    return {
        "call_id": recording.call_id,
        "started_ja": in_japan(recording.started_at),
        "started_en": in_utc(recording.started_at),
        "length": length(facts),
        "notice_ja": notice[0],
        "notice_en": notice[1],
        "purposes_ja": "、".join(it.get("label_ja", it["name"]) for it in purposes) or "なし",
        "purposes_en": "; ".join(it.get("label_en", it["name"]) for it in purposes) or "none",
        "name": one_line(facts.made_by["name"]),
        "made_ja": in_japan(facts.made_at),
        "made_en": in_utc(facts.made_at),
        "reason": one_line(facts.reason),
        "entries": facts.told.entries,
        "erased": facts.told.erased,
        "timestamp_ja": stamped[0],
        "timestamp_en": stamped[1],
        "missing_ja": _missing(facts, 0, "含まれないもの"),
        "missing_en": _missing(facts, 1, "not in it"),
    }


def timestamp_words(timestamp: Timestamp) -> tuple[str, str]:
    """What came of it, in Japanese and English."""
    if timestamp.why is not None:
        return _NO_TIMESTAMP[timestamp.why]
    return f"あり ({timestamp.authority})", f"by {timestamp.authority}"


def _missing(facts: Facts, language: int, title: str) -> str:
    return "".join(f"  {title}: {what}: {MISSING[why][language]}\n" for what, why in facts.missing.items())


def length(facts: Facts) -> str:
    """How long the recording is, in minutes and seconds."""
    minutes, seconds = divmod(facts.manifest.duration_ms // 1000, 60)
    return f"{minutes}:{seconds:02}"


def one_line(text: str) -> str:
    """Somebody's words, so that they cannot look like lines of ours."""
    return " ".join(text.split())


def in_japan(at: datetime) -> str:
    """A time in Japan, to the second."""
    return f"{at.astimezone(TOKYO):%Y-%m-%d %H:%M:%S} JST"


def in_utc(at: datetime) -> str:
    """The same in UTC."""
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
