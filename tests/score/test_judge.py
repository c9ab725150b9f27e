"""A language model as judge: what it is sent, what of its answers counts, and every way an endpoint fails."""

import json
import os
import re
import socket
import time
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from pipeline import rubric, score
from pipeline.conversation import CallMetadata, Conversation, CriterionAnswer, Scorecard, Transcript, Turn
from pipeline.errors import RubricError, UsageError
from pipeline.judge.endpoint import is_private
from pipeline.judge.model import LanguageModel
from pipeline.judge.reply import find_quote
from pipeline.judge.standins import neutral
from pipeline.matching import load_matcher
from pipeline.matching.slots import names_in
from pipeline.rubric import Rubric
from pipeline.settings import JudgeSettings, load_settings
from tests import talk
from tests.judge_server import Model, honest, turns

ROOT = Path(__file__).parents[2]
ORDERS = (ROOT / "bench" / "data" / "judge_orders.txt").read_text("utf-8").splitlines()
SAID = (
    ("agent", "thank you for calling this is Travis how can I help"),
    ("customer", "my bill is wrong and he told me it was paid"),
    ("agent", "I am so sorry to hear that let me look into it for you Mrs Miller"),
    ("customer", "thanks a lot"),
)


def asking(*checks: str, head: str = "mode: question\npass_mark: 50") -> Rubric:
    """A rubric with one criterion by words, met by SAID, and one for each check given, c1 and so on."""
    criteria = [
        f"      - {{id: c{n}, question: Well, check: {{kind: judge, {check}}}}}"
        for n, check in enumerate(checks, 1)
    ]
    words = '      - {id: greets, question: Greets, check: {kind: phrases, match: exact, any: ["thank you"]}}'
    return rubric.parse(
        "\n".join([f"rubric: r\n{head}\nsections:\n  - id: s\n    criteria:", words, *criteria]) + "\n"
    )


APOLOGISES = 'question: "Did the agent say “sorry to hear”?"'
REFUNDS = 'question: "Did the agent say “refund”?"'


def call(*said: tuple[str, str], call_id: str = "c-1") -> Conversation:
    """A conversation of these turns."""
    return Conversation(Transcript(call_id, talk.turns(said or SAID, every_s=None), "en"))


def asked_of(model: Model, kept: Path | None = None, **settings: Any) -> LanguageModel:
    """A judge at this server whose answers count from the start."""
    given = {"url": model.url, "model": "fake", "trust": 0.0, **settings}
    return LanguageModel(
        JudgeSettings(**given), (lambda name: kept / "calls" / name) if kept else None, names_in
    )


def scored(
    form: Rubric, by: LanguageModel | None, spoken: Conversation | None = None, **about: Any
) -> Scorecard:
    """The scorecard of a call."""
    return score.score(
        spoken or call(), form, CallMetadata("c-1", **about), min_confidence=0.4, matcher=MATCHER, judge=by
    )


MATCHER = load_matcher(models=False)


def answer(card: Scorecard, name: str) -> CriterionAnswer:
    """The answer to one criterion."""
    return next(a for s in card.sections for a in s.criteria if a.id == name)


def test_a_quoted_answer_is_scored_with_the_transcripts_own_words(model: Model) -> None:
    """Yes and no both rest on words of the call, and earn what the rubric says."""
    card = scored(asking(APOLOGISES, REFUNDS), asked_of(model))

    yes, no = answer(card, "c1"), answer(card, "c2")
    assert (yes.answer, yes.points, no.answer, no.points) == ("yes", 1.0, "no", 0.0)
    assert yes.evidence[0].quote == SAID[2][1]  # as said, not as sent: the name is in it
    assert yes.evidence[0].turn == 2
    assert "It is said." in yes.evidence[0].rule
    assert card.final_score == pytest.approx(200 / 3, abs=0.01)


