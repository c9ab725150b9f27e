"""Numbers asked for one after the other, in many wordings: the secret ones go, the ordinary ones stay."""

import random
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline import privacy
from pipeline.conversation import Transcript
from pipeline.privacy import numbers
from pipeline.settings import PrivacySettings
from tests import spoken_numbers, talk

ALL = PrivacySettings(redact=privacy.KINDS)
SEEDS = st.integers(0, 2**32)


def call(*turns: tuple[str, str]) -> Transcript:
    """A transcript without times."""
    return Transcript("c", talk.turns(turns, every_s=None), language="en")


def asked_and_told(*texts: str) -> Transcript:
    """Turns by agent and customer in turn."""
    return call(*[(("agent", "customer")[number % 2], text) for number, text in enumerate(texts)])


def redacted(transcript: Transcript, privacy_settings: PrivacySettings = ALL) -> list[str]:
    """The texts that are left."""
    return [turn.text for turn in privacy.redact(transcript, privacy_settings)[0].turns]


@given(SEEDS)
@settings(max_examples=300, derandomize=True)
def test_no_digit_is_left_of_numbers_asked_for_one_after_the_other(seed: int) -> None:
    """Cards, codes, PINs, accounts, social security numbers, telephones, in figures or words."""
    turns, _ = spoken_numbers.conversation(random.Random(seed))

    left = redacted(call(*turns))

    assert [text for text in left if any(t.digits for t in numbers.tokenise(0, text))] == [], turns


@given(SEEDS)
@settings(max_examples=300, derandomize=True)
def test_the_default_leaves_nothing_of_a_card_and_its_codes(seed: int) -> None:
    """What is never kept is gone by default whatever else is told around it."""
    turns, told = spoken_numbers.conversation(random.Random(seed))
    secret = {one.digits for one in told if one.kind in PrivacySettings().redact and len(one.digits) > 3}

    left = redacted(call(*turns), PrivacySettings())

    said = ["".join(token.digits for token in numbers.tokenise(0, text)) for text in left]
    assert not [digits for digits in secret if any(digits == one for one in said)], turns


@given(SEEDS)
@settings(max_examples=300, derandomize=True)
def test_ordinary_numbers_are_not_eaten(seed: int) -> None:
    """Prices, dates, times, model years, mileage, order and stock numbers are nobody's secret."""
    turns = spoken_numbers.ordinary(random.Random(seed))

    assert privacy.find(call(*turns)) == (), turns


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (
            ("What is your phone number?", "416-555-0199.", "And a callback number?", "800-555-1212."),
            ["[PHONE].", "[PHONE]."],
        ),
        (
            ("What's your account number?", "12345678.", "And your phone number?", "416-555-0199."),
            ["[ACCOUNT].", "[PHONE]."],
        ),
        (
            ("What's your social security number?", "123-45-6789.", "And your phone?", "416-555-0199."),
            ["[SSN].", "[PHONE]."],
        ),
        (
            (
                "Social?",
                "one two three",
                "mm",
                "forty five",
                "yes",
                "sixty seven eighty nine",
                "And your phone?",
                "four one six five five five oh one nine nine",
            ),
            ["[SSN]", "[SSN]", "[SSN]", "[PHONE]"],
        ),
        (("Which numbers can we use?", "416 555 0199 and 800 555 1212"), ["[PHONE] and [PHONE]"]),
        (("What's the sort code and account?", "20 45 67, 12345678"), ["[ACCOUNT]"]),
    ],
)
def test_the_other_partys_new_question_ends_a_number(texts: tuple[str, ...], expected: list[str]) -> None:
    """Each number is one of its own, under its own name."""
    assert redacted(asked_and_told(*texts))[1::2] == expected


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (
            (
                "The long card number?",
                "4111 1111 1111 1111.",
                "Lovely.",
                "Thirty five pounds, that was, yes?",
            ),
            ["[CARD].", "Thirty five pounds, that was, yes?"],
        ),
        (
            ("And your PIN?", "7194.", "Thanks.", "20 minutes I've waited."),
            ["[PIN].", "20 minutes I've waited."],
        ),
        (
            ("The three digits on the back?", "Three one nine.", "Thank you.", "Five days, was it?"),
            ["[CVV].", "Five days, was it?"],
        ),
        (
            (
                "Card number?",
                "Four nine two nine, one two three four, five six seven eight, nine oh one four.",
                "And how much?",
                "Two hundred and fifty pounds.",
            ),
            ["[CARD].", "Two hundred and fifty pounds."],
        ),
        (
            (
                "The code we sent you?",
                "Seven one nine four oh two.",
                "And your address?",
                "Twenty two hundred, East Riverside.",
            ),
            ["[PIN].", "Twenty two hundred, East Riverside."],
        ),
        (("Card?", "It's 4111 1111 1111 1111, two hundred pounds"), ["It's [CARD], two hundred pounds"]),
        (("Card?", "it's 4111 1111 1111 1111 20 minutes i wait"), ["it's [CARD] 20 minutes i wait"]),
        (("And the CVV?", "It's 319 and it's 50 pounds, right?"), ["It's [CVV] and it's 50 pounds, right?"]),
        (("And the CVV?", "That's thirty five pounds? 319."), ["That's thirty five pounds? [CVV]."]),
        (("And your PIN?", "7194. People are waiting."), ["[PIN]. People are waiting."]),
        (("And your PIN?", "7194. Sorry, twenty minutes!"), ["[PIN]. Sorry, twenty minutes!"]),
        (("And your PIN?", "I've about 20 more here. 7194."), ["I've about 20 more here. [PIN]."]),
    ],
)
def test_a_quantity_beside_a_secret_does_not_clear_it(texts: tuple[str, ...], expected: list[str]) -> None:
    """The unit of a price or a time is about its own number only."""
    assert redacted(asked_and_told(*texts))[1::2] == expected


