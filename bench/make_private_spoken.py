"""Generate ``tests/data/private_spoken.jsonl``: spoken utterances with and without private data.

    python -m bench.make_private_spoken

Each line: ``turns`` as [role, text] pairs and ``private`` as [turn, kind, text] triples, where text
is exactly what must disappear. Numbers are written as recognisers write them: digits, words, groups,
pairs, "double", "oh", with fillers, corrected in the middle, over several turns with echoes. A third
are hard negatives: orders, prices, times, counts, references. Everything is made up.
"""

# ruff: noqa: E501  (long made-up sentences)
from __future__ import annotations

import json
import random
import re
from collections.abc import Callable
from pathlib import Path

from tests.spoken_numbers import ONES, TEENS, TENS, with_check_digit

OUT = Path(__file__).parents[1] / "tests" / "data" / "private_spoken.jsonl"
MONTHS = [
    "january", "february", "march", "april", "may", "june", "july", "august", "september", "october",
    "november", "december",
]  # fmt: skip
ORDINALS = [
    "first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth", "eleventh",
    "twelfth", "thirteenth", "fourteenth", "fifteenth", "sixteenth", "seventeenth", "eighteenth",
    "nineteenth", "twentieth",
]  # fmt: skip
FIRST = [
    "patricia", "james", "aisha", "muhammad", "linda", "wei", "robert", "fatima", "carlos", "olga", "david",
    "priya", "susan", "ahmed",
]  # fmt: skip
LAST = [
    "brown", "miller", "khan", "garcia", "smith", "nguyen", "johnson", "malik", "rossi", "petrov", "jones",
    "patel", "davis", "ali",
]  # fmt: skip
STREETS = ["baker", "maple", "oak", "station", "church", "victoria", "mill", "park", "elm", "king", "george"]
TYPES = ["street", "road", "avenue", "lane", "drive", "close", "court", "boulevard"]
MAILS = ["gmail dot com", "hotmail dot com", "yahoo dot co dot uk", "outlook dot com", "acme dot org"]

Turns = list[tuple[str, str]]
Private = list[tuple[int, str, str]]
dice = random.Random(20261122)


def digits(count: int, first: str = "123456789") -> str:
    """Random digits."""
    return dice.choice(first) + "".join(dice.choice("0123456789") for _ in range(count - 1))


def card() -> str:
    """One of the large schemes."""
    start, size = dice.choice([("4", 16), ("4", 16), ("52", 16), ("54", 16), ("6011", 16), ("37", 15)])
    return with_check_digit(start + "".join(dice.choice("0123456789") for _ in range(size - 1 - len(start))))


def two(pair: str) -> str:
    """Two digits as a number: 42 forty two, 07 oh seven, 10 ten."""
    tens, one = int(pair[0]), int(pair[1])
    if tens == 0:
        return f"oh {ONES[one]}" if one else "double oh"
    if tens == 1:
        return TEENS[one]
    return TENS[tens] + (f" {ONES[one]}" if one else "")


def as_words(number: str) -> str:
    """Digit by digit, sometimes "oh"."""
    zero = dice.choice(["zero", "oh"])
    return " ".join(zero if d == "0" else ONES[int(d)] for d in number)


def as_pairs(number: str) -> str:
    """Two digits at a time."""
    pairs = [number[i : i + 2] for i in range(0, len(number) - len(number) % 2, 2)]
    tail = [ONES[int(number[-1])]] if len(number) % 2 else []
    return " ".join([two(p) for p in pairs] + tail)


def as_doubles(number: str) -> str:
    """Digit by digit with "double" where two are alike."""
    said, i = [], 0
    while i < len(number):
        if i + 1 < len(number) and number[i] == number[i + 1]:
            said.append(f"double {ONES[int(number[i])]}")
            i += 2
        else:
            said.append(ONES[int(number[i])])
            i += 1
    return " ".join(said)


def as_groups(number: str) -> str:
    """Groups of four digits."""
    return dice.choice([" ", "-", ", "]).join(number[i : i + 4] for i in range(0, len(number), 4))


def as_word_groups(number: str) -> str:
    """Groups of words with commas or fillers between."""
    groups = [as_words(number[i : i + 4]) for i in range(0, len(number), 4)]
    return dice.choice([", ", " uh ", " and then ", " um ", " ... "]).join(groups)


