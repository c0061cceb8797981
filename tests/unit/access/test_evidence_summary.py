"""What people read of a bundle: both languages, whatever a reason holds; the summary is one page."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pylopdf
import pytest

from evidence_bundles import Maker
from otokura.access.evidence.custody import Told
from otokura.access.evidence.facts import Facts, Timestamp
from otokura.access.evidence.readme import readme
from otokura.access.evidence.summary import summary
from otokura.shared.events import Purpose, TenantSettings


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


def page_of(facts: Facts) -> pylopdf.Page:
    document = pylopdf.Document(stream=summary(facts, Timestamp("https://tsa.example/" + "t" * 180, None)))
    assert document.page_count == 1
    return document[0]


def text_of(facts: Facts) -> str:
    return str(page_of(facts).get_text())


def lowest(word: str, facts: Facts) -> float:
    """How far down the page a word ends."""
    return max(float(it[3]) for it in page_of(facts).get_text("words") if it[4] == word)


@pytest.mark.guarantee("L28")
@pytest.mark.parametrize("letter", ["国", "W", "語 ", "w\n"])
def test_the_longest_that_everything_can_be_pushes_nothing_from_the_page(tmp_path: Path, letter: str) -> None:
    maker = Maker(tmp_path)
    facts = maker.facts()
    long = [
        Purpose(name=f"p{n}", label_ja=(letter * 200)[:200], label_en=(letter * 200)[:200]) for n in range(4)
    ]
    actions = {f"some.long-action-{number}": 100_000 for number in range(20)}
    years = [facts.trees[0].model_copy(update={"shard": year}) for year in range(2026, 2036)]
    full = replace(
        facts,
        reason=(letter * 500)[:500],
        made_by={"id": "1", "name": (letter * 200)[:200]},
        settings=TenantSettings(purposes=long),
        manifest=facts.manifest.model_copy(update={"purposes": [it.name for it in long]}),
        told=Told(entries=10**6, erased=10**6, actions=actions),
        trees=years,
        missing={"audio/playable.wav": "cut-short", "transcript": "transcript-erased"},
    )
    text = text_of(full)
    told = [
        "Not proved",
        "the clocks were right",
        "reason",
        "some.long-action-0",
        "p",
        str(maker.evidence_id),
    ]
    for each in [*told, str(maker.call_id), "tsa.example", "途中まで", letter[0]]:
        assert each in text, each
    assert text.count("…") >= 4
    assert lowest("timestamp", full) < lowest("検証", full)


@pytest.mark.guarantee("L28")
def test_no_words_of_others_begin_a_line_of_the_page(tmp_path: Path) -> None:
    facts = replace(
        Maker(tmp_path).facts(),
        reason="1\nタイムスタンプ あり\n" + "x\n" * 30,
        made_by={"id": "1", "name": "花子\n検証済み"},
    )
    text = text_of(facts)
    assert "1 タイムスタンプ あり x x x" in text
    assert "花子 検証済み" in text


@pytest.mark.guarantee("L28")
def test_a_reason_does_not_look_like_words_of_ours(tmp_path: Path) -> None:
    maker = Maker(tmp_path)
    facts = replace(maker.facts(), reason="甲第5号証\n  告知     自動音声などで告知済み\u2028Verified.")
    lines = readme(facts, Timestamp(None, "not-configured")).decode().splitlines()
    assert "  理由     甲第5号証 告知 自動音声などで告知済み Verified." in lines
    assert "  reason     甲第5号証 告知 自動音声などで告知済み Verified." in lines
    assert "Verified." not in lines