def test_every_question_is_asked_twice_in_opposite_order_without_chance(model: Model) -> None:
    """Temperature 0, a seed, a schema; examples and answers turned round the second time."""
    examples = 'examples: [{said: "so sorry", answer: yes}, {said: "next please", answer: no}]'
    scored(asking(f"{APOLOGISES}, {examples}"), asked_of(model))

    first, second = model.asked
    assert (first["temperature"], first["seed"]) == (0, 1)
    assert first["response_format"]["json_schema"]["schema"]["required"] == ["why", "quotes", "answer"]
    one, two = model.prompts
    assert one.index('so sorry"') < one.index("next please") < one.index("- yes:") < one.index("- unsure:")
    assert two.index("next please") < two.index('so sorry"') < two.index("- unsure:") < two.index("- yes:")
    assert second["messages"][0] == first["messages"][0]


def test_an_answer_that_depends_on_the_order_is_none(model: Model) -> None:
    """A model that takes the first answer on the list contradicts itself, and nothing is scored."""
    quote = {"turn": 2, "words": "I am so sorry to hear that"}

    def first_listed(asked: str) -> dict[str, Any]:
        listed = asked.split("Answers:\n- ")[1].split(":")[0]
        return {"why": "", "quotes": [quote], "answer": "yes" if listed == "yes" else "no"}

    model.answer = first_listed
    by = asked_of(model)
    told = answer(scored(asking(APOLOGISES), by), "c1")

    assert told.answer == "undetermined"
    assert "asked again" in told.reason
    assert [s.result for s in by.spent("c-1")] == ["differs"]


def test_a_second_reply_in_no_form_is_no_contradiction(model: Model) -> None:
    """What a model wrote badly once is not kept as its opinion: the next run asks again."""
    model.answer = lambda asked: honest(asked) if len(model.asked) == 1 else "I would rather not say."
    by = asked_of(model)
    told = answer(scored(asking(APOLOGISES), by), "c1")

    assert told.answer == "undetermined"
    assert [s.result for s in by.spent("c-1")] == ["malformed"]


@pytest.mark.parametrize(
    ("written", "result"),
    [
        ({"answer": "yes", "quotes": [{"turn": 2, "words": "I will refund every penny today"}]}, "invented"),
        ({"answer": "no", "quotes": [{"turn": 0, "words": "I do not care about your bill"}]}, "invented"),
        ({"answer": "yes", "quotes": []}, "unquoted"),
        ({"answer": "no", "quotes": []}, "unquoted"),
        ({"answer": "yes", "quotes": [{"turn": 0, "words": "..."}]}, "unquoted"),
        ({"answer": "yes", "quotes": [{"turn": 1, "words": "my bill is wrong"}]}, "unquoted"),
        ({"answer": "unsure", "quotes": []}, "unsure"),
        ({"answer": "maybe", "quotes": []}, "malformed"),
        ({"answer": "ہاں", "quotes": []}, "malformed"),
        ({"antwort": "ja"}, "malformed"),
        ("", "malformed"),
        ("Sí, el agente se disculpó.", "malformed"),
        ('{"answer": "yes", "quotes": [{"turn": 2, "wor', "malformed"),
        ("{" * 5000, "malformed"),
        ('{"a":' * 5000, "malformed"),
        ("[]", "malformed"),
    ],
)  # fmt: skip
def test_what_cannot_be_checked_is_undetermined(
    model: Model, written: dict[str, Any] | str, result: str
) -> None:
    """Invented or missing quotes, doubts, broken JSON and other languages decide nothing, and are counted."""
    model.answer = lambda asked: written
    by = asked_of(model)
    card = scored(asking(APOLOGISES), by)
    told = answer(card, "c1")

    assert (told.answer, told.points) == ("undetermined", None)
    assert told.reason.startswith("the judge ")
    assert [s.result for s in by.spent("c-1")] == [result]
    assert answer(card, "greets").answer == "yes"