def corrected(number: str) -> str:
    """One digit wrong in the middle, then said again from the group's start."""
    cut = dice.choice([4, 8]) if len(number) > 9 else len(number) // 2
    start, group, rest = number[: cut - 4] if cut > 4 else "", number[max(0, cut - 4) : cut], number[cut:]
    wrong = group[:-1] + str((int(group[-1]) + 3) % 10)
    sorry = dice.choice(["no sorry", "wait no", "sorry", "no i mean", "actually"])
    return " ".join(filter(None, (as_words(start), as_words(wrong), sorry, as_words(group), as_words(rest))))


SAY: list[Callable[[str], str]] = [
    as_words, as_words, as_pairs, as_doubles, as_groups, as_word_groups, corrected, str,
]  # fmt: skip


def in_one_turn(kind: str, leads: list[str], tails: list[str], number: str) -> tuple[Turns, Private]:
    """The number inside a customer's sentence."""
    said = dice.choice(SAY)(number)
    lead, tail = dice.choice(leads), dice.choice(tails)
    return [("customer", f"{lead} {said} {tail}".strip())], [(0, kind, said)]


def after_a_question(kind: str, questions: list[str], number: str) -> tuple[Turns, Private]:
    """The agent asks, the customer says only the number."""
    said = dice.choice(SAY)(number)
    lead = dice.choice(["", "it's ", "yeah it's ", "okay ", "uh ", "sure it is "])
    return [("agent", dice.choice(questions)), ("customer", lead + said)], [(1, kind, said)]


def over_turns(kind: str, questions: list[str], number: str, size: int) -> tuple[Turns, Private]:
    """Group by group with acknowledgements or echoes between."""
    turns: Turns = [("agent", dice.choice(questions))]
    private: Private = []
    echo = dice.random() < 0.4
    for start in range(0, len(number), size):
        said = as_words(number[start : start + size])
        lead = (
            dice.choice(["", "", "then ", "it's ", "and "])
            if start
            else dice.choice(["it's ", "", "okay so "])
        )
        turns.append(("customer", lead + said))
        private.append((len(turns) - 1, kind, said))
        if start + size < len(number):
            if echo:
                turns.append(("agent", said))
                private.append((len(turns) - 1, kind, said))
            else:
                turns.append(("agent", dice.choice(["uh huh", "okay", "yes", "mm hmm go ahead", "got it"])))
    return turns, private


def cards() -> list[tuple[Turns, Private]]:
    """Ninety cards in every style."""
    leads = [
        "my card number is", "the card is", "yeah the number on the card is", "it's a visa", "sure it's",
        "okay the long number is", "my credit card is", "you can charge it to", "here is my debit card",
        "the number on the front is", "i have the card here it says", "use my mastercard",
    ]  # fmt: skip
    tails = ["", "", "thank you", "did you get that", "and it's in my name", "okay", "on the front"]
    questions = [
        "can i have the card number please", "what is the long number on the card", "go ahead with your card",
        "and the sixteen digit number", "which card would you like to use", "could you read me the card number",
    ]  # fmt: skip
    made = [in_one_turn("card", leads, tails, card()) for _ in range(40)]
    made += [after_a_question("card", questions, card()) for _ in range(25)]
    made += [over_turns("card", questions, card(), dice.choice([4, 4, 2, 8])) for _ in range(25)]
    return made