@pytest.mark.parametrize(
    "text",
    [
        "Nine hundred and one dollars, why?",
        "Four thousand, two hundred and fifty pounds?",
        "Nine oh one dollars.",
        "1 200 pounds, or 300-400 pounds each.",
        "I waited 12.5 minutes, from 10 30 a.m.",
        "The price is 1500.",
    ],
)
def test_a_quantity_of_several_words_stays_whole_beside_a_question(text: str) -> None:
    """Its first words are no code, even where one was asked for."""
    assert redacted(asked_and_told("And the CVV or the PIN?", text))[1] == text


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (
            ("", "4111 1111 1111 1111, oh nine twenty seven, and the three digits are nine oh one"),
            "[CARD], and the three digits are [CVV]",
        ),
        (("", "4111 1111 1111 1111, three digits 901"), "[CARD], three digits [CVV]"),
        (("And the three on the back?", "the last three are nine oh one"), "the last three are [CVV]"),
        (("What's the pin for your card?", "4821"), "[PIN]"),
        (("What's the expiry date on the card?", "0927"), "[EXPIRY]"),
        (("What's the security code on the back of the card?", "901"), "[CVV]"),
        (("And the four digits on the front?", "nine oh one two"), "[CVV]"),
        (("I've texted you a code, can you read it back?", "four eight two nine one three"), "[PIN]"),
        (("Can you read me the confirmation code we texted?", "8 8 1 2 3 4"), "[PIN]"),
        (("Read it to me", "fifty one oh five, ten fifty one, oh five ten, fifty one double oh"), "[CARD]"),
    ],
)
def test_codes_are_known_by_how_they_are_asked_for(texts: tuple[str, ...], expected: str) -> None:
    """A code is one also where the card it is for is named nearer to it."""
    assert redacted(asked_and_told(*texts), PrivacySettings())[1] == expected