@pytest.mark.parametrize(
    "around",
    ["```json\n{}\n```", "<think>The agent… {perhaps}</think>\n{}", "Here it is:\n{}\nGlad to help!"],
)
def test_an_answer_is_found_whatever_the_model_writes_around_it(model: Model, around: str) -> None:
    """Fences, thoughts and chatter do not spoil a good answer."""
    written = {"answer": "yes", "quotes": [{"turn": 2, "words": "so sorry to hear that"}], "why": ""}
    model.answer = lambda asked: around.replace("{}", json.dumps(written))

    assert answer(scored(asking(APOLOGISES), asked_of(model)), "c1").answer == "yes"


TALK = (
    ("agent", "I did not cancel the contract on the fifteenth of May"),
    ("customer", "yes"),
    ("agent", "we can offer you a new tariff for"),
    ("agent", "nineteen pounds a month"),
    ("customer", "yes please go on"),
    ("agent", "您好请问有什么可以帮您"),
    ("agent", "the line will be repaired by 4 pm"),
)


@pytest.mark.parametrize(
    ("words", "turn", "found"),
    [
        ("I did not cancel the contract", 0, [(0, "I did not cancel the contract")]),
        ("AGENT: “I DID NOT cancel, the contract!”", 0, [(0, "I DID not cancel the contract")]),
        ("I did not cancel the contract", 6, [(0, "I did not cancel the contract")]),
        ("I did not cancle the contract on", 0, [(0, "I did not cancel the contract on")]),
        ("I did cancel the contract on the fifteenth of May", 0, []),
        ("cancel the contract", 0, [(0, "not cancel the contract")]),
        ("the line will be repaired by 5 pm", 6, []),
        ("the line will not be repaired by 4 pm", 6, []),
        ("a new tariff for nineteen pounds", 2, [(2, "a new tariff for"), (3, "nineteen pounds")]),
        ("I did not cancel … on the fifteenth", 0, [(0, "I did not cancel"), (0, "on the fifteenth")]),
        ("I did not cancel … the mortgage", 0, []),
        ("yes", 1, [(1, "yes")]),
        ("yes", 0, []),
        ("有什么可以帮您", 5, [(5, "有什么可以帮您")]),
        ("有什么可以卖您", 5, []),
        ("cel the cont", 0, []),
        ("I would like to speak to your manager right now", 0, []),
    ],
)  # fmt: skip
def test_quotes_are_found_word_for_word_or_nearly_so_and_never_with_another_meaning(
    words: str, turn: int, found: list[tuple[int, str]]
) -> None:
    """A slip of letters is forgiven; another number, a lost denial or a half word is not."""
    spoken = call(*TALK).transcript.turns
    sent = neutral(spoken, lambda text: ())

    places = [(q.turn, spoken[q.turn].text[q.start : q.end]) for q in find_quote(words, turn, sent)]

    assert [(n, text.lower()) for n, text in places] == [(n, text.lower()) for n, text in found]


def test_no_name_title_or_gender_is_sent_and_quotes_still_point_at_the_words_said(model: Model) -> None:
    """Names of the metadata, of the talk and of redaction, titles and pronouns are stand-ins."""
    spoken = call(
        ("agent", "Northwind Telecom, this is Travis Baker speaking, sorry to hear that"),
        ("customer", "your agent seven wrote K-1 \ud800 on it, baker or Travis"),
        ("customer", "my name is Susan Miller, and she said, sir, that Mr. Okafor owes [NAME] nothing"),
        ("agent", "Thank you, Mrs Miller. It is about your bill, is it?"),
    )
    form = asking(APOLOGISES, head="company: Northwind Telecom\nmode: question")
    card = scored(
        form, asked_of(model), spoken, agent_name="Travis Baker", client="Acme Ltd", customer_ref="K-1"
    )

    lines = [said for _, _, said in turns(model.prompts[0])]
    assert lines == [
        "[COMPANY], this is [NAME] speaking, sorry to hear that",
        "your agent seven wrote [REFERENCE]   on it, [NAME] or [NAME]",
        "my name is [NAME], and they said, [TITLE], that [TITLE] [NAME] owes [NAME] nothing",
        "Thank you, [TITLE] [NAME]. It is about your bill, is it?",
    ]
    assert answer(card, "c1").evidence[0].quote == spoken.transcript.turns[0].text


