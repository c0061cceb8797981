"""Summaries: sentences of the call, or a language model's, and what becomes of an endpoint's faults."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator

import pytest

from otokura.cli.local.ports import free_ports
from otokura.shared.events import ChannelRole
from otokura.shared.insight import InsightRules, Summary, SummaryMethod, SummarySentence
from otokura.shared.redacted import redacted
from otokura.shared.transcripts import Redaction, RedactionKind, Transcript
from otokura.transcribe.insight import instruments
from otokura.transcribe.insight.endpoint import (
    MAX_ANSWER_BYTES,
    MAX_PROMPT_CHARACTERS,
    Failure,
    SummaryEndpoint,
    prompt,
)
from otokura.transcribe.insight.rules import rules_for
from otokura.transcribe.insight.service import Insight
from otokura.transcribe.insight.signals import signals
from otokura.transcribe.insight.summary import MAX_CHARACTERS, MAX_SENTENCES, summary
from summary_endpoint import Endpoint, completion, sentences, serving
from transcripts import spoken, transcript, turn

AGENT = ChannelRole.AGENT
CARD = "4111 1111 1111 1111"


def call_with_card() -> Transcript:
    text = f"カードの番号は {CARD} です。"
    at = text.index(CARD)
    return transcript(
        turn("お電話ありがとうございます。", role=AGENT),
        turn("商品が壊れていたので、交換してください。", 1000, 2000),
        turn(text, 2000, 3000),
        turn("新しい商品を明日発送いたします。", 3000, 4000, role=AGENT),
        redactions=[
            Redaction(
                turn=2,
                start=at,
                end=at + len(CARD),
                kind=RedactionKind.CARD_NUMBER,
                start_ms=2000,
                end_ms=3000,
            )
        ],
    )


def extract(call: Transcript) -> list[str]:
    shown = redacted(call)
    rules = rules_for(call.language, InsightRules())
    return [sentence.text for sentence in summary(shown, signals(shown, rules), rules).sentences]


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    with serving() as endpoint:
        yield endpoint


@pytest.fixture
async def insight(endpoint: Endpoint) -> AsyncIterator[Insight]:
    """Patient with an endpoint that answers, however slow the machine is."""
    insight = Insight(SummaryEndpoint(endpoint.url, "small", "key-1", 30))
    yield insight
    await insight.close()


async def summarised(insight: Insight, call: Transcript) -> Summary:
    stored = await insight.added_to(call, InsightRules())
    assert stored.signals is not None
    assert stored.summary is not None
    assert stored.turns == call.turns
    return stored.summary


def test_the_reason_and_the_promise_are_in_the_summary_and_greetings_are_not() -> None:
    told = extract(call_with_card())
    assert told[0] == "商品が壊れていたので、交換してください。"
    assert told[-1] == "新しい商品を明日発送いたします。"
    assert not any("ありがとう" in sentence for sentence in told)


@pytest.mark.guarantee("T33")
def test_nothing_that_is_redacted_is_in_the_summary() -> None:
    only = call_with_card().turns[2]
    call = transcript(
        only, redactions=[one.model_copy(update={"turn": 0}) for one in call_with_card().redactions or ()]
    )
    assert extract(call) == ["カードの番号は [card-number] です。"]


def test_a_summary_is_short_whatever_the_call_is() -> None:
    endless = "その件についてですが、" * 500
    said = [
        spoken([endless]),
        *(spoken([f"第{n}工場の機械{n}号が停止しています。"], n * 1000) for n in range(40)),
    ]
    told = extract(transcript(*said))
    assert 1 <= len(told) <= MAX_SENTENCES
    assert all(len(sentence) <= MAX_CHARACTERS for sentence in told)


def test_what_the_model_doubts_is_told_only_when_there_is_nothing_else() -> None:
    doubted = spoken(["ご視聴の商品の返品をお願いします。"], doubtful=True)
    sure = spoken(["冷蔵庫の扉の部品を注文したいです。"], 5000)
    assert extract(transcript(doubted, sure)) == ["冷蔵庫の扉の部品を注文したいです。"]
    assert extract(transcript(doubted)) == ["ご視聴の商品の返品をお願いします。"]


async def test_a_call_without_words_has_an_empty_summary_and_nobody_is_asked(
    endpoint: Endpoint, insight: Insight
) -> None:
    told = await summarised(insight, transcript())
    assert (told.method, told.sentences, endpoint.asked) == (SummaryMethod.EXTRACTIVE, [], [])


@pytest.mark.guarantee("T33")
async def test_the_endpoint_is_told_redacted_text_in_the_calls_language(
    endpoint: Endpoint, insight: Insight
) -> None:
    endpoint.answer = sentences(("商品の交換を希望し、\n明日発送すると約束した。", [3, 1, 3]))
    told = await summarised(insight, call_with_card())
    assert told == Summary(
        method=SummaryMethod.ABSTRACTIVE,
        model="small",
        sentences=[SummarySentence(text="商品の交換を希望し、 明日発送すると約束した。", turns=[1, 3])],
    )
    [(path, headers, body)] = endpoint.asked
    assert path == "/v1/chat/completions"
    assert headers["Authorization"] == "Bearer key-1"
    assert b"4111" not in body
    assert CARD.replace(" ", "").encode() not in body.replace(b" ", b"")
    question = endpoint.question()
    assert (question["model"], question["temperature"]) == ("small", 0)
    system, user = (message["content"] for message in question["messages"])
    assert "Japanese" in system
    assert "[2] customer: カードの番号は [card-number] です。" in user


async def test_json_in_a_code_block_is_understood(endpoint: Endpoint, insight: Insight) -> None:
    content = json.dumps({"sentences": [{"text": "交換の依頼。", "turns": [1]}]})
    endpoint.answer = completion(f"Here you are:\n```json\n{content}\n```")
    assert (await summarised(insight, call_with_card())).method is SummaryMethod.ABSTRACTIVE


ANSWERS: dict[str, bytes] = {
    "no JSON": b"<html>busy</html>",
    "another form": b'{"error": {"message": "no such model"}}',
    "no choices": b'{"choices": []}',
    "prose": completion("The customer wants an exchange."),
    "cut off": completion('{"sentences": [{"text": "交換'),
    "no sentences": sentences(),
    "an empty sentence": sentences(("  \u202e\n", [1])),
    "turns that there are not": sentences(("交換の依頼。", [4])),
    "no turns": sentences(("交換の依頼。", [])),
    "too many sentences": sentences(*[("交換の依頼。", [1])] * 9),
    "another language": sentences(("The customer wants an exchange.", [1])),
    "a number that nobody said": sentences(("カード番号は4111111111111111である。", [2])),
    "bytes that are no text": b"\xff\xfe\x00",
}


@pytest.mark.guarantee("T34")
@pytest.mark.parametrize("answer", ANSWERS)
async def test_nonsense_is_replaced_by_the_calls_own_sentences(
    endpoint: Endpoint, insight: Insight, answer: str
) -> None:
    endpoint.answer = ANSWERS[answer]
    failures = instruments.SUMMARY_FAILURES.labels(Failure.NONSENSE.value)
    before = failures._value.get()
    told = await summarised(insight, call_with_card())
    assert told.method is SummaryMethod.EXTRACTIVE
    assert [sentence.text for sentence in told.sentences] == extract(call_with_card())
    assert failures._value.get() == before + 1


@pytest.mark.guarantee("T34")
@pytest.mark.parametrize("status", [302, 401, 429, 500])
async def test_a_refusal_is_replaced_and_no_redirect_is_followed(
    endpoint: Endpoint, insight: Insight, status: int
) -> None:
    endpoint.status = status
    endpoint.headers = {"Location": f"{endpoint.url}/elsewhere"}
    endpoint.answer = sentences(("交換の依頼。", [1]))
    assert (await summarised(insight, call_with_card())).method is SummaryMethod.EXTRACTIVE
    assert len(endpoint.asked) == 1


@pytest.mark.guarantee("T34")
async def test_an_answer_without_end_is_not_read_to_its_end(endpoint: Endpoint, insight: Insight) -> None:
    endpoint.answer = b" " * (MAX_ANSWER_BYTES * 20)
    failures = instruments.SUMMARY_FAILURES.labels(Failure.TOO_LARGE.value)
    before = failures._value.get()
    assert (await summarised(insight, call_with_card())).method is SummaryMethod.EXTRACTIVE
    assert failures._value.get() == before + 1


@pytest.mark.guarantee("T34")
async def test_an_endpoint_that_hangs_or_is_away_costs_only_its_prose(endpoint: Endpoint) -> None:
    endpoint.hangs = True
    [nobody] = free_ports(1)
    for url, reason, seconds in (
        (endpoint.url, Failure.TIMEOUT, 1),
        (f"http://127.0.0.1:{nobody}/v1", Failure.UNREACHABLE, 30),
    ):
        failures = instruments.SUMMARY_FAILURES.labels(reason.value)
        before = failures._value.get()
        insight = Insight(SummaryEndpoint(url, "small", None, seconds))
        assert (await summarised(insight, call_with_card())).method is SummaryMethod.EXTRACTIVE
        assert failures._value.get() == before + 1
        await insight.close()
    assert all("Authorization" not in headers for _, headers, _ in endpoint.asked)


@pytest.mark.guarantee("T34")
async def test_a_defect_of_ours_costs_signals_and_never_the_transcript() -> None:
    """A redaction outside the text is such a defect; nothing of the text is told of it."""
    beyond = Redaction(turn=0, start=0, end=99, kind=RedactionKind.NAME, start_ms=0, end_ms=1)
    call = transcript(turn("山田です。"), redactions=[beyond])
    before = instruments.INSIGHT_FAILURES._value.get()
    assert await Insight().added_to(call, InsightRules()) == call
    assert instruments.INSIGHT_FAILURES._value.get() == before + 1


def test_of_a_long_call_the_beginning_and_the_end_are_told() -> None:
    said = [turn(f"{n} " + "あ" * 1000, n * 1000, n * 1000 + 900) for n in range(200)]
    told = prompt(transcript(*said))
    assert len(told) <= MAX_PROMPT_CHARACTERS + 10
    assert told.startswith("[0] customer: 0 ")
    assert "\n(…)\n" in told
    assert "\n[199] customer: 199 " in told
    one = prompt(transcript(turn(f"始{'あ' * 200_000}終")))
    assert len(one) <= MAX_PROMPT_CHARACTERS + 10
    assert one.startswith("[0] customer: 始あ")
    assert one.endswith("あ終")
