"""What people read of a bundle: both languages, whatever a reason holds; the summary is one page."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pylopdf
import pytest

from evidence_bundles import Maker
from otokura.access.evidence.facts import Timestamp
from otokura.access.evidence.readme import readme
from otokura.access.evidence.summary import summary


@pytest.mark.guarantee("L28")
def test_it_is_one_page_in_japanese_and_english(tmp_path: Path) -> None:
    maker = Maker(tmp_path)
    facts = replace(maker.facts(), reason="東京地方裁判所 😀 " * 40, missing={"transcript": "no-transcript"})
    document = pylopdf.Document(stream=summary(facts, Timestamp("https://tsa.example/tsr", None)))
    assert document.page_count == 1
    text = document[0].get_text()
    for told in ("通話録音の証拠", "Evidence of a recorded call", str(maker.call_id), "東京地方裁判所", "□"):
        assert told in text, told
    assert maker.manifest.recording.plaintext_sha256 in text
    assert "https://tsa.example/tsr" in text
    assert "文字起こしはありません" in text
    assert "Not proved" in text


@pytest.mark.guarantee("L28")
def test_a_reason_does_not_look_like_words_of_ours(tmp_path: Path) -> None:
    maker = Maker(tmp_path)
    facts = replace(maker.facts(), reason="甲第5号証\n  告知     自動音声などで告知済み\u2028Verified.")
    lines = readme(facts, Timestamp(None, "not-configured")).decode().splitlines()
    assert "  理由     甲第5号証 告知 自動音声などで告知済み Verified." in lines
    assert "  reason     甲第5号証 告知 自動音声などで告知済み Verified." in lines
    assert "Verified." not in lines
