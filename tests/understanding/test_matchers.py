"""Phrases on real talk, misheard, in other words, or said as another act; and what is left without models."""

import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline import rubric
from pipeline.matching import chance, denials, load_matcher, ordinary, slots, wording
from pipeline.matching.chance import chance_in_call
from pipeline.rubric.checks import SLOTS
from pipeline.rubric.queries import Found, queries
from pipeline.text.words import words
from tests.paraphrases import CHECK, THRESHOLD, paraphrases
from training.criteria import read

MATCHER = load_matcher()
TALK = Path(__file__).parents[1] / "data" / "ordinary_talk.tsv"
NAME = ("My name is {name}", "This is {name}", "I'm {name}", "{name} here", "{name} speaking")
EMPATHY = (
    "I understand how frustrating this is",
    "I'm sorry to hear that",
    "I can imagine how upsetting that is",
)
FURTHER = ("Is there anything else I can help you with today", "Do you have any other questions")
CALLBACK = ("I will call you back", "You will get a call from our team")
IDENTITY = ("Can you confirm your date of birth", "Please verify your full name and address")
RECORDED = ("This call is being recorded", "Calls may be recorded for quality purposes")
EVERYDAY = {
    "offers_help": ("How can I help you", "What can I do for you", "How may I help"),
    "recorded": RECORDED,
    "debt": ("This is an attempt to collect a debt", "This call is from a debt collector"),
    "supervisor": ("Would you like to speak to a supervisor", "I can get my manager for you"),
    "survey": ("Please stay on the line for a short survey", "You will receive a survey about this call"),
    "identity": (*IDENTITY, "What is your account number", "What is your phone number"),
    "hold": ("May I place you on a brief hold", "Can you hold for a moment please"),
    "transfer": ("I'll put you through to the right department", "I'm going to transfer you"),
    "price": ("It costs {amount} a month", "There is no charge for that"),
    "callback": CALLBACK,
}


def find(phrases: tuple[str, ...], text: str, **more: object) -> Found | None:
    """The strongest place a phrase check of these phrases finds in a turn, whether it counts or not."""
    check = rubric.checks.PhraseCheck(kind="phrases", any=phrases, **more)
    (query,) = queries(check)
    return max(MATCHER.find(query, [text]), key=lambda found: found.strength, default=None)


def met(phrases: tuple[str, ...], text: str, **more: object) -> bool:
    """Whether a phrase check of these phrases counts a turn as met."""
    found = find(phrases, text, **more)
    return found is not None and found.strength >= 0.5


def sure(phrases: tuple[str, ...], text: str, **more: object) -> bool:
    """Whether a check of these phrases is a clear no: no yes, and nothing a person need look at."""
    found = find(phrases, text, **more)
    return found is None or found.strength < 0.25


def test_ordinary_talk_meets_nothing_of_what_rubrics_ask() -> None:
    """Real talk of 24 meetings that the matcher's sample was not made from: at most 1 yes in 100 answers."""
    talk: dict[str, list[str]] = defaultdict(list)
    for line in TALK.read_text("utf-8").splitlines():
        meeting, text = line.split("\t")
        talk[meeting].append(text)
    asked = {
        name: queries(rubric.checks.PhraseCheck(kind="phrases", any=phrases))[0]
        for name, phrases in EVERYDAY.items()
    }
    wrong = []
    for meeting, texts in talk.items():
        MATCHER.prepare([(query, texts) for query in asked.values()])
        for name, query in asked.items():
            found = [f for f in MATCHER.find(query, texts) if f.strength >= query.threshold]
            wrong += [(name, meeting, texts[f.at][f.start : f.end]) for f in found[:1]]

    assert len(talk) == 24
    assert len(wrong) <= 0.01 * len(talk) * len(EVERYDAY), wrong


def test_a_longer_search_needs_more_to_be_found() -> None:
    """The same words weigh less among 2,000 others than among 20: chance had more to choose from."""
    (query,) = queries(rubric.checks.PhraseCheck(kind="phrases", any=RECORDED))
    said = "just so you know we tape these calls for training"
    other = [f"the weather on day {i} was as nice as it had been on the day before" for i in range(150)]

    (alone,) = MATCHER.find(query, [said])
    among = max(MATCHER.find(query, [said, *other]), key=lambda f: f.strength)

    assert alone.strength > among.strength