def test_the_code_asked_for_after_a_card_is_its_security_code() -> None:
    """What "and then the code?" asks for means one thing when a card was just told, and nothing by itself."""
    after = asked_and_told("Card number?", "4111 1111 1111 1111", "And then the code?", "nine oh one")

    assert redacted(after)[3] == "[CVV]"
    assert redacted(asked_and_told("And then the code?", "nine oh one"))[1] == "nine oh one"


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (
            ("", "It's 4111 1111 1111 1111, expiry 09/27, and the code is 123."),
            ["", "It's [CARD], expiry 09/27, and the code is [CVV]."],
        ),
        (
            ("Expiry?", "Expiry is 09 27, code is 4 5 6.", "Code 456, thank you."),
            ["Expiry?", "Expiry is 09 27, code is [CVV].", "Code [CVV], thank you."],
        ),
        (
            ("", "expiry zero nine two seven and the code is one two three"),
            ["", "expiry zero nine two seven and the code is [CVV]"],
        ),
        (
            ("Expiry and code?", "09/27, 456", "So 09/27 and 456?"),
            ["Expiry and code?", "09/27, [CVV]", "So 09/27 and [CVV]?"],
        ),
        (("", "The expiry was 09/25 but now it's 09/28"), ["", "The expiry was 09/25 but now it's 09/28"]),
    ],
)
def test_the_code_told_after_an_expiry_date_is_no_second_date(
    texts: tuple[str, ...], expected: list[str]
) -> None:
    """A policy that keeps expiry dates keeps no security code."""
    assert redacted(asked_and_told(*texts), PrivacySettings(redact=("card", "cvv", "pin"))) == expected


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (("", "My password is bluebird seven."), "My password is [PIN]."),
        (("", "the password's swordfish"), "the password's [PIN]"),
        (("", "my password is, erm, umbrella"), "my password is, erm, [PIN]"),
        (("", "my password is, er, tiger"), "my password is, er, [PIN]"),
        (("", "my password is island"), "my password is [PIN]"),
        (("", "username bob123, password tiger"), "username bob123, password [PIN]"),
        (
            ("", "it's capital b, l u e, exclamation mark, that's the password"),
            "it's [PIN], that's the password",
        ),
        (("Can you tell me the password on the account?", "Yes, it's fluffy bunny 7"), "Yes, it's [PIN]"),
        (("", "I forgot my password, it used to be bluefish99"), "I forgot my password, it used to be [PIN]"),
        (("", "I lost my password. It used to be blue fish."), "I lost my password. It used to be [PIN]."),
        (("", "the password I use is bluefish99"), "the password I use is [PIN]"),
        (
            ("", "the password that I've been using is tiger, okay"),
            "the password that I've been using is [PIN], okay",
        ),
        (("", "The password you gave me was Tiger-77."), "The password you gave me was [PIN]."),
        (("", "try bluefish99 as the password"), "try [PIN] as the password"),
        (("", "I used blue fish as my password"), "I used [PIN] as my password"),
        (("What is your memorable word?", "Barcelona"), "[PIN]"),
        (("What's the answer to your security question?", "Fluffy."), "[PIN]."),
        (("What's your password?", "I don't remember it"), None),
        (("Did you reset your password?", "I tried it twice this morning"), None),
        (("", "my password is not working and I can't log in"), None),
        (("", "I forgot my password"), None),
        (("", "my password used to be saved in the browser"), None),
        (("", "the password I have is not working"), None),
        (("", "I forgot my password I think the problem is the email"), None),
        (("", "the password you sent me was wrong"), None),
        (("", "use something long as the password"), None),
        (("", "I used the same one as my password"), None),
        (("", "the password page does not load"), None),
        (("", "my login and password don't work"), None),
    ],
)
def test_a_spoken_password_is_redacted(texts: tuple[str, ...], expected: str | None) -> None:
    """Told, listed or asked for; talk about passwords stays."""
    assert redacted(asked_and_told(*texts), PrivacySettings())[1] == (expected or texts[1])


@pytest.mark.parametrize(
    "text",
    [
        "5256 0241. 52560241. One moment now.",
        "The stock number is 5256 0241 5256 0241.",
        "Stock 34504411. 77122038. One moment now.",
        "I've had the account since two thousand nineteen",
        "I've had the account since two thousand and four",
        "my account was opened on 12/05/2024",
        "my card was charged $168 on 5/16/2016",
        "your account shows 3 payments of 49.99 and 12 of 20.00",
        "the account has 25,000 points and 1,250 miles",
        "my card was declined in 2019 and 2020",
        "they posted it on social media 45,000 times",
        "we open at nine thirty and close at six",
        "the last four digits of your card are 1234",
    ],
)
def test_a_number_said_of_something_else_stays(text: str) -> None:
    """Stock numbers said twice, years, dates, amounts and hours, beside words like account and card."""
    assert redacted(call(("agent", text))) == [text]


def test_two_digits_read_back_amid_a_number_go_with_it() -> None:
    """An echo between the groups of a number is part of it however short it is."""
    heard = asked_and_told("What's your social?", "566", "okay", "82", "82", "8233", "Thanks.")

    assert redacted(heard) == ["What's your social?", "[SSN]", "okay", "[SSN]", "[SSN]", "[SSN]", "Thanks."]


def test_a_filler_between_question_and_answer_does_not_hide_the_question() -> None:
    """An "uh" and a "yes?" before the answer change nothing."""
    heard = asked_and_told("What's your name?", "Uh", "Yes?", "John Smith")

    assert redacted(heard)[3] == "[NAME]"