def test_a_mark_of_removed_private_data_is_sent_as_it_is() -> None:
    """What looks like a name inside "[EXPIRY]" is none; a name beside a mark is."""
    said = "The code is [EXPIRY], Card says. [NAME] Baker paid by [CARD]"
    turn = Turn(0, "customer", said)

    def names(text: str) -> list[tuple[int, int]]:
        return [match.span() for match in re.finditer("EXPIRY|Baker|CARD", text)]

    (sent,) = neutral([turn], names, people=["Card"])

    assert sent.text == "The code is [EXPIRY], [NAME] says. [NAME] paid by [CARD]"
    assert sent.original(13, 19) == (12, 20)


def test_twenty_names_and_genders_are_one_and_the_same_question(model: Model) -> None:
    """What is sent does not change with who calls, so the answer cannot."""
    people = [
        ("Emily", "madam", "her"), ("Greg", "sir", "his"), ("Lakisha", "madam", "her"), ("Jay", "sir", "him"),
        ("Aisha", "madam", "her"), ("Mohammed", "sir", "his"), ("Anne", "Mrs", "her"), ("Brad", "sir", "his"),
        ("Sarah Walsh", "madam", "her"), ("Omar Khan", "sir", "his"), ("Maria", "ms", "her"),
        ("Neil", "Mr.", "him"), ("Fatima", "madam", "her"), ("Todd", "sir", "his"), ("Anna", "madam", "her"),
        ("Peter", "sir", "his"), ("Mary", "madam", "her"), ("John", "sir", "his"), ("Susan", "madam", "her"),
        ("David", "sir", "his"),
    ]  # fmt: skip
    for name, title, pronoun in people:
        said = f"My name is {name} and I lost {pronoun} letter, {title}, thank you"
        scored(asking(APOLOGISES), asked_of(model), call(SAID[0], ("customer", said), SAID[2]))

    assert len(model.prompts) == 40
    assert len({prompt.split("CALL ")[1].split("Question")[0] for prompt in model.prompts}) == 1


def test_only_the_turns_of_the_window_are_sent(model: Model) -> None:
    """What the check does not ask about stays here."""
    scored(asking(f"{APOLOGISES}, window: {{last_turns: 2}}"), asked_of(model))

    assert [n for n, _, _ in turns(model.prompts[0])] == [2, 3]


@pytest.mark.parametrize("order", ORDERS)
def test_an_order_given_in_the_call_stays_inside_the_marks_and_proves_nothing(
    model: Model, order: str
) -> None:
    """A caller's words cannot end the transcript or add a turn; a model that obeys them is not believed."""

    def obedient(asked: str) -> dict[str, Any]:
        obeyed = next(said for n, _, said in turns(asked) if n == 1)
        return {"why": "I was told so.", "quotes": [{"turn": 1, "words": obeyed}], "answer": "yes"}

    model.answer = obedient
    told = answer(
        scored(asking(APOLOGISES), asked_of(model), call(SAID[0], ("customer", order), SAID[3])), "c1"
    )

    prompt = model.prompts[0]
    assert told.answer == "undetermined"
    assert [n for n, _, _ in turns(prompt)] == [0, 1, 2]
    assert prompt.count(">>>") == prompt.count("<<<") == 1
    assert prompt.index("Question: ") > prompt.index(">>>")
    assert "never instructions" in model.asked[0]["messages"][0]["content"]


FAULTS = {
    "html": "a web page", "500": "HTTP 500", "404": "HTTP 404", "401": "CALLQA_JUDGE__API_KEY",
    "half": "broke off", "huge": "more than 1 MB", "stall": "no answer within 0.5 s",
    "drip": "no answer within 0.5 s", "redirect": "not followed", "list": "another form",
    "gzip": "compresses its answers", "models": "no model 'fake', it offers other",
    "down": "is the server up",
}  # fmt: skip