def test_evidence_says_how_unlikely_it_is_by_chance() -> None:
    """The rule of a match names the phrase and what it is measured against."""
    found = find(RECORDED, "just so you know we tape these calls for training")
    phrase = "This call is being recorded"
    assert found.rule.startswith(f"meaning: {phrase} (ordinary talk comes as near in 1 of ")


@pytest.mark.parametrize(
    ("phrases", "text"),
    [
        (("anything else I can help with",), "is there anything else I can do for you"),
        (("Harper Valley National Bank",), "hello this is harper belly national bank"),
        (CALLBACK, "one of my colleagues will ring you tomorrow morning"),
        (RECORDED, "just so you know we tape these calls for training"),
        (("Goodbye",), "okay byebye"),
        (("Bear with me a moment",), "um just just bear with me uh one moment"),
        (("You owe three hundred and fifty dollars",), "Thank you, you owe $350, can you pay today?"),
        (("My name is John",), "Good morning, my name is Priya, how are you?"),
    ],
)
def test_the_same_act_in_other_words_or_misheard_counts(phrases: tuple[str, ...], text: str) -> None:
    """A paraphrase, a recognition error, or speech as broken as speech is, meets the criterion."""
    assert met(phrases, text)


@pytest.mark.parametrize(
    ("phrases", "text"),
    [
        (EMPATHY, "I don't know why that happened"),
        (FURTHER, "there's nothing else i can do"),
        (CALLBACK, "i can't promise that anyone will call you back"),
        (CALLBACK, "did anybody call you back yesterday"),
        (EMPATHY, "i do not understand why it did that"),
        (IDENTITY, "hello this is oakfield insurance my name is mary how can i help you today"),
        (FURTHER, "okay one second please"),
        (IDENTITY, "How many miles has the car been driven?"),
        (FURTHER, "Yeah, sometimes they make me ask silly questions."),
        (("May I place you on a brief hold",), "Is this the first call you've made?"),
        (("Thank you for calling",), "the branch hours are nine thirty to five"),
        (("Good evening",), "that's ringing for you"),
        (("Enjoy the rest of your day",), "bye"),
        (("Goodbye",), "Kate"),
        (("Thanks for your help",), "things that are helps"),
        (("Is it working now",), "that's what you're on now is it"),
        (("What is your account number",), "let me have a look for you what's the"),
        (("Thank you for calling",), "right I think you're calling the wrong number"),
        (("Good morning",), "quarter to seven an early morning call thank you"),
        (("When did you make that payment",), "and you make the payment at the counter then"),
        (("You have to be over eighteen",), "so you have over 300 channels with that"),
        (("I'll call you back",), "I'm calling you today about the survey"),
    ],
)
def test_another_act_or_other_talk_does_not_count(phrases: tuple[str, ...], text: str) -> None:
    """Denied, asked back, of somebody or something else, or without the words that make the act."""
    assert not met(phrases, text)


@pytest.mark.parametrize(
    ("phrase", "text"),
    [
        ("what's your postcode", "what's your state like"),
        ("reboot it", "but it's a nice car"),
    ],
)
def test_only_a_capital_makes_a_rare_word_a_name(phrase: str, text: str) -> None:
    """A recogniser knows "reboot", so "but it" is no mishearing of it, not even perhaps."""
    found = find((phrase,), text, match="fuzzy")
    assert found is None or found.strength < 0.3


@pytest.mark.parametrize(
    ("phrase", "text"),
    [
        ("Thank you for holding", "Thank you for calling"),
        ("you should have read", "You should have received an email"),
        ("there is nothing I can do for you", "There is nothing I need"),
        ("we will take your house", "We will take your payment"),
        ("you will go to jail", "If you will go to Gmail"),
        ("we will tell your employer", "We will tell your employer nothing"),
        ("you will go to jail", "you will not go to jail"),
    ],
)
def test_another_word_in_a_phrases_place_is_not_that_word_misheard(phrase: str, text: str) -> None:
    """Where words are asked for, a changed content word or a denial is a clear no."""
    assert sure((phrase,), text, match="fuzzy")