@pytest.mark.parametrize(
    ("texts", "kept"),
    [
        ("three digits on the back?|Hang on, let me get my glasses.|No problem.|Okay.|There?|482.", ""),
        ("What's the security code?|Where is that?|By the strip.|Right.|Next to it.|Four eight two.", ""),
        ("your pin?|For the app?|Yes the app.|Ah okay.|Whenever you're ready.|It's 7751.", ""),
        ("Your PIN?|Never had one.|Then I can look it up by name for you.|Sure.|How many?|482.", "482."),
        ("The pin?|No.|Okay.|Right.|Fine.|Yes.|Now then.|Sure.|Hm.|Okay.|How many were there?|482.", "482."),
    ],
)  # fmt: skip
def test_short_replies_between_question_and_number_do_not_hide_the_question(texts: str, kept: str) -> None:
    """People look for the card first; what is said long after, or after other talk, stays."""
    answer = redacted(asked_and_told(*texts.split("|")))[-1]
    assert answer == kept if kept else answer.removeprefix("It's ") in {"[CVV].", "[PIN]."}


TOLD_ELSEWHERE = {
    "es": (
        "¿Me dice el número de la tarjeta?|Cuatro uno uno uno, once, once, once, perdón, once once",
        "¿Y la fecha de caducidad?|septiembre de veintisiete|¿Y el código de seguridad?|ciento veintitrés",
        "¿Cuál es su clave secreta?|cuatro cinco seis siete",
    ),
    "fr": (
        "Le numéro de votre carte ?|quatre un un un, onze onze, onze onze, un un un un",
        "Date d'expiration ?|septembre vingt-sept|Le cryptogramme au dos ?|cent vingt-trois",
        "Votre code confidentiel ?|soixante-quinze, quatre-vingt-dix-sept",
    ),
    "de": (
        "Wie lautet Ihre Kartennummer?|Vier eins eins eins, einundvierzig elf, elf elf, eins eins eins eins",
        "Gültig bis?|September siebenundzwanzig|Und die Prüfnummer?|hundertdreiundzwanzig",
        "Ihre Geheimzahl?|fünf sechs zwo acht",
    ),
    "pt": (
        "Qual o número do cartão?|quatro um um um, um um um um, um um um um, um um um um",
        "E a validade?|setembro de vinte e sete|E o código de segurança?|um dois meia",
        "E a senha?|quatro cinco meia sete",
    ),
    "hi": (
        "कार्ड नंबर बताइए?|चार एक एक एक, एक एक एक एक, एक एक एक एक, एक एक एक एक",
        "एक्सपायरी?|सितंबर सत्ताईस|और सीवीवी?|ek do teen",
        "ओटीपी क्या है?|बारह चौंतीस छप्पन",
    ),
}


@pytest.mark.parametrize("language", TOLD_ELSEWHERE)
def test_secrets_spoken_in_other_languages_are_redacted(language: str) -> None:
    """Card, date, code and PIN in words, asked for in the language; the questions stay."""
    texts = [text for part in TOLD_ELSEWHERE[language] for text in part.split("|")]
    left = redacted(replace(asked_and_told(*texts), language=language), PrivacySettings())

    assert [text.strip(".") for text in left[1::2]] == ["[CARD]", "[EXPIRY]", "[CVV]", "[PIN]"]
    assert left[::2] == texts[::2]


@pytest.mark.parametrize(
    ("language", "texts"),
    [
        (
            "es",
            "¿Es el uno o el dos?|ciento veinte días, o doscientos cincuenta euros|¿Y el pedido?|uno dos",
        ),
        ("fr", "Votre numéro de commande ?|un deux trois quatre|Et le prix ?|cent vingt euros"),
        ("de", "Ihre Bestellnummer?|eins zwei drei vier|Ein Moment|ein Tag oder hundertzwanzig Tage"),
        ("pt", "O protocolo?|um dois três quatro|E o código?|não sei, o um ou o dois"),
        ("hi", "ऑर्डर नंबर?|एक दो तीन चार|दोस्त कब आएगा|एक सौ बीस दिन में"),
        ("it", "Quanto tempo?|uno o due giorni, o tre"),
    ],
)
def test_ordinary_numbers_in_other_languages_stay(language: str, texts: str) -> None:
    """Orders, prices and periods; an article is no digit, and "o" is a zero in English only."""
    said = texts.split("|")
    assert redacted(replace(asked_and_told(*said), language=language)) == said


def test_a_portuguese_article_is_no_zero_of_the_card_before_it() -> None:
    """“E o código de segurança?” was stored as “E [CARD] código de segurança?”."""
    texts = ("Qual o número do cartão?", "É 4111 1111 1111 1111.", "E o código de segurança?", "123.")
    left = redacted(replace(asked_and_told(*texts, "E a validade?", "09/27."), language="pt"))
    assert left == [texts[0], "É [CARD].", texts[2], "[CVV].", "E a validade?", "[EXPIRY]."]