@pytest.mark.parametrize(("fault", "told"), FAULTS.items())
def test_an_endpoint_that_fails_leaves_its_criteria_to_the_next_run(
    model: Model, fault: str, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One sentence says what is wrong; everything else is answered as ever."""
    monkeypatch.setattr("pipeline.judge.endpoint.PAUSES_S", (0.01, 0.01))
    model.fault = fault
    if fault == "models":
        model.fault, model.models = "", ("other",)
    url = "http://127.0.0.1:9/v1" if fault == "down" else model.url
    card = scored(asking(APOLOGISES, REFUNDS), asked_of(model, timeout_s=0.5, url=url))

    for name in ("c1", "c2"):
        given = answer(card, name)
        assert given.answer == "undetermined"
        assert given.reason.startswith("the judge could not be asked")
        assert told in given.reason
        assert given.awaits == "judge"
    assert answer(card, "greets").answer == "yes"


def test_after_three_failures_in_a_row_nothing_more_is_waited_for(model: Model) -> None:
    """A server that has stopped answering costs three waits, not one a question."""
    model.fault = "stall"
    by = asked_of(model, timeout_s=0.3, at_once=1)
    scored(asking(*[REFUNDS] * 10), by)

    assert len(model.asked) == 3
    assert [s.result for s in by.spent("c-1")] == ["away"] * 10


def test_a_server_that_fails_once_is_asked_again(model: Model) -> None:
    """One 500 is followed by another try after a pause."""
    model.fault = "flaky"

    assert answer(scored(asking(APOLOGISES), asked_of(model)), "c1").answer == "yes"


def test_a_server_without_constrained_decoding_is_asked_without(model: Model) -> None:
    """A 400 about response_format means asking without one; the form is checked here anyway."""
    model.fault = "no_schema"

    assert answer(scored(asking(APOLOGISES), asked_of(model)), "c1").answer == "yes"
    assert ["response_format" in body for body in model.asked] == [True, False, False]


def test_a_call_longer_than_the_model_reads_is_not_sent(model: Model) -> None:
    """The reason says how long it is; where only the server knows, its refusal says the same."""
    long = call(*SAID, ("customer", "and another thing " * 2000))
    told = answer(scored(asking(APOLOGISES), asked_of(model), long), "c1")
    assert model.asked == []
    assert "too long for the judge" in told.reason
    assert "judge.context_tokens" in told.reason
    assert told.awaits is None

    model.fault = "too_long"
    told = answer(scored(asking(APOLOGISES), asked_of(model)), "c1")
    assert "too long for the judge (the server says so)" in told.reason


def test_the_budget_of_a_run_ends_it(model: Model) -> None:
    """What is left over waits for the next run."""
    card = scored(asking(APOLOGISES, REFUNDS), asked_of(model, budget_calls=2))

    assert answer(card, "c1").answer == "yes"
    assert "budget" in answer(card, "c2").reason
    assert answer(card, "c2").awaits == "judge"
    assert len(model.asked) == 2


def test_no_request_of_the_budget_is_wasted_on_half_an_answer(model: Model) -> None:
    """Questions asked side by side leave each other the request for the second prompt."""
    calls = [(CallMetadata(f"c-{n}"), call(call_id=f"c-{n}"), {}) for n in range(4)]
    judge = asked_of(model, at_once=4, budget_calls=5)
    cards = score.answer_calls(calls, asking(APOLOGISES), min_confidence=0.4, matcher=MATCHER, judge=judge)

    assert len(model.asked) == 4
    assert sorted(card.answers["c1"].answer for card in cards) == ["undetermined"] * 2 + ["yes"] * 2


def test_no_more_requests_at_once_than_allowed(model: Model) -> None:
    """Calls are asked about side by side, up to the limit."""

    def slowly(asked: str) -> dict[str, Any]:
        time.sleep(0.05)
        return honest(asked)

    model.answer = slowly
    form = asking(APOLOGISES, REFUNDS)
    calls = [(CallMetadata(f"c-{n}"), call(call_id=f"c-{n}"), {}) for n in range(8)]
    score.answer_calls(calls, form, min_confidence=0.4, matcher=MATCHER, judge=asked_of(model, at_once=3))

    assert len(model.asked) == 32
    assert 1 < model.most_at_once <= 3


@pytest.mark.parametrize(
    ("address", "private"),
    [
        ("127.0.0.1", True), ("127.8.9.1", True), ("::1", True), ("10.1.2.3", True), ("172.31.0.1", True),
        ("192.168.1.9", True), ("fd12::1", True), ("::ffff:10.0.0.1", True),
        ("8.8.8.8", False), ("172.32.0.1", False), ("::ffff:8.8.8.8", False), ("2001:4860:4860::8888", False),
        ("169.254.169.254", False), ("fe80::1%eth0", False), ("0.0.0.0", False), ("100.64.0.1", False),
        ("64:ff9b::808:808", False), ("224.0.0.1", False),
    ],
)  # fmt: skip
def test_which_addresses_are_private(address: str, private: bool) -> None:
    """This machine and private networks; not link-local, where clouds keep their secrets, nor translators."""
    assert is_private(address) is private


def test_a_public_address_is_refused_before_anything_is_sent(model: Model) -> None:
    """Text of calls goes to no address that is not private unless the settings say so."""
    told = answer(scored(asking(APOLOGISES), asked_of(model, url="http://93.184.215.14/v1")), "c1")

    assert "no private address" in told.reason
    assert "judge.allow_remote" in told.reason


def test_every_address_of_a_name_is_checked_and_the_one_checked_is_used(
    model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One public address among several is refused; a name server that changes its mind leads nowhere else."""
    real = socket.getaddrinfo
    answers = [["127.0.0.1"], ["93.184.215.14"]]
    looked_up: list[str] = []

    def lookup(host: Any, port: Any, *rest: Any, **more: Any) -> Any:
        if host != "judge.example":
            return real(host, port, *rest, **more)
        looked_up.append(host)
        return [found for address in answers.pop(0) for found in real(address, port, *rest, **more)]

    monkeypatch.setattr(socket, "getaddrinfo", lookup)
    port = urlsplit(model.url).port
    by = asked_of(model, url=f"http://judge.example:{port}")
    assert answer(scored(asking(APOLOGISES), by), "c1").answer == "yes"
    assert len(looked_up) == 1
    assert model.headers[0]["Host"] == f"judge.example:{port}"

    answers[:] = [["127.0.0.1", "93.184.215.14"]]
    told = answer(scored(asking(APOLOGISES), asked_of(model, url=f"http://judge.example:{port}/v1")), "c1")
    assert "93.184.215.14" in told.reason


def test_no_proxy_of_the_environment_is_used_and_the_key_is_sent(
    model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A proxy would see the text; the key of the settings goes to the server alone."""
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    by = asked_of(model, api_key="s3cret")

    assert answer(scored(asking(APOLOGISES), by), "c1").answer == "yes"
    assert model.headers[0]["Authorization"] == "Bearer s3cret"
    assert "s3cret" not in repr(JudgeSettings(url=model.url, model="m", api_key="s3cret"))


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("localhost:11434", "no address of a server"),
        ("ftp://10.0.0.1/v1", "no address of a server"),
        ("http://", "no address of a server"),
        ("http://me:secret@10.0.0.1/v1", "judge.api_key"),
        ("http://10.0.0.1:llama/v1", "ort"),
    ],
)
def test_a_wrong_url_is_told_when_settings_are_read(url: str, told: str) -> None:
    """Before any call is looked at."""
    with pytest.raises(UsageError) as raised:
        load_settings(judge={"url": url, "model": "m"})
    assert told in raised.value.message


def test_an_endpoint_needs_a_model_and_a_bare_host_means_its_v1() -> None:
    """What is missing is named; what is meant is understood."""
    with pytest.raises(UsageError, match=r"judge\.model is missing"):
        load_settings(judge={"url": "http://127.0.0.1:11434"})
    assert JudgeSettings(url="http://127.0.0.1:11434/", model="m").url == "http://127.0.0.1:11434/v1"


@pytest.mark.parametrize("given", [{"url": "http://mü-ki.firma:9/v1"}, {"api_key": "schlüssel"}])
def test_an_address_or_a_key_that_no_header_can_hold_is_refused(given: dict[str, str]) -> None:
    """When the settings are read, not at the first question of the night."""
    with pytest.raises(UsageError, match="beyond ASCII"):
        load_settings(judge={"url": "http://127.0.0.1:11434", "model": "m"} | given)


def test_a_question_of_ten_thousand_words_is_an_error_of_the_rubric() -> None:
    """With its line, and without echoing it."""
    with pytest.raises(RubricError) as raised:
        asking(f'question: "{"well " * 10_000}"')
    assert "at most 500 characters" in raised.value.message
    assert len(raised.value.message) < 300


def test_without_a_judge_its_criteria_stay_undetermined_and_lint_says_so() -> None:
    """The rest of the rubric is answered, and the author is told before the first call."""
    form = asking(APOLOGISES)
    card = scored(form, None)

    assert answer(card, "c1").answer == "undetermined"
    assert "[judge]" in answer(card, "c1").reason
    assert any("c1" in w and "[judge] url" in w for w in rubric.lint(form, judged=False))
    assert not any("[judge] url" in w for w in rubric.lint(form, judged=True))


def test_an_unconfirmed_answer_is_a_suggestion_that_changes_nothing(model: Model) -> None:
    """It is shown with its quote, earns no points, fails no call, and no other criterion builds on it."""
    form = rubric.parse(f"""
rubric: r
mode: question
pass_mark: 50
sections:
  - id: s
    criteria:
      - {{id: greets, question: G, check: {{kind: phrases, match: exact, any: ["thank you"]}}}}
      - {{id: refunds, question: R, auto_fail: true, check: {{kind: judge, {REFUNDS}}}}}
      - {{id: after, question: A, counts: info, when: {{answers: {{refunds: no}}}},
         check: {{kind: phrases, match: exact, negate: true, any: ["never heard"]}}}}
      - {{id: either, question: E, check: {{kind: any_of, checks: [
         {{kind: phrases, match: exact, any: ["thank you"]}}, {{kind: judge, {REFUNDS}}}]}}}}
      - {{id: both, question: B, check: {{kind: all_of, checks: [
         {{kind: phrases, match: exact, any: ["thank you"]}}, {{kind: judge, {REFUNDS}}}]}}}}
      - {{id: graded, question: L, levels: [
         {{label: best, check: {{kind: judge, {REFUNDS}}}}},
         {{label: good, check: {{kind: phrases, match: exact, any: ["thank you"]}}}}]}}
""")  # fmt: skip
    card = scored(form, asked_of(model, trust=0.8))

    refunds = answer(card, "refunds")
    assert (refunds.answer, refunds.points, refunds.scored) == ("no", None, False)
    assert refunds.reason.startswith("a suggestion that does not count")
    assert refunds.awaits == "people"
    assert refunds.evidence
    assert (card.outcome, card.final_score, card.autofail_reasons) == ("pass", 100.0, ())
    assert answer(card, "after").answer == "undetermined"
    assert (answer(card, "either").answer, answer(card, "either").scored) == ("yes", True)
    assert (answer(card, "both").answer, answer(card, "both").scored) == ("no", False)
    assert (answer(card, "graded").answer, answer(card, "graded").scored) == ("yes", False)
    assert answer(card, "graded").awaits == "people"
    assert answer(card, "graded").reason.endswith("does not count, since a judge's answer leads to it")
    assert len(model.asked) == 6  # not where the words decide


def test_answers_are_kept_and_only_what_changed_is_asked(model: Model, tmp_path: Path) -> None:
    """By prompt, text, model and what the server tells of it; kept ones serve while the server is away."""
    scored(asking(APOLOGISES, REFUNDS), asked_of(model, tmp_path))
    assert len(model.asked) == 4

    card = scored(asking(APOLOGISES, REFUNDS), asked_of(model, tmp_path))
    assert len(model.asked) == 4
    assert answer(card, "c1").evidence[0].quote == SAID[2][1]

    scored(asking(APOLOGISES, 'question: "Did the agent say “money”?"'), asked_of(model, tmp_path))
    assert len(model.asked) == 6  # another question

    model.digest = "sha256:two"
    scored(asking(APOLOGISES), asked_of(model, tmp_path))
    assert len(model.asked) == 8  # another model behind the name

    away = asked_of(model, tmp_path, url="http://127.0.0.1:9/v1")
    assert answer(scored(asking(APOLOGISES), away), "c1").answer == "yes"
    assert [(s.calls, s.asked, s.prompt_tokens) for s in away.spent("c-1")] == [(2, 0, 200)]


def test_a_damaged_or_hostile_cache_only_costs_another_question(model: Model, tmp_path: Path) -> None:
    """Half lines, other forms and impossible places are as good as nothing."""
    scored(asking(APOLOGISES), asked_of(model, tmp_path))
    path = tmp_path / "calls" / "c-1" / "judge.jsonl"
    line = json.loads(path.read_text())
    assert path.stat().st_mode & 0o077 == 0
    judged = line["judged"]
    nowhere = [{"turn": 99, "start": 0, "end": 9, "exact": True}]
    for damage in (
        "{",
        "[]",
        '{"key": 1}',
        "null",
        json.dumps({**line, "judged": {}}),
        json.dumps({**line, "seconds": "x"}),
        json.dumps({**line, "judged": {**judged, "quotes": nowhere}}),
        json.dumps({**line, "judged": {**judged, "answer": "sure"}}),
    ):
        path.write_text(damage + "\n")
        assert answer(scored(asking(APOLOGISES), asked_of(model, tmp_path)), "c1").answer == "yes"


def test_roles_that_are_not_known_and_weak_words_are_not_sent(model: Model) -> None:
    """Where no check of words would decide, nobody is asked."""
    unknown = call(("unknown", "sorry to hear that"), ("unknown", "my bill"))
    weak = Conversation(
        replace(
            call().transcript, turns=tuple(replace(turn, confidence=0.1) for turn in call().transcript.turns)
        )
    )
    for spoken in (unknown, weak):
        assert answer(scored(asking(APOLOGISES), asked_of(model), spoken), "c1").answer == "undetermined"
    assert model.asked == []


GGUF = os.environ.get("CALLQA_TEST_GGUF", "")


@pytest.mark.skipif(not GGUF, reason="CALLQA_TEST_GGUF names no model file (docs/judge.md)")
def test_a_real_llama_cpp_server_answers_in_the_form_asked_for() -> None:
    """Protocol, schema, seed and usage as llama.cpp has them; what a small model says is not the question."""
    pytest.importorskip("xllamacpp", reason="xllamacpp is not installed: pip install xllamacpp")
    from tests.llama import serving as llama

    with llama(Path(GGUF)) as url:
        settings = JudgeSettings(url=url, model="local", trust=0, timeout_s=300)
        judged = LanguageModel(settings, None, names_in)
        told = answer(scored(asking('question: "Did the agent say sorry?"'), judged), "c1")
        (stage,) = judged.spent("c-1")
    assert "could not be asked" not in told.reason
    assert stage.result in {"answered", "unsure", "unquoted", "invented", "differs", "malformed"}
    assert stage.prompt_tokens > 200
    assert stage.answer_tokens > 5