@pytest.mark.parametrize("match", ["fuzzy", "meaning"])
@pytest.mark.parametrize(
    ("phrase", "text"),
    [
        ("take your house", "Nobody is going to take your house."),
        ("take your house", "No one will take your house."),
        ("take your house", "Neither the bank nor we will take your house."),
        ("take your house", "We won't sue you, nor will we take your house."),
        ("take your house", "I don't think they would take your house."),
        ("take your house", "The law does not let us take your house."),
        ("take your house", "We are not going to sue you or take your house."),
        ("take your house", "We are not allowed to sue you, garnish you or take your house."),
        ("cancel my contract", "I don't want to cancel my contract."),
        ("there is a cancellation fee", "There is no cancellation fee."),
        ("there is no cancellation fee", "There is a cancellation fee."),
        ("you have no obligation to buy", "You have an obligation to buy."),
        ("the deposit is non refundable", "The deposit is fully refundable."),
        ("you will not lose your cover", "You will lose your cover."),
        ("calls are not recorded", "Calls are recorded."),
        ("your policy does not cover flood damage", "Your policy covers flood damage."),
        ("I will call you back tomorrow", "I doubt we will call you back tomorrow."),
        ("I will call you back tomorrow", "Please call me back tomorrow."),
        ("I will call you back tomorrow", "You will need to call us back tomorrow."),
    ],
)
def test_what_is_denied_or_left_to_the_other_side_is_not_said(match: str, phrase: str, text: str) -> None:
    """However far before a match a denial stands, and where the phrase denies and the speech does not."""
    assert not met((phrase,), text, match=match)


@pytest.mark.parametrize("match", ["fuzzy", "meaning"])
@pytest.mark.parametrize(
    ("phrase", "text"),
    [
        ("this call is being recorded", "This call is being recorded without exception."),
        ("this call is being recorded", "This call is being recorded, never deleted."),
        ("this call is being recorded", "Please don't swear, this call is being recorded."),
        ("this call is being recorded", "Don't forget this call is being recorded."),
        ("this call is being recorded", "No, this call is being recorded."),
        ("{number} days to cancel", "You'd have fourteen days to cancel without any charge."),
        ("take your house", "I don't care, we will take your house."),
        ("take your house", "You have not paid so we will take your house."),
        ("there is no cancellation fee", "There are no cancellation fees at all."),
        ("calls are not recorded", "Calls are not recorded."),
        ("I will call you back tomorrow", "We will call you back tomorrow."),
    ],
)
def test_a_denial_of_something_else_takes_nothing_away(match: str, phrase: str, text: str) -> None:
    """A denial ends with its clause, and where phrase and speech both deny they agree."""
    assert met((phrase,), text, match=match)


@pytest.mark.parametrize("match", ["fuzzy", "meaning"])
@pytest.mark.parametrize(
    ("phrase", "denied"),
    [
        ("esta llamada está siendo grabada", "Esta llamada no está siendo grabada."),
        ("dieses Gespräch wird aufgezeichnet", "Dieses Gespräch wird nicht aufgezeichnet."),
        ("esta ligação está sendo gravada", "Esta ligação não está sendo gravada."),
        ("cet appel est enregistré", "Cet appel n'est pas enregistré."),
        ("maazrat chahta hoon", "Main maazrat nahi chahta hoon."),
        ("yeh call record ki ja rahi hai", "Yeh call record nahi ki ja rahi hai."),
        ("یہ کال ریکارڈ کی جا رہی ہے", "یہ کال ریکارڈ نہیں کی جا رہی ہے"),
    ],
)
def test_a_denial_is_known_in_other_languages(match: str, phrase: str, denied: str) -> None:
    """A call that says it is not recorded does not meet the disclosure, in whatever language."""
    assert met((phrase,), phrase, match=match)
    assert not met((phrase,), denied, match=match)


