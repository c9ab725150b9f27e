"""What is a call, whose silence it is, who is vulnerable, and whose feeling a turn tells."""

import pytest

from pipeline import rubric, score
from pipeline.annotate import load_annotator
from pipeline.conversation import CallMetadata, Conversation, Transcript, Turn
from pipeline.matching import load_matcher
from pipeline.settings import AnnotateSettings, PrivacySettings
from tests import dialogue

ANNOTATOR = load_annotator(AnnotateSettings(), PrivacySettings())
A, C = "agent", "customer"
MACHINE = "You have reached the voicemail of Dana Reed. Please leave a message after the tone."
MESSAGE = "Hi this is Sam from Northwind, please give me a call back when you get a chance, bye."
VOICEMAILS = [
    [(C, MACHINE), (A, MESSAGE)],
    [(A, MACHINE), (C, "Hello, my order never came. Call me back on the number you have, thanks.")],
    [(C, "I can't come to the phone right now, leave your name and message"), (A, "Hi it's Kim."),
     (C, "To send your message, press one.")],
    [(A, MESSAGE + " My number is on your bill.")],
    [(C, MACHINE), (A, "Hello? Hello?")],
    [(C, "Hey it's me, sorry I missed your call, call me back when you get this.")],
    [(A, f"{MACHINE} {MESSAGE}")],
]  # fmt: skip
CONVERSATIONS = [
    [(A, "Thanks for calling, how can I help?"), (C, "I got your voicemail."), (A, "Let me look."),
     (C, "You said to call you back."), (A, "Yes, it is forty dollars.")],
    [(C, MACHINE), (A, MESSAGE), (C, "Hello, hello, sorry, I am here, I just picked up."), (A, "Oh hi!")],
    [(A, "You can leave a message with me if you like, who is it for?"), (C, "For Dana, it's about the car."),
     (A, "I'll tell her, what is your number?"), (C, "She has it.")],
    [(A, "Good morning, thanks for calling."), (C, "Hi, I would like to order two boxes.")],
]  # fmt: skip


def conversation(turns: list[tuple[str, str]], starts_s: list[float] | None = None) -> Conversation:
    """Annotated turns, three seconds each, five apart where not said."""
    starts = starts_s or [5.0 * n for n in range(len(turns))]
    made = tuple(
        Turn(n, role, text, at, at + 3.0, n % 2)
        for n, ((role, text), at) in enumerate(zip(turns, starts, strict=True))
    )
    transcript = Transcript("c", made, language="en", duration_s=starts[-1] + 4, channels=2)
    (heard,) = ANNOTATOR.annotate([transcript], [None])
    return heard


def labels(heard: Conversation, kind: str) -> list[str]:
    """The labels found of a kind."""
    return [f.label for f in heard.findings if f.kind == kind]


@pytest.mark.parametrize("turns", VOICEMAILS)
def test_a_voicemail_is_a_kind_of_its_own(turns: list[tuple[str, str]]) -> None:
    """A machine's greeting with a message, on either side, or a message alone is not scored."""
    heard = conversation(turns)
    card = score.score(
        heard, rubric.load("support"), CallMetadata("c"), min_confidence=0.4, matcher=load_matcher()
    )

    assert labels(heard, "call_kind") == ["voicemail"]
    assert (card.outcome, card.final_score) == ("not_scored", None)
    assert card.why.startswith("voicemail: ")


@pytest.mark.parametrize("turns", CONVERSATIONS)
def test_a_conversation_about_messages_is_a_conversation(turns: list[tuple[str, str]]) -> None:
    """Talk of voicemails, somebody who picks up in the middle, a message taken by a person."""
    assert labels(conversation(turns), "call_kind") == []


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ([(A, "What is the serial number?"), (C, "Let me find it.")], (C, "It says four one.")),
        ([(A, "Can you check the label for me?"), (C, "Sure.")], (C, "It says Acme.")),
        ([(A, "What is the number on the back?")], (C, "Eight eight two.")),
        ([(A, "And the meter?"), (C, "Hold on, I have to go and look.")], (C, "Two hundred.")),
        ([(A, "Okay."), (C, "Give me a second, I am looking for my glasses.")], (C, "Here they are.")),
    ],
)
def test_the_customers_own_pause_is_no_hold(before: list[tuple[str, str]], after: tuple[str, str]) -> None:
    """Twelve seconds in which the customer looks for something put nobody on hold, and are no dead air."""
    starts = [3.5 * n for n in range(len(before))]
    heard = conversation([*before, after], [*starts, starts[-1] + 3.0 + 12.0])

    assert "customer" in labels(heard, "pause")
    assert [f for f in heard.findings if f.kind == "hold"] == []
    assert heard.metrics["hold_count"] == 0
    assert heard.metrics["dead_air_count"] == 0


@pytest.mark.parametrize(
    ("before", "after", "label"),
    [
        ([(A, "Can I put you on hold for a moment?"), (C, "Sure.")], (A, "Thanks for holding."), "announced"),
        ([(A, "Bear with me while I look."), (C, "Okay.")], (C, "Hello?"), "announced"),
        ([(C, "It has not come yet.")], (A, "I see it here."), "unannounced"),
        ([(A, "Is that right?"), (C, "Yes.")], (C, "Hello, are you still there?"), "unannounced"),
    ],
)
def test_the_agents_silence_stays_a_hold(
    before: list[tuple[str, str]], after: tuple[str, str], label: str
) -> None:
    """Announced or not, what the agent makes the customer wait for is a hold."""
    starts = [3.5 * n for n in range(len(before))]
    heard = conversation([*before, after], [*starts, starts[-1] + 3.0 + 12.0])

    assert [f.label for f in heard.findings if f.kind == "hold" and f.value] == [label]


