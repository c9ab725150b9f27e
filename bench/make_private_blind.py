"""Generate ``tests/data/private_blind.jsonl``: private data worded and written by another hand.

    python -m bench.make_private_blind

Same format as ``private_spoken.jsonl``. That set grew together with the rules; this one was written and
frozen before any rule had run on it: recognisers' punctuation and odd grouping ("4-1-1-1", "11111 111,
1111"), hesitations and corrections inside numbers, reading in two breaths, and talk full of harmless
numbers. The first run's figures are in ``docs/privacy.md``. Everything is made up.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from bench.make_private_spoken import MONTHS
from tests.spoken_numbers import ONES, TEENS, TENS, cut, with_check_digit

OUT = Path(__file__).parents[1] / "tests" / "data" / "private_blind.jsonl"
PEOPLE = [
    "Hannah Whitcombe", "Deshawn Carter", "Ngozi Okafor", "Tomasz Zielinski", "Rukhsana Begum",
    "Lars Eriksen", "Mei Ling Tan", "Gurpreet Dhillon", "Esperanza Delgado", "Callum MacLeod",
    "Zainab Hussain", "Viktor Horvath", "Aaliyah Brooks", "Imran Qureshi",
]  # fmt: skip
HESITATIONS = (", uh, ", ", um, ", "... ", ", let's see, ", ", and then ", ", then ", ", yeah, ", " - ")
SLIPS = ("no wait, ", "sorry, ", "I mean ", "no, sorry, ", "hang on, no, ", "scratch that, ")
ONWARD = ("Okay.", "Mm-hmm.", "Got it, go on.", "Right.", "Yep, and the rest?", "Okay, keep going.")

dice = random.Random(4242)
pick = dice.choice


def card() -> str:
    """A valid number of one of six issuers."""
    prefix, length = pick([("4", 16), ("51", 16), ("55", 16), ("2221", 16), ("6011", 16), ("34", 15)])
    return with_check_digit(prefix + some(length - 1 - len(prefix)))


def some(count: int) -> str:
    """Random digits; never all the same."""
    return "".join(pick("0123456789") for _ in range(count))


def one_by_one(number: str) -> str:
    """Digit words, "double five", "triple two", "oh"."""
    said, at = [], 0
    zero = pick(("zero", "oh", "oh"))
    while at < len(number):
        digit = number[at]
        run = len(number[at:]) - len(number[at:].lstrip(digit))
        word = zero if digit == "0" else ONES[int(digit)]
        if run >= 3 and dice.random() < 0.7:
            said.append(f"triple {word}")
            at += 3
        elif run >= 2 and dice.random() < 0.7:
            said.append(f"double {word}")
            at += 2
        else:
            said.append(word)
            at += 1
    return " ".join(said)


def as_two_digit(pair: str) -> str:
    """A pair read as a number."""
    tens, ones = int(pair[0]), int(pair[1])
    if tens == 0:
        return f"oh {ONES[ones]}" if ones else "double zero"
    if tens == 1:
        return TEENS[ones]
    return TENS[tens] + (f"-{ONES[ones]}" if ones else "")


def in_pairs(number: str) -> str:
    """Read in twos: "forty-one eleven"."""
    return " ".join(
        as_two_digit(part) if len(part) == 2 else one_by_one(part) for part in cut(number, [2] * 9)
    )


def recognised(number: str) -> str:
    """As recognisers write digits that were read out."""
    sizes = pick(
        ([4, 4, 4], [4, 4, 4], [5, 3, 4], [4, 2, 4, 2], [3, 3, 3, 3], [2] * 8, [8], [1] * 15, [6, 5])
    )
    parts = cut(number, sizes)
    glue = pick((" ", "-", ", ", " ", ", "))
    text = parts[0]
    for part in parts[1:]:
        text += (pick((" ", ", ", "-")) if dice.random() < 0.25 else glue) + part
    return text


def hesitant(number: str) -> str:
    """Groups with hesitations between, in digits or words."""
    how = pick((one_by_one, in_pairs, str))
    parts = [how(part) for part in cut(number, [4, 4, 4, 4])]
    text = parts[0]
    for part in parts[1:]:
        text += (pick(HESITATIONS) if dice.random() < 0.5 else pick((", ", " "))) + part
    return text


def slipped(number: str) -> str:
    """One group said wrong and said again."""
    how = pick((one_by_one, str))
    parts = cut(number, [4, 4, 4, 4])
    place = dice.randrange(len(parts))
    said = [how(part) for part in parts]
    said[place] = f"{how(some(len(parts[place])))}, {pick(SLIPS)}{said[place]}"
    return " ".join(said)


def any_way(number: str) -> str:
    """One of the ways above."""
    return pick((one_by_one, in_pairs, recognised, recognised, hesitant, slipped))(number)


def plain(number: str) -> str:
    """Short numbers: read out or written."""
    return pick((one_by_one, in_pairs, str, lambda n: " ".join(n), lambda n: "-".join(n)))(number)


Item = tuple[list[tuple[str, str]], list[tuple[int, str, str]]]


def asked(kind: str, said: str, asks: Sequence[str], answers: Sequence[str]) -> Item:
    """A reply that needs its question."""
    return [("agent", pick(asks)), ("customer", pick(answers).replace("@", said))], [(1, kind, said)]


def told(kind: str, said: str, answers: Sequence[str]) -> Item:
    """A sentence that says itself what the thing is."""
    return [("customer", pick(answers).replace("@", said))], [(0, kind, said)]


def either(kind: str, said: str, asks: Sequence[str], short: Sequence[str], full: Sequence[str]) -> Item:
    """Either of the two."""
    return asked(kind, said, asks, short) if dice.random() < 0.5 else told(kind, said, full)


SHORT = (
    "@.", "Yeah, it's @.", "Sure. @.", "Okay, so that's @.", "Um, @", "One moment... okay, @.", "@, I think.",
)  # fmt: skip


def cards() -> Iterator[Item]:
    """Card numbers, whole and in two breaths."""
    asks = (
        "And what card would you like to put that on?",
        "Whenever you're ready, the sixteen digits across the front.",
        "Could you read me the card number?",
        "I'll take payment now. Go ahead with the card.",
    )
    full = (
        "Put it on my Visa, @.", "The card's @, can you run that?", "My debit card number, it's @, okay?",
        "So the Mastercard is @.", "I'd like to pay with card number @ please.", "@ is the card.",
    )  # fmt: skip
    for _ in range(60):
        yield either("card", any_way(card()), asks, SHORT, full)
    for _ in range(20):
        number, how = card(), pick((one_by_one, str, recognised, in_pairs))
        first, last = how(number[:8]), how(number[8:])
        yield (
            [
                ("agent", pick(asks)),
                ("customer", f"{first}."),
                ("agent", pick(ONWARD)),
                ("customer", f"{last}."),
            ],
            [(1, "card", first), (3, "card", last)],
        )
    for _ in range(8):
        number = card()
        parts = cut(number, [4, 4, 4])
        turns: list[tuple[str, str]] = [("agent", pick(asks))]
        private = []
        for part in parts:
            said = one_by_one(part)
            private += [(len(turns), "card", said), (len(turns) + 1, "card", said)]
            turns += [("customer", said), ("agent", said)]
        yield turns, private


def card_details() -> Iterator[Item]:
    """Security codes and expiry dates."""
    for _ in range(16):
        yield either(
            "cvv",
            plain(some(3)),
            ("And the three digits on the back?", "What's the security code?", "The CVV please."),
            ("@.", "It's @.", "Uh, @.", "On the back, yeah, @."),
            ("The security code is @.", "CVV @.", "and the three numbers on the back are @"),
        )
    for _ in range(16):
        month, year = dice.randrange(1, 13), dice.randrange(26, 33)
        said = pick((
            f"{month:02}/{year}", f"{MONTHS[month - 1].title()} 20{year}", f"{month:02} {year}",
            f"{as_two_digit(f'{month:02}')} {as_two_digit(str(year))}", f"{month} of {year}",
        ))  # fmt: skip
        yield either(
            "expiry",
            said,
            ("And when does it expire?", "Expiry date?", "What's the expiration on that?"),
            ("@.", "That's @.", "Looks like @."),
            ("It expires @.", "expiration date @", "The expiry is @."),
        )


def bank() -> Iterator[Item]:
    """Accounts, routing numbers, IBANs, PINs."""
    for _ in range(24):
        yield either(
            "account", any_way(some(pick((8, 9, 10, 12)))),
            (
                "Can I get the account number?", "Which account is it, what's the number?",
                "And the account number you bank with?",
            ),
            SHORT,
            (
                "My account number is @.", "It's account @.", "the checking account number, that's @",
                "Routing number @.",
            ),
        )  # fmt: skip
    for iban in (
        "GB82WEST12345698765432",
        "DE89370400440532013000",
        "PK36SCBL0000001123456702",
        "FR1420041010050500013M02606",
        "NL91ABNA0417164300",
    ):
        for said in (iban, " ".join(cut(iban, [4] * 7)), " ".join(iban.lower())):
            yield told("iban", said, ("The IBAN is @.", "so my iban, @", "You can wire it to @."))
    for _ in range(8):
        yield either(
            "pin",
            plain(some(4)),
            ("What's your telephone PIN?", "Enter or tell me your four digit PIN."),
            ("@.", "It's @."),
            ("My PIN is @.", "the pin number is @"),
        )


def identities() -> Iterator[Item]:
    """Social security, CNIC, passports, national insurance."""
    for _ in range(18):
        number = some(9)
        said = pick((
            f"{number[:3]}-{number[3:5]}-{number[5:]}", one_by_one(number),
            f"{number[:3]} {number[3:5]} {number[5:]}", hesitant(number),
            f"{one_by_one(number[:3])}, {as_two_digit(number[3:5])}, {one_by_one(number[5:])}",
        ))  # fmt: skip
        yield either(
            "ssn",
            said,
            (
                "What's your social?",
                "Can I have your Social Security number?",
                "I'll need your full social, please.",
            ),
            SHORT,
            ("My social is @.", "Social Security number @.", "the SSN, it's @"),
        )
    for _ in range(12):
        yield either(
            "ssn",
            plain(some(4)),
            (
                "And the last four of your social?",
                "Just the last four digits of your social security number.",
            ),
            ("@.", "Last four is @."),
            ("The last four of my social are @.",),
        )
    for _ in range(18):
        number = pick("3467") + some(12)
        said = pick((
            f"{number[:5]}-{number[5:12]}-{number[12]}", one_by_one(number),
            f"{number[:5]} {number[5:12]} {number[12]}", recognised(number), in_pairs(number),
        ))  # fmt: skip
        yield either(
            "national_id", said,
            (
                "Your CNIC number, please?", "Can you tell me your ID card number?",
                "What's the number on your national identity card?",
            ),
            SHORT,
            (
                "My CNIC is @.", "CNIC number @.", "mera shanakhti card number @ hai",
                "The ID card number is @.",
            ),
        )  # fmt: skip
    for said in ("QQ 12 34 56 C", "q q one two three four five six c", "AB123456C"):
        yield told("national_id", said, ("My National Insurance number is @.", "NI number, @."))
    for said in ("AK4071923", "five one two double three oh nine one six", "533380006"):
        yield told("national_id", said, ("My passport number is @.", "The passport, it's number @."))


def phones() -> Iterator[Item]:
    """Telephone numbers of three countries."""
    for _ in range(48):
        style = dice.randrange(4)
        if style == 0:
            number = pick("23456789") + some(2) + "555" + some(4)
            said = pick((
                f"{number[:3]}-{number[3:6]}-{number[6:]}", f"({number[:3]}) {number[3:6]}-{number[6:]}",
                f"{number[:3]}, {number[3:6]}, {number[6:]}",
                f"{one_by_one(number[:3])}, {one_by_one(number[3:6])}, {one_by_one(number[6:])}",
                f"{number[:3]} {number[3:6]} {in_pairs(number[6:])}",
                f"+1 {number[:3]} {number[3:6]} {number[6:]}",
            ))  # fmt: skip
        elif style == 1:
            number = "07" + some(9)
            said = pick((
                f"{number[:5]} {number[5:]}", one_by_one(number),
                f"{number[:5]}, {number[5:8]}, {number[8:]}", f"+44 {number[1:5]} {number[5:]}",
                hesitant(number),
            ))  # fmt: skip
        elif style == 2:
            number = "03" + some(9)
            said = pick((
                f"{number[:4]}-{number[4:]}", f"{number[:4]} {number[4:]}", one_by_one(number),
                f"+92 {number[1:4]} {number[4:]}", f"{one_by_one(number[:4])} {in_pairs(number[4:])}",
            ))  # fmt: skip
        else:
            number = pick("23456789") + some(9)
            said = pick((hesitant(number), slipped(number), recognised(number)))
        yield either(
            "phone", said,
            (
                "What's the best number to reach you?", "Can I get a callback number in case we're cut off?",
                "And your phone number?",
            ),
            SHORT,
            (
                "You can call me on @.", "My mobile is @.", "Reach me at @ after six.", "my cell, it's @",
                "It's registered under the phone number @.",
            ),
        )  # fmt: skip


def mails() -> Iterator[Item]:
    """Addresses of e-mail as people say them and as recognisers write them."""
    for said in (
        "hannah.whitcombe@gmail.com",
        "d carter 88 at yahoo dot com",
        "n okafor at outlook dot co dot uk",
        "tomasz underscore z at hotmail dot com",
        "R-U-K-H at gmail.com",
        "lars.eriksen at firma.no",
        "m e i dot t a n at icloud dot com",
        "gurpreet dash dhillon at live dot ca",
        "esperanza 1990 at gmail dot com",
        "callum at macleod hyphen joinery dot co dot uk",
        "zainab.h at protonmail.com",
        "v horvath twenty two at gmail dot com",
        "aaliyah dot brooks at student dot edu dot pk",
        "imranqureshi@live.co.uk",
        "info at brooks plumbing dot net",
        "h w h i t c o m b e at gmail dot com",
        "deshawn dot carter dot 7 at gmail dot com",
        "my name all one word mei ling tan at gmail dot com",
    ):
        private = said.removeprefix("my name all one word ")
        made = either(
            "email",
            said,
            ("What email should I send it to?", "And the email on file?", "Can you spell the email for me?"),
            ("@.", "It's @.", "Sure, @.", "Uh, that'd be @."),
            ("Send it to @ please.", "My email is @.", "email me at @, would you"),
        )
        turns, found = made
        yield turns, [(turn, kind, private) for turn, kind, _ in found]


def births() -> Iterator[Item]:
    """Dates of birth."""
    for _ in range(28):
        day, month, year = dice.randrange(1, 29), dice.randrange(1, 13), dice.randrange(1942, 2005)
        suffix = {1: "st", 2: "nd", 3: "rd", 21: "st", 22: "nd", 23: "rd"}.get(day, "th")
        name = MONTHS[month - 1].title()
        spoken_year = (
            f"{as_two_digit(str(year)[:2])} {as_two_digit(str(year)[2:])}"
            if year < 2000
            else f"two thousand {ONES[year % 10]}"
            if year > 2000
            else "two thousand"
        )
        said = pick((
            f"{name} {day}{suffix}, {year}", f"{day}{suffix} of {name} {year}", f"{month}/{day}/{year}",
            f"{day:02}-{month:02}-{year}", f"{name} {day}, {spoken_year}",
            f"the {day}{suffix} of {name}, {spoken_year}", f"{month:02} {day:02} {year}",
            f"{name.lower()} {as_two_digit(f'{day:02}')} {spoken_year}", f"{day} {name[:3]} {year}",
        ))  # fmt: skip
        yield either(
            "dob",
            said,
            ("Date of birth?", "Can you confirm your date of birth for me?", "And when were you born?"),
            ("@.", "It's @.", "Yes, @.", "That's @."),
            ("I was born on @.", "My date of birth is @.", "dob @", "My birthday is @."),
        )


def places() -> Iterator[Item]:
    """Postal addresses and codes."""
    for said in (
        "1420 Larkspur Lane",
        "88 Old Mill Road",
        "two hundred and twelve Cedar Avenue",
        "Flat 9, 31 Kestrel Way",
        "5 The Crescent",
        "unit 14, 700 Industrial Parkway",
        "house 23, street 4, F-8/3",
        "apartment 6B, 455 West 34th Street",
        "P.O. Box 1187",
        "19 St. Mary's Close",
        "three thirty-one Juniper Drive",
        "House No. 112, Block C, Gulshan-e-Iqbal",
        "77 Harbour View Terrace",
        "thirteen oh five Sycamore Boulevard",
    ):
        yield either(
            "address",
            said,
            ("What's the address?", "Where should we send it?", "Can you confirm the billing address?"),
            ("@.", "It's @.", "Yeah, @.", "That'd be @."),
            ("I live at @.", "My address is @.", "Please ship it to @.", "I've moved to @."),
        )
    for said in (
        "90210",
        "one oh oh two five",
        "M1 4BT",
        "EC2A 3LT",
        "zero seven three oh six",
        "5 4 0 0 0",
        "33101-4455",
    ):
        yield asked(
            "address",
            said,
            ("And the zip code?", "What's your postcode?", "Postal code?"),
            ("@.", "It's @.", "Yeah, @."),
        )


def names() -> Iterator[Item]:
    """Names, introduced, asked for and spelled."""
    for person in PEOPLE:
        form = pick((person, person.lower()))
        yield either(
            "name", form,
            ("Who am I speaking with?", "Can I have your full name?", "And what name is the account under?"),
            ("@.", "It's @.", "This is @.", "Yes, @."),
            (
                "Hi, my name is @.", "Hello, this is @, I'm calling about my order.",
                "My name's @ and I have a question.", "The account's in the name of @.",
                "You're speaking with @.",
            ),
        )  # fmt: skip
    for person in PEOPLE[:6]:
        last = person.split(" ", 1)[1]
        spelled = pick((" ", "-")).join(last.upper() if dice.random() < 0.5 else last)
        yield (
            [("agent", "How do you spell your last name?"), ("customer", f"{spelled}.")],
            [(1, "name", spelled)],
        )
        yield [("customer", f"Could you ask Mrs. {last} to ring me?")], [(0, "name", last)]
        yield [("agent", f"Thanks for holding, Mr. {last}.")], [(0, "name", last)]
        yield (
            [("agent", f"Am I speaking with {person}?"), ("customer", "Yes, you are.")],
            [(0, "name", person)],
        )


HARMLESS = [
    "My order number is {n10}.", "Your reference is {w8}, write that down please.",
    "The ticket you opened was {n7}.", "It cost me {money} dollars, and then another {n2}.",
    "I've been waiting since {clock}.", "The total comes to ${n3}.{n2}.",
    "We have 24 months left at {n2}.99 a month.", "Tracking says {n12}, left the depot.",
    "Flight {n4} leaves at {clock} from gate {n2}.", "The model is XR-{n4}.",
    "I called on March 3rd and again on the 5th.", "There are about {n5} people on that list.",
    "Press 1 for sales, 2 for support.", "The serial number on the back reads {n10}.",
    "My meter reading is {n5}.", "Confirmation code {w8}.",
    "In 2019 I paid {money} and in 2020 I paid {money}.", "You can call us back at extension {n4}.",
    "It's been {n2} days and {n2} hours.", "My internet drops to {n3} megabits after {clock}.",
    "Invoice {n8} dated last month.", "I rebooted it two, three, four, five times.",
    "They charged me {money} {money} and {money}, three times.",
    "The warranty is five years or sixty thousand miles.",
    "The policy number you're quoting, {n9}, isn't mine.", "The job number is {w8}.",
    "Room {n3}, fourth floor.", "Version {n2}.{n2}.{n3} of the app.", "The part is {n8}.",
    "We're open nine to five, Monday to Friday.", "I bought two at {n2} and one at {n3}.",
    "Case number {n8}, opened by your colleague.", "My balance was {n4} dollars and {n2} cents.",
    "It says error {n4}.", "I make {n5} a year.", "You owe {money} dollars, due on the {n2}th.",
    "Your claim, that's {n9}, is approved.", "The booking reference is {w8}.",
    "Temperature was {n2} degrees at {clock}.", "I'm at work from 8 until 4:30, at the office on Main.",
    "Please hold the line, I'll be with you in a moment.", "I may call again, mark my words.",
    "The street was closed in May.", "I was at the gmail page, the dot com one, and it froze.",
    "Is this a good time to talk?", "This is ridiculous, I'm calling my lawyer.",
    "I'm sorry, I'm not sure I follow.", "My name is on the list already.", "This is about my bill.",
    "I'm happy with that, thanks.", "Speaking of the manager, is she in?", "The drive was two hours.",
    "It took twelve business days the last three times.",
    "One of the four lights is on, two are off, and one blinks.", "The employee ID for the store is {n6}.",
    "Out of {n3} calls we missed {n2}.", "I'm Italian, this is normal for us.", "My zip file won't open.",
    "The exam is in section {n3}.", "Chapter {n2}, page {n3}.", "It's a four digit code you get by text.",
    "I'd say eighteen or nineteen, maybe twenty.", "Lot {n6}, best before {n2}.",
    "The account was closed in 2016.", "My card was declined twice.", "I've lost my passport.",
    "What's your phone number policy?",
]  # fmt: skip


def harmless() -> Iterator[Item]:
    """Sentences with nothing private in them."""
    for _ in range(2):
        for template in HARMLESS:
            text = re.sub(r"{(\w+)}", lambda slot: harmless_number(slot[1]), template)
            yield [(pick(("agent", "customer")), text if dice.random() < 0.7 else text.lower())], []


def harmless_number(name: str) -> str:
    """A number for a slot of ``HARMLESS``."""
    if name == "clock":
        return pick(("8:45", "ten past nine", "half past four", "16:20", "7 p.m."))
    if name == "money":
        return pick(("eighty-five", "129.99", "forty two fifty", "1,250", "three hundred and ten"))
    number = pick("123456789") + some(int(name[1:]) - 1)
    return one_by_one(number) if name[0] == "w" else number


def main() -> None:
    """Write the set."""
    makers: list[Callable[[], Iterator[Item]]] = [
        cards, card_details, bank, identities, phones, mails, births, places, names, harmless,
    ]  # fmt: skip
    items = [item for maker in makers for item in maker()]
    with OUT.open("w", encoding="utf-8") as file:
        for turns, private in items:
            for turn, _, text in private:
                assert turns[turn][1].count(text) == 1, (turns, text)
            file.write(json.dumps({"turns": turns, "private": private}, ensure_ascii=False) + "\n")
    print(f"{len(items)} utterances, {sum(len(private) for _, private in items)} private things")


if __name__ == "__main__":
    main()