@pytest.mark.parametrize(
    ("phrase", "text"),
    [
        (
            "voy a ponerle en espera",
            "El autobús ya habrá salido, tiene que venir hoy si quiere viajar mañana.",
        ),
        ("debe pagar el saldo vencido", "Traiga el carné de jubilado para el descuento."),
        ("ich verbinde Sie mit meinem Vorgesetzten", "Elf Minuten, das ist auf dem Bahnsteig gegenüber."),
        ("bleiben Sie kurz dran", "Fahrplanauskunft, ja bitte."),
    ],
)
def test_phrases_of_other_languages_are_compared_by_their_words(phrase: str, text: str) -> None:
    """The encoder reads English: to it all Spanish talk is alike."""
    assert sure((phrase,), text)


@pytest.mark.parametrize(
    ("said", "named"),
    [
        ("Thank you for calling Acme, this is Sam.", True),
        ("Thanks for calling Acne, how can I help?", True),
        ("Thank you for calling Zenith, this is Sam.", False),
        ("Welcome to the billing department.", False),
        ("You're through to the loyalty team.", False),
        ("Thank you for holding.", False),
    ],
)
def test_a_greeting_with_another_companys_name_is_not_this_ones(said: str, named: bool) -> None:
    """By meaning too the company must be named, though perhaps misheard."""
    greetings = ["thank you for calling {company}", "welcome to {company}", "you are through to {company}"]
    check = rubric.checks.PhraseCheck(kind="phrases", any=greetings)
    (query,) = queries(check, ["Acme"])
    assert any(found.strength >= query.threshold for found in MATCHER.find(query, [said])) == named


@pytest.mark.parametrize("company", ["Harper Valley", "harper valley"])
def test_a_company_is_a_name_however_the_rubric_writes_it(company: str) -> None:
    """A recogniser may write it as other words."""
    check = rubric.checks.PhraseCheck(kind="phrases", match="fuzzy", any=["you have reached {company}"])
    (query,) = queries(check, [company])
    (found,) = MATCHER.find(query, ["hello you have reached carpet valley"])
    assert found.strength >= query.threshold


@pytest.mark.parametrize(
    ("phrase", "text"),
    [
        ("this is an attempt to collect a debt", "this is an attempt to collect a dett"),
        ("this is an attempt to collect a debt", "so this is uh this is an attempt to collect debt"),
        ("you are on a recorded line", "you're on a re corded line"),
        ("I lost my job", "I cannot do that. I lost my job last month."),
    ],
)
def test_what_a_recogniser_does_to_a_word_is_forgiven(phrase: str, text: str) -> None:
    """A word it does not know, a word cut in two, a repeat; a denial in the sentence before is no denial."""
    assert met((phrase,), text, match="fuzzy")


@pytest.mark.parametrize(
    "text",
    [
        "This is Travis. How can I help?",
        "I'm Michelle",
        "Tom here",
        "my name's Ahmed",
        "this is peter speaking",
    ],
)
def test_a_name_slot_hears_a_name(text: str) -> None:
    """With capitals or without, of many countries."""
    assert met(NAME, text, match="fuzzy")


@pytest.mark.parametrize(
    "text",
    [
        "Who am I speaking with",
        "sorry my name is not on the list",
        "This is about your bill",
        "I'm sorry",
        "this is fine",
        "i'm sorry sir what was that",
        "Hello, this is Vital Stream calling",
        "Thank you for waiting, this is Billing.",
    ],
)
def test_a_name_slot_needs_a_name(text: str) -> None:
    """The words around a name are no name."""
    assert sure(NAME, text, match="fuzzy")


def test_a_question_about_another_thing_is_not_met() -> None:
    """Where only the frame of a question is alike, a telephone number is no account."""
    account = ("Which account is it for", "And which account is it going to")
    number = ("Can I have your account number please", "What's the account number")
    rest = " so that was all they told us when we moved in last year and then nothing came" * 3

    assert not met(account, "and what is your phone number", match="meaning")
    assert not met(number, "right and what was your telephone number please" + rest, match="meaning")
    assert met(account, "and which one of your accounts is this to go to", match="meaning")
    assert met(number, "would you have the account number in front of you there" + rest, match="meaning")


