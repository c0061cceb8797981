"""What is not a number: addresses of both sorts, names; and where the redactions lie in the audio."""

from __future__ import annotations

from itertools import pairwise

import pytest

from otokura.shared.redactions import RedactionPolicy
from otokura.shared.transcripts import Turn, Word
from otokura.transcribe.redaction import find
from otokura.transcribe.redaction.timing import DIGIT_MS, PADDING_MS
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


def timed(turn: Turn, *words: tuple[str, int, int]) -> Turn:
    """`turn` with these words, each with when it begins and ends."""
    made = [Word(text=text, start_ms=start, end_ms=end, confidence=1.0) for text, start, end in words]
    return turn.model_copy(
        update={
            "words": made,
            "start_ms": words[0][1],
            "end_ms": words[-1][2],
            "text": " ".join(w[0] for w in words),
        }
    )


@pytest.mark.guarantee("T22")
@pytest.mark.parametrize("last", ["090-1234-5678", "090-1234-5678."])
def test_a_row_of_digits_whose_time_was_cut_counts_as_long_as_it_can_take(last: str) -> None:
    """Whisper's one word for all of it may be given the time of its beginning, or of its end, alone."""
    asked, said, thanked = conversation((1, "It is"), (1, last), (1, "Right."))
    turns = [
        timed(asked, ("It", 0, 200), ("is", 200, 400)),
        timed(said, (last, 9_000, 10_400)),
        timed(thanked, ("Right.", 15_000, 15_400)),
    ]
    (one,) = find(turns, "ja", RedactionPolicy())
    assert (one.start_ms, one.end_ms) == (400 - PADDING_MS, 15_000 + PADDING_MS)


@pytest.mark.guarantee("T22")
def test_no_more_counts_than_a_number_can_take() -> None:
    asked, said = conversation((0, "Yes?"), (1, "090-1234-5678"))
    turns = [timed(asked, ("Yes?", 0, 400)), timed(said, ("090-1234-5678", 60_000, 61_400))]
    (one,) = find(turns, "ja", RedactionPolicy())
    assert one.start_ms == 61_400 - 11 * DIGIT_MS - PADDING_MS
    assert one.end_ms == 60_000 + 11 * DIGIT_MS + PADDING_MS


@pytest.mark.guarantee("T22")
def test_without_times_of_words_the_whole_turn_is_not_to_be_heard() -> None:
    (one,) = find(conversation((1, "090-1234-5678です。")), "ja", RedactionPolicy())
    assert (one.start_ms, one.end_ms) == (0, 3500 + PADDING_MS)


def test_no_two_redactions_overlap() -> None:
    turns = conversation((1, "住所は東京都渋谷区渋谷2丁目21番1号、電話は03-1234-5678、山田と申します。"))
    ends = [(one.start, one.end) for one in find(turns, "ja", RedactionPolicy())]
    assert all(one[1] <= two[0] for one, two in pairwise(ends))
    assert len(ends) == 3
