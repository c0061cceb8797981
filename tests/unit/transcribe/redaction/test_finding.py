"""What is not a number: addresses of both sorts, names; and where the redactions lie in the audio."""

from __future__ import annotations

from itertools import pairwise

import pytest

from otokura.shared.redactions import RedactionPolicy
from otokura.transcribe.redaction import find
from otokura.transcribe.redaction.timing import PADDING_MS
from redaction_texts import TURN_MS, conversation


def found(said: str, language: str) -> list[tuple[str, str]]:
    turns = conversation((1, said))
    return [(one.kind.value, said[one.start : one.end]) for one in find(turns, language, RedactionPolicy())]


@pytest.mark.parametrize(
    ("language", "said", "expected"),
    [
        ("ja", "口座は普通の1234567です。", [("bank-account", "1234567")]),
        ("en", "My IBAN is GB29 NWBK 6016 1331 9268 19.", [("bank-account", "GB29 NWBK 6016 1331 9268 19")]),
        ("en", "The serial number is GB29 NWBK 6016 1331 9268 10.", []),
        ("ja", "tanaka@example.co.jpです。", [("email", "tanaka@example.co.jp")]),
        ("ja", "タナカ アット メール ドット コムです。", [("email", "タナカ アット メール ドット コム")]),
        ("en", "It is john dot smith at example dot com.", [("email", "john dot smith at example dot com")]),
        ("en", "Look at the dot on the map.", []),
        ("ja", "〒150-0002です。", [("postal-code", "150-0002")]),
        ("ja", "東京都渋谷区渋谷2丁目21番1号です。", [("address", "東京都渋谷区渋谷2丁目21番1号")]),
        ("ja", "東京都の方が大阪府より高いです。", []),
        ("en", "I live at 221 Baker Street.", [("address", "221 Baker Street")]),
        ("en", "The postcode is SW1A 1AA.", [("postal-code", "SW1A 1AA")]),
        ("ja", "山田と申します。", [("name", "山田")]),
        ("ja", "お客様、皆様、奥様、同様に。", []),
        ("en", "My name is John Smith.", [("name", "John Smith")]),
        ("en", "My name is on the list. I am happy.", []),
    ],
)  # fmt: skip
def test_what_is_written_and_said(language: str, said: str, expected: list[tuple[str, str]]) -> None:
    assert found(said, language) == expected


def test_a_name_is_redacted_wherever_it_is_said_again() -> None:
    turns = conversation((1, "山田と申します。"), (0, "ありがとうございます。山田花子様は会員ですか。"))
    redacted = [
        (one.turn, turns[one.turn].text[one.start : one.end]) for one in find(turns, "ja", RedactionPolicy())
    ]
    assert redacted == [(0, "山田"), (1, "山田花子")]


@pytest.mark.guarantee("T22")
def test_a_redaction_tells_when_it_was_said_with_some_padding() -> None:
    said = "番号は090-1234-5678です。"
    (one,) = find(conversation((0, "お電話番号は。"), (1, said), words=True), "ja", RedactionPolicy())
    assert (one.start_ms, one.end_ms) == (
        TURN_MS + 100 * said.index("0") - PADDING_MS,
        TURN_MS + 100 * said.index("で") + PADDING_MS,
    )


@pytest.mark.guarantee("T22")
def test_without_times_of_words_the_whole_turn_is_not_to_be_heard() -> None:
    (one,) = find(conversation((1, "090-1234-5678です。")), "ja", RedactionPolicy())
    assert (one.start_ms, one.end_ms) == (0, 3500 + PADDING_MS)


def test_no_two_redactions_overlap() -> None:
    turns = conversation((1, "住所は東京都渋谷区渋谷2丁目21番1号、電話は03-1234-5678、山田と申します。"))
    ends = [(one.start, one.end) for one in find(turns, "ja", RedactionPolicy())]
    assert all(one[1] <= two[0] for one, two in pairwise(ends))
    assert len(ends) == 3