@pytest.mark.parametrize(
    ("slot", "text", "filled"),
    [
        ("amount", "you owe $350 in all", ["350", "dollars"]),
        ("amount", "that is three hundred and fifty dollars", ["350", "dollars"]),
        ("amount", "it is forty nine ninety nine", ["49", "99"]),
        ("amount", "one pound fourteen pence, or Rs 500", ["pound", "14", "pence", "500"]),
        ("date", "come on the fifth of may or on Tuesday", ["fifth", "may", "tuesday"]),
        ("date", "on the 14th of May, or at three pm", ["14", "may", "3"]),
        ("date", "this afternoon, next week", ["afternoon", "week"]),
        ("date", "by the end of the month, end of day", ["end", "of", "the", "month", "end", "of", "day"]),
        ("date", "in the morning I take 12 and a week is long", []),
        ("date", "we'll call at four fifteen, or at half nine", ["4", "15", "half", "9"]),
        ("date", "call me at twenty to eight, or at nine tomorrow", ["20", "to", "8", "9", "tomorrow"]),
        ("date", "at one point we owed four pounds", []),
        ("number", "your number is five five eight one", ["5", "5", "8"]),
        ("name", "am I speaking with Mister Evans", ["evans"]),
        ("name", "my name is [NAME], and this is <Person>", ["name", "person"]),
        ("number", "call {PHONE_NUMBER} to pay by [CARD], [NAME]", ["phone", "number", "card"]),
        ("date", "born on [DOB], or [redacted]", ["dob", "redacted"]),
        ("amount", "you owe [AMOUNT] [laughs]", ["amount"]),
    ],
)
def test_what_fills_a_slot(slot: str, text: str, filled: list[str]) -> None:
    """Amounts in figures or words, dates, numbers, names after a title, and marks of removed private data."""
    assert [words(text).words[i] for i in slots.places(slot, text)] == filled


AMOUNTS = (
    "It's 22 a month|Twenty two a month|30p|a tenner|two and a half grand|Rs. 5,000|five lakh rupees|"
    "5 crore rupees|PKR 5,000|USD 300|AED 300|three dirhams|1.5 million dollars|$1.5 million|a pound|"
    "half a million pounds|two pounds fifty|You owe us three hundred|It costs 22 now"
)
DATES = (
    "3:30|15:30 then|half past three|quarter to four|ten past nine|on the fourteenth|the 14th|in two hours|"
    "the twenty second|due on the first|the first of every month|We'll ring in the morning.|in a fortnight|"
    "within five working days|within the hour|14/06|14/06/2026|2026-06-14|14.06.2026|end of day|"
    "by the end of the day|close of business|Christmas Eve|New Year's Day|Boxing Day|a bank holiday|"
    "by Christmas"
)
NAMES = "my name is oluwaseun|my name's nkechi|My name is Xiao Ming"
NO_AMOUNTS = (
    "3 p.m.|five of us|pay three times|a pound of flour|ten times a month|half of it|one a month|5 more"
)
NO_DATES = (
    "I'd say 9/10|24/7|in two rooms|the fifth floor|the first thing|on the second one|in a minute|"
    "at the end of the day it works|3 to 4 people|the past three|a business like yours|"
    "a Christmas tree|how often in a day"
)
NO_NAMES = "my name is busy|my name is on it|yeah my name's missus"


@pytest.mark.parametrize(
    ("slot", "filled", "unfilled"),
    [("amount", AMOUNTS, NO_AMOUNTS), ("date", DATES, NO_DATES), ("name", NAMES, NO_NAMES)],
)
def test_slots_take_the_usual_forms(slot: str, filled: str, unfilled: str) -> None:
    """Prices, times and dates as people say them and recognisers write them; ordinary talk fills none."""
    assert [said for said in filled.split("|") if not slots.places(slot, said)] == []
    assert [said for said in unfilled.split("|") if slots.places(slot, said)] == []