def numbers() -> list[tuple[Turns, Private]]:
    """Every other private number."""
    leads = [
        "the security code is", "the three digits on the back are", "my cvv is", "and the c v v is",
    ]  # fmt: skip
    made = [in_one_turn("cvv", leads, ["", "thanks"], digits(3)) for _ in range(14)]
    questions = ["and the security code on the back", "what is the cvv"]
    made += [after_a_question("cvv", questions, digits(3)) for _ in range(8)]
    leads = [
        "you can reach me at", "my phone number is", "call me back on", "my cell is", "my number is",
        "the best number is", "my mobile number is", "please text me at", "her telephone number is",
    ]  # fmt: skip
    for _ in range(22):
        area = dice.choice(["555", "212", "415", "0300", "0333", "07700"])
        number = area + digits(6 if area == "07700" else 7)
        made.append(in_one_turn("phone", leads, ["", "anytime", "after five", "thanks"], number))
    questions = [
        "what is a good callback number", "can i get your phone number", "what's the best number to reach you",
    ]  # fmt: skip
    for _ in range(10):
        made.append(after_a_question("phone", questions, digits(10)))
        made.append(over_turns("phone", questions, digits(10), 3))
    leads = ["my social security number is", "my social is", "the last four of my social are", "my ssn is"]
    made += [in_one_turn("ssn", leads, ["", "okay"], digits(9)) for _ in range(14)]
    leads = ["my cnic number is", "the national id number is", "my id card number is", "cnic"]
    made += [in_one_turn("national_id", leads, ["", "ji"], digits(13, "1234567")) for _ in range(14)]
    leads = [
        "my account number is",
        "the account number ends up being",
        "bank account",
        "it's account number",
    ]
    tails = ["", "with the main branch", "please"]
    questions = ["what is your account number", "and the routing number"]
    for _ in range(14):
        made.append(in_one_turn("account", leads, tails, digits(dice.choice([8, 9, 10]))))
        if len(made) % 2:
            made.append(after_a_question("account", questions, digits(9)))
    leads = ["my pin is", "the one time code is", "the passcode is"]
    return made + [in_one_turn("pin", leads, ["", "i think"], digits(4)) for _ in range(6)]


def worded() -> list[tuple[Turns, Private]]:
    """Dates, expiries, e-mails, streets, names."""
    made: list[tuple[Turns, Private]] = []
    for _ in range(12):
        month, year = dice.randrange(12), dice.choice(["26", "27", "28", "29"])
        said = dice.choice([
            f"{MONTHS[month]} twenty {two(year)}", f"{month + 1:02d}/{year}", f"{two(f'{month + 1:02d}')} {two(year)}",
            as_words(f"{month + 1:02d}{year}"),
        ])  # fmt: skip
        lead = dice.choice(
            ["the expiry date is", "it expires", "expiration is", "and the expiry is", "valid until"]
        )
        made.append(([("customer", f"{lead} {said}")], [(0, "expiry", said)]))
    for _ in range(24):
        day, month, year = dice.randrange(20), dice.randrange(12), dice.randrange(40, 99)
        said = dice.choice([
            f"the {ORDINALS[day]} of {MONTHS[month]} nineteen {two(str(year))}",
            f"{MONTHS[month]} {ORDINALS[day]} nineteen {two(str(year))}",
            f"{MONTHS[month]} {day + 1} 19{year}",
            f"{month + 1:02d}/{day + 1:02d}/19{year}",
            f"{day + 1}-{month + 1}-19{year}",
        ])  # fmt: skip
        lead = dice.choice(
            ["my date of birth is", "i was born on", "my birthday is", "date of birth", "d o b"]
        )
        made.append(([("customer", f"{lead} {said}")], [(0, "dob", said)]))
    for _ in range(6):
        said = f"{MONTHS[dice.randrange(12)]} {ORDINALS[dice.randrange(20)]} nineteen {two(str(dice.randrange(40, 99)))}"
        made.append(
            ([("agent", "can i get your date of birth"), ("customer", f"sure {said}")], [(1, "dob", said)])
        )
    for _ in range(30):
        first, last = dice.choice(FIRST), dice.choice(LAST)
        local = dice.choice([
            f"{first} dot {last}", f"{first} {last}", f"{first[0]} {last}", f"{first} underscore {last}",
            f"{first}{last}", f"{first} dot {last} {two(str(dice.randrange(60, 99)))}", " ".join(first),
            f"{first}.{last}",
        ])  # fmt: skip
        said = f"{local} at {dice.choice(MAILS)}"
        if dice.random() < 0.2:
            said = f"{first}.{last}@{dice.choice(['gmail.com', 'example.org', 'mail.co.uk'])}"
        lead = dice.choice(["my email is", "send it to", "it's", "the email address is", "you can write to"])
        made.append(([("customer", f"{lead} {said}")], [(0, "email", said)]))
    for _ in range(26):
        number = digits(dice.choice([1, 2, 3, 4]))
        spoken = (
            number
            if dice.random() < 0.5 or len(number) > 2
            else (two(number) if len(number) == 2 else as_words(number))
        )
        said = f"{spoken} {dice.choice(STREETS)} {dice.choice(TYPES)}"
        lead = dice.choice(["i live at", "my address is", "send it to", "the delivery address is", "it's"])
        tail = dice.choice(["", "in the city", "near the school", "please"])
        made.append(([("customer", f"{lead} {said} {tail}".strip())], [(0, "address", said)]))
    for _ in range(32):
        first, last = dice.choice(FIRST), dice.choice(LAST)
        name = dice.choice([f"{first} {last}", f"{first} {last}".title(), first])
        text = dice.choice([
            f"my name is {name}", f"hi this is {name} calling about my bill", f"yeah {name} speaking",
            f"my name is {name} and i lost my card", f"hello my name's {name} i need some help",
            f"the name on the account is {name}", f"my husband's name is {name}",
        ])  # fmt: skip
        made.append(([("customer", text)], [(0, "name", name)]))
    return made


