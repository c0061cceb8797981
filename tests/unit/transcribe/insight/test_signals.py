"""Findings point at the words that caused them, in the raw and in the redacted transcript."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from otokura.shared.events import ChannelRole
from otokura.shared.insight import Evidence, FindingKind, InsightRule, InsightRules, Signals
from otokura.shared.redacted import redacted, unredacted_signals
from otokura.shared.transcripts import Redaction, RedactionKind, Transcript
from otokura.transcribe.insight.rules import rules_for
from otokura.transcribe.insight.signals import signals
from transcripts import spoken, transcript, turn

AGENT, CUSTOMER = ChannelRole.AGENT, ChannelRole.CUSTOMER
NO_RULES = InsightRules()


def evidence(found: Signals) -> Iterator[Evidence]:
    for finding in (*found.promises, *found.follow_ups, *found.complaints, *found.abuse):
        yield from finding.evidence
    if found.reason:
        yield from found.reason.evidence


def with_signals(call: Transcript, tenant: InsightRules = NO_RULES) -> Transcript:
    """As transcribe stores it."""
    found = signals(redacted(call), rules_for(call.language, tenant))
    return call.model_copy(update={"signals": unredacted_signals(found, call)})


@pytest.mark.guarantee("T30")
def test_a_finding_names_rule_words_sentence_and_times() -> None:
    tokens = ["確認しまし", "た。", "明日、", "折り返し", "ご連絡", "いたし", "ます。", "はい。"]
    call = transcript(turn("もしもし"), spoken(tokens, 10_000, word_ms=500, role=AGENT))
    found = signals(redacted(call), rules_for("ja", NO_RULES))
    [promise] = found.promises
    assert (promise.rule, promise.kind, promise.label) == ("ja.promise.call-back", "promise", "call-back")
    assert promise.role is AGENT
    assert promise.evidence == [
        Evidence(
            turn=1,
            start=10,
            end=22,
            start_ms=11_500,
            end_ms=13_500,
            words="折り返しご連絡いたします",
            sentence="明日、折り返しご連絡いたします。",
        )
    ]


NUMBER = "〇九〇一二三四五六七八"


@pytest.mark.guarantee("T30")
def test_positions_hold_in_the_raw_and_in_the_redacted_transcript() -> None:
    text = f"番号は{NUMBER}です。{NUMBER}へ折り返しご連絡いたします。"
    places = [text.index(NUMBER), text.rindex(NUMBER)]
    hidden = [
        Redaction(
            turn=0, start=at, end=at + len(NUMBER), kind=RedactionKind.PHONE_NUMBER, start_ms=0, end_ms=9
        )
        for at in places
    ]
    stored = with_signals(transcript(spoken([text], role=AGENT), redactions=hidden))
    shown = redacted(stored)
    assert stored.signals is not None
    assert shown.signals is not None
    for call in (stored, shown):
        assert call.signals is not None
        [words] = evidence(call.signals)
        assert call.turns[words.turn].text[words.start : words.end] == "折り返しご連絡いたします"
        assert words.sentence == "[phone-number]へ折り返しご連絡いたします。"
    assert shown.signals == signals(shown, rules_for("ja", NO_RULES))


@pytest.mark.guarantee("T30")
@settings(max_examples=40)
@given(
    st.lists(
        st.sampled_from(["〇九〇", "ふざけるな。", "土下座しろ。", "あのね、", "はい。"]),
        min_size=1,
        max_size=12,
    ),
    st.sampled_from(list(RedactionKind)),
)
def test_whatever_is_redacted_findings_stand_where_they_say(pieces: list[str], kind: RedactionKind) -> None:
    text = "".join(pieces)
    starts = [sum(map(len, pieces[:i])) for i in range(len(pieces))]
    hidden = [
        Redaction(turn=0, start=at, end=at + 3, kind=kind, start_ms=0, end_ms=1)
        for at, piece in zip(starts, pieces, strict=True)
        if piece == "〇九〇"
    ]
    words_only = InsightRules(disable=("ja.abuse.repetition",))
    stored = with_signals(transcript(spoken(pieces), redactions=hidden), words_only)
    shown = redacted(stored)
    assert shown.signals == signals(shown, rules_for("ja", words_only))
    assert stored.signals is not None
    found = list(evidence(stored.signals))
    assert all(text[one.start : one.end] == one.words for one in found)
    assert len(found) == pieces.count("ふざけるな。") + pieces.count("土下座しろ。")


@pytest.mark.guarantee("T33")
def test_no_signal_quotes_what_is_redacted_and_no_rule_reads_its_brackets() -> None:
    own = InsightRule(
        id="numbers", kind=FindingKind.COMPLAINT, label="x", phrases=["phone", "number", "see * today"]
    )
    call = transcript(
        spoken("see 09012345678 today"),
        language="en",
        redactions=[
            Redaction(turn=0, start=4, end=15, kind=RedactionKind.PHONE_NUMBER, start_ms=0, end_ms=9)
        ],
    )
    stored = with_signals(call, InsightRules(add=(own,)))
    assert stored.signals is not None
    [words] = evidence(stored.signals)
    assert words.words == "see [phone-number] today"
    assert "0901" not in stored.signals.model_dump_json()


def test_a_transcript_that_was_never_searched_has_no_signals() -> None:
    old = transcript(turn("もしもし")).model_copy(update={"redactions": None})
    with pytest.raises(ValueError, match="never searched"):
        signals(old, rules_for("ja", NO_RULES))


def test_the_reason_is_what_weighs_most_and_comes_early() -> None:
    call = transcript(
        spoken(["先日の請求の件でお電話いたしました。"], 0),
        spoken(["請求書の金額がおかしいんです。"], 2000),
        spoken(["ところで荷物はいつ着きますか。"], 50_000),
    )
    found = signals(call, rules_for("ja", NO_RULES))
    assert found.reason is not None
    assert found.reason.rule == "ja.reason.billing"


ANGRY = "こんな説明では納得できません。"


@pytest.mark.parametrize(
    ("minutes", "words", "flagged"), [(30, ANGRY, True), (29, ANGRY, False), (90, "助かりました。", False)]
)
def test_a_long_call_is_flagged_only_beside_complaint(minutes: int, words: str, *, flagged: bool) -> None:
    call = transcript(spoken([words]), duration_ms=minutes * 60_000)
    found = [finding.label for finding in signals(call, rules_for("ja", NO_RULES)).abuse]
    assert found == (["long-call"] if flagged else [])


def test_a_demand_said_three_times_is_flagged_with_each_time() -> None:
    demands = [
        "今すぐ全額を返してください。",
        "だから今すぐ全額返してください。",
        "今すぐ全額を返してくださいよ。",
    ]
    call = transcript(*(spoken([words], 5000 * i) for i, words in enumerate([ANGRY, *demands])))
    [finding] = signals(call, rules_for("ja", NO_RULES)).abuse
    assert finding.rule == "ja.abuse.repetition"
    assert [one.words for one in finding.evidence] == demands
    calm = transcript(*(spoken([words], 5000 * i) for i, words in enumerate(demands)))
    assert signals(calm, rules_for("ja", NO_RULES)).abuse == []


def test_who_speaks_on_a_mixed_channel_may_be_anybody() -> None:
    call = transcript(spoken(["ふざけるな。"], role=ChannelRole.MIXED))
    [finding] = signals(call, rules_for("ja", NO_RULES)).abuse
    assert finding.role is ChannelRole.MIXED


@pytest.mark.guarantee("T32")
def test_a_tenant_adds_rules_and_turns_rules_off() -> None:
    own = InsightRule(id="trial", kind=FindingKind.REASON, label="trial", phrases=["お試し*終わ"])
    call = transcript(spoken(["ふざけるな。", "お試し期間が終わりました。"]))
    tenant = InsightRules(add=(own,), disable=("ja.abuse.language",))
    found = signals(call, rules_for("ja", tenant))
    assert found.reason is not None
    assert (found.reason.rule, found.abuse) == ("trial", [])
    assert [finding.rule for finding in signals(call, rules_for("ja", NO_RULES)).abuse] == [
        "ja.abuse.language"
    ]


def test_rules_hold_for_their_language_and_a_rule_without_one_for_all() -> None:
    everywhere = InsightRule(id="a", kind=FindingKind.COMPLAINT, label="x", phrases=["ouch"])
    english = everywhere.model_copy(update={"id": "b", "language": "en"})
    call = transcript(spoken("ouch"), language="de")
    found = signals(call, rules_for("de", InsightRules(add=(everywhere, english))))
    assert [finding.rule for finding in found.complaints] == ["a"]


def test_a_rule_that_this_version_cannot_read_is_skipped_and_named() -> None:
    odd = InsightRule(id="odd", kind=FindingKind.COMPLAINT, label="x", phrases=["[a-z]+ (("])
    assert rules_for("ja", InsightRules(add=(odd,))).skipped == ("odd",)