def test_a_quote_of_an_amount_or_a_date_holds_the_figures() -> None:
    """“By {date}” reaches over “the end of the week”; the currency before a figure is not all of a price."""
    assert met(("by {date}",), "we will call you by the end of the week", match="fuzzy")
    found = find(("you owe {amount}",), "You owe Rs. 5,000.", match="fuzzy")
    assert found.strength >= 0.5
    assert found.end == len("You owe Rs. 5,000")


@pytest.mark.parametrize(
    "said", ["that's 409 866 5088", "nine six one eight eight", "I see your order of 86"]
)
def test_a_number_by_itself_is_no_reference_number(said: str) -> None:
    """What fills a place says nothing without a word for what it is."""
    asked = ("The confirmation number for that is {number}", "Your case number is {number}")
    assert not met(asked, said)
    assert met(asked, f"{said}. your case number for that is 4 4 1 7")


@pytest.mark.parametrize("match", ["fuzzy", "meaning"])
@pytest.mark.parametrize(
    ("phrase", "said"),
    [("you owe {amount}", "You owe us."), ("my name is {name}", "my name is joy")],
)
def test_all_but_what_fills_a_slot_is_undetermined(match: str, phrase: str, said: str) -> None:
    """What fills it may be written as no slot knows it, so that it is neither a yes nor a no."""
    assert not met((phrase,), said, match=match)
    assert not sure((phrase,), said, match=match)


def test_every_slot_a_rubric_may_name_has_its_meaning() -> None:
    """{company} is put in from the rubric itself; the matcher knows the rest."""
    assert {*slots.MARKED, "company"} == set(SLOTS)


def test_a_counter_example_takes_away_what_lies_nearer_to_it() -> None:
    """Asked for the make of the car, nobody has proved who they are."""
    car = ("What is the make and model of the car",)
    said = "What's the make and model of the car?"
    assert not met(("What is your name and date of birth",), said, unless=car)
    assert met(("What is your name and date of birth",), "what's your date of birth and name", unless=car)


def test_a_counter_example_elsewhere_in_a_turn_takes_nothing_away() -> None:
    """Thanks are accepted in one sentence, the customer is wished well in the next."""
    welcome = ("You are welcome",)
    said = "You're welcome, no problem at all. Okay then, that is all done. Have a really good evening."
    assert met(("Have a good evening",), said, unless=welcome)
    address = "what is your new address please. Right, and can you confirm your date of birth for me"
    assert met((*IDENTITY, "What is your address"), address, unless=("What is your new address",))


@pytest.mark.parametrize(
    ("phrases", "said", "unless"),
    [
        (("Is there anything else I can help you with",),
         "Is there anything else that's going on right now that I.", "If you need anything else"),
        (("We will send you a text message",), "We will send you a prepaid return label",
         "Can you send me an email"),
        (("Have you already tried switching it off and on",), "And have you tried replacing the batteries",
         "You have tried that before, I see"),
        (("If you have any questions just give us a call",),
         "if you have any other questions you can call us", "Do you have any questions"),
    ],
)  # fmt: skip
def test_a_few_words_of_a_counter_example_take_nothing_away(
    phrases: tuple[str, ...], said: str, unless: str
) -> None:
    """Answered no on calls nobody had tuned on, for words that a phrase and its counter-example share."""
    assert met(phrases, said, unless=(unless,))


def test_the_description_of_an_act_is_no_counter_example() -> None:
    """What lies near `meaning` does the act; it was struck out wherever `unless` was given too."""
    asked = ("What are you using at the moment", "Who is your current provider")
    about = "The agent asks what product, plan or provider the customer has at present."
    said = "and the year, make, and model of your vehicle"
    assert met(asked, said, unless=("What would you like to have",), meaning=about)


@pytest.mark.parametrize("match", ["fuzzy", "meaning"])
def test_a_slot_may_be_a_phrase_by_itself(match: str) -> None:
    """Who wants to know whether any day or any amount was named need not guess the words around it."""
    assert met(("{date}",), "we can come on Tuesday at three pm", match=match)
    assert met(("{amount}",), "that is $39 in all", match=match)
    assert not met(("{date}", "{amount}"), "we will see about it, that is all right", match=match)