def harmless() -> list[tuple[Turns, Private]]:
    """Numbers and words that look private and are not."""
    made: Turns = []
    for _ in range(18):
        made.append(
            ("customer", f"my order number is {dice.choice(SAY)(digits(dice.choice([6, 8, 9, 12])))}")
        )
        made.append(("agent", f"your reference number is {dice.choice(SAY)(digits(dice.choice([7, 8, 9])))}"))
        made.append(("customer", f"the tracking number is {dice.choice(SAY)(digits(12))}"))
    for _ in range(14):
        a, b = digits(2), digits(2)
        made += [
            ("agent", f"that will be {two(a)} dollars and {two(b)} cents"),
            ("customer", f"i was charged {a}.{b} and then {b}.{a} again"),
            ("customer", f"i have been waiting for {two(a)} minutes since {dice.choice(ONES[1:])} thirty"),
            ("agent", f"it takes {dice.choice(ONES[2:5])} to {dice.choice(ONES[5:])} business days"),
            ("customer", f"we have {two(a)} people and {two(b)} desks on {dice.choice(ONES[1:])} floors"),
            (
                "agent",
                f"your balance is {dice.choice(ONES[1:])} thousand {dice.choice(ONES[1:])} hundred and {two(a)} dollars",
            ),
        ]
    for _ in range(5):
        made += [
            ("customer", f"the model number is {digits(3)} {digits(4)}"),
            ("agent", f"your ticket is {digits(8)}"),
            ("customer", f"flight {digits(4)} leaves at {two(digits(2, '12'))} {two('30')}"),
            ("agent", f"the card ending in {as_words(digits(4))} is active"),
            (
                "customer",
                f"it was on the {dice.choice(ORDINALS)} of {dice.choice(MONTHS)} {dice.choice(['last year', 'this year'])}",
            ),
            ("agent", f"the invoice {digits(6)} was paid in {dice.choice(MONTHS)} twenty twenty four"),
            ("customer", "i'm at the airport right now and my phone is dying"),
            ("agent", "at the moment we can look at dot matrix printers only"),
            ("customer", "my name is on the account"),
            ("agent", "this is about the delivery you asked for"),
            (
                "customer",
                f"i called {dice.choice(ONES[2:6])} times in {two(digits(2))} days and nobody helped",
            ),
            ("agent", f"your policy number is {as_words(digits(8))}"),
            ("customer", f"turn left on the main road and drive {dice.choice(ONES[2:])} miles"),
            ("agent", "we are open from nine to five monday to friday"),
        ]
    return [([turn], []) for turn in made]