@pytest.mark.parametrize(
    ("risk", "text", "found"),
    [
        ("vulnerable", "I am going bankrupt because of this", True),
        ("vulnerable", "we filed for bankruptcy last year", True),
        ("vulnerable", "I just got laid off", True),
        ("vulnerable", "my husband was made redundant", True),
        ("vulnerable", "I can't afford it any more", True),
        ("vulnerable", "You guys are going bankrupt, I read it in the paper", False),
        ("vulnerable", "that company went bankrupt and was evicted", False),
        ("vulnerable", "they are laid off every winter at your company", False),
        ("vulnerable", "people can not afford your prices", False),
        ("vulnerable", "your store is bankrupt", False),
        ("churn", "I don't wanna continue my service", True),
        ("churn", "I don't want to keep this subscription", True),
        ("churn", "we are not going to renew", True),
        ("churn", "I'm not staying with you", True),
        ("churn", "please disconnect my service", True),
        ("churn", "I will not be renewing my contract", True),
        ("churn", "I want to continue my service", False),
        ("churn", "my service does not continue to work", False),
        ("churn", "I do want to keep my plan", False),
    ],
)
def test_a_risk_is_the_callers_own_however_it_is_said(risk: str, text: str, found: bool) -> None:
    """What is said of a company or of people in general is no vulnerability; not going on is churn."""
    assert (risk in labels(conversation([(A, "Hello."), (C, text)]), "risk")) == found


@pytest.mark.parametrize(
    "text",
    [
        "I understand that you're disappointed.",
        "i can see why you're upset about the delay",
        "I'm so sorry you feel let down.",
        "That must have been really stressful for you.",
        "You sound frustrated, let me see what I can do.",
        "I know you must be angry.",
    ],
)
def test_an_agent_who_names_the_callers_feeling_does_not_feel_it(text: str) -> None:
    """Naming a feeling is neutral, and never the agent's lowest point."""
    heard = conversation([(C, "It is broken."), (A, text)])

    sentiment = heard.transcript.turns[1].sentiment
    assert sentiment.label == "neutral"
    assert "agent" not in labels(heard, "lowest_point")


def test_an_agents_own_feeling_stays() -> None:
    """Anger of the agent's own is still heard."""
    heard = conversation([(C, "It is broken."), (A, "You are being ridiculous, I am sick of this.")])

    assert heard.transcript.turns[1].sentiment.label == "negative"


@pytest.mark.parametrize(("language", "text"), [("de", "Das ist sehr schlecht."), (None, "Это очень плохо.")])
def test_an_unknown_language_has_no_sentiment(language: str | None, text: str) -> None:
    """No feeling of a language nobody taught it, so a criterion about it cannot be told."""
    turns = (Turn(0, "agent", text, 0, 3), Turn(1, "customer", text, 4, 8))
    (heard,) = ANNOTATOR.annotate([Transcript("c", turns, language=language, channels=2)], [None])
    form = rubric.parse("""
rubric: feeling
mode: question
sections:
  - id: s
    criteria:
      - {id: content, question: "Leaves content?", check: {kind: sentiment, role: customer, min: -0.2}}
""")

    card = score.score(heard, form, CallMetadata("c"), min_confidence=0.4, matcher=load_matcher())

    assert [turn.sentiment for turn in heard.transcript.turns] == [None, None]
    assert heard.sentiment == {}
    assert card.sections[0].criteria[0].answer == "undetermined"


def test_words_of_the_users_own_speak_in_any_language() -> None:
    """A lexicon for a language that is not known tells what it knows, and nothing of the rest."""
    annotator = load_annotator(AnnotateSettings(lexicon={"schlecht": -0.8}), PrivacySettings())
    turns = (Turn(0, "customer", "Das ist schlecht."), Turn(1, "customer", "Das ist rot."))
    (heard,) = annotator.annotate([Transcript("c", turns, language="de")], [None])

    first, second = heard.transcript.turns
    assert first.sentiment.label == "negative"
    assert second.sentiment is None


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("video is quite blurry, very low quality", "negative"),
        ("Oh great, another hour on hold", "negative"),
        ("Sorry, I'm not really a car person", "neutral"),
    ],
)
def test_poor_quality_sarcasm_and_modesty_are_told_apart(text: str, label: str) -> None:
    """A complaint without a word of feeling, one in words of praise, and an excuse that is none."""
    heard = conversation([(A, "Hello."), (C, text)])

    assert heard.transcript.turns[1].sentiment.label == label


def test_hard_kinds_of_feeling_are_mostly_right() -> None:
    """56 turns written before anything of their kind was trained on: macro-F1 0.42 then."""
    scenes = list(dialogue.read("dialogue_kinds"))

    guess = dialogue.guesses([scene.transcript for scene in scenes])

    assert dialogue.macro_f1([label for scene in scenes for label in scene.truth], guess) > 0.75