def test_an_amount_alone_is_a_price_where_a_phrase_asks_for_no_more() -> None:
    """“It is {amount} a month” is met by any price; “You owe {amount}” asks for a word of a debt."""
    price, balance = ("It is {amount} a month",), ("You owe {amount}", "Your balance is {amount}")
    for said in ("it's two dollars and nineteen cents per gallon", "my pretzel sticks are $3.89"):
        assert met(price, said)
        assert not met(balance, said)


@pytest.mark.parametrize("match", ["fuzzy", "meaning"])
def test_a_counter_example_may_be_longer_than_what_is_found(match: str) -> None:
    """Who does not know and finds out has not left the customer there."""
    finds_out = ("I don't know but let me find out",)
    assert met(("I don't know",), "sorry I don't know that one", unless=finds_out, match=match)
    said = "I don't know but let me find out for you"
    assert not met(("I don't know",), said, unless=finds_out, match=match)


def test_no_word_stands_for_another_where_a_phrase_must_be_said_in_its_words() -> None:
    """“Thank you, we'll call” has most of “Thank you for calling”, and another word in its middle."""
    assert not met(("Thank you for calling",), "thank you we'll call you back", match="fuzzy")
    assert met(("Thank you for calling",), "thank you so much for calling us", match="fuzzy")


def test_an_author_is_told_which_phrases_are_too_common() -> None:
    """“Thank you” is said in many ordinary calls; in half a minute in few; a disclosure in none."""
    assert chance_in_call("Thank you", "exact") > 0.05
    assert chance_in_call("Thank you", "exact", 30.0) < chance_in_call("Thank you", "exact")
    assert chance_in_call("This is an attempt to collect a debt", "fuzzy") == 0
    assert chance_in_call("{date}", "meaning") > 0.5 > chance_in_call("by {date}", "meaning")


def test_without_the_models_phrases_go_by_words_and_the_matcher_says_so() -> None:
    """A check of meaning still hears the phrase, misheard too, and the note names what is missing."""
    program = """
from pathlib import Path
from pipeline import encoder, rubric
from pipeline.matching import load_matcher, meaning
from pipeline.rubric.queries import queries
meaning.ENCODER = Path("nowhere.npz")
matcher = load_matcher()
check = rubric.checks.PhraseCheck(kind="phrases", any=["Harper Valley National Bank"])
(found,) = matcher.find(queries(check)[0], ["this is harper belly national bank"])
print(found.strength >= 0.5, *matcher.notes)
"""
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True, text=True, timeout=60, cwd=Path(__file__).parents[2], check=True,
    )  # fmt: skip
    assert done.stdout.startswith("True phrases were matched by their words and sounds, not by meaning")


def test_a_text_is_judged_the_same_alone_and_among_others() -> None:
    """Reading in bulk changes no closeness; only how much was searched counts."""
    criteria = list(read(CHECK).values())[:3]
    said = [text for one in criteria for text, _, _ in one.said][::4]
    for one in criteria:
        (query,) = queries(rubric.checks.PhraseCheck(kind="phrases", any=one.phrases))
        together, apart = load_matcher(), load_matcher()
        together.prepare([(query, said)])
        for text in said:
            pairs = zip(together.find(query, [text]), apart.find(query, [text]), strict=True)
            assert all(abs(a.strength - b.strength) < 0.01 and a.rule == b.rule for a, b in pairs)


def test_criteria_the_weights_never_saw() -> None:
    """On the check set other acts and unrelated talk do not pass, misheard phrases do: at most 0.03 less.

    Measured: misheard 0.83, other words 0.56, other acts 0.12, unrelated 0 (``bench.rubric_accuracy``).
    """
    scored = paraphrases(read(CHECK), MATCHER)

    def passing(kind: str) -> float:
        of_kind = [s.strength >= THRESHOLD for s in scored if s.kind == kind]
        return sum(of_kind) / len(of_kind)

    assert passing("asr_error") >= 0.82
    assert passing("paraphrase") >= 0.53
    assert passing("hard") <= 0.15
    assert passing("unrelated") <= 0.02