BY_HAND = """
agent: may i have your full name please | customer: yes it's [name oluwaseun adeyemi]
agent: and who am i speaking with | customer: [name Margaret Thornbury]
customer: it's registered to mrs [name Eleanor Whitfield]
customer: hi good morning my name is [name siobhan o'reilly] how are you
customer: please put it under mister [name Kowalski]
customer: last name is spelled [name k o w a l s k i]
agent: thank you what is the expiry date on that | customer: [expiry oh eight twenty nine]
agent: when does the card expire | customer: [expiry september twenty twenty eight]
agent: and the last three on the back | customer: [cvv four oh nine]
customer: okay it is [card 5425 2334 3010 9903] expiry [expiry 04/26] and the cvv [cvv 331]
customer: [card four two four two four two four two four two four two four two four two]
customer: [card 4242424242424242] that's the one i paid with
customer: card number [card four five three two triple zero one double two eight one nine five three eight three]
customer: it's amex [card three seven eight two eight two two four six three one oh oh oh five]
customer: let me read it for you [card 4111, 1111, 1111, and 1111]
customer: the card is [card 4 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1]
agent: so that was [card four one one one one one one one one one one one one one one one] correct
customer: you can call my wife at [phone (415) 555-2671]
customer: my whatsapp is plus [phone nine two three three three one two three four five six seven]
customer: the callback number would be [phone 020 7946 0958]
customer: number is [phone two one two uh five five five oh one nine nine]
customer: social security ends in, well the whole is [ssn 078-05-1120]
agent: can you verify the last four of your social | customer: [ssn one one two zero]
customer: national insurance number is q q [national_id one two three four five six] c
customer: my passport number is [national_id ab1234567]
customer: the iban is [iban DE89 3704 0044 0532 0130 00]
customer: sort code [account twenty thirty forty] and account [account one two three four five six seven eight]
customer: routing number [account zero two one zero zero zero zero two one]
customer: um it's [email katie underscore p ninety two at icloud dot com]
customer: my email would be [email bob dash jones at my company dot co dot uk]
agent: what email should i send it to | customer: [email sales at bluebird dot io]
customer: Send the receipt to [email Maria.Lopez+bills@mail.example.com], thanks.
customer: we live at [address 221b baker street]
customer: it's [address seventeen hundred north highland avenue apartment four]
customer: [address flat 4 12 rosewood court]
customer: [address house number 45 street 9 phase 6]
customer: mail it to [address p o box four four two]
agent: what's the postcode there | customer: [address sw1a 1aa]
customer: the zip code is [address nine zero two one zero]
agent: can you confirm your date of birth for me | customer: [dob third of the fourth eighty eight]
customer: born on [dob 7 June 1990] in leeds
customer: my birthday is [dob december twenty fifth two thousand one]
customer: mera shanakhti card number [national_id 35202 1234567 3] hai
customer: mera naam [name Bilal Ahmed] hai
customer: my pin is [pin four four one nine]
customer: the code you texted me, one time passcode, is [pin 8 8 2 1 4 0]
agent: your confirmation number is six six two one nine four three three one oh
customer: it was nineteen eighty four when we opened the store
customer: i paid one hundred and twenty and they want two hundred more
agent: the code for the offer is spring twenty five
customer: i will be there at five
customer: look at google dot com slash maps
agent: the meter reading was zero four five one two two
customer: serial number one two three four five six seven eight nine zero
agent: i'm speaking from the accounts department
customer: this is ridiculous calling you every day
agent: the street is closed for two more days
customer: my name is not on the list
agent: there were 1,250,000 customers in 2023
customer: i'm happy and i'm calling to say thanks
agent: your case number is zero zero one eight eight two nine three three
customer: half past nine or quarter to ten on the twenty third
agent: the last four digits are nine nine zero three
"""
"""Not from templates: other phrasings, so that the set does not only repeat what the rules know. In brackets
what is private, after its kind."""
MARK = re.compile(r"\[(\w+) ([^]]+)]")


def by_hand() -> list[tuple[Turns, Private]]:
    """The items of ``BY_HAND``."""
    made = []
    for line in BY_HAND.strip().splitlines():
        turns = [turn.split(": ", 1) for turn in line.split(" | ")]
        private = [(n, *mark) for n, (_, text) in enumerate(turns) for mark in MARK.findall(text)]
        made.append(([(role, MARK.sub(r"\2", text)) for role, text in turns], private))
    return made


def main() -> None:
    """Write the set."""
    items = [*cards(), *numbers(), *worded(), *harmless(), *by_hand()]
    dice.shuffle(items)
    OUT.parent.mkdir(exist_ok=True)
    with OUT.open("w", encoding="utf-8") as out:
        for turns, private in items:
            out.write(json.dumps({"turns": turns, "private": private}) + "\n")
    print(f"{len(items)} utterances, {sum(bool(p) for _, p in items)} with private data, in {OUT}")


if __name__ == "__main__":
    main()