WORD = st.sampled_from([
    "thank", "you", "thanks", "for", "calling", "harper", "um", "a", "can't", "ہیلو", "$5", "not", "debt",
    ".",
])  # fmt: skip
SAID = st.lists(WORD, max_size=12).map(" ".join)


@given(SAID, st.lists(SAID, max_size=3))
def test_any_phrase_in_any_text_lies_inside_it(phrase: str, texts: list[str]) -> None:
    """Offsets are of the text, strengths between 0 and 1, whatever is asked of whatever was said."""
    if not phrase:
        return
    for method in ("exact", "fuzzy", "meaning"):
        (query,) = queries(rubric.checks.PhraseCheck(kind="phrases", any=[phrase], match=method))
        for found in MATCHER.find(query, texts):
            assert 0 <= found.start < found.end <= len(texts[found.at])
            assert 0 <= found.strength <= 1


@given(SAID)
def test_what_is_said_as_it_is_written_is_found(phrase: str) -> None:
    """A phrase said word for word is found by every method, unless it denies what it says."""
    plain = words(phrase).words
    if not plain or denials.ENGLISH.intersection(plain):
        return
    (query,) = queries(rubric.checks.PhraseCheck(kind="phrases", any=[phrase], match="fuzzy"))
    assert any(found.strength >= query.threshold for found in MATCHER.find(query, [phrase]))


def test_chance_falls_with_closeness_and_grows_with_what_is_searched() -> None:
    """Rates never rise with a closer match; strength never rises with more expected by chance."""
    phrase = wording.read("How can I help you")
    rates = [chance.of_wording(phrase, coverage) for coverage in (0.5, 0.6, 0.7, 0.8, 0.9, 1.0)]
    assert rates == sorted(rates, reverse=True)
    strengths = [chance.strength(expected) for expected in (1e-6, 1e-4, 1e-2, 1.0)]
    assert strengths == sorted(strengths, reverse=True)
    assert chance.strength(chance.SURE) == pytest.approx(0.5)


@pytest.mark.parametrize("free", [True, False])
def test_words_left_uncompared_would_not_have_counted(free: bool) -> None:
    """Which words wanted a word said is compared with is narrowed down first; nothing is lost by it."""
    asked = [one.text for name in rubric.shipped() for one in rubric.phrases(rubric.load(name))]
    phrases = [wording.read(phrase, free=free) for phrase in asked]
    finder = wording.Wording(free=free)
    finder.learn(phrases)
    said_right = sorted({word for phrase in phrases for word in phrase.words if word.isalpha()})
    unknown = [f"{word[:at]}x{word[at + 1 :]}" for at in (1, 3) for word in said_right[::3] if len(word) > 4]
    for said in [*ordinary.load().vocabulary[::7], *unknown, "350", "wreck", "byebye", "hy", "شکریہ"]:
        every = [
            (name, at, likeness)
            for (wanted, is_name), where in finder._wanted.items()
            for name, at in where
            if (likeness := wording.alike(wanted, said, is_name=is_name, free=free))
        ]
        assert list(finder._compared(said)[0]) == every


@given(st.text())
def test_words_have_their_places_in_the_text(text: str) -> None:
    """Places are inside the text and in order, whatever is written."""
    said = words(text)
    assert all(0 <= a < b <= len(text) for a, b in zip(said.starts, said.ends, strict=True))
    assert list(said.starts) == sorted(said.starts)


def test_a_sentence_means_the_same_beside_others() -> None:
    """What is said before and after a sentence does not hide it, nor becomes part of its quote."""
    (query,) = queries(rubric.checks.PhraseCheck(kind="phrases", any=["Shipping is free"]))
    text = "It comes with headphones. Postage is free. You have to show us a driving licence."
    (found,) = MATCHER.find(query, [text])
    assert (found.strength >= 0.5, text[found.start : found.end]) == (True, "Postage is free")
